//! Words made of syllables, each in one class or two.

use std::collections::BTreeSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::task::split::{below, shuffle_by};

/// Letters that words are made of, and those that stand for tags.
pub const LETTERS: &str = "adeiklmnorstuv";
const CONSONANTS: &[u8] = b"dklmnrstv";
const VOWELS: &[u8] = b"aeiou";
/// Fewest words; each class has one of them at least.
pub const MIN_WORDS: usize = 10;
/// Most words.
pub const MAX_WORDS: usize = 5000;
/// Seed of the first vocabulary.
const SEED: u64 = 0x30_14D5;
/// Probability that a word has a second syllable, and then a third.
const MORE: [f64; 2] = [0.5, 0.3];
/// Probability that a word ends in a consonant.
const CODA: f64 = 0.3;
/// Probability that a word is two earlier ones, joined.
const JOINED: f64 = 0.2;
/// Letters of the longest word.
const MAX_LETTERS: usize = 7;

/// Class of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Noun,
    Verb,
    Adjective,
}

/// Number of classes.
pub const CLASSES: usize = 3;

/// A word and the classes that it is in, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub classes: [bool; CLASSES],
}

/// Makes `count` distinct words of 2 to 7 letters, always the same for a `number`. Half are nouns, a quarter each verbs and
/// adjectives, and the share `ambiguous` of all are in a second class.
pub fn make(count: usize, ambiguous: f64, number: usize) -> Vec<Word> {
    let count = count.clamp(MIN_WORDS, MAX_WORDS);
    let seed = SEED + number as u64;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut seen = BTreeSet::new();
    let mut words = Vec::with_capacity(count);
    while words.len() < count {
        let text = match !words.is_empty() && rng.random_bool(JOINED) {
            true => join(&words, &mut rng),
            false => draw(&mut rng),
        };
        if text.len() <= MAX_LETTERS && seen.insert(text.clone()) {
            let mut classes = [false; CLASSES];
            classes[first_class(words.len()) as usize] = true;
            words.push(Word { text, classes });
        }
    }
    let mut order: Vec<usize> = (0..count).collect();
    shuffle_by(seed, &mut order);
    order.truncate((count as f64 * ambiguous.clamp(0.0, 1.0)).round() as usize);
    for place in order {
        words[place].classes[(first_class(place) as usize + 1) % CLASSES] = true;
    }
    words
}

/// Class of a word by its place in the vocabulary.
fn first_class(place: usize) -> Class {
    match place % 4 {
        1 => Class::Verb,
        3 => Class::Adjective,
        _ => Class::Noun,
    }
}

/// Joins two of `words`, so that the letters alone may be read as one word or as two.
fn join(words: &[Word], rng: &mut ChaCha8Rng) -> String {
    let mut word = || words[below(rng, words.len())].text.as_str();
    [word(), word()].concat()
}

/// Draws one to three syllables of a consonant and a vowel, and perhaps a consonant after them.
fn draw(rng: &mut ChaCha8Rng) -> String {
    let syllables = 1 + MORE.iter().take_while(|more| rng.random_bool(**more)).count();
    let mut text = String::new();
    for _ in 0..syllables {
        text.push(char::from(CONSONANTS[below(rng, CONSONANTS.len())]));
        text.push(char::from(VOWELS[below(rng, VOWELS.len())]));
    }
    if rng.random_bool(CODA) {
        text.push(char::from(CONSONANTS[below(rng, CONSONANTS.len())]));
    }
    text
}
