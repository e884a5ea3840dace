//! LayerNorm.

use super::linear::Parameters;
use crate::kernel::layer_norm::EPSILON;

pub struct Norm {
    w: Vec<f32>,         // [d_model]
    b: Option<Vec<f32>>, // [d_model]
}

impl Norm {
    pub fn new(parameters: Parameters, name: &str) -> Self {
        let w = parameters.get(&format!("{name}.w")).expect("every LayerNorm has a gain");
        Self { w, b: parameters.get(&format!("{name}.b")) }
    }

    /// # Shapes
    /// `x` and the result: `[seq, d_model]`
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let mut y = Vec::with_capacity(x.len());
        for x in x.chunks(self.w.len()) {
            let (mean, scale) = moments(x);
            let share = scale.recip();
            y.extend(x.iter().zip(&self.w).map(|(x, w)| (x - mean) * share * w));
        }
        if let Some(b) = &self.b {
            y.chunks_mut(b.len()).for_each(|y| super::add(y, b));
        }
        y
    }

    /// What each token is divided by: `[seq]`.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn scales(&self, x: &[f32]) -> Vec<f32> {
        x.chunks(self.w.len()).map(|x| moments(x).1).collect()
    }
}

/// The mean of `x`, and its standard deviation.
fn moments(x: &[f32]) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = x.iter().sum::<f32>() / count;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
    (mean, (variance + EPSILON).sqrt())
}
