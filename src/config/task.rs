//! The tasks, and the options of each.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{BracketsConfig, ConfigError, MqarConfig, SequenceConfig, TaskKind, WordsConfig};

/// Number on the line after the separator of a `phone` record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerRule {
    /// That of the list: it can be recalled.
    #[default]
    #[serde(alias = "true")]
    List,
    /// A random one, as the published generator drew it: it cannot.
    #[serde(alias = "as_published")]
    Random,
}

impl_names!(AnswerRule: List = "list", Random = "random");

/// Records of `facts` that are held out for validation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FactsSplit {
    /// Whole facts, in all their wordings: nothing trained on tells them.
    #[default]
    Facts,
    /// Single wordings of facts that are trained on in others, as nanoGPT's last tenth of a text holds them.
    Wording,
}

impl_names!(FactsSplit: Facts = "facts", Wording = "wording");

/// Task of a run, and the options of every kind of task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskConfig {
    pub kind: TaskKind,
    pub phone: PhoneConfig,
    pub facts: FactsConfig,
    pub text: TextConfig,
    pub induction: InductionConfig,
    pub modular: ModularConfig,
    pub grammar: GrammarConfig,
    pub sequence: SequenceConfig,
    pub words: WordsConfig,
    pub brackets: BracketsConfig,
    pub mqar: MqarConfig,
    pub supplement: SupplementConfig,
}

impl TaskConfig {
    /// True if there is nothing to train on: the model is from elsewhere, or a [file](Self::long_texts) of the run's is
    /// not at hand.
    pub fn is_unknown(&self) -> bool {
        let is_empty = self.text.text.is_empty() && self.text.file.is_none();
        self.kind == TaskKind::Text && is_empty || self.lost_text().is_some()
    }

    /// Predictions of a record, where they are few among its tokens; `None` where nearly every token is predicted.
    pub fn few_predictions(&self) -> Option<usize> {
        let MqarConfig { length, pairs, .. } = self.mqar;
        let are_few =
            self.kind == TaskKind::Mqar && 4 * pairs < length && self.supplement.is_empty();
        are_few.then_some(pairs)
    }

    /// True if its sentences are the user's own.
    pub fn has_own_sentences(&self) -> bool {
        self.kind == TaskKind::Spacing && !self.words.text.is_empty()
    }

    /// True if it holds what came from files and has no knob, so that no link can carry it.
    pub fn has_files(&self) -> bool {
        !self.phone.own_names.is_empty()
            || !self.supplement.is_empty()
            || self.long_texts().next().is_some()
    }

    /// The files that it names in place of texts.
    pub fn long_texts(&self) -> impl Iterator<Item = &TextFile> {
        let text = self.text.long().filter(|_| self.kind == TaskKind::Text);
        text.into_iter().chain(self.supplement.long())
    }

