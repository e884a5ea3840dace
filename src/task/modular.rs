//! Addition modulo a prime: a table that a model first learns by heart and, much later, understands
//! (Power et al. 2022, "Grokking"; Nanda et al. 2023, "Progress measures for grokking").

use rand_chacha::ChaCha8Rng;

use super::floor::Sums;
use super::source::RecordSource;
use super::split::{Split, below, shuffle};
use crate::config::ModularConfig;
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;

/// A number is one character, the first that many: digits, letters, and then letters of Greek and
/// Cyrillic.
const RANGES: [(char, char); 6] =
    [('0', '9'), ('A', 'Z'), ('a', 'z'), ('α', 'ω'), ('А', 'Я'), ('а', 'я')];
const PLUS: char = '+';
const EQUALS: char = '=';
/// `a+b=c`
const RECORD_LEN: usize = 5;

/// `a+b=c`, of which `c` alone is predicted.
#[derive(Clone, Debug)]
pub struct Modular {
    numbers: Vec<char>,
    /// All pairs `a · modulus + b`, those trained on first.
    pairs: Vec<u32>,
    trained: usize,
}

impl Modular {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &ModularConfig) -> Self {
        let all = RANGES.iter().flat_map(|(first, last)| *first..=*last);
        let numbers: Vec<char> = all.take(config.modulus.max(2)).collect();
        let mut pairs: Vec<u32> = (0..(numbers.len() * numbers.len()) as u32).collect();
        shuffle(&mut pairs);
        let trained = (config.fraction * pairs.len() as f64).round() as usize;
        // One at least of each.
        let trained = trained.clamp(1, pairs.len() - 1);
        Self { numbers, pairs, trained }
    }

    fn record(&self, pair: usize) -> Record {
        let (a, b) = (pair / self.numbers.len(), pair % self.numbers.len());
        let sum = (a + b) % self.numbers.len();
        let mut record = Record::new();
        for (field, character) in [
            (Field::Question, self.numbers[a]),
            (Field::Separator, PLUS),
            (Field::Question, self.numbers[b]),
            (Field::Separator, EQUALS),
            (Field::Answer, self.numbers[sum]),
        ] {
            record.push(field, character.encode_utf8(&mut [0; 4]));
        }
        record.given = RECORD_LEN - 1;
        record
    }

    /// The characters of its records: the numbers from 0 on, then the signs.
    pub fn alphabet(&self) -> String {
        self.numbers.iter().chain(&[PLUS, EQUALS]).collect()
    }
}

impl RecordSource for Modular {
    fn draw(&self, split: Split, window: usize, rng: &mut ChaCha8Rng) -> Record {
        self.draw_batch(split, window, 1, rng).pop().unwrap_or_default()
    }

    /// Draws evenly among the sums of `split`, none twice as long as there are others: as many as there
    /// are, in whatever order, are the whole split, without which weight decay this strong drowns what
    /// is learnt in the noise of drawing.
    fn draw_batch(
        &self,
        split: Split,
        _window: usize,
        count: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Record> {
        let (trained, held_out) = self.pairs.split_at(self.trained);
        let pairs = if split == Split::Train { trained } else { held_out };
        let mut left = Vec::new();
        let draw = |_| {
            if left.is_empty() {
                left = pairs.to_vec();
            }
            let place = below(rng, left.len());
            self.record(left.swap_remove(place) as usize)
        };
        (0..count).map(draw).collect()
    }

    fn longest(&self) -> usize {
        RECORD_LEN
    }

    /// Zero, for a sum is known.
    fn floor(&self) -> Option<Floor> {
        let mut sums = Sums::default();
        sums.add(Field::Answer, 1.0, 0.0);
        Some(sums.floor())
    }

    fn next(&self, prefix: &str) -> Vec<(char, f64)> {
        let characters: Vec<char> = prefix.chars().collect();
        let value = |character: char| self.numbers.iter().position(|other| *other == character);
        let any = || {
            let each = 1.0 / self.numbers.len() as f64;
            self.numbers.iter().map(|number| (*number, each)).collect()
        };
        match characters[..] {
            [] => any(),
            [a] if value(a).is_some() => vec![(PLUS, 1.0)],
            [a, PLUS] if value(a).is_some() => any(),
            [a, PLUS, b] if value(a).is_some() && value(b).is_some() => vec![(EQUALS, 1.0)],
            [a, PLUS, b, EQUALS] => match (value(a), value(b)) {
                (Some(a), Some(b)) => vec![(self.numbers[(a + b) % self.numbers.len()], 1.0)],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::new(&self.alphabet())
    }
}
