//! LayerNorm, RMSNorm or nothing.

use super::add;
use super::linear::Parameters;
use crate::kernel::layer_norm::Scaling;

#[derive(Clone, Debug)]
pub struct Norm {
    /// `None` without a norm.
    w: Option<Vec<f32>>, // [width]
    b: Option<Vec<f32>>, // [width]
    scaling: Scaling,
}

impl Norm {
    /// The norm `name`, if the model has it.
    pub fn new(scaling: Scaling, parameters: Parameters, name: &str) -> Self {
        let [w, b] = ["w", "b"].map(|part| parameters.get(&format!("{name}.{part}")));
        Self { w, b, scaling }
    }

    /// # Shapes
    /// `x`: rows of the norm's width, and so is the result
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let Some(w) = &self.w else { return x.to_vec() };
        let mut y = Vec::with_capacity(x.len());
        for x in x.chunks(w.len()) {
            let (mean, scale) = self.moments(x);
            let share = scale.recip();
            y.extend(x.iter().zip(w).map(|(x, w)| (x - mean) * share * w));
        }
        if let Some(b) = &self.b {
            y.chunks_mut(b.len()).for_each(|y| add(y, b));
        }
        y
    }

    /// What each row is divided by; 1 without a norm.
    ///
    /// # Shapes
    /// `x`: `[seq, width]`; the result: `[seq]`
    pub fn scales(&self, x: &[f32], width: usize) -> Vec<f32> {
        let scale = |x| if self.w.is_some() { self.moments(x).1 } else { 1.0 };
        x.chunks(width).map(scale).collect()
    }

    /// What is taken off `x`, its mean or nothing, and what it is then divided by.
    fn moments(&self, x: &[f32]) -> (f32, f32) {
        let count = x.len() as f32;
        let mean = if self.scaling.is_centred { x.iter().sum::<f32>() / count } else { 0.0 };
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
        (mean, (variance + self.scaling.epsilon).sqrt())
    }
}
