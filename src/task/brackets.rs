//! Brackets that match, up to a depth: a Dyck language with a bound (Hewitt et al. 2020, "RNNs can generate bounded
//! hierarchical languages with optimal memory", <https://arxiv.org/abs/2010.07515>). A closing bracket must be of the
//! kind of the last one that is open, however long ago it was opened.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::floor::Sums;
use super::mapping::{self, END};
use super::source::{RecordSource, spelled};
use super::split::{Split, below, draw_of, split_of};
use crate::config::BracketsConfig;
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;

/// Opening and closing bracket of each kind.
const PAIRS: [(char, char); 8] =
    [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>'), ('a', 'A'), ('b', 'B'), ('c', 'C'), ('d', 'D')];
const MAX_DEPTH: usize = 32;
/// The longest word has at most 4^256 shapes, so counts of them are in the range of an `f64`.
const MAX_PAIRS: usize = 256;

/// Words of brackets that match. Each number of pairs is as likely as the others, and so is each word with as many pairs.
#[derive(Clone, Debug)]
pub struct Brackets {
    pairs: &'static [(char, char)],
    max_depth: usize,
    min_pairs: usize,
    max_pairs: usize,
    /// `[length][depth]`: number of ways to open and close brackets, `length` in all, that leave `depth` open. Kinds are
    /// not told apart.
    ways: Vec<Vec<f64>>,
    /// `[length][depth]`: probability that a word begins in one of these ways.
    shares: Vec<Vec<f64>>,
}

/// Probabilities of what follows in a word.
#[derive(Clone, Copy, Default)]
struct Next {
    opens: f64,
    closes: f64,
    ends: f64,
}

impl Brackets {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &BracketsConfig) -> Self {
        let max_depth = config.max_depth.clamp(1, MAX_DEPTH);
        let min_pairs = config.min_pairs.clamp(1, MAX_PAIRS);
        let max_pairs = config.max_pairs.clamp(min_pairs, MAX_PAIRS);
        let ways = ways(2 * max_pairs, max_depth);
        let shares = shares(&ways, min_pairs);
        let pairs = &PAIRS[..config.kinds.clamp(1, PAIRS.len())];
        Self { pairs, max_depth, min_pairs, max_pairs, ways, shares }
    }

    /// Probabilities of what follows `length` brackets, of which `depth` are open; all 0 where no word begins so.
    fn follow(&self, length: usize, depth: usize) -> Next {
        let share = |length: usize, depth: usize| at(&self.shares, length, depth);
        let here = share(length, depth);
        if here == 0.0 {
            return Next::default();
        }
        let opens = share(length + 1, depth + 1) / here;
        let closes = depth.checked_sub(1).map_or(0.0, |less| share(length + 1, less) / here);
        let is_word = depth == 0 && length.is_multiple_of(2) && length / 2 >= self.min_pairs;
        let ends = if is_word { end(&self.ways, self.min_pairs, length) / here } else { 0.0 };
        Next { opens, closes, ends }
    }

    /// Draws a word of either split.
    fn word(&self, rng: &mut ChaCha8Rng) -> String {
        let (mut word, mut open) = (String::new(), Vec::new());
        for length in 0..2 * self.max_pairs {
            let Next { opens, closes, ends } = self.follow(length, open.len());
            let drawn = rng.random::<f64>();
            // Of a sum that is rounded to less than 1, the rest is what is possible.
            if drawn < opens || closes + ends == 0.0 {
                let (opening, closing) = self.pairs[below(rng, self.pairs.len())];
                word.push(opening);
                open.push(closing);
            } else if drawn < opens + closes || ends == 0.0 {
                word.extend(open.pop());
            } else {
                break;
            }
        }
        word
    }

    /// Closing brackets that the open ones of `prefix` wait for, the next one last, and the number of brackets read;
    /// `None` if brackets do not match, or there are other characters or too many.
    fn read(&self, prefix: &str) -> Option<(Vec<char>, usize)> {
        let (mut open, mut length) = (Vec::new(), 0);
        for character in prefix.chars() {
            match self.pairs.iter().find(|(opening, _)| *opening == character) {
                Some((_, closing)) => open.push(*closing),
                None if open.pop() == Some(character) => {}
                None => return None,
            }
            length += 1;
            if open.len() > self.max_depth || length > 2 * self.max_pairs {
                return None;
            }
        }
        Some((open, length))
    }

    /// Characters that may follow `prefix`, each with its probability; none after what begins no record.
    fn next(&self, prefix: &str) -> Vec<(char, f64)> {
        let Some((open, length)) = self.read(prefix) else { return Vec::new() };
        let Next { opens, closes, ends } = self.follow(length, open.len());
        let each = opens / self.pairs.len() as f64;
        let opening = self.pairs.iter().map(|(opening, _)| (*opening, each));
        let closing = open.last().map(|closing| (*closing, closes));
        opening.chain(closing).chain([(END, ends)]).filter(|(_, p)| *p > 0.0).collect()
    }
}

