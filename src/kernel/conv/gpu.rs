//! Gated convolution on a GPU: one kernel forward, and one backward.

use burn::backend::Cube;
use burn::backend::tensor::IntTensor;
use burn::tensor::{Int, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::filter::Filter;
use crate::kernel::fused::{Fused, primitive};
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups, ints};
use crate::kernel::param::{Param, ParamSlice};

/// Columns whose gradients a group of units sums at most.
const COLUMNS: usize = 32;

#[derive(Clone, Debug)]
pub struct Convolve {
    w: ParamSlice<2>,
    b: Option<ParamSlice<1>>,
    hidden: Option<IntTensor<Cube>>, // [batch, token]
}

/// Sizes of what is convolved, and places of the parameters.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Sizes {
    /// Tokens of all rows.
    tokens: usize,
    seq: usize,
    width: usize,
    taps: usize,
    w_start: usize,
    b_start: usize,
}

/// Inputs that a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Has {
    bias: bool,
    hidden: bool,
    /// Values before the first token.
    before: bool,
}

impl Convolve {
    /// The convolution with a filter on a GPU; `None` if it is elsewhere.
    pub fn of(filter: &Filter, hidden: Option<Tensor<2, Int>>) -> Option<Self> {
        let Param::Slice(w) = &filter.w else { return None };
        let b = match &filter.b {
            Some(Param::Slice(b)) => Some(b.clone()),
            Some(Param::Own(_)) => return None,
            None => None,
        };
        Some(Self { w: w.clone(), b, hidden: hidden.map(ints) })
    }

    fn sizes(&self, [batch, seq, both]: [usize; 3]) -> SizesLaunch {
        let [taps, _] = self.w.shape;
        let b_start = self.b.as_ref().map_or(0, |b| b.start);
        SizesLaunch::new(batch * seq, seq, both / 2, taps, self.w.start, b_start)
    }

    fn has(&self, before: bool) -> Has {
        Has { bias: self.b.is_some(), hidden: self.hidden.is_some(), before }
    }

    /// Outputs, and the values before the next token, if `keeps`.
    fn outputs(&self, gv: &GpuTensor, before: Option<&GpuTensor>, keeps: bool) -> [GpuTensor; 2] {
        let shape @ [batch, seq, both] = dims(gv);
        let kept = self.w.shape[0] - 1;
        let z = empty(gv, [batch, seq, both / 2]);
        let after = empty(gv, if keeps { [1, kept, both / 2] } else { [1, 1, 1] });
        let tokens = (batch * seq).max(if keeps { kept } else { 0 });
        forward::launch(
            &gv.client,
            groups((tokens * both / 2).div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(gv),
            arg(&self.w.parameters.values),
            arg(self.hidden.as_ref().unwrap_or(gv)),
            arg(before.unwrap_or(gv)),
            arg(&z),
            arg(&after),
            self.sizes(shape),
            self.has(before.is_some()),
            keeps,
        );
        [z, after]
    }

    pub fn follow(&self, gv: Tensor<3>, state: Option<Tensor<3>>) -> (Tensor<3>, Tensor<3>) {
        let before = state.map(|state| primitive::<Cube>(state.into_dispatch()));
        let gv = primitive::<Cube>(gv.into_dispatch());
        let [z, after] =
            self.outputs(&gv, before.as_ref(), true).map(Tensor::from_primitive::<Cube>);
        (z, after)
    }
}

impl Fused<Cube, 1> for Convolve {
    type Saved = ();

    fn forward(&self, [gv]: &[GpuTensor; 1]) -> (GpuTensor, ()) {
        let [z, _] = self.outputs(gv, None, false);
        (z, ())
    }

