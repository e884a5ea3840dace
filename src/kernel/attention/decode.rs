//! Attention of one token after others on a GPU: one kernel.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::gpu::{BLOCK, Head};
use super::mask::Mask;
use crate::kernel::dropout::Dropout;
use crate::kernel::fused::primitive;
use crate::kernel::gpu::{GpuTensor, UNITS, arg, empty, groups, sum_of};

/// Keys and values of one layer's tokens so far, in memory for a whole context, or for a window of it.
#[derive(Debug)]
pub struct KeyValues {
    context: usize,
    window: Option<usize>,
    n_heads: usize,
    len: usize,
    held: Option<Held>,
}

#[derive(Clone, Debug)]
struct Held {
    kv: GpuTensor,     // [room, 2 * d_model], token t at t % room
    scores: GpuTensor, // [head, room], of the present token
}

impl KeyValues {
    /// Without tokens, and with room for `context` of them.
    pub fn new(n_heads: usize, window: Option<usize>, context: usize) -> Self {
        Self { context, window, n_heads, len: 0, held: None }
    }

    /// Tokens that there is room for: a later one takes the place of the first.
    fn room(&self) -> usize {
        self.window.map_or(self.context, |window| window.min(self.context))
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Attention of tokens that follow those held, and join them: one, or any number after none.
    ///
    /// # Shapes
    /// `qkv`: `[1, seq, 3 * d_model]`, on a GPU; the result: `[1, seq, d_model]`
    ///
    /// # Panics
    /// If there are several tokens after others, or more than there is room for.
    pub fn attend(&mut self, qkv: Tensor<3>) -> Tensor<3> {
        let [_, seq, width] = qkv.dims();
        let before = self.len;
        assert!(before == 0 || seq == 1, "several tokens after {before} others");
        assert!(before + seq <= self.context, "no room for {seq} tokens after {before}");
        self.len += seq;
        let room = self.room();
        let x = primitive::<Cube>(qkv.clone().into_dispatch());
        let Held { kv, scores } = self
            .held
            .get_or_insert_with(|| Held {
                kv: empty(&x, [room, width / 3 * 2]),
                scores: empty(&x, [self.n_heads, room]),
            })
            .clone();
        if seq > 1 {
            let count = seq * width / 3 * 2;
            let units = CubeDim::new_1d(UNITS as u32);
            let groups = groups(count.div_ceil(UNITS));
            store::launch(&x.client, groups, units, arg(&x), arg(&kv), count, seq, room, width / 3);
            let mask = Mask::causal(None);
            return super::attend(qkv, self.n_heads, self.window, &mask, Dropout::NONE);
        }
        let z = empty(&x, [1, 1, width / 3]);
        attend::launch(
            &x.client,
            groups(self.n_heads),
            CubeDim::new_1d(BLOCK as u32),
            arg(&x),
            arg(&kv),
            arg(&scores),
            arg(&z),
            before % room,
            (before + 1).min(room),
            room,
            width / 3,
            Head { d_head: width / (3 * self.n_heads) },
        );
        Tensor::from_primitive::<Cube>(z)
    }
}

#[cube(launch)]
fn store(qkv: &[f32], kv: &mut [f32], count: usize, seq: usize, room: usize, d_model: usize) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    let width = 2 * d_model;
    let token = at / width;
    if at < count && token + room >= seq {
        kv[token % room * width + at % width] = qkv[token * 3 * d_model + d_model + at % width];
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
    place: usize,
    held: usize,
    room: usize,
    d_model: usize,
    #[comptime] head: Head,
) {
    let mut shared = Shared::<[f32]>::new_slice(BLOCK);
    let unit = UNIT_POS as usize;
    let own = CUBE_POS * head.d_head;
    if own < d_model {
        for d in range_stepped(unit, head.d_head, BLOCK) {
            let at = place * 2 * d_model + own + d;
            kv[at] = qkv[d_model + own + d];
            kv[at + d_model] = qkv[2 * d_model + own + d];
        }
        sync_storage();
        let mut largest = f32::new(-1e30);
        for key in range_stepped(unit, held, BLOCK) {
            let mut score = 0.0f32;
            for d in 0..head.d_head {
                score += qkv[own + d] * kv[key * 2 * d_model + own + d];
            }
            let score = score * comptime![head.scale()];
            scores[CUBE_POS * room + key] = score;
            largest = largest.max(score);
        }
        shared[unit] = largest;
        sync_cube();
        for other in 0..BLOCK {
            largest = largest.max(shared[other]);
        }
        let mut sum = 0.0f32;
        for key in range_stepped(unit, held, BLOCK) {
            let weight = (scores[CUBE_POS * room + key] - largest).exp();
            scores[CUBE_POS * room + key] = weight;
            sum += weight;
        }
        let sum = sum_of(sum, &mut shared, BLOCK);
        sync_storage();
        for d in range_stepped(unit, head.d_head, BLOCK) {
            let mut value = 0.0f32;
            for key in 0..held {
                value += scores[CUBE_POS * room + key] * kv[(key * 2 + 1) * d_model + own + d];
            }
            z[own + d] = value / sum;
        }
    }
}
