//! LayerNorm and RMSNorm on a GPU: one kernel forward, and one backward.

use burn::backend::Cube;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::scaling::Scaling;
use crate::kernel::fused::Fused;
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups, sum_of};
use crate::kernel::param::ParamSlice;

/// Width above which a token is the work of [`WIDE`] units, and not of one.
const NARROW: usize = 32;
const WIDE: usize = 32;

/// Columns that a group of units sums at most.
const COLUMNS: usize = 32;

#[derive(Clone, Debug)]
pub struct LayerNorm {
    pub w: ParamSlice<1>,
    pub b: Option<ParamSlice<1>>,
    pub scaling: Scaling,
}

fn units(width: usize) -> usize {
    if width > NARROW { WIDE } else { 1 }
}

impl LayerNorm {
    fn b_start(&self) -> usize {
        self.b.as_ref().map_or(0, |b| b.start)
    }
}

impl Fused<Cube, 1> for LayerNorm {
    /// Mean taken off every token, and the factor by which it was then multiplied: `[batch, seq, 2]`.
    type Saved = GpuTensor;

    fn forward(&self, [x]: &[GpuTensor; 1]) -> (GpuTensor, GpuTensor) {
        let [batch, seq, width] = dims(x);
        let (y, moments) = (empty(x, [batch, seq, width]), empty(x, [batch, seq, 2]));
        let rows = batch * seq;
        let by_group = UNITS / units(width);
        forward::launch(
            &x.client,
            groups(rows.div_ceil(by_group)),
            CubeDim::new_1d(UNITS as u32),
            arg(x),
            arg(&self.w.parameters.values),
            arg(&y),
            arg(&moments),
            rows,
            self.w.start,
            self.b_start(),
            width,
            self.scaling.epsilon,
            units(width),
            self.scaling.is_centred,
            self.b.is_some(),
        );
        (y, moments)
    }

    fn backward(
        &self,
        [x]: &[GpuTensor; 1],
        moments: &GpuTensor,
        dy: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        let shape @ [batch, seq, width] = dims(x);
        let dx = empty(x, shape);
        let rows = batch * seq;
        let of_rows = rows.div_ceil(UNITS / units(width));
        let columns = width.next_power_of_two().min(COLUMNS);
        backward::launch(
            &x.client,
            groups(of_rows + width.div_ceil(columns)),
            CubeDim::new_1d(UNITS as u32),
            arg(x),
            arg(&self.w.parameters.values),
            arg(moments),
            arg(dy),
            arg(&dx),
            arg(self.w.parameters.by_values()),
            rows,
            of_rows,
            self.w.start,
            self.b_start(),
            width,
            units(width),
            columns,
            self.scaling.is_centred,
            self.b.is_some(),
        );
        [Some(dx)]
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn forward(
    x: &[f32],
    parameters: &[f32],
    y: &mut [f32],
    moments: &mut [f32],
    rows: usize,
    w_start: usize,
    b_start: usize,
    width: usize,
    epsilon: f32,
    #[comptime] units: usize,
    #[comptime] is_centred: bool,
    #[comptime] has_bias: bool,
) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let lane = UNIT_POS as usize % units;
    let row = CUBE_POS * comptime![UNITS / units] + UNIT_POS as usize / units;
    let is_row = row < rows;
    let start = select(is_row, row, 0) * width;
    let mut mean = 0.0f32;
    if is_centred {
        for at in range_stepped(lane, width, units) {
            mean += x[start + at];
        }
        mean = sum_of(mean, &mut shared, units) / f32::cast_from(width);
    }
    let mut squares = 0.0f32;
    for at in range_stepped(lane, width, units) {
        let apart = x[start + at] - mean;
        squares += apart * apart;
    }
    let variance = sum_of(squares, &mut shared, units) / f32::cast_from(width);
    let scale = 1.0 / (variance + epsilon).sqrt();
    if is_row {
        for at in range_stepped(lane, width, units) {
            let mut value = (x[start + at] - mean) * scale * parameters[w_start + at];
            if has_bias {
                value += parameters[b_start + at];
            }
            y[start + at] = value;
        }
        if lane == 0 {
            moments[row * 2] = mean;
            moments[row * 2 + 1] = scale;
        }
    }
}

/// The first `of_rows` groups compute `dx`, a token by `units` units; the others the gradients by
/// gain and bias, `columns` of them each.
#[cube(launch)]
fn backward(
    x: &[f32],
    parameters: &[f32],
    moments: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    by_parameters: &mut [f32],
    rows: usize,
    of_rows: usize,
    w_start: usize,
    b_start: usize,
    width: usize,
    #[comptime] units: usize,
    #[comptime] columns: usize,
    #[comptime] is_centred: bool,
    #[comptime] has_bias: bool,
) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let mut other = Shared::<[f32]>::new_slice(UNITS);
    if CUBE_POS < of_rows {
        let lane = UNIT_POS as usize % units;
        let row = CUBE_POS * comptime![UNITS / units] + UNIT_POS as usize / units;
        let is_row = row < rows;
        let row = select(is_row, row, 0);
        let start = row * width;
        let (mean, scale) = (moments[row * 2], moments[row * 2 + 1]);
        // Parts of the gradient by the normalized token that the mean and the variance take.
        let mut by_mean = 0.0f32;
        let mut by_scale = 0.0f32;
        for at in range_stepped(lane, width, units) {
            let by_normed = dy[start + at] * parameters[w_start + at];
            if is_centred {
                by_mean += by_normed;
            }
            by_scale += by_normed * (x[start + at] - mean) * scale;
        }
        if is_centred {
            by_mean = sum_of(by_mean, &mut shared, units) / f32::cast_from(width);
        }
        let by_scale = sum_of(by_scale, &mut shared, units) / f32::cast_from(width);
        if is_row {
            for at in range_stepped(lane, width, units) {
                let by_normed = dy[start + at] * parameters[w_start + at];
                let normed = (x[start + at] - mean) * scale;
                dx[start + at] = (by_normed - by_mean - normed * by_scale) * scale;
            }
        }
    } else {
        let lanes = comptime![UNITS / columns];
        let unit = UNIT_POS as usize;
        let column = (CUBE_POS - of_rows) * columns + unit % columns;
        let is_column = column < width;
        let mut by_gain = 0.0f32;
        let mut by_bias = 0.0f32;
        if is_column {
            for row in range_stepped(unit / columns, rows, lanes) {
                let at = row * width + column;
                by_bias += dy[at];
                by_gain += dy[at] * (x[at] - moments[row * 2]) * moments[row * 2 + 1];
            }
        }
        shared[unit] = by_gain;
        other[unit] = by_bias;
        sync_cube();
        if is_column && unit < columns {
            let mut by_gain = 0.0f32;
            let mut by_bias = 0.0f32;
            for lane in 0..lanes {
                by_gain += shared[lane * columns + unit];
                by_bias += other[lane * columns + unit];
            }
            by_parameters[w_start + column] += by_gain;
            if has_bias {
                by_parameters[b_start + column] += by_bias;
            }
        }
    }
}
