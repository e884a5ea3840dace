//! LayerNorm and RMSNorm on the CPU, in loops.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::scaling::Scaling;
use crate::base::lanes::{LANES, mul_add, total, wide};
use crate::base::parallel::for_each;
use crate::kernel::fused;
use crate::kernel::fused::{Fused, PART};

#[derive(Clone, Debug)]
pub struct LayerNorm {
    pub scaling: Scaling,
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
            // Parts of the gradient by the normalized `x` that the mean and the variance take.
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

/// Mean taken off `x`, or 0, and one over the divisor.
#[inline(always)]
fn moments(x: &[f32], scaling: Scaling) -> (f32, f32) {
    let share = 1.0 / x.len() as f32;
    let mean = if scaling.is_centred { sum(x.len(), |i| x[i]) * share } else { 0.0 };
    let variance = sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) * share;
    (mean, 1.0 / (variance + scaling.epsilon).sqrt())
}

/// Sum of `of` over the numbers below `count`, in lanes.
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