    /// A file that it names and that is not at hand; in the page none is.
    pub fn lost_text(&self) -> Option<&TextFile> {
        self.long_texts().find(|text| !Path::new(&text.path).is_file())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhoneConfig {
    /// Lines listed before the separator, each a name and a number.
    pub lines: usize,
    /// First names to draw from: the first `names` of the list.
    pub names: usize,
    /// Number on the line after the separator.
    #[serde(alias = "recall")]
    pub answer: AnswerRule,
    /// Share of records, 0 to 1, that ask for a name of the whole book; where no line has it, the
    /// answer is `?`.
    #[serde(alias = "abstain")]
    pub unknown: f64,
    /// The user's own names in place of those of the census, one a line; empty for none. No knob: they come from a
    /// file. At most [`MAX_NAMES_BYTES`](super::MAX_NAMES_BYTES).
    pub own_names: String,
}

impl Default for PhoneConfig {
    fn default() -> Self {
        Self {
            lines: 5,
            names: 2000,
            answer: AnswerRule::List,
            unknown: 0.0,
            own_names: String::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FactsConfig {
    /// Distinct facts in the world, hand-written ones first, then generated ones.
    pub facts: usize,
    /// Differently worded records made of each generated fact.
    pub repetitions: usize,
    /// Seed of a world whose answers are shuffled among the questions; 0 for the true one.
    #[serde(alias = "world")]
    pub shuffle: usize,
    /// Most facts written by hand, each in one wording; they come first. Shuffled worlds have none.
    pub hand_written: usize,
    /// Records held out.
    pub split: FactsSplit,
}

impl FactsConfig {
    /// Checks that there is a wording to hold out where the split is by wording.
    ///
    /// # Errors
    /// Names the split.
    pub fn check(&self) -> Result<(), ConfigError> {
        let hand_written = if self.shuffle == 0 { self.hand_written } else { 0 };
        match self.split == FactsSplit::Wording
            && (self.repetitions < 2 || self.facts <= hand_written)
        {
            true => Err(ConfigError::Parts {
                key: "task.facts.split",
                why: "a Split by wording takes generated facts in 2 Repetitions or more",
            }),
            false => Ok(()),
        }
    }
}

impl Default for FactsConfig {
    fn default() -> Self {
        Self {
            facts: 1000,
            repetitions: 1,
            shuffle: 0,
            hand_written: 256,
            split: FactsSplit::Facts,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextConfig {
    /// The user's own text: plain, or records in JSON. At most [`MAX_TEXT_BYTES`](super::MAX_TEXT_BYTES).
    pub text: String,
    /// A text too long for that, if `text` is empty.
    pub file: Option<TextFile>,
    /// Tokens of a new model.
    pub tokens: TokenKind,
    /// Most tokens where they are byte pairs.
    pub vocab: usize,
}

impl TextConfig {
    /// The file that is named in place of a text.
    pub fn long(&self) -> Option<&TextFile> {
        self.file.as_ref().filter(|_| self.text.is_empty())
    }
}

impl Default for TextConfig {
    fn default() -> Self {
        Self { text: String::new(), file: None, tokens: TokenKind::Characters, vocab: 512 }
    }
}

/// A text in a file at the terminal, which a run names and does not hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextFile {
    pub path: String,
    /// Size of the file.
    pub bytes: u64,
    /// [`StableHash`](crate::base::hash::StableHash) of its bytes: a run goes on with the same text only.
    pub hash: u64,
}

impl TextFile {
    /// True if both hold the same bytes, wherever they are.
    pub fn has_bytes_of(&self, other: &Self) -> bool {
        (self.bytes, self.hash) == (other.bytes, other.hash)
    }
}

/// Tokens that a new model of a text has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// The characters of the text.
    #[default]
    Characters,
    /// Byte-level byte pairs, learned from the text (Sennrich et al. 2016, <https://arxiv.org/abs/1508.07909>).
    Bpe,
}

impl_names!(TokenKind: Characters = "characters", Bpe = "bpe");

/// Records in JSON that are mixed into those of any task. No knobs: they come from a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupplementConfig {
    /// The records; empty for none. At most [`MAX_TEXT_BYTES`](super::MAX_TEXT_BYTES).
    pub text: String,
    /// A file of records too long for that, if `text` is empty.
    pub file: Option<TextFile>,
    /// Share of the records trained on that are of the supplement, 0 to 1.
    pub share: f64,
}

impl SupplementConfig {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.file.is_none()
    }

    /// The file that is named in place of records.
    pub fn long(&self) -> Option<&TextFile> {
        self.file.as_ref().filter(|_| self.text.is_empty())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InductionConfig {
    /// Different characters to draw from.
    pub characters: usize,
    /// Fewest characters that are repeated.
    #[serde(alias = "shortest")]
    pub min_len: usize,
    /// Most characters that are repeated.
    #[serde(alias = "longest")]
    pub max_len: usize,
}

impl Default for InductionConfig {
    fn default() -> Self {
        Self { characters: 52, min_len: 8, max_len: 24 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModularConfig {
    /// Number that sums are taken modulo.
    pub modulus: usize,
    /// Share of all pairs that are trained on, 0 to 1; the others are held out.
    #[serde(alias = "share")]
    pub fraction: f64,
}

impl Default for ModularConfig {
    /// As in Nanda et al. 2023.
    fn default() -> Self {
        Self { modulus: 113, fraction: 0.3 }
    }
}

/// A task that the user writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrammarConfig {
    /// Rules that draw the records: see docs/grammars.md. At most [`MAX_GRAMMAR_BYTES`](super::MAX_GRAMMAR_BYTES).
    pub text: String,
}

impl Default for GrammarConfig {
    /// A phone book.
    fn default() -> Self {
        Self { text: include_str!("../../assets/grammars/phone_book.txt").into() }
    }
}
