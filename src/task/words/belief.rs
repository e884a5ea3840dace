//! Beliefs of a reader who sees letters without spaces: the words that may be under way, and their tags.

use std::collections::BTreeMap;

use super::chain::{ByTag, TAGS, Tag};
use super::trie::{ROOT, Trie};

/// A word under way: its beginning, its tag, and the weight of all readings in which it is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub node: u32,
    pub tag: Tag,
    pub weight: f64,
}

/// Words that may be under way after some letters.
#[derive(Clone, Debug, Default)]
pub struct Belief {
    pub places: Vec<Place>,
}

impl Belief {
    /// Weight of all readings.
    pub fn weight(&self) -> f64 {
        self.places.iter().map(|place| place.weight).sum()
    }

    /// Weights of the readings in which the word ends here, by its tag.
    pub fn ended(&self, trie: &Trie) -> ByTag {
        let mut ended = [0.0; TAGS];
        for Place { node, tag, weight } in &self.places {
            ended[*tag as usize] += weight * trie.ends(*node, tag.class());
        }
        ended
    }

    /// Beliefs after each letter that may come next, in the word under way or as the first of a word whose tag has a weight
    /// in `starts`.
    pub fn read(&self, trie: &Trie, starts: &ByTag) -> BTreeMap<u8, Self> {
        let starts = Tag::ALL.into_iter().zip(starts).filter(|(_, weight)| **weight > 0.0);
        let starts = starts.map(|(tag, weight)| Place { node: ROOT, tag, weight: *weight });
        let mut after = BTreeMap::<u8, Self>::new();
        for Place { node, tag, weight } in self.places.iter().copied().chain(starts) {
            for (letter, node, share) in trie.next(node, tag.class()) {
                let place = Place { node, tag, weight: weight * share };
                after.entry(letter).or_default().places.push(place);
            }
        }
        after
    }

    /// Scales the weights to a sum of 1, in a fixed order.
    pub fn normalize(&mut self) {
        let total = self.weight();
        self.places.iter_mut().for_each(|place| place.weight /= total);
        self.places.sort_unstable_by_key(|place| (place.node, place.tag));
    }
}
