//! Accuracy of a model, record by record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Calibration, MappingReport, RecallReport, Score};

/// Recall from the phone book, on held-out records.
///
/// The model writes the recalled line twice: **free**, where it chooses the listed line to repeat, and **asked**,
/// where the name is given and only the number is left to write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhoneReport {
    /// Free: the text has the form of a line.
    pub valid: Score,
    /// Free: the first name is listed.
    pub first_name: Score,
    /// Free: the last name is listed.
    pub last_name: Score,
    /// Free: both names are in one listed line.
    pub name: Score,
    /// Free: if so, the number is that line's.
    pub number: Score,
    /// Asked: the whole number is right.
    pub asked: Score,
    /// Asked: digits, by place in the number.
    pub digits: [Score; 10],
    /// Asked: digits, by place of the line in the list.
    pub by_line: Vec<Score>,
    /// Asked: sum of insertions, deletions and substitutions to the right number.
    pub edits: usize,
    /// Asked: calibration of digits.
    pub calibration: Calibration,
    /// Free: distinct lines among those written after one list; 0 of 0 if greedy.
    pub distinct: Score,
    /// Asked, with one unlisted name per record if the task has them: the answer is `?`. This is the recall of
    /// `?`.
    pub unlisted: Score,
    /// Asked, with as many listed names as unlisted ones: an answer `?` is to an unlisted name. This is the
    /// precision of `?`.
    pub abstained: Score,
}

/// Accuracy on questions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FactsReport {
    pub trained: Answers,
    pub held_out: Answers,
    /// By category of the question, with the fact given.
    pub categories: BTreeMap<String, Score>,
    /// Calibration of answers, with the fact given.
    pub calibration: Calibration,
}

/// Answers that match exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// The record states the fact.
    pub given: Score,
    /// The record's brackets are empty.
    pub left_out: Score,
    /// The record ends with the question: the model writes the fact, and then the answer.
    pub alone: Score,
    /// The record states a false answer: how often the model repeats it, and how often it gives the true one
    /// instead.
    pub follows_context: Score,
    pub follows_weights: Score,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    Phone(PhoneReport),
    Facts(FactsReport),
    Mapping(MappingReport),
    Recall(RecallReport),
}

impl Report {
    /// Adds a report on other records of the same task.
    pub fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Phone(report), Self::Phone(other)) => report.add(other),
            (Self::Facts(report), Self::Facts(other)) => report.add(other),
            (Self::Mapping(report), Self::Mapping(other)) => report.add(other),
            (Self::Recall(report), Self::Recall(other)) => report.add(other),
            (Self::Phone(_) | Self::Facts(_) | Self::Mapping(_) | Self::Recall(_), _) => {}
        }
    }
}

impl PhoneReport {
    fn add(&mut self, other: &Self) {
        let Self { valid, first_name, last_name, name, number, asked, .. } = self;
        let Self { digits, by_line, edits, calibration, distinct, unlisted, abstained, .. } = self;
        for (score, other) in [
            (valid, &other.valid),
            (first_name, &other.first_name),
            (last_name, &other.last_name),
            (name, &other.name),
            (number, &other.number),
            (asked, &other.asked),
            (distinct, &other.distinct),
            (unlisted, &other.unlisted),
            (abstained, &other.abstained),
        ] {
            score.add_all(other);
        }
        let scores = digits.iter_mut().chain(by_line);
        for (score, other) in scores.zip(other.digits.iter().chain(&other.by_line)) {
            score.add_all(other);
        }
        *edits += other.edits;
        calibration.add_all(&other.calibration);
    }
}

impl FactsReport {
    fn add(&mut self, other: &Self) {
        self.trained.add(&other.trained);
        self.held_out.add(&other.held_out);
        for (category, score) in &other.categories {
            self.categories.entry(category.clone()).or_default().add_all(score);
        }
        self.calibration.add_all(&other.calibration);
    }
}

impl Answers {
    fn add(&mut self, other: &Self) {
        let Self { given, left_out, alone, follows_context, follows_weights } = self;
        given.add_all(&other.given);
        left_out.add_all(&other.left_out);
        alone.add_all(&other.alone);
        follows_context.add_all(&other.follows_context);
        follows_weights.add_all(&other.follows_weights);
    }
}

/// Options of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalOptions {
    pub records: usize,
    /// 0 always takes the likeliest character.
    pub temperature: f64,
    pub seed: u64,
}

/// Most records of one evaluation.
pub const MAX_RECORDS: usize = 100_000;

impl Default for EvalOptions {
    fn default() -> Self {
        Self { records: 100, temperature: 0.0, seed: 1 }
    }
}

/// Progress of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Training step of the model.
    pub step: usize,
    pub options: EvalOptions,
    /// Number of records evaluated.
    pub done: usize,
    pub report: Report,
}
