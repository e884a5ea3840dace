//! LayerNorm (Ba et al. 2016) and RMSNorm (Zhang & Sennrich 2019).

mod gpu;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::fused::{self, Fused, PART};
use super::lanes::{LANES, mul_add, total, wide};
use super::param::Param;
use crate::platform::for_each;

/// What a token is divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// Its standard deviation, and its mean is taken off before; otherwise its root mean square.
    pub is_centred: bool,
    /// Added to the mean square that is taken the root of, which guards a token of zeros.
    pub epsilon: f32,
}

/// Every token of `x`, scaled, times `w`, plus `b`.
///
/// # Shapes
/// `x` and the result: `[batch, seq, d_model]`; `w` and `b`: `[d_model]`
pub fn normalize(x: Tensor<3>, w: &Param<1>, b: Option<&Param<1>>, scaling: Scaling) -> Tensor<3> {
    match (w, b) {
        (Param::Part(w), None) => {
            let norm = gpu::LayerNorm { w: w.clone(), b: None, scaling };
            fused::apply(norm, [x.into_dispatch()])
        }
        (Param::Part(w), Some(Param::Part(b))) => {
            let norm = gpu::LayerNorm { w: w.clone(), b: Some(b.clone()), scaling };
            fused::apply(norm, [x.into_dispatch()])
        }
        _ => {
            let inputs = [x.into_dispatch(), w.tensor().into_dispatch()];
            let normed = fused::apply(LayerNorm { scaling }, inputs);
            match b {
                Some(b) => normed + b.tensor().unsqueeze::<3>(),
                None => normed,
            }
        }
    }
}

/// [`normalize`] in plain tensor operations.
pub fn reference(x: Tensor<3>, w: Tensor<1>, b: Option<Tensor<1>>, scaling: Scaling) -> Tensor<3> {
    let x = if scaling.is_centred { x.clone() - x.mean_dim(2) } else { x };
    let squares = (x.clone() * x.clone()).mean_dim(2);
    let y = x / squares.add_scalar(scaling.epsilon).sqrt() * w.unsqueeze::<3>();
    match b {
        Some(b) => y + b.unsqueeze::<3>(),
        None => y,
    }
}

#[derive(Clone, Debug)]
struct LayerNorm {
    scaling: Scaling,
}

impl Fused<Flex, 2> for LayerNorm {
    type Saved = ();

    fn forward(&self, [x, w]: &[FlexTensor; 2]) -> (FlexTensor, ()) {
        let (values, w) = (fused::values(x), fused::values(w));
        let mut y = vec![0.0; values.len()];
        let size = PART.next_multiple_of(w.len());
        let parts = y.chunks_mut(size).zip(values.chunks(size));
        for_each(parts.collect(), |_, (y, x)| forward(x, w, self.scaling, y));
        (fused::tensor(y, fused::dims::<3>(x)), ())
    }

    fn backward(
        &self,
        [x, w]: &[FlexTensor; 2],
        (): &(),
        dy: &FlexTensor,
    ) -> [Option<FlexTensor>; 2] {
        let (values, dy, width) = (fused::values(x), fused::values(dy), fused::values(w).len());
        let size = PART.next_multiple_of(width);
        let mut dx = vec![0.0; values.len()];
        let mut by_part = vec![0.0; values.len().div_ceil(size) * width];
        let outputs = dx.chunks_mut(size).zip(by_part.chunks_mut(width));
        let parts = outputs.zip(values.chunks(size).zip(dy.chunks(size)));
        for_each(parts.collect(), |_, ((dx, dw), (x, dy))| {
            backward(x, fused::values(w), self.scaling, dy, dx, dw);
        });
        let mut dw = vec![0.0; width];
        for part in by_part.chunks(width) {
            dw.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        [Some(fused::tensor(dx, fused::dims::<3>(x))), Some(fused::tensor(dw, [width]))]
    }
}

wide! {
    fn forward(x: &[f32], w: &[f32], scaling: Scaling, y: &mut [f32]) {
        for (x, y) in x.chunks_exact(w.len()).zip(y.chunks_exact_mut(w.len())) {
            let (mean, scale) = moments(x, scaling);
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = (x - mean) * scale * w;
            }
        }
    }
}

wide! {
    /// `dw` is added to.
    fn backward(
        x: &[f32],
        w: &[f32],
        scaling: Scaling,
        dy: &[f32],
        dx: &mut [f32],
        dw: &mut [f32],
    ) {
        let width = w.len();
        let share = 1.0 / width as f32;
        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
        for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            let (mean, scale) = moments(x, scaling);
            // What the mean and the variance take from the gradient by the normalized `x`.
            let by_mean =
                if scaling.is_centred { sum(width, |i| dy[i] * w[i]) * share } else { 0.0 };
            let by_scale = sum(width, |i| dy[i] * w[i] * (x[i] - mean)) * scale * share;
            for i in 0..width {
                let normed = (x[i] - mean) * scale;
                dx[i] = (dy[i] * w[i] - by_mean - normed * by_scale) * scale;
                dw[i] = mul_add::<FMA>(dy[i], normed, dw[i]);
            }
        }
    }
}

/// What is taken off `x`, its mean or nothing, and one over what it is then divided by.
#[inline(always)]
fn moments(x: &[f32], scaling: Scaling) -> (f32, f32) {
    let share = 1.0 / x.len() as f32;
    let mean = if scaling.is_centred { sum(x.len(), |i| x[i]) * share } else { 0.0 };
    let variance = sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) * share;
    (mean, 1.0 / (variance + scaling.epsilon).sqrt())
}

/// The sum of `of` what is below `count`, in lanes.
#[inline(always)]
fn sum(count: usize, of: impl Fn(usize) -> f32) -> f32 {
    let whole = count / LANES * LANES;
    let mut lanes = [0.0; LANES];
    for first in (0..whole).step_by(LANES) {
        for (l, lane) in lanes.iter_mut().enumerate() {
            *lane += of(first + l);
        }
    }
    let rest: f32 = (whole..count).map(of).sum();
    if whole == 0 { rest } else { total(lanes) + rest }
}
