//! Large products in half precision. Parameters, sums, gradients and all else stay 32 bits wide
//! (Micikevicius et al. 2018, "Mixed Precision Training").

use burn::backend::Cube;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl;
use burn_cubecl::kernel::matmul::{MatmulStrategy, matmul};
use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::half::Half;
use super::product::Product;
use super::then::Then;
use super::weights::{Weights, by_product, put};
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, groups};

/// The largest of IEEE's.
const MAX: f32 = 65_504.0;

/// Writes a product after `then` to `y`, and the slopes of [`Then::Gelu`]; `None` if the device
/// refuses such a product.
///
/// # Shapes
/// `x`: `[batch, seq, rows]`; `to`, `y` and `slopes`: `[batch, seq, width]`
pub fn forward(
    half: Half,
    product: &Product,
    x: &GpuTensor,
    then: Then,
    to: Option<&GpuTensor>,
    y: &GpuTensor,
    slopes: Option<&GpuTensor>,
) -> Option<()> {
    let sums = multiply(as_matrix(half, x), packed(half, product))?;
    let count = y.meta.shape().num_elements();
    finish::launch(
        &x.client,
        groups(count.div_ceil(UNITS)),
        CubeDim::new_1d(UNITS as u32),
        arg(&sums),
        arg(&product.parameters.values),
        arg(to.unwrap_or(&sums)),
        arg(y),
        slopes.map_or_else(|| BufferArg::alias(3, 1), arg),
        count,
        product.weights(),
        then,
        product.b_start.is_some(),
    );
    Some(())
}

/// The product's own `backward`; `None` if the device refuses such a product.
pub fn backward(
    half: Half,
    product: &Product,
    x: &GpuTensor,
    slopes: Option<&GpuTensor>,
    dy: &GpuTensor,
) -> Option<GpuTensor> {
    let shape @ [batch, seq, rows] = dims(x);
    let (tokens, width) = (batch * seq, product.width());
    let factor = half.factor(tokens);
    let units = CubeDim::new_1d(UNITS as u32);
    let by_sums = empty(half, dy, [tokens, width]);
    by_sums_of::launch(
        &x.client,
        groups((tokens * width).div_ceil(UNITS)),
        units,
        arg(slopes.unwrap_or(dy)),
        arg(dy),
        arg(&by_sums),
        tokens * width,
        factor,
        slopes.is_some(),
        half.element(),
    );
    let scaled_dx = multiply(by_sums.clone(), transpose(packed(half, product)))?;
    let scaled_dw = multiply(transpose(as_matrix(half, x)), by_sums)?;
    add_by_weights::launch(
        &x.client,
        groups((rows * width).div_ceil(UNITS)),
        units,
        arg(&scaled_dw),
        arg(product.parameters.by_values()),
        rows * width,
        factor.recip(),
        product.weights(),
    );
    if product.b_start.is_some() {
        add_by_biases::launch(
            &x.client,
            groups(width.div_ceil(UNITS)),
            units,
            arg(slopes.unwrap_or(dy)),
            arg(dy),
            arg(product.parameters.by_values()),
            tokens,
            product.weights(),
            slopes.is_some(),
        );
    }
    Some(Cube::float_mul_scalar(reshape(scaled_dx, shape), factor.recip().into()))
}

/// `x` as a matrix: `[tokens, rows]`
fn as_matrix(half: Half, x: &GpuTensor) -> GpuTensor {
    let [batch, seq, rows] = dims(x);
    Cube::float_cast(reshape(x.clone(), [batch * seq, rows]), half.dtype().into())
}

/// The matrices of a product side by side: `[rows, width]`
fn packed(half: Half, product: &Product) -> GpuTensor {
    let values = &product.parameters.values;
    let (rows, width) = (product.rows, product.width());
    let to = empty(half, values, [rows, width]);
    pack::launch(
        &values.client,
        groups((rows * width).div_ceil(UNITS)),
        CubeDim::new_1d(UNITS as u32),
        arg(values),
        arg(&to),
        rows * width,
        product.weights(),
        half.element(),
    );
    to
}

fn empty<const D: usize>(half: Half, like: &GpuTensor, shape: [usize; D]) -> GpuTensor {
    let client = like.client.clone();
    let handle = client.empty(shape.iter().product::<usize>() * 2);
    let shape = Shape::from(shape);
    GpuTensor::new_contiguous(client, like.device.clone(), shape, handle, half.dtype())
}

/// `left right`, with sums of 32 bits.
fn multiply(left: GpuTensor, right: GpuTensor) -> Option<GpuTensor> {
    matmul(left, right, None, MatmulStrategy::Cube, DType::F32).ok()
}

fn transpose(matrix: GpuTensor) -> GpuTensor {
    Cube::float_swap_dims(matrix, 0, 1)
}

fn reshape<const D: usize>(tensor: GpuTensor, shape: [usize; D]) -> GpuTensor {
    Cube::float_reshape(tensor, Shape::from(shape))
}

#[cube(launch)]
fn pack<H: Float>(
    parameters: &[f32],
    packed: &mut [H],
    count: usize,
    weights: Weights,
    #[define(H)] _half: ElemType,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        let place = weights.place(at / weights.width, at % weights.width);
        packed[at] = H::cast_from(parameters[place]);
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn finish(
    sums: &[f32],
    parameters: &[f32],
    to: &[f32],
    y: &mut [f32],
    slopes: &mut [f32],
    count: usize,
    weights: Weights,
    #[comptime] then: Then,
    #[comptime] has_bias: bool,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        let (row, column) = (at / weights.width, at % weights.width);
        put(parameters, to, y, slopes, row, column, sums[at], &weights, then, has_bias);
    }
}

/// The gradient by the sums, `factor` times.
#[cube(launch)]
fn by_sums_of<H: Float>(
    slopes: &[f32],
    dy: &[f32],
    by_sums: &mut [H],
    count: usize,
    factor: f32,
    #[comptime] is_gelu: bool,
    #[define(H)] _half: ElemType,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        let value = by_product(slopes, dy, at, is_gelu) * factor;
        by_sums[at] = H::cast_from(value.clamp(-MAX, MAX));
    }
}

#[cube(launch)]
fn add_by_weights(
    dw: &[f32],
    by_parameters: &mut [f32],
    count: usize,
    factor: f32,
    weights: Weights,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        let place = weights.place(at / weights.width, at % weights.width);
        by_parameters[place] += dw[at] * factor;
    }
}

/// A unit a column.
#[cube(launch)]
fn add_by_biases(
    slopes: &[f32],
    dy: &[f32],
    by_parameters: &mut [f32],
    tokens: usize,
    weights: Weights,
    #[comptime] is_gelu: bool,
) {
    let column = CUBE_POS * UNITS + UNIT_POS as usize;
    if column < weights.width {
        let mut sum = 0.0f32;
        for token in 0..tokens {
            sum += by_product(slopes, dy, token * weights.width + column, is_gelu);
        }
        by_parameters[weights.bias(column)] += sum;
    }
}
