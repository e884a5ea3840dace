//! Attention on a GPU: one kernel forward, and one backward.
//!
//! A unit computes a query, or the gradients by a key, and stores no pattern; the others of its
//! group share what it reads (Dao et al. 2022).

use burn::backend::Cube;
use burn::backend::tensor::IntTensor;
use burn::tensor::{Int, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::kernel::dropout::{Dropout, factor};
use crate::kernel::fused::Fused;
use crate::kernel::gpu::{GpuTensor, arg, dims, empty, groups, ints};

/// Units of a group: tokens of one head, one after the other.
pub const BLOCK: usize = 64;

#[derive(Clone, Debug)]
pub struct Attend {
    n_heads: usize,
    hidden: Option<IntTensor<Cube>>, // [batch, key]
    dropout: Dropout,
}

/// The width of a head, by which a kernel is compiled: a unit keeps vectors of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    pub d_head: usize,
}

impl Head {
    /// Tokens that are in shared memory at a time: 4 KiB of each vector.
    fn tile(self) -> usize {
        (1024 / self.d_head).clamp(1, BLOCK)
    }

    pub fn scale(self) -> f32 {
        (self.d_head as f32).sqrt().recip()
    }
}

impl Attend {
    pub fn new(n_heads: usize, hidden: Option<Tensor<2, Int>>, dropout: Dropout) -> Self {
        Self { n_heads, hidden: hidden.map(ints), dropout }
    }

    fn head(&self, width: usize) -> Head {
        Head { d_head: width / (3 * self.n_heads) }
    }

    fn dropped(&self) -> DroppedLaunch {
        let dropout = self.dropout;
        DroppedLaunch::new(dropout.seed(), dropout.threshold(), dropout.scale())
    }

    /// The hidden keys, or anything: not what the kernel writes, which must not be read as well.
    fn hidden_or(&self, other: &GpuTensor) -> BufferArg {
        arg(self.hidden.as_ref().unwrap_or(other))
    }
}

impl Fused<Cube, 1> for Attend {
    /// The output, and the logarithm of the sum of every query's `e^score`: `[batch, head, seq]`.
    type Saved = (GpuTensor, GpuTensor);

    fn forward(&self, [qkv]: &[GpuTensor; 1]) -> (GpuTensor, Self::Saved) {
        let [batch, seq, width] = dims(qkv);
        let z = empty(qkv, [batch, seq, width / 3]);
        let log_sums = empty(qkv, [batch, self.n_heads, seq]);
        forward::launch(
            &qkv.client,
            groups(batch * self.n_heads * seq.div_ceil(BLOCK)),
            CubeDim::new_1d(BLOCK as u32),
            arg(qkv),
            self.hidden_or(qkv),
            arg(&z),
            arg(&log_sums),
            batch,
            seq,
            self.n_heads,
            self.dropped(),
            self.head(width),
            self.hidden.is_some(),
            !self.dropout.is_none(),
        );
        (z.clone(), (z, log_sums))
    }

    fn backward(
        &self,
        [qkv]: &[GpuTensor; 1],
        (z, log_sums): &Self::Saved,
        dz: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        let shape @ [batch, seq, width] = dims(qkv);
        let gradient = empty(qkv, shape);
        backward::launch(
            &qkv.client,
            groups(2 * batch * self.n_heads * seq.div_ceil(BLOCK)),
            CubeDim::new_1d(BLOCK as u32),
            arg(qkv),
            self.hidden_or(z),
            arg(z),
            arg(log_sums),
            arg(dz),
            arg(&gradient),
            batch,
            seq,
            self.n_heads,
            self.dropped(),
            self.head(width),
            self.hidden.is_some(),
            !self.dropout.is_none(),
        );
        [Some(gradient)]
    }
}

/// Copies a head's part of up to a tile of tokens to shared memory: `[token, d_head]`.
#[cube]
fn load(
    from: &[f32],
    to: &mut Shared<[f32]>,
    start: usize,
    width: usize,
    count: usize,
    #[comptime] head: Head,
) {
    for at in range_stepped(UNIT_POS as usize, comptime![head.tile() * head.d_head], BLOCK) {
        let token = at / head.d_head;
        if token < count {
            to[at] = from[start + token * width + at % head.d_head];
        }
    }
}

