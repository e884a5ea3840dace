//! A residual stream several times as wide that computes the same (Net2Net, Chen et al. 2016). It carries copies
//! of the old one, so norms find the same mean and mean square. Parameters that write into it write every copy;
//! parameters that read from it read a share of each copy. The shares are random, because copies with equal shares
//! would get equal gradients and stay copies for ever.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::error::SurgeryError;
use super::refit::{refit, replace, seed};
use crate::checkpoint::Checkpoint;
use crate::run::Moments;
use crate::config::{MemoryLimits, ModelConfig, NormKind};
use crate::arch::{Dim, Init, Layout, ParamSpec, Role};

/// The run of `before` with a residual stream `times` as wide.
///
/// Moments follow the gradients. Each copy of a reading parameter has the original's gradient. Copies of a writing
/// parameter share it, on average evenly, so their first moments are divided by `times` and their second moments
/// by its square.
///
/// # Errors
/// If the model does not work on a device with `limits`.
pub fn widen(
    before: &Checkpoint,
    times: usize,
    limits: &MemoryLimits,
) -> Result<Checkpoint, SurgeryError> {
    let old = &before.config.model;
    if before.bank.output().is_some_and(|memory| memory.store.ids().len() > 0) {
        return Err(SurgeryError::Neighbours);
    }
    let (d_head, d_mlp) = (old.d_head(), old.d_mlp());
    let mut model = ModelConfig { d_model: times * old.d_model, d_head, d_mlp, ..old.clone() };
    model.memory.d_key = old.d_key();
    let config = refit(before, model, limits)?;
    // Without norms, a tied head sees the copies twice: as embedding and as unembedding.
    let is_bare = old.norm == NormKind::None && old.tied_head;
    let written = if is_bare { (times as f32).sqrt().recip() } else { 1.0 };
    let layout = Layout::new(old, before.tokenizer.vocab_size());
    let mut rng = ChaCha8Rng::seed_from_u64(seed(before));
    let parameters = copy(&layout, times, &before.parameters, |spec, values| match spec.role {
        _ if spec.init == Init::RootWidth => {
            values.iter_mut().for_each(|value| *value *= length_gain(spec, times));
        }
        Role::Writes => values.iter_mut().for_each(|value| *value *= written),
        Role::Reads => {
            let parts = parts(values.len() / times, times, &mut rng);
            values.iter_mut().zip(parts).for_each(|(value, part)| *value *= part / written);
        }
        Role::Neither => {}
    });
    let moment = |values: &[f32], power: i32| {
        copy(&layout, times, values, |spec, values| {
            let is_copied = values.len() > spec.len();
            let gradient = match spec.role {
                _ if spec.init == Init::RootWidth => length_gain(spec, times).recip(),
                Role::Writes => 1.0 / (times as f32 * written),
                Role::Reads => written,
                // Copies of a gain share its gradient.
                Role::Neither if is_copied => 1.0 / (times as f32 * written),
                Role::Neither => 1.0,
            };
            values.iter_mut().for_each(|value| *value *= gradient.powi(power));
        })
    };
    let moments = before.moments.as_ref().map(|Moments { first, second }| Moments {
        first: moment(first, 1),
        second: second.as_ref().map(|second| moment(second, 2)),
    });
    let bank = before.bank.fit(&config.model);
    replace(before, config, parameters, moments, bank)
}

/// The factor on a gain of the whole stream's length, which becomes `√times` as long. One that a tied head reads
/// through is shared out among the copies, too.
fn length_gain(spec: &ParamSpec, times: usize) -> f32 {
    let longer = (times as f32).sqrt();
    if spec.role == Role::Reads { longer.recip() } else { longer }
}

/// Copies all parameters along the residual stream, and applies `scale` to each.
fn copy(
    layout: &Layout,
    times: usize,
    values: &[f32],
    mut scale: impl FnMut(&ParamSpec, &mut [f32]),
) -> Vec<f32> {
    let mut out = Vec::with_capacity(times * values.len());
    for parameter in layout.parameters() {
        let spec = &parameter.spec;
        let (values, start) = (&values[parameter.range.clone()], out.len());
        match spec.dims() {
            [Dim::Model, _] => (0..times).for_each(|_| out.extend_from_slice(values)),
            [_, Dim::Model] => {
                let d_model = spec.columns();
                values.chunks(d_model).for_each(|row| {
                    (0..times).for_each(|_| out.extend_from_slice(row));
                });
            }
            _ => out.extend_from_slice(values),
        }
        scale(spec, &mut out[start..]);
    }
    out
}

/// Shares of the copies of each of `count` values: `[times, count]`. Shares of a value sum to 1; the largest is at
/// most three times the least.
fn parts(count: usize, times: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut parts: Vec<f32> = (0..times * count).map(|_| rng.random_range(0.5..1.5)).collect();
    for at in 0..count {
        let total: f32 = parts[at..].iter().step_by(count).sum();
        parts[at..].iter_mut().step_by(count).for_each(|part| *part /= total);
    }
    parts
}
