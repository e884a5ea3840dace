//! Multi-query associative recall: pairs of a key and a value, and later each key again, for whose value it asks (Arora et
//! al. 2023, "Zoology: Measuring and Improving Recall in Efficient Language Models",
//! <https://arxiv.org/abs/2312.04927>), drawn as `multiquery_ar` of <https://github.com/HazyResearch/zoology> does.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::floor::Sums;
use super::source::RecordSource;
use super::split::{Split, below, draw_of, split_of};
use crate::config::MqarConfig;
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;

const MAX_LENGTH: usize = 512;
const MAX_VOCAB: usize = 8192;
/// Exponent of the power law of gaps: a gap of x has a weight of x^(A − 1).
const A: f64 = 0.01;

/// `key value key value … noise key noise noise key …`, where a value is the target at its key's second place, and the
/// token after it is another. Nothing else is predicted.
#[derive(Clone, Debug)]
pub struct Mqar {
    vocab: usize,
    length: usize,
    pairs: usize,
    /// Weights of the places that a query may have: every other one after the pairs.
    gaps: Vec<f64>,
}

impl Mqar {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &MqarConfig) -> Self {
        let length = config.length.clamp(4, MAX_LENGTH) / 2 * 2;
        let pairs = config.pairs.clamp(1, length / 4);
        let vocab = config.vocab.clamp(length + 1, MAX_VOCAB);
        let gaps = (1..=length / 2 - pairs).map(|gap| (gap as f64).powf(A - 1.0)).collect();
        Self { vocab, length, pairs, gaps }
    }

    /// Draws keys and values, each without replacement.
    fn pairs(&self, rng: &mut ChaCha8Rng) -> Vec<(usize, usize)> {
        // Zoology's keys begin at 1, for its 0 is a place to be filled.
        let keys = some(1..self.vocab / 2, self.pairs, rng);
        let values = some(self.vocab / 2..self.vocab, self.pairs, rng);
        keys.into_iter().zip(values).collect()
    }

    /// Draws a gap for each pair, by their weights and without replacement.
    fn gaps(&self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let mut weights = self.gaps.clone();
        let draw = |_| {
            let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
            let mut possible = weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
            let mut last = 0;
            let found = possible.find(|(gap, weight)| {
                last = *gap;
                left -= **weight;
                left < 0.0
            });
            let gap = found.map_or(last, |(gap, _)| gap);
            weights[gap] = 0.0;
            gap
        };
        (0..self.pairs).map(draw).collect()
    }

    fn token(number: usize) -> String {
        format!("{number} ")
    }
}

/// Draws `count` of `numbers` without replacement.
fn some(numbers: std::ops::Range<usize>, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut numbers: Vec<usize> = numbers.collect();
    (0..count).map(|_| numbers.swap_remove(below(rng, numbers.len()))).collect()
}

impl RecordSource for Mqar {
    /// Draws a record. Its split hangs on its pairs.
    fn draw(&self, split: Split, _window: usize, rng: &mut ChaCha8Rng) -> Record {
        let begin = |pairs: &[(usize, usize)]| -> Vec<usize> {
            pairs.iter().flat_map(|(key, value)| [*key, *value]).collect()
        };
        let text = |pairs: &Vec<(usize, usize)>| -> String {
            begin(pairs).into_iter().map(Self::token).collect()
        };
        let pairs = draw_of(split, || self.pairs(rng), |pairs| split_of(&text(pairs)));
        let mut record = Record::new();
        for number in begin(&pairs) {
            record.push_symbol(Field::Fact, &Self::token(number));
        }
        let mut queries: Vec<_> = self.gaps(rng).into_iter().zip(pairs).collect();
        queries.sort_unstable();
        let mut queries = queries.into_iter().peekable();
        let mut targets = Vec::new();
        for place in 0..self.length - 2 * self.pairs {
            match queries.next_if(|(gap, _)| 2 * gap == place) {
                Some((_, (key, value))) => {
                    targets.push((record.len(), Self::token(value)));
                    record.push_symbol(Field::Question, &Self::token(key));
                }
                None => record.push_symbol(Field::Text, &Self::token(below(rng, self.vocab))),
            }
        }
        record.targets = Some(targets);
        record
    }

    fn longest(&self) -> usize {
        self.length
    }

    /// Zero, for the pairs tell the values.
    fn floor(&self) -> Option<Floor> {
        let mut sums = Sums::default();
        sums.add(Field::Answer, self.pairs as f64, 0.0);
        Some(sums.floor())
    }

    /// Not known: a key may be at its second place to ask, or by chance, and nothing that follows is predicted.
    fn probability(&self, _prefix: &str, _symbol: &str) -> f64 {
        0.0
    }

    /// A token for each number, which is its id.
    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::of_tokens((0..self.vocab).map(Self::token).collect(), None)
    }

    fn is_at_end(&self, text: &str) -> bool {
        text.matches(' ').count() >= self.length
    }
}