/// `[length][depth]`: number of ways to open and close `length` brackets that leave `depth` open, and never more than
/// `max_depth`.
fn ways(longest: usize, max_depth: usize) -> Vec<Vec<f64>> {
    let mut ways = vec![vec![0.0; max_depth + 1]; longest + 1];
    ways[0][0] = 1.0;
    for length in 1..=longest {
        for depth in 0..=max_depth {
            let closed = at(&ways, length - 1, depth + 1);
            let opened = depth.checked_sub(1).map_or(0.0, |less| ways[length - 1][less]);
            ways[length][depth] = opened + closed;
        }
    }
    ways
}

/// `[length][depth]`: probability that a word begins in one of the [`ways`] to `depth`, which is the same for each.
fn shares(ways: &[Vec<f64>], min_pairs: usize) -> Vec<Vec<f64>> {
    let mut shares = vec![vec![0.0; ways[0].len()]; ways.len()];
    for length in (0..ways.len()).rev() {
        for depth in 0..ways[0].len() {
            let opens = at(&shares, length + 1, depth + 1);
            let closes = depth.checked_sub(1).map_or(0.0, |less| at(&shares, length + 1, less));
            let is_word = depth == 0 && length.is_multiple_of(2) && length / 2 >= min_pairs;
            let ends = if is_word { end(ways, min_pairs, length) } else { 0.0 };
            shares[length][depth] = opens + closes + ends;
        }
    }
    shares
}

/// Probability of one shape of a word of `length` brackets.
fn end(ways: &[Vec<f64>], min_pairs: usize, length: usize) -> f64 {
    let lengths = (ways.len() - 1) / 2 - min_pairs + 1;
    1.0 / (lengths as f64 * ways[length][0])
}

/// Entry of a table, 0 beyond its edges.
fn at(table: &[Vec<f64>], length: usize, depth: usize) -> f64 {
    table.get(length).and_then(|row| row.get(depth)).copied().unwrap_or(0.0)
}

impl RecordSource for Brackets {
    /// Draws a record. Its split hangs on its word.
    fn draw(&self, split: Split, _window: usize, rng: &mut ChaCha8Rng) -> Record {
        let word = draw_of(split, || self.word(rng), |word: &String| split_of(word));
        let mut record = Record::new();
        for character in word.chars() {
            let opens = self.pairs.iter().any(|(opening, _)| *opening == character);
            let field = if opens { Field::Opening } else { Field::Closing };
            record.push_symbol(field, character.encode_utf8(&mut [0; 4]));
        }
        record.push(Field::Marker, &END.to_string());
        record
    }

    fn longest(&self) -> usize {
        2 * self.max_pairs + 1
    }

    /// Cost of opening, closing and ending, and of the kinds of opening brackets; those of closing ones are known. The
    /// first bracket is given.
    fn floor(&self) -> Option<Floor> {
        let mut sums = Sums::default();
        let kind = (self.pairs.len() as f64).ln();
        for length in 1..self.ways.len() {
            for depth in 0..=self.max_depth {
                let reached = self.ways[length][depth] * self.shares[length][depth];
                let Next { opens, closes, ends } = self.follow(length, depth);
                let fields =
                    [(Field::Opening, opens, kind), (Field::Closing, closes, 0.0), (Field::Marker, ends, 0.0)];
                for (field, probability, more) in fields.into_iter().filter(|(_, p, _)| *p > 0.0) {
                    let chars = reached * probability;
                    sums.add(field, chars, chars * (more + probability.recip().ln()));
                }
            }
        }
        Some(sums.floor())
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        spelled(prefix, symbol, |prefix| self.next(prefix))
    }

    fn tokenizer(&self) -> Tokenizer {
        let pairs = self.pairs.iter().flat_map(|(opening, closing)| [*opening, *closing]);
        Tokenizer::new(&pairs.chain([END]).collect::<String>())
    }

    fn is_at_end(&self, text: &str) -> bool {
        mapping::is_at_end(text, self.longest())
    }
}
