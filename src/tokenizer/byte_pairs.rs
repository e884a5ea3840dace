//! Byte-pair encoding (Sennrich et al. 2016, <https://arxiv.org/abs/1508.07909>) as a `tokenizer.json` of GPT-2's or
//! Llama's family describes it, or one that Confab learned from a text. It gives the tokens that Hugging Face's
//! `tokenizers` gives, for which the page's worker has no room.

mod added;
mod cut;
mod learned;
mod merge;
mod pattern;

use serde_json::Value;

use super::bytes::spelled;
use super::error::TokenizeError;
use super::index::Index;
use super::settings::inner;
use added::{Added, Part};
use cut::{Cut, Cuts};
#[cfg(feature = "cli")]
pub use learned::WORDS;
use merge::{Merges, merge};

/// Tokens, the pairs of them that are merged, and the cuts that no merge crosses.
#[derive(Debug)]
pub struct BytePairs {
    added: [Added; 2],
    normalizer: Vec<Normal>,
    cuts: Vec<Cut>,
    /// Tokens by their bytes.
    words: Index,
    /// Token of each byte that a model of characters falls back to, where there is one.
    bytes: Vec<Option<u32>>,
    is_of_bytes: bool,
    unknown: Option<Unknown>,
    /// False if the words within which tokens are merged may be others than the file's.
    pub is_exact: bool,
    /// True if a word that is a token is not merged from its parts.
    is_word_first: bool,
    merges: Merges,
}

/// The token of what no other stands for.
#[derive(Clone, Copy, Debug)]
struct Unknown {
    id: u32,
    /// True if one token stands for several such characters in a row.
    is_fused: bool,
}

/// A step of a normalizer.
#[derive(Debug)]
enum Normal {
    Prepend(String),
    Replace(String, String),
    /// Unicode's composed form, which the browser makes.
    #[cfg(not(feature = "cli"))]
    Composed,
}

impl Normal {
    /// Steps of a normalizer; `None` if one is unknown.
    fn read(json: &Value) -> Option<Vec<Self>> {
        let step = |step: &Value| {
            let text = |key: &str| step[key].as_str().map(str::to_owned);
            match step["type"].as_str()? {
                "Prepend" => Some(Self::Prepend(text("prepend")?)),
                "Replace" => {
                    let pattern = step["pattern"]["String"].as_str()?;
                    (!pattern.is_empty()).then_some(())?;
                    Some(Self::Replace(pattern.to_owned(), text("content")?))
                }
                #[cfg(not(feature = "cli"))]
                "NFC" => Some(Self::Composed),
                _ => None,
            }
        };
        inner(json).map(step).collect()
    }

    fn apply(&self, text: String) -> String {
        match self {
            Self::Prepend(prefix) if !text.is_empty() => format!("{prefix}{text}"),
            Self::Prepend(_) => text,
            Self::Replace(pattern, content) => text.replace(pattern, content),
            #[cfg(not(feature = "cli"))]
            Self::Composed => js_sys::JsString::from(text).normalize("NFC").into(),
        }
    }
}

