//! Tokens back to text, by the steps that a `tokenizer.json` lists under `decoder`, as Hugging Face's `tokenizers`
//! applies them (<https://huggingface.co/docs/tokenizers/api/decoders>).

use serde::Deserialize;

use super::bytes::{fallback_byte, of_characters};

/// A step of decoding: a list of tokens to another.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type")]
pub enum Step {
    Sequence {
        decoders: Vec<Step>,
    },
    ByteLevel,
    ByteFallback,
    Fuse,
    WordPiece {
        prefix: String,
        cleanup: bool,
    },
    Metaspace {
        replacement: char,
        #[serde(default)]
        prepend_scheme: Prepend,
    },
    Strip {
        content: char,
        start: usize,
        stop: usize,
    },
    Replace {
        pattern: Pattern,
        content: String,
    },
    #[serde(rename = "BPEDecoder")]
    Bpe {
        suffix: String,
    },
    #[serde(rename = "CTC")]
    Ctc {
        pad_token: String,
        word_delimiter_token: String,
        cleanup: bool,
    },
}

/// Words before which a space is written as a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prepend {
    #[default]
    Always,
    First,
    Never,
}

/// Text to replace. A regular expression is refused: no decoder in use has one.
#[derive(Clone, Debug, Deserialize)]
pub enum Pattern {
    String(String),
}

impl Step {
    /// The tokens after this step.
    pub fn decode(&self, tokens: Vec<String>) -> Vec<String> {
        match self {
            Self::Sequence { decoders } => {
                decoders.iter().fold(tokens, |tokens, step| step.decode(tokens))
            }
            Self::ByteLevel => {
                let bytes: Vec<u8> =
                    tokens.iter().flat_map(|token| of_characters(token)).collect();
                vec![String::from_utf8_lossy(&bytes).into_owned()]
            }
            Self::ByteFallback => with_fallback_bytes(tokens),
            Self::Fuse => vec![tokens.concat()],
            Self::WordPiece { prefix, cleanup } => {
                let word = |(index, token): (usize, String)| {
                    let token = match (index, token.strip_prefix(prefix.as_str())) {
                        (0, _) => token,
                        (_, Some(part)) => part.to_owned(),
                        (_, None) => format!(" {token}"),
                    };
                    if *cleanup { clean_up(&token) } else { token }
                };
                tokens.into_iter().enumerate().map(word).collect()
            }
            Self::Metaspace { replacement, prepend_scheme } => {
                let space = |(index, token): (usize, String)| {
                    let is_dropped = index == 0 && *prepend_scheme != Prepend::Never;
                    token.replace(*replacement, if is_dropped { "" } else { " " })
                };
                tokens.into_iter().enumerate().map(space).collect()
            }
            Self::Strip { content, start, stop } => {
                tokens.iter().map(|token| strip(token, *content, *start, *stop).to_owned()).collect()
            }
            Self::Replace { pattern: Pattern::String(pattern), content } => {
                // `tokenizers` finds nothing of an empty pattern.
                let replace = |token: String| match pattern.is_empty() {
                    true => token,
                    false => token.replace(pattern, content),
                };
                tokens.into_iter().map(replace).collect()
            }
            Self::Bpe { suffix } => {
                let last = tokens.len().saturating_sub(1);
                let end = |index| if index == last { "" } else { " " };
                let tokens = tokens.into_iter().enumerate();
                tokens.map(|(index, token)| token.replace(suffix, end(index))).collect()
            }
            Self::Ctc { pad_token, word_delimiter_token, cleanup } => {
                let mut tokens = tokens;
                tokens.dedup();
                let read = |token: String| {
                    let token = token.replace(pad_token, "");
                    match cleanup {
                        true => clean_up(&token).replace(word_delimiter_token, " "),
                        false => token,
                    }
                };
                tokens.into_iter().map(read).filter(|token| !token.is_empty()).collect()
            }
        }
    }
}

/// Tokens with each run of bytes, `<0xE4>`, as one token of text; a run that is no UTF-8 as one U+FFFD a byte.
fn with_fallback_bytes(tokens: Vec<String>) -> Vec<String> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut run: Vec<u8> = Vec::new();
    let end_run = |run: &mut Vec<u8>, out: &mut Vec<String>| {
        let bytes = std::mem::take(run);
        let count = bytes.len();
        match String::from_utf8(bytes) {
            Ok(text) if count > 0 => out.push(text),
            Ok(_) => {}
            Err(_) => out.extend((0..count).map(|_| "\u{fffd}".to_owned())),
        }
    };
    for token in tokens {
        match fallback_byte(&token) {
            Some(byte) => run.push(byte),
            None => {
                end_run(&mut run, &mut out);
                out.push(token);
            }
        }
    }
    end_run(&mut run, &mut out);
    out
}

/// `token` without at most `start` of `content` at its beginning, and `stop` at its end.
fn strip(token: &str, content: char, start: usize, stop: usize) -> &str {
    let token = (0..start).try_fold(token, |token, _| token.strip_prefix(content).ok_or(token));
    let token = token.unwrap_or_else(|rest| rest);
    let token = (0..stop).try_fold(token, |token, _| token.strip_suffix(content).ok_or(token));
    token.unwrap_or_else(|rest| rest)
}

/// English without the spaces that words were split by.
fn clean_up(text: &str) -> String {
    const SPLIT: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    SPLIT.iter().fold(text.to_owned(), |text, (split, joined)| text.replace(split, joined))
}
