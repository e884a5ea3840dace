//! A limited number of training records.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

use super::source::RecordSource;
use super::split::{Split, below};
use crate::base::random::stream_rng;
use crate::run::{Floor, Record};
use crate::tokenizer::Tokenizer;

/// The first records of a run: each is drawn from a stream of its own. A batch takes any of them.
#[derive(Clone, Debug)]
pub(super) struct Limited {
    pub own: Arc<dyn RecordSource>,
    pub records: usize,
    pub seed: u64,
}

/// The first of the streams that records are drawn from.
const STREAM: u64 = 1 << 62;

/// Training record `number` of a run with `seed`.
pub(super) fn numbered(own: &dyn RecordSource, number: usize, window: usize, seed: u64) -> Record {
    own.draw(Split::Train, window, &mut stream_rng(seed, STREAM + number as u64))
}

impl RecordSource for Limited {
    fn draw(&self, split: Split, window: usize, rng: &mut ChaCha8Rng) -> Record {
        match split {
            Split::Train => numbered(&*self.own, below(rng, self.records), window, self.seed),
            Split::Validation => self.own.draw(split, window, rng),
        }
    }

    fn longest(&self) -> usize {
        self.own.longest()
    }

    /// None is known of the records that happen to be drawn.
    fn floor(&self) -> Option<Floor> {
        None
    }

    fn probability(&self, _prefix: &str, _symbol: &str) -> f64 {
        0.0
    }

    fn tokenizer(&self) -> Tokenizer {
        self.own.tokenizer()
    }
}
