//! From the residual stream to logits, one token at a time and by raw weights.

use super::View;
use crate::kernel::layer_norm::EPSILON;

impl View<'_> {
    /// The final norm of one token's residual stream, by raw weights: `[d_model]`.
    pub fn final_norm(&self, resid: &[f32]) -> Vec<f32> {
        let Some(gain) = self.parameter("ln_final.w") else { return resid.to_vec() };
        let centred = centred(resid);
        let variance = centred.iter().map(|x| x * x).sum::<f32>() / centred.len() as f32;
        let scale = (variance + EPSILON).sqrt();
        let normed = centred.iter().zip(gain).map(|(x, gain)| x / scale * gain);
        match self.parameter("ln_final.b") {
            Some(bias) => normed.zip(bias).map(|(x, bias)| x + bias).collect(),
            None => normed.collect(),
        }
    }

    /// What a logit, or a difference of two, gains from a vector in the residual stream, for each
    /// of its components: `direction`, a sum of columns of `W_U`, seen through the final norm but
    /// for its scale and bias.
    pub fn through_final_norm(&self, direction: &[f32]) -> Vec<f32> {
        match self.parameter("ln_final.w") {
            Some(gain) => {
                let scaled: Vec<f32> =
                    direction.iter().zip(gain).map(|(x, gain)| x * gain).collect();
                // To take the mean out of one factor of a dot product is to take it out of the other.
                centred(&scaled)
            }
            None => direction.to_vec(),
        }
    }

    /// `normed @ W_U` by raw weights, for one token: `[vocab]`.
    pub fn logits(&self, normed: &[f32]) -> Vec<f32> {
        match self.parameter("unembed.W_U") {
            Some(w_u) => {
                let mut logits = vec![0.0; self.vocab_size()];
                for (x, row) in normed.iter().zip(w_u.chunks(self.vocab_size().max(1))) {
                    logits.iter_mut().zip(row).for_each(|(logit, w)| *logit += x * w);
                }
                logits
            }
            None => {
                let w_e = self.parameter("embed.W_E").unwrap_or_default();
                w_e.chunks(self.d_model()).map(|row| dot(row, normed)).collect()
            }
        }
    }
}

pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn centred(x: &[f32]) -> Vec<f32> {
    let mean = x.iter().sum::<f32>() / x.len() as f32;
    x.iter().map(|x| x - mean).collect()
}