    fn backward(&self, [gv]: &[GpuTensor; 1], (): &(), dz: &GpuTensor) -> [Option<GpuTensor>; 1] {
        let shape @ [batch, seq, both] = dims(gv);
        let width = both / 2;
        let gradient = empty(gv, shape);
        let of_tokens = (batch * seq * width).div_ceil(UNITS);
        let columns = width.next_power_of_two().min(COLUMNS);
        let sums = self.w.shape[0] + usize::from(self.b.is_some());
        backward::launch(
            &gv.client,
            groups(of_tokens + sums * width.div_ceil(columns)),
            CubeDim::new_1d(UNITS as u32),
            arg(gv),
            arg(&self.w.parameters.values),
            arg(self.hidden.as_ref().unwrap_or(gv)),
            arg(dz),
            arg(&gradient),
            arg(self.w.parameters.by_values()),
            of_tokens,
            self.sizes(shape),
            self.has(false),
            columns,
        );
        [Some(gradient)]
    }
}

/// The number `column` of the value that stands `back` before the token at `place`; 0 if there is none.
#[cube]
#[allow(clippy::too_many_arguments)]
#[allow(clippy::collapsible_if, reason = "the outer condition is known as the kernel is compiled")]
#[allow(clippy::collapsible_else_if, reason = "as above")]
fn value(
    gv: &[f32],
    hidden: &[i32],
    before: &[f32],
    place: usize,
    back: usize,
    column: usize,
    sizes: &Sizes,
    #[comptime] has: Has,
) -> f32 {
    let token = place % sizes.seq;
    let mut value = 0.0f32;
    if back <= token {
        let at = place - back;
        value = gv[(2 * at + 1) * sizes.width + column];
        if comptime![has.hidden] {
            if hidden[at] != 0 {
                value = 0.0;
            }
        }
    } else {
        if comptime![has.before] {
            value = before[(sizes.taps - 1 + token - back) * sizes.width + column];
        }
    }
    value
}

/// The convolution of values at the token at `place`, before the gate.
#[cube]
#[allow(clippy::too_many_arguments)]
fn sum(
    gv: &[f32],
    parameters: &[f32],
    hidden: &[i32],
    before: &[f32],
    place: usize,
    column: usize,
    sizes: &Sizes,
    #[comptime] has: Has,
) -> f32 {
    let mut sum = 0.0f32;
    if comptime![has.bias] {
        sum += parameters[sizes.b_start + column];
    }
    for back in 0..sizes.taps {
        let w = parameters[sizes.w_start + back * sizes.width + column];
        sum += w * value(gv, hidden, before, place, back, column, sizes, has);
    }
    sum
}

/// A unit for each number of each token; the first ones also have those of the values after.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
#[allow(clippy::collapsible_if, reason = "the outer condition is known as the kernel is compiled")]
#[allow(clippy::collapsible_else_if, reason = "as above")]
fn forward(
    gv: &[f32],
    parameters: &[f32],
    hidden: &[i32],
    before: &[f32],
    z: &mut [f32],
    after: &mut [f32],
    sizes: Sizes,
    #[comptime] has: Has,
    #[comptime] keeps: bool,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    let place = at / sizes.width;
    let column = at % sizes.width;
    if place < sizes.tokens {
        let gate = gv[2 * place * sizes.width + column];
        z[at] = gate * sum(gv, parameters, hidden, before, place, column, &sizes, has);
    }
    if comptime![keeps] {
        if place < sizes.taps - 1 {
            // In a list of the values before and those of the tokens.
            let later = place + sizes.seq;
            let mut value = 0.0f32;
            if later >= sizes.taps - 1 {
                value = gv[(2 * (later + 1 - sizes.taps) + 1) * sizes.width + column];
            } else {
                if comptime![has.before] {
                    value = before[later * sizes.width + column];
                }
            }
            after[at] = value;
        }
    }
}

/// The first `of_tokens` groups have a unit for each number of each token, for the gradients by its gate and its value. Of the
/// others, each sums the gradients by `columns` kernels at one distance, or by as many biases, over all tokens.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
#[allow(clippy::collapsible_if, reason = "the outer condition is known as the kernel is compiled")]
fn backward(
    gv: &[f32],
    parameters: &[f32],
    hidden: &[i32],
    dz: &[f32],
    gradient: &mut [f32],
    by_parameters: &mut [f32],
    of_tokens: usize,
    sizes: Sizes,
    #[comptime] has: Has,
    #[comptime] columns: usize,
) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let width = sizes.width;
    let unit = UNIT_POS as usize;
    if CUBE_POS < of_tokens {
        let at = CUBE_POS * UNITS + unit;
        if at < sizes.tokens * width {
            let place = at / width;
            let column = at % width;
            let by_gate = dz[at] * sum(gv, parameters, hidden, gv, place, column, &sizes, has);
            let mut by_value = 0.0f32;
            for ahead in 0..sizes.taps {
                if place % sizes.seq + ahead < sizes.seq {
                    let later = place + ahead;
                    let by_sum = dz[later * width + column] * gv[2 * later * width + column];
                    by_value += parameters[sizes.w_start + ahead * width + column] * by_sum;
                }
            }
            if comptime![has.hidden] {
                if hidden[place] != 0 {
                    by_value = 0.0;
                }
            }
            gradient[2 * place * width + column] = by_gate;
            gradient[(2 * place + 1) * width + column] = by_value;
        }
    } else {
        let lanes = comptime![UNITS / columns];
        let blocks = width.div_ceil(columns);
        let back = (CUBE_POS - of_tokens) / blocks;
        let column = (CUBE_POS - of_tokens) % blocks * columns + unit % columns;
        let is_bias = back == sizes.taps;
        let is_own = column < width && back < sizes.taps + comptime![usize::from(has.bias)];
        let mut total = 0.0f32;
        if is_own {
            for place in range_stepped(unit / columns, sizes.tokens, lanes) {
                let by_sum = dz[place * width + column] * gv[2 * place * width + column];
                if is_bias {
                    total += by_sum;
                } else {
                    total += by_sum * value(gv, hidden, gv, place, back, column, &sizes, has);
                }
            }
        }
        shared[unit] = total;
        sync_cube();
        if is_own && unit < columns {
            let mut total = 0.0f32;
            for lane in 0..lanes {
                total += shared[lane * columns + unit];
            }
            let start = select(is_bias, sizes.b_start, sizes.w_start + back * width);
            by_parameters[start + column] += total;
        }
    }
}
