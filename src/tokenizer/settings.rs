//! Settings in a `tokenizer.json`: its tokens, and how they become text.

use serde_json::Value;

use super::bytes::{fallback_byte, of_characters, shown};
use super::decoder::Step;

/// Most that the steps of a normalizer or a decoder may multiply the length of a text by. Usual ones triple it.
const MAX_GROWTH: f64 = 4096.0;

/// Kinds of steps that `tokenizers` 0.23 has in each part that makes tokens of a text.
const KINDS: [(&str, &[&str]); 2] = [
    (
        "normalizer",
        &[
            "Sequence",
            "Bert",
            "BertNormalizer",
            "ByteLevel",
            "Lowercase",
            "NFC",
            "NFD",
            "NFKC",
            "NFKD",
            "Nmt",
            "Precompiled",
            "Prepend",
            "Replace",
            "Strip",
            "StripAccents",
        ],
    ),
    (
        "pre_tokenizer",
        &[
            "Sequence",
            "BertPreTokenizer",
            "ByteLevel",
            "CharDelimiterSplit",
            "Delimiter",
            "Digits",
            "FixedLength",
            "Metaspace",
            "Punctuation",
            "Split",
            "UnicodeScripts",
            "Whitespace",
            "WhitespaceSplit",
        ],
    ),
];

/// Settings of a tokenizer, as far as Confab applies them itself.
#[derive(Debug)]
pub struct Settings {
    /// Tokens as the file spells them, by id.
    pieces: Vec<Option<String>>,
    is_of_bytes: bool,
    /// `None` joins tokens with spaces.
    decoder: Option<Step>,
    /// Tokens in front of every input.
    pub start: Vec<u32>,
    /// Token of what no other stands for.
    pub unknown: Option<u32>,
    /// True if a space is put before a text.
    pub has_first_space: bool,
}

impl Settings {
    /// Reads the settings of a model with `rows` tokens.
    ///
    /// # Errors
    /// A sentence on the first setting that is missing, goes beyond a limit, or names a token without a row.
    pub fn read(json: &Value, rows: usize) -> Result<Self, String> {
        let mut pieces = vec![None; rows];
        let mut put = |piece: &str, id: Option<u64>| {
            let place = id.and_then(|id| pieces.get_mut(usize::try_from(id).ok()?));
            match place {
                Some(Some(other)) if other != piece => {
                    Err(format!("the tokens {other:?} and {piece:?} have one id"))
                }
                Some(place) => {
                    *place = Some(piece.to_owned());
                    Ok(())
                }
                None => Err(without_row(piece, id, rows)),
            }
        };
        match &json["model"]["vocab"] {
            Value::Object(vocab) => {
                vocab.iter().try_for_each(|(piece, id)| put(piece, id.as_u64()))?;
            }
            // A unigram model's: pairs of a token and its score.
            Value::Array(vocab) => (0..)
                .zip(vocab)
                .try_for_each(|(id, pair)| put(pair[0].as_str().unwrap_or_default(), Some(id)))?,
            _ => return Err("its `model.vocab` is missing".into()),
        }
        for added in json["added_tokens"].as_array().into_iter().flatten() {
            put(added["content"].as_str().unwrap_or_default(), added["id"].as_u64())?;
        }
        for (part, kinds) in KINDS {
            let mut named = inner(&json[part]).filter_map(|step| step["type"].as_str());
            if let Some(kind) = named.find(|kind| !kinds.contains(kind)) {
                let kind: String = kind.chars().take(40).collect();
                return Err(format!("its `{part}` has a step of an unknown kind, {kind:?}"));
            }
        }
        for part in ["normalizer", "decoder"] {
            if growth(&json[part]) > MAX_GROWTH {
                return Err(format!("its `{part}` makes a text thousands of times as long"));
            }
        }
        let decoder = match &json["decoder"] {
            Value::Null => None,
            decoder => Some(
                serde::Deserialize::deserialize(decoder)
                    .map_err(|why| format!("its `decoder` cannot be applied: {why}"))?,
            ),
        };
        let start = start(&json["post_processor"]);
        if let Some(id) = start.iter().find(|id| **id as usize >= rows) {
            return Err(format!(
                "it puts the token {id} in front of every text, but the model has {rows} tokens, from 0 on"
            ));
        }
        let model = &json["model"];
        let unknown = match model["unk_token"].as_str() {
            Some(token) => pieces.iter().position(|piece| piece.as_deref() == Some(token)),
            None => model["unk_id"].as_u64().and_then(|id| usize::try_from(id).ok()),
        };
        let steps = |key: &str| inner(&json[key]).collect::<Vec<_>>();
        Ok(Self {
            is_of_bytes: [steps("decoder"), steps("pre_tokenizer")]
                .concat()
                .iter()
                .any(|step| step["type"] == "ByteLevel"),
            decoder,
            start,
            unknown: unknown.filter(|id| *id < rows).map(|id| id as u32),
            has_first_space: steps("normalizer").iter().any(|step| step["type"] == "Prepend")
                || steps("pre_tokenizer").iter().any(|step| {
                    step["add_prefix_space"] == true
                        || (step["type"] == "Metaspace" && step["prepend_scheme"] != "never")
                }),
            pieces,
        })
    }

