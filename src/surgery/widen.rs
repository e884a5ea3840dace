//! A residual stream that is several times as wide and computes the same (Net2Net, Chen et al. 2016):
//! it carries copies of what it carried, whose mean and mean square norms find unchanged. What writes
//! into it writes every copy; what reads from it reads each copy in part. The parts are drawn, for
//! copies that are read alike would have the same gradient and stay copies for ever.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::SurgeryError;
use super::operate::{refit, replace, seed};
use crate::checkpoint::{Checkpoint, Moments};
use crate::config::{MemoryLimits, ModelConfig, NormKind};
use crate::model::Layout;

/// How a parameter meets the residual stream.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// By its columns, or gains that it is multiplied by.
    Writes,
    /// By its rows.
    Reads,
    Apart,
}

fn role(name: &str, tied_head: bool) -> Role {
    match name.rsplit('.').next().unwrap_or_default() {
        "values" | "W_E" | "W_pos" | "W_O" | "b_O" | "W_out" | "b_out" => Role::Writes,
        "W_Q" | "W_K" | "W_V" | "W_in" | "W_gate" | "W_U" => Role::Reads,
        // The embedding writes whole copies, so it is the last norm that shares them out to it.
        "w" | "b" if name.starts_with("ln_final") && tied_head => Role::Reads,
        "w" | "b" if !name.contains("_norm.") => Role::Writes,
        _ => Role::Apart,
    }
}

/// The run of `before` with a residual stream that is `times` as wide.
///
/// Moments follow the gradients. Each copy of what reads has the gradient that the one had; those of
/// what writes share it, on average evenly. So their first moments are divided by `times` and their
/// second ones by its square.
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
    // Without norms, a head that is the embedding sees the copies twice: as it wrote them and as it
    // reads them.
    let is_bare = old.norm == NormKind::None && old.tied_head;
    let written = if is_bare { (times as f32).sqrt().recip() } else { 1.0 };
    let layout = Layout::new(old, before.tokenizer.vocab_size());
    let mut rng = ChaCha8Rng::seed_from_u64(seed(before));
    let parameters = copy(&layout, old, times, &before.parameters, |role, values| match role {
        Role::Writes => values.iter_mut().for_each(|value| *value *= written),
        Role::Reads => {
            let parts = parts(values.len() / times, times, &mut rng);
            values.iter_mut().zip(parts).for_each(|(value, part)| *value *= part / written);
        }
        Role::Apart => {}
    });
    let moment = |values: &[f32], power: i32| {
        copy(&layout, old, times, values, |role, values| {
            let gradient = match role {
                Role::Writes => 1.0 / (times as f32 * written),
                Role::Reads => written,
                Role::Apart => 1.0,
            };
            values.iter_mut().for_each(|value| *value *= gradient.powi(power));
        })
    };
    let moments = before.moments.as_ref().map(|Moments { first, second }| Moments {
        first: moment(first, 1),
        second: moment(second, 2),
    });
    let bank = before.bank.fit(&config.model);
    Ok(replace(before, config, parameters, moments, bank))
}

/// Every parameter with as many copies as the residual stream has, through `scale`.
fn copy(
    layout: &Layout,
    model: &ModelConfig,
    times: usize,
    values: &[f32],
    mut scale: impl FnMut(Role, &mut [f32]),
) -> Vec<f32> {
    let mut out = Vec::with_capacity(times * values.len());
    for parameter in layout.parameters() {
        let role = role(&parameter.name, model.tied_head);
        let (values, start) = (&values[parameter.range.clone()], out.len());
        match role {
            Role::Writes => values.chunks(model.d_model).for_each(|row| {
                (0..times).for_each(|_| out.extend_from_slice(row));
            }),
            Role::Reads => (0..times).for_each(|_| out.extend_from_slice(values)),
            Role::Apart => out.extend_from_slice(values),
        }
        scale(role, &mut out[start..]);
    }
    out
}

/// For each of `count` values the parts of its copies, which sum to 1: `[times, count]`. The largest is
/// at most three times the least.
fn parts(count: usize, times: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut parts: Vec<f32> = (0..times * count).map(|_| rng.random_range(0.5..1.5)).collect();
    for at in 0..count {
        let total: f32 = parts[at..].iter().step_by(count).sum();
        parts[at..].iter_mut().step_by(count).for_each(|part| *part /= total);
    }
    parts
}
