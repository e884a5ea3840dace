//! The causal product on a GPU: one kernel forward, and one backward. A unit follows one row or one column of a
//! head's state through all tokens.

use burn::backend::Cube;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::kernel::fused::Fused;
use crate::kernel::gpu::{GpuTensor, arg, dims, empty, groups};

/// Units of a group.
const BLOCK: usize = 64;

#[derive(Clone, Debug)]
pub struct CausalProduct {
    pub n_heads: usize,
}

/// Widths of a head's keys and values, by which a kernel is compiled: a unit keeps vectors of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Widths {
    d_key: usize,
    d_value: usize,
}

impl CausalProduct {
    fn widths(&self, q: &GpuTensor, v: &GpuTensor) -> Widths {
        let [[_, _, keys], [_, _, values]] = [q, v].map(dims::<3>);
        Widths { d_key: keys / self.n_heads, d_value: values / self.n_heads }
    }
}

impl Fused<Cube, 3> for CausalProduct {
    type Saved = ();

    fn forward(&self, [q, k, v]: &[GpuTensor; 3]) -> (GpuTensor, ()) {
        let shape @ [batch, seq, width] = dims(v);
        let z = empty(v, shape);
        forward::launch(
            &q.client,
            groups((batch * width).div_ceil(BLOCK)),
            CubeDim::new_1d(BLOCK as u32),
            arg(q),
            arg(k),
            arg(v),
            arg(&z),
            batch,
            seq,
            self.n_heads,
            self.widths(q, v),
        );
        (z, ())
    }

    fn backward(&self, [q, k, v]: &[GpuTensor; 3], (): &(), dz: &GpuTensor) -> [Option<GpuTensor>; 3] {
        let [batch, seq, keys] = dims(q);
        let [_, _, values] = dims::<3>(v);
        let gradients = [q, k, v].map(|x| empty(x, dims::<3>(x)));
        let [dq, dk, dv] = &gradients;
        backward::launch(
            &q.client,
            groups((batch * (2 * keys + values)).div_ceil(BLOCK)),
            CubeDim::new_1d(BLOCK as u32),
            arg(q),
            arg(k),
            arg(v),
            arg(dz),
            arg(dq),
            arg(dk),
            arg(dv),
            batch,
            seq,
            self.n_heads,
            self.widths(q, v),
        );
        gradients.map(Some)
    }
}

/// A unit for each number of each head's values: it keeps that column of the state.
#[cube(launch)]
fn forward(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    z: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    #[comptime] widths: Widths,
) {
    let unit = CUBE_POS * BLOCK + UNIT_POS as usize;
    let width = n_heads * widths.d_value;
    if unit < batch * width {
        let row = unit / width;
        let head = unit % width / widths.d_value;
        let mut state = Array::<f32>::new(widths.d_key);
        for d in 0..widths.d_key {
            state[d] = 0.0;
        }
        for token in 0..seq {
            let key = ((row * seq + token) * n_heads + head) * widths.d_key;
            let at = (row * seq + token) * width + unit % width;
            let value = v[at];
            let mut sum = 0.0f32;
            for d in 0..widths.d_key {
                state[d] += k[key + d] * value;
                sum += q[key + d] * state[d];
            }
            z[at] = sum;
        }
    }
}

/// A unit for each number of each head's queries, keys and values: for the gradients by them.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn backward(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    dz: &[f32],
    dq: &mut [f32],
    dk: &mut [f32],
    dv: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    #[comptime] widths: Widths,
) {
    let unit = CUBE_POS * BLOCK + UNIT_POS as usize;
    let keys = n_heads * widths.d_key;
    let values = n_heads * widths.d_value;
    if unit < 2 * batch * keys {
        // A row of the state: forward for a query, from the end for a key.
        let is_query = unit < batch * keys;
        let of = unit % (batch * keys);
        let row = of / keys;
        let head = of % keys / widths.d_key;
        let mut state = Array::<f32>::new(widths.d_value);
        for e in 0..widths.d_value {
            state[e] = 0.0;
        }
        for step in 0..seq {
            let token = select(is_query, step, seq - 1 - step);
            let at = (row * seq + token) * keys + of % keys;
            let value = ((row * seq + token) * n_heads + head) * widths.d_value;
            let factor = if is_query { k[at] } else { q[at] };
            let mut sum = 0.0f32;
            for e in 0..widths.d_value {
                let left = if is_query { v[value + e] } else { dz[value + e] };
                let right = if is_query { dz[value + e] } else { v[value + e] };
                state[e] += factor * left;
                sum += state[e] * right;
            }
            if is_query {
                dq[at] = sum;
            } else {
                dk[at] = sum;
            }
        }
    } else if unit < batch * (2 * keys + values) {
        let of = unit - 2 * batch * keys;
        let row = of / values;
        let head = of % values / widths.d_value;
        let mut state = Array::<f32>::new(widths.d_key);
        for d in 0..widths.d_key {
            state[d] = 0.0;
        }
        for step in 0..seq {
            let token = seq - 1 - step;
            let at = (row * seq + token) * values + of % values;
            let key = ((row * seq + token) * n_heads + head) * widths.d_key;
            let by_output = dz[at];
            let mut sum = 0.0f32;
            for d in 0..widths.d_key {
                state[d] += q[key + d] * by_output;
                sum += state[d] * k[key + d];
            }
            dv[at] = sum;
        }
    }
}
