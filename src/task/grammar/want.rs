//! Parts of a chosen text that are read later.

use std::collections::BTreeMap;

/// Parts of a chosen text that are still read. Nothing else of it is kept, so that derivations which differ in the
/// rest alone become one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Want {
    pub text: bool,
    /// Reads of each item of a list.
    pub items: Option<Box<Want>>,
    /// Reads of each part, by the number of its name.
    pub parts: BTreeMap<u16, Want>,
}

impl Want {
    pub fn is_nothing(&self) -> bool {
        !self.text && self.items.is_none() && self.parts.is_empty()
    }

    /// Adds what `other` reads.
    pub fn add(&mut self, other: &Want) {
        self.text |= other.text;
        if let Some(theirs) = &other.items {
            self.items.get_or_insert_default().add(theirs);
        }
        for (name, theirs) in &other.parts {
            self.parts.entry(*name).or_default().add(theirs);
        }
    }
}
