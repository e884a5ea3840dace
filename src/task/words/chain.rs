//! The grammar: a chain of tags, each of which writes a word of its class.
//!
//! A clause is any number of adjectives, a subject, a verb, and perhaps any number of adjectives and a noun; then the next
//! clause begins.

use super::vocabulary::Class;

/// Probability that an adjective comes before a subject or a noun, and then one more.
pub const ADJECTIVE: f64 = 0.3;
/// Probability that a verb has an object.
pub const OBJECT: f64 = 0.6;
/// Probability that a record that is long enough ends with a word.
pub const STOP: f64 = 0.25;

/// Place of a word in its clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tag {
    SubjectAdjective,
    Subject,
    Verb,
    ObjectAdjective,
    Object,
}

/// Number of tags.
pub const TAGS: usize = 5;

/// A number for each tag, in their order.
pub type ByTag = [f64; TAGS];

impl Tag {
    pub const ALL: [Self; TAGS] =
        [Self::SubjectAdjective, Self::Subject, Self::Verb, Self::ObjectAdjective, Self::Object];

    /// The class of its words.
    pub fn class(self) -> Class {
        match self {
            Self::SubjectAdjective | Self::ObjectAdjective => Class::Adjective,
            Self::Subject | Self::Object => Class::Noun,
            Self::Verb => Class::Verb,
        }
    }

    /// The letter that a record writes for it. Adjectives have the same, wherever they are.
    pub fn letter(self) -> u8 {
        match self {
            Self::SubjectAdjective | Self::ObjectAdjective => b'a',
            Self::Subject => b's',
            Self::Verb => b'v',
            Self::Object => b'n',
        }
    }

    /// Probability of each tag after this one.
    fn next(self) -> ByTag {
        match self {
            Self::SubjectAdjective => FIRST,
            Self::Subject => [0.0, 0.0, 1.0, 0.0, 0.0],
            Self::Verb => {
                let clause = 1.0 - OBJECT;
                let [adjective, subject, ..] = FIRST;
                let noun = [OBJECT * ADJECTIVE, OBJECT * (1.0 - ADJECTIVE)];
                [clause * adjective, clause * subject, 0.0, noun[0], noun[1]]
            }
            Self::ObjectAdjective => [0.0, 0.0, 0.0, ADJECTIVE, 1.0 - ADJECTIVE],
            Self::Object => FIRST,
        }
    }
}

/// Probability of each tag as the first.
pub const FIRST: ByTag = [ADJECTIVE, 1.0 - ADJECTIVE, 0.0, 0.0, 0.0];

/// Weight of each tag after one of which `tags` tells the weights.
pub fn follow(tags: &ByTag) -> ByTag {
    let mut after = [0.0; TAGS];
    for (tag, weight) in Tag::ALL.into_iter().zip(tags) {
        after.iter_mut().zip(tag.next()).for_each(|(sum, share)| *sum += weight * share);
    }
    after
}

/// The letters after which a record may end.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    pub min: usize,
    pub max: usize,
}

impl Lengths {
    /// Probability that a record ends with the word that ends after `letters` letters.
    pub fn stop(self, letters: usize) -> f64 {
        match letters {
            _ if letters >= self.max => 1.0,
            _ if letters >= self.min => STOP,
            _ => 0.0,
        }
    }
}
