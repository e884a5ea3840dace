//! Sentences of a small grammar with a vocabulary of its own, and what a reader of one can know.

mod belief;
mod chain;
mod evidence;
mod floor;
mod sentence;
mod source;
mod spacing;
mod tagging;
mod trie;
mod vocabulary;

use std::collections::BTreeMap;

use chain::Lengths;
use trie::Trie;
use vocabulary::{CLASSES, Word};

use crate::config::WordsConfig;

pub use source::{Asked, Sentences};

/// Most letters after which a record must end.
const MAX_LETTERS: usize = 100;

/// A vocabulary, and the records that are made of it.
#[derive(Clone, Debug)]
pub struct Words {
    words: Vec<Word>,
    /// Places in `words` of the words of each class.
    by_class: [Vec<usize>; CLASSES],
    trie: Trie,
    /// The words by what an entropy counts of them.
    kinds: Vec<Kind>,
    lengths: Lengths,
}

/// Words of the same length in the same classes.
#[derive(Clone, Copy, Debug)]
struct Kind {
    classes: [bool; CLASSES],
    letters: usize,
    words: usize,
}

impl Kind {
    /// Number of these words.
    fn count(&self) -> f64 {
        self.words as f64
    }
}

impl Words {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &WordsConfig) -> Self {
        let words = vocabulary::make(config.words, config.ambiguous, config.vocabulary);
        let min = config.min_letters.clamp(1, MAX_LETTERS);
        let max = config.max_letters.clamp(min, MAX_LETTERS);
        let of_class = |class: usize| {
            let words = words.iter().enumerate().filter(move |(_, word)| word.classes[class]);
            words.map(|(place, _)| place).collect()
        };
        let mut kinds = BTreeMap::new();
        for word in &words {
            *kinds.entry((word.classes, word.text.len())).or_insert(0) += 1;
        }
        let kinds = kinds.into_iter();
        let kinds = kinds.map(|((classes, letters), words)| Kind { classes, letters, words });
        Self {
            by_class: std::array::from_fn(of_class),
            trie: Trie::new(&words),
            kinds: kinds.collect(),
            words,
            lengths: Lengths { min, max },
        }
    }

    /// The words, each with the classes that it is in.
    pub fn vocabulary(&self) -> impl Iterator<Item = (&str, [bool; CLASSES])> {
        self.words.iter().map(|word| (word.text.as_str(), word.classes))
    }

    /// Letters of the longest record.
    pub fn longest(&self) -> usize {
        self.lengths.max - 1 + self.letters().max().unwrap_or(0)
    }

    /// Most words of a record: the last begins before the record must end.
    pub fn most_words(&self) -> usize {
        1 + (self.lengths.max - 1) / self.letters().min().unwrap_or(1)
    }

    /// Numbers of letters that words have.
    fn letters(&self) -> impl Iterator<Item = usize> {
        self.kinds.iter().map(|kind| kind.letters)
    }
}
