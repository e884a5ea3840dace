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

/// The sum of tokens' losses, each by its weight, times a scale.
#[derive(Clone, Debug)]
pub struct Weighted {
    weights: GpuTensor, // [batch, seq]
    scale: f32,
}

impl Weighted {
    pub fn new(weights: Tensor<2>, scale: f64) -> Self {
        let weights = fused::primitive::<Cube>(weights.into_dispatch());
        Self { weights, scale: scale as f32 }
    }
}

impl Fused<Cube, 1> for Weighted {
    type Saved = ();

    fn forward(&self, [losses]: &[GpuTensor; 1]) -> (GpuTensor, ()) {
        let [batch, seq] = dims(losses);
        let sum = empty(losses, [1]);
        weighted_forward::launch(
            &losses.client,
            groups(1),
            CubeDim::new_1d(UNITS as u32),
            arg(losses),
            arg(&self.weights),
            arg(&sum),
            batch * seq,
            self.scale,
        );
        (sum, ())
    }

    fn backward(
        &self,
        [losses]: &[GpuTensor; 1],
        (): &(),
        by_sum: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        let shape @ [batch, seq] = dims(losses);
        let by_loss = empty(losses, shape);
        weighted_backward::launch(
            &losses.client,
            groups((batch * seq).div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(&self.weights),
            arg(by_sum),
            arg(&by_loss),
            batch * seq,
            self.scale,
        );
        [Some(by_loss)]
    }
}

#[cube(launch)]
fn weighted_forward(
    losses: &[f32],
    weights: &[f32],
    weighted: &mut [f32],
    count: usize,
    scale: f32,
) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let mut sum = 0.0f32;
    for at in range_stepped(UNIT_POS as usize, count, UNITS) {
        sum += losses[at] * weights[at];
    }
    let sum = sum_of(sum, &mut shared, UNITS);
    if UNIT_POS == 0 {
        weighted[0] = sum * scale;
    }
}

#[cube(launch)]
fn weighted_backward(
    weights: &[f32],
    by_sum: &[f32],
    by_loss: &mut [f32],
    count: usize,
    scale: f32,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        by_loss[at] = weights[at] * scale * by_sum[0];
    }
}
