//! GELU: `x Φ(x)` (Hendrycks & Gimpel 2016).

pub mod gpu;

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::fused;
use super::fused::{Fused, PART};
use crate::base::lanes::{exp2, mul_add, wide};
use crate::base::parallel::for_each;

/// On the CPU; a GPU does it with the product before it.
///
/// # Shapes
/// `x` and the result: `[batch, seq, d_mlp]`
pub fn gelu(x: Tensor<3>) -> Tensor<3> {
    fused::apply(Gelu, [x.into_dispatch()])
}

/// [`gelu`] in plain tensor operations, whose gradient is exact by autodiff. Burn's own takes the
/// gradient of the tanh approximation on a GPU, which is off by 6e-4 of its norm.
pub fn reference(x: Tensor<3>) -> Tensor<3> {
    let twice_phi = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0);
    x.mul_scalar(0.5) * twice_phi
}

#[derive(Clone, Debug)]
struct Gelu;

impl Fused<Flex, 1> for Gelu {
    type Saved = ();

    fn forward(&self, [x]: &[FlexTensor; 1]) -> (FlexTensor, ()) {
        let values = fused::values(x);
        let mut y = vec![0.0; values.len()];
        let parts = y.chunks_mut(PART).zip(values.chunks(PART));
        for_each(parts.collect(), |_, (y, x)| forward(x, y));
        (fused::tensor(y, fused::dims::<3>(x)), ())
    }

    fn backward(&self, [x]: &[FlexTensor; 1], (): &(), dy: &FlexTensor) -> [Option<FlexTensor>; 1] {
        let (values, dy) = (fused::values(x), fused::values(dy));
        let mut dx = vec![0.0; values.len()];
        let parts = dx.chunks_mut(PART).zip(values.chunks(PART)).zip(dy.chunks(PART));
        for_each(parts.collect(), |_, ((dx, x), dy)| backward(x, dy, dx));
        [Some(fused::tensor(dx, fused::dims::<3>(x)))]
    }
}

wide! {
    fn forward(x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = x * normal::<FMA>(*x).0;
        }
    }
}

wide! {
    fn backward(x: &[f32], dy: &[f32], dx: &mut [f32]) {
        for ((dx, dy), x) in dx.iter_mut().zip(dy).zip(x) {
            let (below, density) = normal::<FMA>(*x);
            *dx = dy * mul_add::<FMA>(*x, density, below);
        }
    }
}

/// `1 / sqrt(2π)`.
const PEAK: f32 = 0.398_942_3;
/// Abramowitz & Stegun 7.1.26, highest power first.
const SERIES: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_73, 0.254_829_6];
/// The slope of what the series is a function of.
const SLOPE: f32 = 0.327_591_1 * FRAC_1_SQRT_2;

/// `Φ(x)`, within 1e-7, and its derivative, from the tail that `x` is in.
#[inline(always)]
fn normal<const FMA: bool>(x: f32) -> (f32, f32) {
    let power = exp2::<FMA>(x * x * (-0.5 * LOG2_E)); // e^(-x²/2)
    let t = 1.0 / mul_add::<FMA>(SLOPE, x.abs(), 1.0);
    let mut series = SERIES[0];
    for coefficient in &SERIES[1..] {
        series = mul_add::<FMA>(series, t, *coefficient);
    }
    let tail = 0.5 * series * t * power;
    (if x < 0.0 { tail } else { 1.0 - tail }, PEAK * power)
}
