//! Attention of one token after others on a GPU: one kernel.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::gpu::{Attend, BLOCK, Head};
use crate::kernel::fused::primitive;
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups, sum_of};

/// Keys and values of one layer, in memory for a whole context.
#[derive(Debug)]
pub struct KeyValues {
    kv: GpuTensor,     // [context, 2 * d_model]
    scores: GpuTensor, // [head, context], of the present token
    n_heads: usize,
}

impl KeyValues {
    /// # Shapes
    /// `qkv`: `[1, seq, 3 * d_model]`, of which only the width counts.
    pub fn new(qkv: &Tensor<3>, n_heads: usize, context: usize) -> Self {
        let qkv = primitive::<Cube>(qkv.clone().into_dispatch());
        let [_, _, width] = dims(&qkv);
        let kv = empty(&qkv, [context, width / 3 * 2]);
        let scores = empty(&qkv, [n_heads, context]);
        Self { kv, scores, n_heads }
    }

    /// Takes the first tokens' keys and values.
    ///
    /// # Shapes
    /// `qkv`: `[1, seq, 3 * d_model]`
    pub fn store(&self, qkv: &Tensor<3>) {
        let qkv = primitive::<Cube>(qkv.clone().into_dispatch());
        let [_, seq, width] = dims(&qkv);
        let count = seq * width / 3 * 2;
        store::launch(
            &qkv.client,
            groups(count.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(&qkv),
            arg(&self.kv),
            count,
            width / 3,
        );
    }

    /// Attention of the token that follows `before` others, whose keys and values join theirs.
    ///
    /// # Shapes
    /// `qkv`: `[1, 1, 3 * d_model]`; the result: `[1, 1, d_model]`
    pub fn attend(&self, qkv: Tensor<3>, before: usize) -> Tensor<3> {
        let qkv = primitive::<Cube>(qkv.into_dispatch());
        let [_, _, width] = dims(&qkv);
        let z = empty(&qkv, [1, 1, width / 3]);
        let [_, context] = dims(&self.scores);
        attend::launch(
            &qkv.client,
            groups(self.n_heads),
            CubeDim::new_1d(BLOCK as u32),
            arg(&qkv),
            arg(&self.kv),
            arg(&self.scores),
            arg(&z),
            before,
            context,
            width / 3,
            Attend::new(self.n_heads, None).head(width),
        );
        Tensor::from_primitive::<Cube>(z)
    }
}

#[cube(launch)]
fn store(qkv: &[f32], kv: &mut [f32], count: usize, d_model: usize) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        let width = 2 * d_model;
        kv[at] = qkv[at / width * 3 * d_model + d_model + at % width];
    }
}

/// A group of units is one head: each unit has a share of the keys, and then of the output.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn attend(
    qkv: &[f32],
    kv: &mut [f32],
    scores: &mut [f32],
    z: &mut [f32],
    before: usize,
    context: usize,
    d_model: usize,
    #[comptime] head: Head,
) {
    let mut shared = Shared::<[f32]>::new_slice(BLOCK);
    let unit = UNIT_POS as usize;
    let own = CUBE_POS * head.d_head;
    if own < d_model {
        for d in range_stepped(unit, head.d_head, BLOCK) {
            let at = before * 2 * d_model + own + d;
            kv[at] = qkv[d_model + own + d];
            kv[at + d_model] = qkv[2 * d_model + own + d];
        }
        sync_storage();
        let mut greatest = f32::new(-1e30);
        for key in range_stepped(unit, before + 1, BLOCK) {
            let mut score = 0.0f32;
            for d in 0..head.d_head {
                score += qkv[own + d] * kv[key * 2 * d_model + own + d];
            }
            let score = score * comptime![head.scale()];
            scores[CUBE_POS * context + key] = score;
            greatest = greatest.max(score);
        }
        shared[unit] = greatest;
        sync_cube();
        for other in 0..BLOCK {
            greatest = greatest.max(shared[other]);
        }
        let mut sum = 0.0f32;
        for key in range_stepped(unit, before + 1, BLOCK) {
            let weight = (scores[CUBE_POS * context + key] - greatest).exp();
            scores[CUBE_POS * context + key] = weight;
            sum += weight;
        }
        let sum = sum_of(sum, &mut shared, BLOCK);
        sync_storage();
        for d in range_stepped(unit, head.d_head, BLOCK) {
            let mut value = 0.0f32;
            for key in 0..before + 1 {
                value += scores[CUBE_POS * context + key] * kv[(key * 2 + 1) * d_model + own + d];
            }
            z[own + d] = value / sum;
        }
    }
}