#[cube]
fn copy(from: &[f32], start: usize, #[comptime] head: Head) -> Array<f32> {
    let mut to = Array::<f32>::new(head.d_head);
    for d in 0..head.d_head {
        to[d] = from[start + d];
    }
    to
}

#[cube]
fn zeros(#[comptime] head: Head) -> Array<f32> {
    let mut to = Array::<f32>::new(head.d_head);
    for d in 0..head.d_head {
        to[d] = 0.0;
    }
    to
}

/// The product of a vector and one in shared memory.
#[cube]
fn dot(a: &Array<f32>, b: &Shared<[f32]>, start: usize, #[comptime] head: Head) -> f32 {
    let mut sum = 0.0f32;
    for d in 0..head.d_head {
        sum += a[d] * b[start + d];
    }
    sum
}

#[cube]
fn add(
    to: &mut Array<f32>,
    factor: f32,
    from: &Shared<[f32]>,
    start: usize,
    #[comptime] head: Head,
) {
    for d in 0..head.d_head {
        to[d] += factor * from[start + d];
    }
}

/// What is dropped of patterns.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Dropped {
    seed: u32,
    threshold: u32,
    scale: f32,
}

/// What the weight at `place` among all of a batch is multiplied by.
#[cube]
fn dropped_factor(place: usize, dropped: &Dropped, #[comptime] drops: bool) -> f32 {
    if drops {
        factor(u32::cast_from(place), dropped.seed, dropped.threshold, dropped.scale)
    } else {
        1.0f32.runtime()
    }
}

