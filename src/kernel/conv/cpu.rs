//! Gated convolution on the CPU, a row of a batch at a time.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::base::lanes::{mul_add, wide};
use crate::base::parallel::for_each;
use crate::kernel::fused::{self, Fused, primitive};

#[derive(Clone, Debug)]
pub struct Convolve {
    pub hidden: Option<Arc<[bool]>>, // [batch, token]
}

/// One row of a batch, and what it is convolved with.
#[derive(Clone, Copy)]
struct Row<'a> {
    width: usize,
    /// Gates and values: `[seq, 2 * width]`.
    gv: &'a [f32],
    /// `[taps, width]`
    w: &'a [f32],
    /// `[width]`
    b: &'a [f32],
    /// The last values before the first token, oldest first, `[taps - 1, width]`; empty for none.
    before: &'a [f32],
    hidden: Option<&'a [bool]>,
}

impl<'a> Row<'a> {
    fn seq(self) -> usize {
        self.gv.len() / (2 * self.width)
    }

    fn taps(self) -> usize {
        self.w.len() / self.width
    }

    #[inline(always)]
    fn gate(self, token: usize) -> &'a [f32] {
        &self.gv[2 * token * self.width..][..self.width]
    }

    /// The value of the token that stands `back` before `token`; `None` if there is none, or if it is hidden.
    #[inline(always)]
    fn value(self, token: usize, back: usize) -> Option<&'a [f32]> {
        match token.checked_sub(back) {
            Some(at) if self.hidden.is_some_and(|hidden| hidden[at]) => None,
            Some(at) => Some(&self.gv[(2 * at + 1) * self.width..][..self.width]),
            None => {
                let oldest = (self.before.len() / self.width + token).checked_sub(back)?;
                Some(&self.before[oldest * self.width..][..self.width])
            }
        }
    }

    /// The convolution of values at `token`, before the gate.
    #[inline(always)]
    fn sum<const FMA: bool>(self, token: usize, sum: &mut [f32]) {
        sum.copy_from_slice(self.b);
        for (back, w) in self.w.chunks_exact(self.width).enumerate() {
            let Some(value) = self.value(token, back) else { continue };
            for ((sum, w), value) in sum.iter_mut().zip(w).zip(value) {
                *sum = mul_add::<FMA>(*w, *value, *sum);
            }
        }
    }
}

wide! {
    /// # Shapes
    /// `z`: `[seq, width]`
    fn forward(row: Row, z: &mut [f32]) {
        for (token, z) in z.chunks_exact_mut(row.width).enumerate() {
            row.sum::<FMA>(token, z);
            z.iter_mut().zip(row.gate(token)).for_each(|(z, gate)| *z *= gate);
        }
    }
}

wide! {
    /// Gradients by gates and values, which were 0; those by kernels and, behind them, biases are added to.
    ///
    /// # Shapes
    /// `dz`: `[seq, width]`; `by_gv`: `[seq, 2 * width]`; `by_filter`: `[taps + 1, width]`
    fn backward(row: Row, dz: &[f32], by_gv: &mut [f32], by_filter: &mut [f32]) {
        let width = row.width;
        let (by_w, by_b) = by_filter.split_at_mut(row.w.len());
        let mut sum = vec![0.0; width];
        for (token, dz) in dz.chunks_exact(width).enumerate() {
            row.sum::<FMA>(token, &mut sum);
            let by_gate = &mut by_gv[2 * token * width..][..width];
            let parts = by_gate.iter_mut().zip(&mut sum).zip(dz).zip(row.gate(token));
            for (((by_gate, sum), dz), gate) in parts {
                *by_gate = dz * *sum;
                // The gradient by the sum takes its place.
                *sum = dz * gate;
            }
            by_b.iter_mut().zip(&sum).for_each(|(by_b, by_sum)| *by_b += by_sum);
            let taps = row.w.chunks_exact(width).zip(by_w.chunks_exact_mut(width));
            for (back, (w, by_w)) in taps.enumerate().take(token + 1) {
                let Some(value) = row.value(token, back) else { continue };
                let by_value = &mut by_gv[(2 * (token - back) + 1) * width..][..width];
                let parts = by_value.iter_mut().zip(by_w).zip(w).zip(value).zip(&sum);
                for ((((by_value, by_w), w), value), by_sum) in parts {
                    *by_value = mul_add::<FMA>(*w, *by_sum, *by_value);
                    *by_w = mul_add::<FMA>(*value, *by_sum, *by_w);
                }
            }
        }
    }
}

