//! Values before training.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::arch::{Init, Layout, Parameter};
use crate::base::random::stream_rng;
use crate::config::ModelConfig;

/// A stream of the seed that no batch uses.
const INIT_STREAM: u64 = u64::MAX - 1;

/// Untrained parameters, the same for the same `seed` on every device: `[layout.len()]`.
pub fn untrained(config: &ModelConfig, layout: &Layout, seed: u64) -> Vec<f32> {
    let mut rng = stream_rng(seed, INIT_STREAM);
    let d_model = config.d_model;
    layout.parameters().iter().flat_map(|p| draw(p, d_model, &mut rng)).collect()
}

fn draw(parameter: &Parameter, d_model: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let value = |rng: &mut ChaCha8Rng| match parameter.spec.init {
        Init::Ones => 1.0,
        Init::Zeros => 0.0,
        Init::Value(value) => value as f32,
        Init::RootWidth => (d_model as f32).sqrt(),
        Init::Normal(std) => {
            let value: f64 = StandardNormal.sample(rng);
            (std * value) as f32
        }
    };
    parameter.range.clone().map(|_| value(rng)).collect()
}
