//! Reports on a model: its accuracy and speed, and analyses of its weights ([`circuits`]) and forward passes
//! ([`forward`]).

mod bench;
pub mod circuits;
mod distill;
pub mod forward;
mod segments;
pub mod sweep;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::{AnswerSource, Field};

pub use bench::{BenchCurrent, BenchReport, BenchRow, Shape, StepTime};
pub use distill::{DistillReport, LayerError, SideBySide};
pub use segments::{Segment, SegmentAttention};

/// Count of right answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    pub right: usize,
    pub of: usize,
}

impl Score {
    pub fn add(&mut self, is_right: bool) {
        self.right += usize::from(is_right);
        self.of += 1;
    }

    /// Share of right answers, 0 to 1; `None` without answers.
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| self.right as f64 / self.of as f64)
    }
}

/// Calibration of a model: confidence in its answers against their accuracy, in ten bins of equal width.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub bins: [Bin; 10],
    /// Sum of confidence in right answers, and in wrong ones.
    pub sure_of_right: f64,
    pub sure_of_wrong: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    pub score: Score,
    /// Sum of confidence over the bin.
    pub confidence: f64,
}

impl Calibration {
    /// Adds an answer. `confidence` is its probability, 0 to 1.
    pub fn add(&mut self, confidence: f64, is_right: bool) {
        let bin = &mut self.bins[((confidence * 10.0) as usize).min(9)];
        bin.score.add(is_right);
        bin.confidence += confidence;
        *(if is_right { &mut self.sure_of_right } else { &mut self.sure_of_wrong }) += confidence;
    }

    /// Score over all bins.
    pub fn score(&self) -> Score {
        let sum = |of: fn(&Score) -> usize| self.bins.iter().map(|bin| of(&bin.score)).sum();
        Score { right: sum(|score| score.right), of: sum(|score| score.of) }
    }

    /// Expected calibration error (Guo et al. 2017): the mean over answers of the distance between a bin's mean
    /// confidence and its accuracy. `None` without answers.
    pub fn error(&self) -> Option<f64> {
        let gaps = self.bins.iter().map(|bin| (bin.confidence - bin.score.right as f64).abs());
        let of = self.score().of;
        (of > 0).then(|| gaps.sum::<f64>() / of as f64)
    }

    /// Mean confidence in right answers, and in wrong ones.
    pub fn confidences(&self) -> (Option<f64>, Option<f64>) {
        let Score { right, of } = self.score();
        let mean = |sum: f64, count: usize| (count > 0).then(|| sum / count as f64);
        (mean(self.sure_of_right, right), mean(self.sure_of_wrong, of - right))
    }
}

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
}

/// Samples of a model after one prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Training step of the model.
    pub step: usize,
    pub prompt: String,
    pub samples: Vec<ProbeSample>,
    /// By character: entropy of the prediction, in nats, summed over the samples that are long enough, and their
    /// number.
    pub entropies: Vec<(f64, usize)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeSample {
    pub text: String,
    /// Source of the answer.
    pub source: AnswerSource,
}

impl ProbeReport {
    /// Adds the entropies of one sample.
    pub fn add_entropies(&mut self, entropies: &[f64]) {
        if self.entropies.len() < entropies.len() {
            self.entropies.resize(entropies.len(), (0.0, 0));
        }
        for ((sum, count), entropy) in self.entropies.iter_mut().zip(entropies) {
            *sum += entropy;
            *count += 1;
        }
    }

    /// Mean entropy by character, in nats.
    pub fn mean_entropies(&self) -> Vec<f64> {
        self.entropies.iter().map(|(sum, count)| sum / (*count).max(1) as f64).collect()
    }

    /// Entropy of a full bar, in nats: the largest mean entropy, but at least 1, so that near certainty looks
    /// small.
    pub fn entropy_scale(&self) -> f64 {
        self.mean_entropies().into_iter().fold(1.0, f64::max)
    }

    /// Number of samples with an answer from `source`.
    pub fn of_source(&self, source: AnswerSource) -> Score {
        let right = self.samples.iter().filter(|sample| sample.source == source).count();
        Score { right, of: self.samples.len() }
    }
}

/// Attention of each head to fields, by the type of the next character.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttentionByType {
    /// Training step of the model.
    pub step: usize,
    /// Number of records averaged.
    pub records: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    /// By type and then `layer · n_heads + head`: attention to each field, summed over queries.
    pub sums: BTreeMap<String, Vec<BTreeMap<Field, f64>>>,
    /// By head, `layer · n_heads + head`: the whole pattern.
    pub by_segment: SegmentAttention,
}

impl AttentionByType {
    /// Share of a head's attention to each field, by type. Shares of a type add up to 1.
    pub fn shares(&self, layer: usize, head: usize) -> Vec<(&str, BTreeMap<Field, f64>)> {
        let place = layer * self.n_heads + head;
        let types = self.sums.iter();
        types
            .filter_map(|(name, heads)| Some((name.as_str(), normalize(heads.get(place)?))))
            .collect()
    }

    /// Average pattern of a head: names of segments, and mean attention `[query segment, key segment]`; see
    /// [`SegmentAttention::mean`].
    pub fn pattern(&self, layer: usize, head: usize) -> (Vec<String>, Vec<f32>) {
        self.by_segment.mean(layer * self.n_heads + head)
    }

    /// Difference of a head's attention between types: the Jensen–Shannon divergence of their shares, with equal
    /// weights, in bits (Lin 1991). 0 if the head attends alike for all types.
    pub fn divergence(&self, layer: usize, head: usize) -> f64 {
        let shares = self.shares(layer, head);
        let mut mean = BTreeMap::new();
        for (field, share) in shares.iter().flat_map(|(_, shares)| shares) {
            *mean.entry(*field).or_default() += share / shares.len() as f64;
        }
        let within: f64 = shares.iter().map(|(_, shares)| entropy_bits(shares)).sum();
        (entropy_bits(&mean) - within / shares.len().max(1) as f64).max(0.0)
    }

    /// All heads with their divergence, largest first.
    pub fn ranking(&self) -> Vec<(usize, usize, f64)> {
        let heads = (0..self.n_layers).flat_map(|l| (0..self.n_heads).map(move |h| (l, h)));
        let heads: Vec<_> = heads.map(|(l, h)| (l, h, self.divergence(l, h))).collect();
        let by_bits = |a: usize, b: usize| heads[b].2.total_cmp(&heads[a].2);
        order(heads.len(), &by_bits).into_iter().map(|place| heads[place]).collect()
    }
}

fn normalize(sums: &BTreeMap<Field, f64>) -> BTreeMap<Field, f64> {
    let total: f64 = sums.values().sum();
    let mut shares = sums.clone();
    shares.values_mut().for_each(|share| *share /= total);
    shares
}

/// Stable order of `count` items by `compare`, as indices. The page sorts only with this function: a sort of
/// another type would add a hundredth to its size.
pub fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| compare(*a, *b));
    places
}

fn entropy_bits(shares: &BTreeMap<Field, f64>) -> f64 {
    shares.values().filter(|share| **share > 0.0).map(|share| -share * share.log2()).sum()
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