impl Convolve {
    /// A row of a batch.
    fn row<'a>(&'a self, [gv, w, b]: [&'a [f32]; 3], row: usize, seq: usize) -> Row<'a> {
        let width = b.len();
        let hidden = self.hidden.as_ref().map(|hidden| &hidden[row * seq..][..seq]);
        let gv = &gv[row * seq * 2 * width..][..seq * 2 * width];
        Row { width, gv, w, b, before: &[], hidden }
    }
}

impl Fused<Flex, 3> for Convolve {
    type Saved = ();

    fn forward(&self, inputs: &[FlexTensor; 3]) -> (FlexTensor, ()) {
        let [batch, seq, both] = fused::dims(&inputs[0]);
        let values = inputs.each_ref().map(fused::values);
        let mut z = vec![0.0; batch * seq * both / 2];
        let rows = z.chunks_mut((seq * both / 2).max(1)).collect();
        for_each(rows, |row, z| forward(self.row(values, row, seq), z));
        (fused::tensor(z, [batch, seq, both / 2]), ())
    }

    fn backward(
        &self,
        inputs: &[FlexTensor; 3],
        (): &(),
        dz: &FlexTensor,
    ) -> [Option<FlexTensor>; 3] {
        let shape @ [_, seq, both] = fused::dims(&inputs[0]);
        let [taps, width] = fused::dims(&inputs[1]);
        let values = inputs.each_ref().map(fused::values);
        let dz = fused::values(dz);
        let mut by_gv = vec![0.0; values[0].len()];
        let by_filter = (taps + 1) * width;
        let rows = by_gv.chunks_mut((seq * both).max(1)).map(|by_gv| (by_gv, vec![0.0; by_filter]));
        let mut rows: Vec<(&mut [f32], Vec<f32>)> = rows.collect();
        for_each(rows.iter_mut().collect(), |row, (by_gv, by_filter)| {
            let dz = &dz[row * seq * width..][..seq * width];
            backward(self.row(values, row, seq), dz, by_gv, by_filter);
        });
        let mut sums = vec![0.0; by_filter];
        for (_, by_filter) in rows {
            sums.iter_mut().zip(by_filter).for_each(|(sum, part)| *sum += part);
        }
        let by_b = sums.split_off(taps * width);
        let by_filter = [fused::tensor(sums, [taps, width]), fused::tensor(by_b, [width])];
        let [by_w, by_b] = by_filter.map(Some);
        [Some(fused::tensor(by_gv, shape)), by_w, by_b]
    }
}

pub fn follow(
    gv: Tensor<3>,
    (w, b): (Tensor<2>, Tensor<1>),
    state: Option<Tensor<3>>,
) -> (Tensor<3>, Tensor<3>) {
    let [_, seq, both] = gv.dims();
    let width = both / 2;
    let [gv, w, b] =
        [gv.into_dispatch(), w.into_dispatch(), b.into_dispatch()].map(primitive::<Flex>);
    let [gv, w, b] = [&gv, &w, &b].map(fused::values);
    let before = state.map(|state| primitive::<Flex>(state.into_dispatch()));
    let before = before.as_ref().map(fused::values).unwrap_or_default();
    let row = Row { width, gv, w, b, before, hidden: None };
    let mut z = vec![0.0; seq * width];
    forward(row, &mut z);
    let mut after = Vec::with_capacity(w.len() - width);
    for back in (1..row.taps()).rev() {
        match row.value(row.seq(), back) {
            Some(value) => after.extend_from_slice(value),
            None => after.extend(std::iter::repeat_n(0.0, width)),
        }
    }
    let tensor =
        |values, shape: [usize; 3]| Tensor::from_primitive::<Flex>(fused::tensor(values, shape));
    let kept = [1, row.taps() - 1, width];
    (tensor(z, [1, seq, width]), tensor(after, kept))
}
