//! Cross-entropy on a GPU: of tokens and of a batch, one kernel each, forward and backward.

use burn::backend::Cube;
use burn::backend::tensor::IntTensor;
use burn::tensor::{Int, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::kernel::fused;
use crate::kernel::fused::Fused;
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups, ints, sum_of};

/// Units that share a token.
const TOKEN_UNITS: usize = 8;
const BY_GROUP: usize = UNITS / TOKEN_UNITS;

#[derive(Clone, Debug)]
pub struct CrossEntropy {
    targets: IntTensor<Cube>, // [batch, seq]
}

impl CrossEntropy {
    pub fn new(targets: Tensor<2, Int>) -> Self {
        Self { targets: ints(targets) }
    }
}

impl Fused<Cube, 1> for CrossEntropy {
    /// The logarithm of the sum of every token's `e^logit`: `[batch, seq]`.
    type Saved = GpuTensor;

    fn forward(&self, [logits]: &[GpuTensor; 1]) -> (GpuTensor, GpuTensor) {
        let [batch, seq, vocab] = dims(logits);
        let [losses, log_sums] = [(); 2].map(|()| empty(logits, [batch, seq]));
        forward::launch(
            &logits.client,
            groups((batch * seq).div_ceil(BY_GROUP)),
            CubeDim::new_1d(UNITS as u32),
            arg(logits),
            arg(&self.targets),
            arg(&losses),
            arg(&log_sums),
            batch * seq,
            vocab,
        );
        (losses, log_sums)
    }

    fn backward(
        &self,
        [logits]: &[GpuTensor; 1],
        log_sums: &GpuTensor,
        by_loss: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        let shape @ [batch, seq, vocab] = dims(logits);
        let by_logit = empty(logits, shape);
        let count = batch * seq * vocab;
        backward::launch(
            &logits.client,
            groups(count.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(logits),
            arg(&self.targets),
            arg(log_sums),
            arg(by_loss),
            arg(&by_logit),
            count,
            vocab,
        );
        [Some(by_logit)]
    }
}

#[cube(launch)]
fn forward(
    logits: &[f32],
    targets: &[i32],
    losses: &mut [f32],
    log_sums: &mut [f32],
    tokens: usize,
    vocab: usize,
) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let lane = UNIT_POS as usize % TOKEN_UNITS;
    let token = CUBE_POS * BY_GROUP + UNIT_POS as usize / TOKEN_UNITS;
    let is_token = token < tokens;
    let start = select(is_token, token, 0) * vocab;
    let mut largest = logits[start];
    for at in 1..vocab {
        largest = largest.max(logits[start + at]);
    }
    let mut sum = 0.0f32;
    for at in range_stepped(lane, vocab, TOKEN_UNITS) {
        sum += (logits[start + at] - largest).exp();
    }
    let log_sum = largest + sum_of(sum, &mut shared, TOKEN_UNITS).ln();
    if is_token && lane == 0 {
        log_sums[token] = log_sum;
        losses[token] = log_sum - logits[start + usize::cast_from(targets[token])];
    }
}

#[cube(launch)]
fn backward(
    logits: &[f32],
    targets: &[i32],
    log_sums: &[f32],
    by_loss: &[f32],
    by_logit: &mut [f32],
    count: usize,
    vocab: usize,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        let (token, id) = (at / vocab, at % vocab);
        let mut difference = (logits[at] - log_sums[token]).exp();
        if targets[token] == i32::cast_from(id) {
            difference -= 1.0;
        }
        by_logit[at] = by_loss[token] * difference;
    }
}

/// The weighted mean of tokens' losses, times a share.
#[derive(Clone, Debug)]
pub struct Mean {
    weights: GpuTensor, // [batch, seq]
    share: f32,
}

impl Mean {
    pub fn new(weights: Tensor<2>, share: f64) -> Self {
        let weights = fused::primitive::<Cube>(weights.into_dispatch());
        Self { weights, share: share as f32 }
    }
}

impl Fused<Cube, 1> for Mean {
    /// The share of each unit of weight: `[1]`.
    type Saved = GpuTensor;

    fn forward(&self, [losses]: &[GpuTensor; 1]) -> (GpuTensor, GpuTensor) {
        let [batch, seq] = dims(losses);
        let [mean, scale] = [(); 2].map(|()| empty(losses, [1]));
        mean_forward::launch(
            &losses.client,
            groups(1),
            CubeDim::new_1d(UNITS as u32),
            arg(losses),
            arg(&self.weights),
            arg(&mean),
            arg(&scale),
            batch * seq,
            self.share,
        );
        (mean, scale)
    }

    fn backward(
        &self,
        [losses]: &[GpuTensor; 1],
        scale: &GpuTensor,
        by_mean: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        let shape @ [batch, seq] = dims(losses);
        let by_loss = empty(losses, shape);
        mean_backward::launch(
            &losses.client,
            groups((batch * seq).div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(&self.weights),
            arg(scale),
            arg(by_mean),
            arg(&by_loss),
            batch * seq,
        );
        [Some(by_loss)]
    }
}

#[cube(launch)]
fn mean_forward(
    losses: &[f32],
    weights: &[f32],
    mean: &mut [f32],
    scale: &mut [f32],
    count: usize,
    share: f32,
) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let mut sum = 0.0f32;
    let mut total = 0.0f32;
    for at in range_stepped(UNIT_POS as usize, count, UNITS) {
        sum += losses[at] * weights[at];
        total += weights[at];
    }
    let sum = sum_of(sum, &mut shared, UNITS);
    let total = sum_of(total, &mut shared, UNITS);
    if UNIT_POS == 0 {
        scale[0] = share / total;
        mean[0] = sum * share / total;
    }
}

#[cube(launch)]
fn mean_backward(
    weights: &[f32],
    scale: &[f32],
    by_mean: &[f32],
    by_loss: &mut [f32],
    count: usize,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        by_loss[at] = weights[at] * scale[0] * by_mean[0];
    }
}
