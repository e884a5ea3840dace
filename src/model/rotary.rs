//! Rotary positions (Su et al. 2021), in Llama's order: a head's first half and its second are the
//! two sides of what turns.

use burn::tensor::{Device, Tensor, TensorData};

use crate::arch::rope_angle;

/// Angles of each pair of numbers at some positions.
#[derive(Clone, Debug)]
pub struct Rotation {
    cos: Tensor<4>, // [1, seq, 1, d_head / 2]
    sin: Tensor<4>,
}

impl Rotation {
    /// The rotation of `seq` positions from `start`.
    pub fn new(start: usize, seq: usize, d_head: usize, base: f64, device: &Device) -> Self {
        let half = d_head / 2;
        let angle = |at: usize| rope_angle(start + at / half, at % half, d_head, base);
        let of = |part: fn(f64) -> f64| {
            let values: Vec<f32> = (0..seq * half).map(|at| part(angle(at)) as f32).collect();
            Tensor::from_data(TensorData::new(values, [1, seq, 1, half]), device)
        };
        Self { cos: of(f64::cos), sin: of(f64::sin) }
    }

    /// # Shapes
    /// `x` and the result: `[batch, seq, head, d_head]`
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
        let (cos, sin) = (&self.cos, &self.sin);
        let turned_a = a.clone() * cos.clone() - b.clone() * sin.clone();
        let turned_b = b * cos.clone() + a * sin.clone();
        Tensor::cat(vec![turned_a, turned_b], 3)
    }
}