impl BytePairs {
    /// Reads a `tokenizer.json`; `None` if it is not of byte pairs, or has a part that only `tokenizers` knows.
    pub fn read(json: &Value) -> Option<Self> {
        let model = &json["model"];
        let is_blank = |key: &str| model[key].as_str().is_none_or(str::is_empty);
        let is_plain =
            ["continuing_subword_prefix", "end_of_word_suffix"].into_iter().all(is_blank);
        if !is_plain || model["type"].as_str().is_some_and(|kind| kind != "BPE") {
            return None;
        }
        let vocab = model["vocab"].as_object()?;
        let find = |piece: &str| u32::try_from(vocab.get(piece)?.as_u64()?).ok();
        let pair = |(rank, merge): (u32, &Value)| {
            let (first, second) = match merge {
                Value::String(merge) => merge.split_once(' ')?,
                pair => (pair[0].as_str()?, pair[1].as_str()?),
            };
            Some(((find(first)?, find(second)?), (rank, find(&format!("{first}{second}"))?)))
        };
        let merges = (0..).zip(model["merges"].as_array()?).map(pair).collect::<Option<_>>()?;
        let Cuts { steps: cuts, is_of_bytes, is_exact } = Cuts::read(&json["pre_tokenizer"])?;
        let falls_back = model["byte_fallback"] == true;
        if is_of_bytes && falls_back {
            return None;
        }
        let spelling = |piece: &str| match is_of_bytes {
            true => spelled(piece),
            false => Some(piece.as_bytes().to_vec()),
        };
        let words =
            Index::new(vocab.keys().filter_map(|piece| Some((spelling(piece)?, find(piece)?))));
        let byte = |byte: u8| find(&format!("<0x{byte:02X}>")).filter(|_| falls_back);
        let bytes = (0..=u8::MAX).map(byte).collect();
        let unknown = match model["unk_token"].as_str().filter(|token| !token.is_empty()) {
            Some(token) => Some(Unknown { id: find(token)?, is_fused: model["fuse_unk"] == true }),
            None => None,
        };
        let added = Added::read(json)?;
        let normalizer = Normal::read(&json["normalizer"])?;
        // Such a token is looked for in its own normalized form.
        if !normalizer.is_empty() && !added[1].is_empty() {
            return None;
        }
        let is_word_first = model["ignore_merges"] == true;
        Some(Self {
            added,
            normalizer,
            cuts,
            words,
            bytes,
            is_of_bytes,
            unknown,
            is_word_first,
            is_exact,
            merges,
        })
    }

    /// Tokens of `text`.
    ///
    /// # Errors
    /// The first character that no token stands for.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        let mut ids = Vec::with_capacity(text.len() / 2);
        let mut lost = None;
        let [before, after] = &self.added;
        for part in before.split(text) {
            let (text, is_first) = match part {
                Part::Token(id) => {
                    ids.push(id);
                    continue;
                }
                Part::Text { text, is_first } => (text, is_first),
            };
            let text = self.normalizer.iter().fold(text.to_owned(), |text, step| step.apply(text));
            for part in after.split(&text) {
                match part {
                    Part::Token(id) => ids.push(id),
                    Part::Text { text, is_first: is_beginning } => {
                        let mut put = |word: &str| match self.word(word) {
                            Ok(tokens) => ids.extend(tokens),
                            Err(character) => lost = lost.or(Some(character)),
                        };
                        Cut::apply(&self.cuts, text, is_first && is_beginning, &mut put);
                    }
                }
            }
        }
        lost.map_or(Ok(ids), |character| Err(TokenizeError::Unknown(character)))
    }

    /// Tokens of a word, or the first character that none stands for.
    fn word(&self, word: &str) -> Result<Vec<u32>, char> {
        if self.is_word_first
            && let Some(id) = self.words.find(word.as_bytes())
        {
            return Ok(vec![id]);
        }
        let mut ids = Vec::with_capacity(word.len());
        // `tokenizers` puts an unknown token after the bytes that follow it.
        let mut held: Option<Unknown> = None;
        for character in word.chars() {
            let mut spelling = [0; 4];
            let spelling = character.encode_utf8(&mut spelling).as_bytes();
            let parts = if self.is_of_bytes { spelling.chunks(1) } else { spelling.chunks(4) };
            for part in parts {
                let known: Option<Vec<u32>> = match self.words.find(part) {
                    Some(id) => {
                        ids.extend(held.take().map(|unknown| unknown.id));
                        Some(vec![id])
                    }
                    None => part.iter().map(|byte| self.bytes[usize::from(*byte)]).collect(),
                };
                match (known, held, self.unknown) {
                    (Some(known), ..) => ids.extend(known),
                    (None, Some(held), _) if held.is_fused => {}
                    (None, before, Some(unknown)) => {
                        ids.extend(before.map(|unknown| unknown.id));
                        held = Some(unknown);
                    }
                    (None, _, None) => return Err(character),
                }
            }
        }
        ids.extend(held.map(|unknown| unknown.id));
        merge(&mut ids, &self.merges);
        Ok(ids)
    }
}