    /// Token `id` as the file spells it; `None` without a name.
    pub fn piece(&self, id: u32) -> Option<&str> {
        self.pieces.get(id as usize)?.as_deref()
    }

    /// Bytes that the token `piece` stands for within a text.
    pub fn bytes(&self, piece: &str) -> Vec<u8> {
        match (self.is_of_bytes, fallback_byte(piece)) {
            (true, _) => of_characters(piece),
            (false, Some(byte)) => vec![byte],
            (false, None) => piece.replace('▁', " ").into_bytes(),
        }
    }

    /// Text by which the token `piece` is known. Bytes that are no UTF-8 are spelled `<0xE4>`.
    pub fn shown(&self, piece: &str) -> String {
        shown(&self.bytes(piece))
    }

    /// Text of tokens as the file spells them.
    pub fn decode(&self, pieces: Vec<String>) -> String {
        match &self.decoder {
            Some(step) => step.decode(pieces).concat(),
            None => pieces.join(" "),
        }
    }
}

fn without_row(piece: &str, id: Option<u64>, rows: usize) -> String {
    let id = id.map_or("none".into(), |id| id.to_string());
    let piece: String = piece.chars().take(40).collect();
    format!("the token {piece:?} has the id {id}, but the model has {rows} tokens, from 0 on")
}

/// A step, if it is there, or those of a sequence of steps.
pub fn inner(step: &Value) -> impl Iterator<Item = &Value> {
    let keys = ["normalizers", "pretokenizers", "processors", "decoders"];
    let steps = keys.into_iter().find_map(|key| step[key].as_array());
    let itself = (steps.is_none() && !step.is_null()).then_some(step);
    steps.into_iter().flatten().chain(itself)
}

/// The most that a step multiplies the length of a text by. What it puts in front counts as if it did so for each
/// character.
fn growth(step: &Value) -> f64 {
    if ["normalizers", "decoders"].iter().any(|steps| step[*steps].is_array()) {
        return inner(step).map(growth).product();
    }
    let text = |key: &str| step[key].as_str().map_or(0, str::len);
    match step["type"].as_str() {
        Some("Replace") => (1 + text("content")) as f64,
        Some("Prepend") => (1 + text("prepend")) as f64,
        _ => 1.0,
    }
}

/// Ids of the tokens that a post-processor puts in front of a text.
fn start(processor: &Value) -> Vec<u32> {
    let id = |id: &Value| id.as_u64().and_then(|id| u32::try_from(id).ok());
    let of_step = |step: &Value| -> Vec<u32> {
        let tokens = step["single"].as_array().into_iter().flatten();
        let special = tokens.map_while(|part| part["SpecialToken"]["id"].as_str());
        let ids = special.flat_map(|name| step["special_tokens"][name]["ids"].as_array());
        // Of BERT and RoBERTa: `"cls": ["[CLS]", 101]`.
        ids.flatten().chain(step["cls"].get(1)).filter_map(id).collect()
    };
    inner(processor).flat_map(of_step).collect()
}
