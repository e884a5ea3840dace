//! What was found of a model: how well it answers, how fast it is, and what its weights
//! ([`circuits`]) and its forward passes ([`forward`]) say.

mod bench;
pub mod circuits;
mod distill;
pub mod forward;
mod segments;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::task::{Field, Source};

pub use bench::{BenchCurrent, BenchReport, BenchRow, Shape, StepTime};
pub use distill::{DistillReport, LayerError, SideBySide};
pub use segments::{Segment, SegmentAttention};

/// How often something was right.
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

    /// 0 to 1; `None` if there was nothing to get right.
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| self.right as f64 / self.of as f64)
    }
}

/// How far a model's probabilities can be trusted: its confidence in what it wrote against how
/// often that was right, in ten bins of equal width.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub bins: [Bin; 10],
    /// Sums of confidence in what was right, and in what was wrong.
    pub sure_of_right: f64,
    pub sure_of_wrong: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    pub score: Score,
    /// Sum over what fell in the bin.
    pub confidence: f64,
}

impl Calibration {
    /// `confidence`: the probability, 0 to 1, that the model gave to what it wrote.
    pub fn add(&mut self, confidence: f64, is_right: bool) {
        let bin = &mut self.bins[((confidence * 10.0) as usize).min(9)];
        bin.score.add(is_right);
        bin.confidence += confidence;
        *(if is_right { &mut self.sure_of_right } else { &mut self.sure_of_wrong }) += confidence;
    }

    /// In all bins.
    pub fn score(&self) -> Score {
        let sum = |of: fn(&Score) -> usize| self.bins.iter().map(|bin| of(&bin.score)).sum();
        Score { right: sum(|score| score.right), of: sum(|score| score.of) }
    }

    /// Expected calibration error: the mean over answers of the distance between a bin's mean
    /// confidence and its accuracy (Guo et al. 2017). `None` without answers.
    pub fn error(&self) -> Option<f64> {
        let gaps = self.bins.iter().map(|bin| (bin.confidence - bin.score.right as f64).abs());
        let of = self.score().of;
        (of > 0).then(|| gaps.sum::<f64>() / of as f64)
    }

    /// Mean confidence in what was right, and in what was wrong.
    pub fn confidences(&self) -> (Option<f64>, Option<f64>) {
        let Score { right, of } = self.score();
        let mean = |sum: f64, count: usize| (count > 0).then(|| sum / count as f64);
        (mean(self.sure_of_right, right), mean(self.sure_of_wrong, of - right))
    }
}

/// How a model recalls from the phone book, on records never trained on.
///
/// It writes the recalled line twice: **free**, when it chooses which of the listed lines to
/// repeat, and **asked**, when the name is given and the number is all that is left to write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhoneReport {
    /// Free: it has the form of a line.
    pub valid: Score,
    /// Free: its first name is a listed one.
    pub first_name: Score,
    /// Free: its last name is a listed one.
    pub last_name: Score,
    /// Free: both stand in one listed line.
    pub name: Score,
    /// Free: of those, the number is that line's.
    pub number: Score,
    /// Asked: the whole number is right.
    pub asked: Score,
    /// Asked: each digit, by its place in the number.
    pub digits: [Score; 10],
    /// Asked: each digit, by the place of its line in the list.
    pub by_line: Vec<Score>,
    /// Asked: insertions, deletions and substitutions to the right number, summed.
    pub edits: usize,
    /// Asked: each digit.
    pub calibration: Calibration,
    /// Different lines among those written free after one list; 0 of 0 when greedy.
    pub distinct: Score,
    /// Asked, where the task has unlisted names, for one in every record: it is answered `?`.
    /// This is the recall of `?`.
    pub unlisted: Score,
    /// Of the answers `?`, as many listed names as unlisted ones being asked for: the name was
    /// unlisted. This is the precision of `?`.
    pub abstained: Score,
}

