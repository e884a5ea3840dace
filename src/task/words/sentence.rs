//! Sentences, drawn from the grammar.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Words;
use super::chain::{ByTag, FIRST, TAGS, Tag, follow};
use crate::task::split::below;

/// Words, each with its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The words with single spaces between.
    pub text: String,
    /// A letter for each word's tag.
    pub tags: String,
}

impl Words {
    /// Draws the sentence of a record.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Sentence {
        let mut sentence = Sentence { text: String::new(), tags: String::new() };
        let (mut next, mut letters) = (FIRST, 0);
        loop {
            let tag = draw_tag(&next, rng);
            let words = &self.by_class[tag.class() as usize];
            let word = &self.words[words[below(rng, words.len())]].text;
            if letters > 0 {
                sentence.text.push(' ');
            }
            sentence.text += word;
            sentence.tags.push(char::from(tag.letter()));
            letters += word.len();
            let stop = self.lengths.stop(letters);
            if stop > 0.0 && rng.random_bool(stop) {
                return sentence;
            }
            let mut here = [0.0; TAGS];
            here[tag as usize] = 1.0;
            next = follow(&here);
        }
    }
}

/// Draws a tag by its weight; the weights are 1 together.
fn draw_tag(weights: &ByTag, rng: &mut ChaCha8Rng) -> Tag {
    let mut left = rng.random::<f64>();
    let mut possible = Tag::ALL.into_iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
    let mut last = Tag::Subject;
    let found = possible.find(|(tag, weight)| {
        last = *tag;
        left -= **weight;
        left < 0.0
    });
    found.map_or(last, |(tag, _)| tag)
}
