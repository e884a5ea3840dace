//! The losses of a run.

use serde::{Deserialize, Serialize};

use super::{Field, Floor};

/// Most losses kept per run; a longer history is thinned to every second point.
pub const MAX_HISTORY: usize = 8192;

/// Losses and accuracy after a step; losses in nats per token. Those of step 0 are of the weights that training began with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossPoint {
    pub step: usize,
    pub train_loss: f32,
    pub val_loss: Option<f32>,
    /// Share of the answers' tokens, or of all tokens where records have no answers, that the model holds likeliest:
    /// in validation, or in training records where those held out cannot be known. `None` between validations and in
    /// runs of early versions.
    #[serde(default)]
    pub accuracy: Option<f32>,
    /// Seconds that training has taken up to here, without validation; `None` in runs of early versions.
    #[serde(default)]
    pub seconds: Option<f32>,
}

/// Accuracy at the last validation of a run.
pub fn last_accuracy(history: &[LossPoint]) -> Option<f32> {
    history.iter().rev().find_map(|point| point.accuracy)
}

/// Seconds that training took up to the last loss of a run; `None` if its first steps were not timed.
pub fn seconds_of(history: &[LossPoint], step: usize) -> Option<f64> {
    match step {
        0 => Some(0.0),
        _ => history.last()?.seconds.map(f64::from),
    }
}

/// Appends a point to a run's `history`, oldest first. One that becomes longer than [`MAX_HISTORY`] is thinned to every
/// second point, and to all that `is_kept`.
pub fn push_thinned<T>(history: &mut Vec<T>, point: T, is_kept: impl Fn(&T) -> bool) {
    history.push(point);
    if history.len() > MAX_HISTORY {
        let mut place = 0;
        history.retain(|point| {
            place += 1;
            place % 2 == 0 || is_kept(point)
        });
    }
}

/// A validation loss to compare with where no floor is known, in nats per token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    pub name: String,
    pub about: String,
    pub loss: f64,
}

impl Reference {
    /// The loss before training went on.
    pub fn before(loss: f32) -> Self {
        Self {
            name: "Before training".into(),
            about: "the validation loss of the model that training goes on from".into(),
            loss: loss.into(),
        }
    }

    /// The share of tokens that is wrong where the likeliest outputs are written, whose accuracy is 0 to 1.
    pub fn of_likeliest(accuracy: f64) -> Self {
        let about = "the share of tokens that is wrong if the likeliest output of every held-out record is written, which \
                     only its source knows";
        Self { name: "Likeliest outputs".into(), about: about.into(), loss: 1.0 - accuracy }
    }

    /// The loss of an n-gram model.
    pub fn of_5_grams(loss: f64) -> Self {
        let about =
            "the validation loss of counted 5-grams; the floor of a plain text is not known";
        Self { name: "5-grams".into(), about: about.into(), loss }
    }
}

/// Losses of one field, in nats per character; `None` if it did not occur.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldLoss {
    pub field: Field,
    /// On the records of the step.
    pub train: Option<f32>,
    /// On held-out records.
    pub val: Option<f32>,
}

impl FieldLoss {
    /// Loss above the floor, in bits per character: in validation, or in training if the floor is reached by
    /// heart.
    pub fn excess_bits(&self, floor: &Floor) -> Option<f64> {
        let floor_nats = floor.field(self.field)?.nats_per_char();
        let paid = if floor.by_heart { self.train } else { self.val };
        Some((f64::from(paid?) - floor_nats) / std::f64::consts::LN_2)
    }
}