/// Whether the key at `place` of a batch is to be seen by any query.
#[cube]
fn is_seen(hidden: &[i32], place: usize, #[comptime] hides: bool) -> bool {
    if hides { hidden[place] == 0 } else { true.runtime() }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn forward(
    qkv: &[f32],
    hidden: &[i32],
    z: &mut [f32],
    log_sums: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    dropped: Dropped,
    #[comptime] head: Head,
    #[comptime] hides: bool,
    #[comptime] drops: bool,
) {
    let mut keys = Shared::<[f32]>::new_slice(head.tile() * head.d_head);
    let mut values = Shared::<[f32]>::new_slice(head.tile() * head.d_head);
    let tile = comptime![head.tile()];
    let d_model = n_heads * head.d_head;
    let width = 3 * d_model;
    let blocks = seq.div_ceil(BLOCK);
    let row = CUBE_POS / blocks / n_heads;
    let which = CUBE_POS / blocks % n_heads;
    if row < batch {
        let first = CUBE_POS % blocks * BLOCK;
        let query = first + UNIT_POS as usize;
        let is_query = query < seq;
        let own = row * seq * width + which * head.d_head;
        let q = copy(qkv, own + select(is_query, query, 0) * width, head);
        let mut sum_of_values = zeros(head);
        let mut greatest = f32::new(-1e30);
        let mut sum = 0.0f32;
        let end = (first + BLOCK).min(seq);
        for start in range_stepped(0usize, end, tile) {
            let count = tile.min(end - start);
            let from = own + start * width;
            sync_cube();
            load(qkv, &mut keys, from + d_model, width, count, head);
            load(qkv, &mut values, from + 2 * d_model, width, count, head);
            sync_cube();
            for key in 0..count {
                if start + key <= query && is_seen(hidden, row * seq + start + key, hides) {
                    let score = dot(&q, &keys, key * head.d_head, head) * comptime![head.scale()];
                    if score > greatest {
                        let shrunk = (greatest - score).exp();
                        sum *= shrunk;
                        for d in 0..head.d_head {
                            sum_of_values[d] *= shrunk;
                        }
                        greatest = score;
                    }
                    let weight = (score - greatest).exp();
                    sum += weight;
                    let place = ((row * n_heads + which) * seq + query) * seq + start + key;
                    let kept = weight * dropped_factor(place, &dropped, drops);
                    add(&mut sum_of_values, kept, &values, key * head.d_head, head);
                }
            }
        }
        if is_query {
            let at = (row * seq + query) * d_model + which * head.d_head;
            for d in 0..head.d_head {
                z[at + d] = sum_of_values[d] / sum;
            }
            log_sums[(row * n_heads + which) * seq + query] = greatest + sum.ln();
        }
    }
}

/// The first half of the groups compute gradients by queries, the other half those by keys and
/// values.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn backward(
    qkv: &[f32],
    hidden: &[i32],
    z: &[f32],
    log_sums: &[f32],
    dz: &[f32],
    gradient: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    dropped: Dropped,
    #[comptime] head: Head,
    #[comptime] hides: bool,
    #[comptime] drops: bool,
) {
    let mut left = Shared::<[f32]>::new_slice(head.tile() * head.d_head);
    let mut right = Shared::<[f32]>::new_slice(head.tile() * head.d_head);
    let mut of_query = Shared::<[f32]>::new_slice(2 * head.tile());
    let tile = comptime![head.tile()];
    let d_model = n_heads * head.d_head;
    let width = 3 * d_model;
    let scale = comptime![head.scale()];
    let blocks = seq.div_ceil(BLOCK);
    let half = batch * n_heads * blocks;
    let number = CUBE_POS % half;
    let row = number / blocks / n_heads;
    let which = number / blocks % n_heads;
    let first = number % blocks * BLOCK;
    let token = first + UNIT_POS as usize;
    let is_token = token < seq;
    let place = select(is_token, token, 0);
    let own = row * seq * width + which * head.d_head;
    let own_output = row * seq * d_model + which * head.d_head;
    let own_sums = (row * n_heads + which) * seq;
    if CUBE_POS < half {
        let q = copy(qkv, own + place * width, head);
        let at = own_output + place * d_model;
        let by_output = copy(dz, at, head);
        let mut mean = 0.0f32;
        for d in 0..head.d_head {
            mean += by_output[d] * z[at + d];
        }
        let log_sum = log_sums[own_sums + place];
        let mut by_query = zeros(head);
        let end = (first + BLOCK).min(seq);
        for start in range_stepped(0usize, end, tile) {
            let count = tile.min(end - start);
            let from = own + start * width;
            sync_cube();
            load(qkv, &mut left, from + d_model, width, count, head);
            load(qkv, &mut right, from + 2 * d_model, width, count, head);
            sync_cube();
            for key in 0..count {
                if start + key <= token && is_seen(hidden, row * seq + start + key, hides) {
                    let at = key * head.d_head;
                    let weight = (dot(&q, &left, at, head) * scale - log_sum).exp();
                    let place = (own_sums + token) * seq + start + key;
                    let by_weight =
                        dot(&by_output, &right, at, head) * dropped_factor(place, &dropped, drops);
                    let by_score = weight * (by_weight - mean) * scale;
                    add(&mut by_query, by_score, &left, at, head);
                }
            }
        }
        if is_token {
            for d in 0..head.d_head {
                gradient[own + token * width + d] = by_query[d];
            }
        }
    } else if CUBE_POS < 2 * half {
        let k = copy(qkv, own + place * width + d_model, head);
        let v = copy(qkv, own + place * width + 2 * d_model, head);
        let mut by_key = zeros(head);
        let mut by_value = zeros(head);
        for start in range_stepped(first, seq, tile) {
            let count = tile.min(seq - start);
            sync_cube();
            load(qkv, &mut left, own + start * width, width, count, head);
            load(dz, &mut right, own_output + start * d_model, d_model, count, head);
            if (UNIT_POS as usize) < count {
                let query = start + UNIT_POS as usize;
                let at = own_output + query * d_model;
                let mut mean = 0.0f32;
                for d in 0..head.d_head {
                    mean += dz[at + d] * z[at + d];
                }
                of_query[UNIT_POS as usize * 2] = mean;
                of_query[UNIT_POS as usize * 2 + 1] = log_sums[own_sums + query];
            }
            sync_cube();
            if is_token && is_seen(hidden, row * seq + place, hides) {
                for query in 0..count {
                    if start + query >= token {
                        let at = query * head.d_head;
                        let score = dot(&k, &left, at, head) * scale;
                        let weight = (score - of_query[query * 2 + 1]).exp();
                        let place = (own_sums + start + query) * seq + token;
                        let kept = dropped_factor(place, &dropped, drops);
                        let by_weight = dot(&v, &right, at, head) * kept - of_query[query * 2];
                        add(&mut by_value, weight * kept, &right, at, head);
                        add(&mut by_key, weight * by_weight * scale, &left, at, head);
                    }
                }
            }
        }
        if is_token {
            for d in 0..head.d_head {
                gradient[own + token * width + d_model + d] = by_key[d];
                gradient[own + token * width + 2 * d_model + d] = by_value[d];
            }
        }
    }
}
