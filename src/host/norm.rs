//! Norms, through which layers read the residual stream.

use super::linear::Parameters;
use super::vector::add;
use crate::arch;
use crate::config::ModelConfig;

#[derive(Clone, Debug)]
pub struct Norm {
    kind: arch::Norm,
    width: usize,
    gain: Vec<f32>,      // [width], or one for all
    b: Option<Vec<f32>>, // [width]
}

impl Norm {
    /// Norm `name`, or the identity if the model lacks it.
    pub fn new(config: &ModelConfig, parameters: Parameters, name: &str) -> Self {
        Self::of(arch::Norm::of(config), config.d_model, parameters, name)
    }

    /// Norm `name` of each head's queries or keys, or the identity if the model lacks it.
    pub fn of_heads(config: &ModelConfig, parameters: Parameters, name: &str) -> Self {
        Self::of(arch::Norm::of_heads(config), config.d_head(), parameters, name)
    }

    fn of(kind: arch::Norm, width: usize, parameters: Parameters, name: &str) -> Self {
        let get = |part: &str| parameters.get(&format!("{name}.{part}"));
        let gain = get(kind.gain_name());
        // A block without a feed-forward layer has no norm before it.
        let kind = if gain.is_some() { kind } else { arch::Norm::Identity };
        Self { kind, width, gain: gain.unwrap_or_default(), b: get("b") }
    }

    /// # Shapes
    /// `x` and the result: rows of the norm's width
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        if self.kind == arch::Norm::Identity {
            return x.to_vec();
        }
        let mut y = Vec::with_capacity(x.len());
        for x in x.chunks(self.width) {
            let (mean, scale) = self.moments(x);
            let share = scale.recip();
            let gains = self.gain.iter().cycle();
            y.extend(x.iter().zip(gains).map(|(x, gain)| (x - mean) * share * gain));
        }
        if let Some(b) = &self.b {
            y.chunks_mut(b.len()).for_each(|y| add(y, b));
        }
        y
    }

    /// Divisor of each row; 1 without a norm.
    ///
    /// # Shapes
    /// `x`: `[seq, width]`; the result: `[seq]`
    pub fn scales(&self, x: &[f32], width: usize) -> Vec<f32> {
        x.chunks(width).map(|x| self.moments(x).1).collect()
    }

    /// Mean to subtract from `x`, or 0, and the divisor after that.
    fn moments(&self, x: &[f32]) -> (f32, f32) {
        let count = x.len() as f32;
        let mean = match self.kind {
            arch::Norm::Layer { .. } => x.iter().sum::<f32>() / count,
            arch::Norm::Identity | arch::Norm::Rms { .. } | arch::Norm::Scale { .. } => 0.0,
        };
        let squares = || x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
        match self.kind {
            arch::Norm::Identity => (mean, 1.0),
            arch::Norm::Layer { epsilon } | arch::Norm::Rms { epsilon } => {
                (mean, (squares() + epsilon).sqrt())
            }
            arch::Norm::Scale { epsilon } => (mean, (squares() * count).sqrt().max(epsilon)),
        }
    }
}
