//! Predictions that are few among the tokens of a batch.

use burn::tensor::{Device, Tensor, TensorData};

use super::Targets;
use crate::kernel::rows::Places;
use crate::run::Field;

/// Predictions are few if they are at most one in so many tokens: what is unembedded then is theirs alone.
const ONE_IN: usize = 4;

/// The predictions of a batch without its other tokens.
#[derive(Clone, Debug)]
pub struct FewPredictions {
    pub places: Places,
    /// The token to predict at each place: `[1, count]`.
    pub targets: Targets,
    /// `[1, count]`, all 1.
    pub weights: Tensor<2>,
    /// Field of each target.
    pub fields: Vec<Option<Field>>,
}

impl FewPredictions {
    /// The predictions of a batch, given each token with its target, and the fields of targets; `None` if they are not few.
    pub fn new(ids: &[(u32, u32)], fields: &[Option<Field>], device: &Device) -> Option<Self> {
        let count = fields.iter().flatten().count();
        if count == 0 || ONE_IN * count > fields.len() {
            return None;
        }
        let places: Vec<usize> = (0..fields.len()).filter(|at| fields[*at].is_some()).collect();
        let targets: Vec<i32> = places.iter().map(|place| ids[*place].1 as i32).collect();
        Some(Self {
            targets: Targets::Classes(Tensor::from_data(
                TensorData::new(targets, [1, count]),
                device,
            )),
            weights: Tensor::ones([1, count], device),
            fields: places.iter().map(|place| fields[*place]).collect(),
            places: Places::new(places, fields.len(), device),
        })
    }
}
