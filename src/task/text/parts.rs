//! The two parts of a text.

use crate::task::split::Split;

/// Something of each part: to train on, and to validate with.
#[derive(Clone, Debug)]
pub struct Parts<T> {
    pub train: T,
    pub validation: T,
}

impl<T> Parts<T> {
    pub fn of(&self, split: Split) -> &T {
        if split == Split::Train { &self.train } else { &self.validation }
    }
}
