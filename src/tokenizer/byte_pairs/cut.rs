//! Cuts of a text into the words within which tokens are merged.

use serde_json::Value;

use super::learned;
use super::pattern::{GPT_2, Pattern};
use crate::tokenizer::settings::inner;

/// A step of a pre-tokenizer.
#[derive(Debug)]
pub enum Cut {
    /// Words as Confab learns them.
    Learned,
    Pattern(Pattern),
    /// Numbers apart from the rest, each digit alone or not.
    Digits {
        is_each: bool,
    },
    /// A space in front.
    Space,
    /// Spaces as `mark`, one in front of every text or of the first, and cut before each or not.
    Mark {
        mark: char,
        is_in_front: bool,
        is_first_only: bool,
        is_cut: bool,
    },
}

/// The steps of a pre-tokenizer.
pub struct Cuts {
    pub steps: Vec<Cut>,
    pub is_of_bytes: bool,
    /// False if GPT-2's words stand for those of an expression that no published model is known to have.
    pub is_exact: bool,
}

impl Cuts {
    /// Reads the pre-tokenizer of a `tokenizer.json`; `None` if a step is unknown.
    pub fn read(json: &Value) -> Option<Self> {
        let steps: Vec<&Value> = inner(json).collect();
        let mut cuts = Vec::new();
        let (mut is_of_bytes, mut is_exact) = (false, true);
        let last = steps.len().saturating_sub(1);
        for (index, step) in steps.into_iter().enumerate() {
            match step["type"].as_str()? {
                "ByteLevel" if index == last => {
                    is_of_bytes = true;
                    if step["add_prefix_space"] != false {
                        cuts.push(Cut::Space);
                    }
                    if step["use_regex"] != false {
                        cuts.push(Cut::Pattern(Pattern::find(GPT_2)?));
                    }
                }
                "Split" if step["behavior"] == "Isolated" && step["invert"] == false => {
                    cuts.push(match step["pattern"]["Regex"].as_str()? {
                        learned::WORDS => Cut::Learned,
                        pattern => {
                            let found = Pattern::find(pattern);
                            is_exact &= found.is_some();
                            Cut::Pattern(found.or(Pattern::find(GPT_2))?)
                        }
                    });
                }
                "Digits" => cuts.push(Cut::Digits { is_each: step["individual_digits"] == true }),
                "Metaspace" if last == 0 => {
                    let mut mark = step["replacement"].as_str()?.chars();
                    let scheme = step["prepend_scheme"].as_str()?;
                    cuts.push(Cut::Mark {
                        mark: mark.next().filter(|_| mark.next().is_none())?,
                        is_in_front: scheme != "never",
                        is_first_only: scheme == "first",
                        is_cut: step["split"] != false,
                    });
                }
                _ => return None,
            }
        }
        Some(Self { steps: cuts, is_of_bytes, is_exact })
    }
}

impl Cut {
    /// Gives the words that `cuts` make of `text` to `put`. `is_first` says that nothing stands before it.
    pub fn apply(cuts: &[Self], text: &str, is_first: bool, put: &mut dyn FnMut(&str)) {
        match cuts.split_first() {
            None => put(text),
            Some((cut, rest)) => {
                cut.split(text, is_first, &mut |word| Self::apply(rest, word, is_first, put));
            }
        }
    }

    fn split(&self, text: &str, is_first: bool, put: &mut dyn FnMut(&str)) {
        match *self {
            Self::Learned => learned::words(text).for_each(put),
            Self::Pattern(ref pattern) => pattern.split(text, put),
            Self::Space if text.starts_with(' ') => put(text),
            Self::Space => put(&format!(" {text}")),
            Self::Digits { is_each } => {
                let is_cut = |a: char, b: char| match (a.is_numeric(), b.is_numeric()) {
                    (true, true) => is_each,
                    (a, b) => a != b,
                };
                cut_between(text, is_cut, put);
            }
            Self::Mark { mark, is_in_front, is_first_only, is_cut } => {
                let mut text = text.replace(' ', mark.encode_utf8(&mut [0; 4]));
                if is_in_front && (is_first || !is_first_only) && !text.starts_with(mark) {
                    text.insert(0, mark);
                }
                cut_between(&text, |_, b| is_cut && b == mark, put);
            }
        }
    }
}

/// Gives the parts of `text` to `put`, cut between neighbours for which `is_cut` says so.
fn cut_between(text: &str, is_cut: impl Fn(char, char) -> bool, put: &mut dyn FnMut(&str)) {
    let mut start = 0;
    let next = text.char_indices().skip(1);
    for (before, (at, after)) in text.chars().zip(next) {
        if is_cut(before, after) {
            put(&text[start..at]);
            start = at;
        }
    }
    put(&text[start..]);
}
