//! Rotary positions (Su et al. 2021), in Llama's order: a head's first half and its second are the
//! two sides of what turns.

use burn::tensor::{Device, Tensor, TensorData};

use crate::arch::{Rotary, Side};

/// Turns of queries and of keys at some positions.
#[derive(Clone, Debug)]
pub struct Rotation {
    queries: Turns,
    keys: Turns,
}

/// Sines and cosines of each pair of numbers at some positions, times its length.
#[derive(Clone, Debug)]
struct Turns {
    sin: Tensor<4>, // [1, seq, 1, d_head / 2]
    cos: Tensor<4>,
}

impl Rotation {
    /// The rotation of `seq` positions from `start`.
    pub fn new(rotary: Rotary, start: usize, seq: usize, device: &Device) -> Self {
        let pairs = rotary.pairs();
        let of = |side: Side| {
            let turn = |at: usize| rotary.turn(side, start + at / pairs, at % pairs);
            let turns: Vec<[f64; 2]> = (0..seq * pairs).map(turn).collect();
            let [sin, cos] = [0, 1].map(|part| {
                let values: Vec<f32> = turns.iter().map(|turn| turn[part] as f32).collect();
                Tensor::from_data(TensorData::new(values, [1, seq, 1, pairs]), device)
            });
            Turns { sin, cos }
        };
        let queries = of(Side::Queries);
        let keys = if rotary.is_alike() { queries.clone() } else { of(Side::Keys) };
        Self { queries, keys }
    }

    /// # Shapes
    /// `x` and the result: `[batch, seq, head, d_head]`
    pub fn apply(&self, side: Side, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
        let Turns { sin, cos } = match side {
            Side::Queries => &self.queries,
            Side::Keys => &self.keys,
        };
        let turned_a = a.clone() * cos.clone() - b.clone() * sin.clone();
        let turned_b = b * cos.clone() + a * sin.clone();
        Tensor::cat(vec![turned_a, turned_b], 3)
    }
}
