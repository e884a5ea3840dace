//! Magnitude pruning, and rewinding of the remaining weights to an earlier step: the lottery ticket hypothesis
//! (Frankle & Carbin 2019).

use super::error::SurgeryError;
use crate::checkpoint::Checkpoint;
use crate::run::Moments;
use crate::arch::{Layout, ParamSpec};

/// The run of `before` with a percentage of the nonzero weights of layer matrices set to 0: the smallest of all
/// layers together. They stay 0 in training.
pub(super) fn prune(before: &Checkpoint, percent: usize) -> Checkpoint {
    let mut after = before.clone();
    let mut left: Vec<usize> =
        prunable(before).filter(|at| before.parameters[*at] != 0.0).collect();
    let size = |at: &usize| before.parameters[*at].abs();
    left.sort_by(|a, b| size(a).total_cmp(&size(b)));
    left.truncate((left.len() * percent).div_ceil(100));
    for at in left {
        after.parameters[at] = 0.0;
        if let Some(Moments { first, second }) = &mut after.moments {
            first[at] = 0.0;
            second.iter_mut().for_each(|second| second[at] = 0.0);
        }
    }
    after.config.train.keep_pruned = true;
    after
}

/// The run of `before` with its model's weights `past` at `step`, except weights of layer matrices that are 0 now.
/// It continues from that step.
///
/// # Errors
/// If `past` is missing, or of another model.
pub(super) fn rewind(
    before: &Checkpoint,
    step: usize,
    past: Option<Vec<f32>>,
) -> Result<Checkpoint, SurgeryError> {
    let same = |past: &Vec<f32>| past.len() == before.parameters.len();
    let mut parameters = past.filter(same).ok_or(SurgeryError::NoPast { asked: step })?;
    for at in prunable(before).filter(|at| before.parameters[*at] == 0.0) {
        parameters[at] = 0.0;
    }
    let mut after = Checkpoint { parameters, step, moments: None, ..before.clone() };
    after.history.retain(|point| point.step <= step);
    Ok(after)
}

/// Indices in the flat vector of the weights of layer matrices.
fn prunable(of: &Checkpoint) -> impl Iterator<Item = usize> {
    let layout = Layout::new(&of.config.model, of.tokenizer.vocab_size());
    let mask = layout.mask(ParamSpec::is_prunable);
    (0..mask.len()).filter(move |at| mask[*at] == 1.0)
}