/// How a model answers questions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FactsReport {
    pub trained: Answers,
    pub held_out: Answers,
    /// By category of the question, the fact given.
    pub categories: BTreeMap<String, Score>,
    /// Each answer, the fact given.
    pub calibration: Calibration,
}

/// Answers that are right to the character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// The fact stands in the record.
    pub given: Score,
    /// The record's brackets are empty.
    pub left_out: Score,
    /// The record ends with the question: the model tells the fact, and then answers.
    pub alone: Score,
    /// The record states another answer: how often it is repeated, and how often the true one is
    /// given all the same.
    pub follows_context: Score,
    pub follows_weights: Score,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    Phone(PhoneReport),
    Facts(FactsReport),
}

/// What a model wrote after one prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// The model's step.
    pub step: usize,
    pub prompt: String,
    pub samples: Vec<ProbeSample>,
    /// By character: entropies of what the model held possible, in nats, summed over the samples
    /// that are that long; and how many those are.
    pub entropies: Vec<(f64, usize)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeSample {
    pub text: String,
    /// Where its answer is from.
    pub source: Source,
}

impl ProbeReport {
    /// Adds those of one sample.
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

    /// What a full bar stands for, in nats: the largest mean entropy, but at least 1, so that what
    /// the model is all but certain of looks so.
    pub fn entropy_scale(&self) -> f64 {
        self.mean_entropies().into_iter().fold(1.0, f64::max)
    }

    /// How many samples' answers are from `source`.
    pub fn of_source(&self, source: Source) -> Score {
        let right = self.samples.iter().filter(|sample| sample.source == source).count();
        Score { right, of: self.samples.len() }
    }
}

/// What each head reads, by the type of what is to be written next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttentionByType {
    /// The model's step.
    pub step: usize,
    /// Records averaged over.
    pub records: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    /// By type and then `layer · n_heads + head`: attention to each field, summed over queries.
    pub sums: BTreeMap<String, Vec<BTreeMap<Field, f64>>>,
    /// By head, `layer · n_heads + head`: the whole pattern.
    pub by_segment: SegmentAttention,
}

impl AttentionByType {
    /// Share of a head's attention that goes to each field, by type; each adds up to 1.
    pub fn shares(&self, layer: usize, head: usize) -> Vec<(&str, BTreeMap<Field, f64>)> {
        let place = layer * self.n_heads + head;
        let types = self.sums.iter();
        types
            .filter_map(|(name, heads)| Some((name.as_str(), normalize(heads.get(place)?))))
            .collect()
    }

    /// A head's average pattern: names of segments, and mean attention
    /// `[query segment, key segment]`, see [`SegmentAttention::mean`].
    pub fn pattern(&self, layer: usize, head: usize) -> (Vec<String>, Vec<f32>) {
        self.by_segment.mean(layer * self.n_heads + head)
    }

    /// How much a head's reading differs between types: the Jensen–Shannon divergence of their
    /// shares, each type weighing the same, in bits (Lin 1991). 0 if it always reads alike.
    pub fn divergence(&self, layer: usize, head: usize) -> f64 {
        let shares = self.shares(layer, head);
        let mut mean = BTreeMap::new();
        for (field, share) in shares.iter().flat_map(|(_, shares)| shares) {
            *mean.entry(*field).or_default() += share / shares.len() as f64;
        }
        let within: f64 = shares.iter().map(|(_, shares)| entropy_bits(shares)).sum();
        (entropy_bits(&mean) - within / shares.len().max(1) as f64).max(0.0)
    }

    /// Every head with its divergence, the largest first.
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

/// The places of `count` things in the order of `compare`, equal ones as they were. The page sorts
/// with this alone: every sort of a type of its own would be a hundredth of it.
pub fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| compare(*a, *b));
    places
}

fn entropy_bits(shares: &BTreeMap<Field, f64>) -> f64 {
    shares.values().filter(|share| **share > 0.0).map(|share| -share * share.log2()).sum()
}

/// What is asked of an evaluation.
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
