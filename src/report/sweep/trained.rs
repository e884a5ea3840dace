//! Last figures of a run of a sweep.

use serde::{Deserialize, Serialize};

use super::jsonl::Line;

/// Last figures of a run of a sweep over any settings. Losses are in nats per token; those of a noise codec are shares of
/// tokens that are wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// The run as the fragment of a link, to open in the page or to train again.
    pub link: String,
    /// 0 of a noise codec, whose tables grow.
    pub parameters: usize,
    /// Bytes that a model keeps of a context of tokens to decode the next; `None` of a noise codec.
    #[serde(default)]
    pub state_bytes: Option<usize>,
    pub seed: u64,
    pub steps: usize,
    /// Seconds of training, without validation; `None` if they were not measured from the first step.
    pub seconds: Option<f32>,
    /// `None` if it was not finite.
    pub train_loss: Option<f32>,
    pub val_loss: Option<f32>,
    pub accuracy: Option<f32>,
}

impl Line for Trained {
    fn link(&self) -> &str {
        &self.link
    }

    fn set_link(&mut self, link: String) {
        self.link = link;
    }

    fn fits(&self) -> bool {
        [self.seconds, self.train_loss, self.val_loss, self.accuracy]
            .into_iter()
            .flatten()
            .all(f32::is_finite)
    }
}
