//! Input of a codec's figures.

use crate::codec::learner::Step;
use crate::codec::run::CodecRun;
use crate::figure::{Content, Figure, show_token};

/// An input that was mapped, and the place in it of the token that is looked at.
pub struct Traced<'a> {
    pub run: &'a CodecRun,
    pub steps: Vec<Step<'a>>,
    pub at: usize,
}

impl Traced<'_> {
    pub fn name(&self, token: u32) -> String {
        self.run.tokenizer.token(token).map_or("end".into(), show_token)
    }
}

pub fn figure(title: &str, note: String, content: Content) -> Figure {
    Figure { title: title.into(), note, content }
}
