//! AdamW with clipping on a GPU: two kernels over all parameters at once.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::fused::primitive;
use super::gpu::{GpuTensor, UNITS, arg, empty, groups, sum_of};

/// Groups that add up squares, each a share of the gradient.
const SHARES: usize = 64;

/// Numbers that change from step to step, in this order: lr / bias 1, root of bias 2, lr times
/// weight decay, largest norm (0: any).
pub const RATES: usize = 4;

/// Constants of a run.
#[derive(Clone, Copy, Debug)]
pub struct Constants {
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
}

/// The parameters after an update; `first` and `second` are updated where they lie.
///
/// # Shapes
/// All tensors: `[parameters]`, but `rates`: `[RATES]`
pub fn update(
    constants: Constants,
    rates: Tensor<1>,
    parameters: Tensor<1>,
    gradient: Tensor<1>,
    [first, second]: [&Tensor<1>; 2],
    decay_mask: &Tensor<1>,
) -> Tensor<1> {
    let gpu = |tensor: Tensor<1>| primitive::<Cube>(tensor.into_dispatch());
    let [rates, parameters, gradient] = [rates, parameters, gradient].map(gpu);
    let [first, second, decay_mask] = [first, second, decay_mask].map(|t| gpu(t.clone()));
    let count = parameters.meta.shape().num_elements();
    let sums: GpuTensor = empty(&parameters, [SHARES + RATES]);
    let updated: GpuTensor = empty(&parameters, [count]);
    let client = &parameters.client;
    let units = CubeDim::new_1d(UNITS as u32);
    squares::launch(client, groups(SHARES), units, arg(&gradient), arg(&rates), arg(&sums), count);
    step::launch(
        client,
        groups(count.div_ceil(UNITS)),
        units,
        arg(&parameters),
        arg(&gradient),
        arg(&sums),
        arg(&decay_mask),
        arg(&first),
        arg(&second),
        arg(&updated),
        count,
        constants.beta1,
        constants.beta2,
        constants.epsilon,
    );
    Tensor::from_primitive::<Cube>(updated)
}

/// The sums of [`SHARES`] shares of the gradient's squares, and after them the rates, so that the
/// next kernel needs no buffer more.
#[cube(launch)]
fn squares(gradient: &[f32], rates: &[f32], sums: &mut [f32], count: usize) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let mut sum = 0.0f32;
    for at in range_stepped(ABSOLUTE_POS, count, SHARES * UNITS) {
        sum += gradient[at] * gradient[at];
    }
    let sum = sum_of(sum, &mut shared, UNITS);
    if UNIT_POS == 0 {
        sums[CUBE_POS] = sum;
    }
    if ABSOLUTE_POS < RATES {
        sums[SHARES + ABSOLUTE_POS] = rates[ABSOLUTE_POS];
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn step(
    parameters: &[f32],
    gradient: &[f32],
    sums: &[f32],
    decay_mask: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    updated: &mut [f32],
    count: usize,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let mut share = 0.0f32;
    if (UNIT_POS as usize) < SHARES {
        share = sums[UNIT_POS as usize];
    }
    let norm = sum_of(share, &mut shared, UNITS).sqrt();
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        let limit = sums[SHARES + 3];
        let mut scale = 1.0f32;
        if limit > 0.0 {
            scale = (limit / (norm + 1e-6)).min(1.0);
        }
        let slope = gradient[at] * scale;
        let mean = first[at] * beta1 + slope * (1.0 - beta1);
        let square = second[at] * beta2 + slope * slope * (1.0 - beta2);
        first[at] = mean;
        second[at] = square;
        let change = sums[SHARES] * mean / (square.sqrt() / sums[SHARES + 1] + epsilon);
        let value = parameters[at];
        updated[at] = value - value * decay_mask[at] * sums[SHARES + 2] - change;
    }
}
