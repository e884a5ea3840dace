//! Entropies of records, counted exactly over what a reader can know.
//!
//! H(output | input) = H(output, input) − H(input), for each observation is of a chain whose state is hidden: its entropy
//! is the sum, over the **beliefs** that a reader may come to, of the probability of a belief and the entropy of what is
//! seen next. Histories after which the beliefs and the numbers of letters are the same share one.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::belief::{Belief, Place};
use super::chain::{ByTag, FIRST, TAGS, Tag, follow};
use super::{Kind, Words};

/// Entropy of what is seen of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Entropy {
    /// Entropy, in nats.
    pub nats: f64,
    /// Number of beliefs that it was counted over.
    pub states: usize,
}

impl Entropy {
    /// Counts a belief, if it is new; `None` beyond `max`.
    fn count(&mut self, is_new: bool, max: usize) -> Option<()> {
        self.states += usize::from(is_new);
        (self.states <= max).then_some(())
    }
}

/// Expected size of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Size {
    pub letters: f64,
    pub words: f64,
}

/// Tags that are told apart in sentences: none of them, or those with another letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Words,
    WordsAndTags,
}

impl Seen {
    /// Tags by what is seen of them.
    fn groups(self) -> Vec<Vec<Tag>> {
        let mut groups = BTreeMap::<u8, Vec<Tag>>::new();
        for tag in Tag::ALL {
            let letter = if self == Self::Words { 0 } else { tag.letter() };
            groups.entry(letter).or_default().push(tag);
        }
        groups.into_values().collect()
    }
}

/// Beliefs after one number of letters, each with its probability. Equal ones are merged.
struct Level<B> {
    beliefs: Vec<(f64, B)>,
    places: HashMap<Vec<i64>, usize, BuildHasherDefault<DefaultHasher>>,
}

impl<B> Default for Level<B> {
    fn default() -> Self {
        Self { beliefs: Vec::new(), places: HashMap::default() }
    }
}

impl<B> Level<B> {
    /// Adds `belief`, which is compared by `key`; true if it is new.
    fn add(&mut self, probability: f64, belief: B, key: Vec<i64>) -> bool {
        let place = *self.places.entry(key).or_insert(self.beliefs.len());
        match self.beliefs.get_mut(place) {
            Some((sum, _)) => {
                *sum += probability;
                false
            }
            None => {
                self.beliefs.push((probability, belief));
                true
            }
        }
    }
}

/// A weight as it is compared.
fn rounded(weight: f64) -> i64 {
    (weight * 1e12).round() as i64
}

/// −p ln p.
fn surprise(probability: f64) -> f64 {
    if probability > 0.0 { -probability * probability.ln() } else { 0.0 }
}

impl Words {
    /// Expected size of a record.
    pub fn size(&self) -> Size {
        let mut size = Size::default();
        let mut levels = vec![[0.0; TAGS]; self.longest() + 1];
        levels[0] = FIRST;
        for letters in 0..levels.len() {
            let stop = self.lengths.stop(letters);
            let next = levels[letters].map(|weight| weight * (1.0 - stop));
            size.letters += stop * letters as f64 * levels[letters].iter().sum::<f64>();
            size.words += next.iter().sum::<f64>();
            for kind in &self.kinds {
                let after = follow(&self.write(kind, &next, &Tag::ALL)).map(|w| w * kind.count());
                let sums = levels.get_mut(letters + kind.letters).into_iter().flatten();
                sums.zip(after).for_each(|(sum, weight)| *sum += weight);
            }
        }
        size
    }

    /// Weights of each of `tags` with one certain word of `kind`, where `next` tells the weights of the tag to come.
    fn write(&self, kind: &Kind, next: &ByTag, tags: &[Tag]) -> ByTag {
        let mut after = [0.0; TAGS];
        for tag in tags.iter().filter(|tag| kind.classes[tag.class() as usize]) {
            after[*tag as usize] = next[*tag as usize] / f64::from(self.trie.words(tag.class()));
        }
        after
    }

    /// Entropy of a record's words in their order, with or without the letters of their tags; `None` if it takes more than
    /// `max_states` beliefs.
    pub fn entropy_of_words(&self, seen: Seen, max_states: usize) -> Option<Entropy> {
        let groups = seen.groups();
        let mut entropy = Entropy::default();
        let mut levels: Vec<Level<ByTag>> =
            (0..=self.longest()).map(|_| Level::default()).collect();
        levels[0].add(1.0, FIRST, Vec::new());
        for letters in 0..levels.len() {
            let stop = self.lengths.stop(letters);
            for (probability, next) in std::mem::take(&mut levels[letters]).beliefs {
                entropy.nats += probability * (surprise(stop) + surprise(1.0 - stop));
                let goes_on = probability * (1.0 - stop);
                if goes_on == 0.0 {
                    continue;
                }
                for (tags, kind) in
                    groups.iter().flat_map(|tags| self.kinds.iter().map(move |kind| (tags, kind)))
                {
                    let written = self.write(kind, &next, tags);
                    let each: f64 = written.iter().sum();
                    if each > 0.0 {
                        entropy.nats += goes_on * kind.count() * surprise(each);
                        let after = follow(&written.map(|weight| weight / each));
                        let key = after.map(rounded).to_vec();
                        let is_new = levels[letters + kind.letters].add(
                            goes_on * kind.count() * each,
                            after,
                            key,
                        );
                        entropy.count(is_new, max_states)?;
                    }
                }
            }
        }
        Some(entropy)
    }

    /// Entropy of a record's letters without spaces; `None` if it takes more than `max_states` beliefs.
    pub fn entropy_of_letters(&self, max_states: usize) -> Option<Entropy> {
        let mut entropy = Entropy::default();
        let mut level = Level::default();
        level.add(1.0, Belief::default(), Vec::new());
        for letters in 0.. {
            let mut next = Level::default();
            for (probability, belief) in level.beliefs {
                let (stop, starts) = self.turn(&belief, letters);
                entropy.nats += probability * surprise(stop);
                for mut after in belief.read(&self.trie, &starts).into_values() {
                    let share = after.weight();
                    entropy.nats += probability * surprise(share);
                    after.normalize();
                    let key = after.places.iter().flat_map(key).collect();
                    let is_new = next.add(probability * share, after, key);
                    entropy.count(is_new, max_states)?;
                }
            }
            if next.beliefs.is_empty() {
                break;
            }
            level = next;
        }
        Some(entropy)
    }

    /// Weight of the readings of `belief` in which the record ends after `letters` letters, and the weights of tags whose
    /// words begin there.
    pub(super) fn turn(&self, belief: &Belief, letters: usize) -> (f64, ByTag) {
        if letters == 0 {
            return (0.0, FIRST);
        }
        let ended = belief.ended(&self.trie);
        let stop = self.lengths.stop(letters);
        let starts = follow(&ended).map(|weight| weight * (1.0 - stop));
        (stop * ended.iter().sum::<f64>(), starts)
    }
}

/// Key that beliefs are compared by: node and tag of a place, and its rounded weight.
fn key(place: &Place) -> [i64; 2] {
    [i64::from(place.node) * TAGS as i64 + place.tag as i64, rounded(place.weight)]
}
