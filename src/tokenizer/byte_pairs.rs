//! Byte pairs that are learned from a text (Sennrich et al. 2016, <https://arxiv.org/abs/1508.07909>), over bytes as in
//! GPT-2. Their words are split by ASCII classes alone, so page and terminal split alike whatever Unicode adds.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::bytes::characters;

/// Words: letters, digits or marks, with one space before, or blanks. What is not ASCII counts as a letter.
const WORDS: &str = r" ?[^\x00-\x40\x5B-\x60\x7B-\x7F]{1,64}| ?[0-9]{1,64}| ?[\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E]{1,64}|[\x00-\x20\x7F]{1,64}";
/// Most characters of a word, its space aside.
const MAX_WORD: usize = 64;

/// The pre-tokenizer of a `tokenizer.json` of such byte pairs.
pub fn pre_tokenizer() -> Value {
    json!({
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": false},
            byte_level(),
        ],
    })
}

pub fn byte_level() -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})
}

/// Tokens of bytes and the pairs of them that are merged.
#[derive(Debug)]
pub struct BytePairs {
    /// Token of each byte.
    bytes: Vec<u32>,
    /// Rank and token of each pair.
    merges: HashMap<(u32, u32), (usize, u32)>,
}

impl BytePairs {
    /// Reads a `tokenizer.json`; `None` if it is not of byte pairs as Confab learns them.
    pub fn read(json: &Value) -> Option<Self> {
        let model = &json["model"];
        let is_plain = ["/normalizer", "/model/unk_token", "/model/continuing_subword_prefix", "/model/end_of_word_suffix"]
            .iter()
            .all(|part| json.pointer(part).is_none_or(Value::is_null))
            && json["added_tokens"].as_array().is_none_or(Vec::is_empty)
            && model["ignore_merges"] != true;
        if !is_plain || model["type"] != "BPE" || json["pre_tokenizer"] != pre_tokenizer() {
            return None;
        }
        let id = |piece: &str| u32::try_from(model["vocab"][piece].as_u64()?).ok();
        let pair = |(rank, merge): (usize, &Value)| {
            let (first, second) = match merge {
                Value::String(merge) => merge.split_once(' ')?,
                pair => (pair[0].as_str()?, pair[1].as_str()?),
            };
            Some(((id(first)?, id(second)?), (rank, id(&format!("{first}{second}"))?)))
        };
        Some(Self {
            bytes: characters().map(|character| id(character.encode_utf8(&mut [0; 4]))).collect::<Option<_>>()?,
            merges: model["merges"].as_array()?.iter().enumerate().map(pair).collect::<Option<_>>()?,
        })
    }

    /// Tokens of `text`.
    pub fn tokenize(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 2);
        for word in words(text) {
            let mut tokens: Vec<u32> = word.bytes().map(|byte| self.bytes[usize::from(byte)]).collect();
            self.merge(&mut tokens);
            ids.extend(tokens);
        }
        ids
    }

    /// Merges the pair that was learned first, its leftmost place first, until none is left.
    fn merge(&self, tokens: &mut Vec<u32>) {
        let merge = |(at, pair): (usize, &[u32])| {
            let (rank, id) = self.merges.get(&(pair[0], pair[1]))?;
            Some((*rank, at, *id))
        };
        while let Some((_, at, id)) = tokens.windows(2).enumerate().filter_map(merge).min() {
            tokens[at] = id;
            tokens.remove(at + 1);
        }
    }
}

/// The words of `text`, as [`WORDS`] splits it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let second = rest.strip_prefix(' ').and_then(|rest| rest.chars().next());
        let (space, of) = match second.map(Class::of).filter(|class| *class != Class::Blank) {
            Some(class) => (1, class),
            None => (0, Class::of(first)),
        };
        let run = rest[space..].chars().take(MAX_WORD).take_while(|character| Class::of(*character) == of);
        let (word, after) = rest.split_at(space + run.map(char::len_utf8).sum::<usize>());
        rest = after;
        Some(word)
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Letter,
    Digit,
    Mark,
    Blank,
}

impl Class {
    fn of(character: char) -> Self {
        match character {
            '0'..='9' => Self::Digit,
            '\0'..=' ' | '\x7f' => Self::Blank,
            character if character.is_ascii_punctuation() => Self::Mark,
            _ => Self::Letter,
        }
    }
}
