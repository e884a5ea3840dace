//! Splits a grammar into words.

use super::refusal::Refusal;
use crate::config::MAX_GRAMMAR_BYTES;

/// A word of a grammar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// A name or a keyword.
    Name(String),
    /// Quoted text, unescaped.
    Text(String),
    /// A number as it is written.
    Number(String),
    /// One of `= | * ( ) : . ..`.
    Sign(&'static str),
}

/// A word and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub word: Word,
    /// From 1.
    pub line: usize,
    /// True if no word stands before it on its line.
    pub is_first: bool,
}

const SIGNS: [&str; 8] = ["..", "=", "|", "*", "(", ")", ":", "."];

/// Words of `text`, comments left out.
///
/// # Errors
/// A text that is too long or not closed, and a character that starts no word.
pub(super) fn words(text: &str) -> Result<Vec<Token>, Refusal> {
    if text.len() > MAX_GRAMMAR_BYTES {
        let sentence = format!(
            "the grammar is {} bytes long; shorten it to {} or less",
            text.len(),
            MAX_GRAMMAR_BYTES
        );
        return Err(Refusal::new(1, sentence));
    }
    let mut out = Vec::new();
    let text = text.trim_start_matches('\u{feff}');
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let mut rest = line.trim_start();
        let mut is_first = true;
        while !rest.is_empty() && !rest.starts_with('#') {
            let (word, after) = word(rest).map_err(|sentence| Refusal::new(number, sentence))?;
            out.push(Token { word, line: number, is_first });
            is_first = false;
            rest = after.trim_start();
        }
    }
    Ok(out)
}

/// The first word of `text` and what follows it; the error is a sentence.
fn word(text: &str) -> Result<(Word, &str), String> {
    let first = text.chars().next().unwrap_or_default();
    if first == '"' || first == '\'' {
        return quoted(text, first);
    }
    if first.is_alphabetic() || first == '_' {
        let (name, rest) = split_while(text, |c| c.is_alphanumeric() || c == '_');
        return Ok((Word::Name(name.to_owned()), rest));
    }
    if first.is_ascii_digit() || first == '-' {
        let (number, rest) = number(text);
        return Ok((Word::Number(number.to_owned()), rest));
    }
    for sign in SIGNS {
        if let Some(rest) = text.strip_prefix(sign) {
            return Ok((Word::Sign(sign), rest));
        }
    }
    Err(format!("`{}` means nothing here; put text in quotes", first.escape_debug()))
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// `12`, `-1`, `0.5` or `1e3`; not the points of `3..8`.
fn number(text: &str) -> (&str, &str) {
    let mut end = 0;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        let next = text.get(at + 1..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
        let belongs = match c {
            '0'..='9' => true,
            '-' => at == 0 || matches!(previous, 'e' | 'E'),
            '.' => next.is_ascii_digit() && previous != '.',
            'e' | 'E' => next.is_ascii_digit() || next == '-',
            _ => false,
        };
        if !belongs {
            break;
        }
        previous = c;
        end = at + c.len_utf8();
    }
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn quoted(text: &str, quote: char) -> Result<(Word, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, c @ ('"' | '\'' | '\\'))) => out.push(c),
                _ => {
                    let known = "`\\` stands only before n, t, a quote or another `\\`; write `\\\\` for itself";
                    return Err(known.to_owned());
                }
            },
            c if c == quote => {
                let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
                return Ok((Word::Text(out), rest));
            }
            c => out.push(c),
        }
    }
    Err(format!("this text does not end; close it with {quote}"))
}
