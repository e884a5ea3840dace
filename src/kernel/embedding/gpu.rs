//! Embedding on a GPU: one kernel forward, and one backward.

use burn::backend::Cube;
use burn::backend::tensor::IntTensor;
use burn::tensor::{Int, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::kernel::fused::Fused;
use crate::kernel::gpu::{GpuTensor, UNITS, arg, empty, groups, ints};
use crate::kernel::param::ParamSlice;

/// Units that add up one row's gradient.
const ROW_UNITS: usize = 64;

#[derive(Clone, Debug)]
pub struct Embed {
    tokens: IntTensor<Cube>, // [batch, seq]
    shape: [usize; 2],
    w_e: ParamSlice<2>,
    /// Start of the first place's row, if places are learned.
    pos_start: Option<usize>,
}

impl Embed {
    pub fn new(tokens: Tensor<2, Int>, w_e: ParamSlice<2>, pos_start: Option<usize>) -> Self {
        let shape = tokens.dims();
        Self { tokens: ints(tokens), shape, w_e, pos_start }
    }
}

impl Fused<Cube, 1> for Embed {
    type Saved = ();

    fn forward(&self, [parameters]: &[GpuTensor; 1]) -> (GpuTensor, ()) {
        let ([batch, seq], [_, width]) = (self.shape, self.w_e.shape);
        let y = empty(parameters, [batch, seq, width]);
        let count = batch * seq * width;
        forward::launch(
            &parameters.client,
            groups(count.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(&self.tokens),
            arg(parameters),
            arg(&y),
            count,
            seq,
            self.w_e.start,
            self.pos_start.unwrap_or(0),
            width,
            self.pos_start.is_some(),
        );
        (y, ())
    }

    fn backward(&self, _: &[GpuTensor; 1], (): &(), dy: &GpuTensor) -> [Option<GpuTensor>; 1] {
        let ([batch, seq], [vocab, width]) = (self.shape, self.w_e.shape);
        backward::launch(
            &dy.client,
            groups(if self.pos_start.is_some() { vocab + seq } else { vocab }),
            CubeDim::new_1d(ROW_UNITS as u32),
            arg(&self.tokens),
            arg(dy),
            arg(self.w_e.parameters.by_values()),
            batch,
            seq,
            vocab,
            self.w_e.start,
            self.pos_start.unwrap_or(0),
            width,
            self.pos_start.is_some(),
        );
        [None]
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn forward(
    tokens: &[i32],
    parameters: &[f32],
    y: &mut [f32],
    count: usize,
    seq: usize,
    e_start: usize,
    pos_start: usize,
    width: usize,
    #[comptime] has_places: bool,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        let (token, column) = (at / width, at % width);
        let id = usize::cast_from(tokens[token]);
        let mut value = parameters[e_start + id * width + column];
        if has_places {
            value += parameters[pos_start + token % seq * width + column];
        }
        y[at] = value;
    }
}

/// A group of units adds up the gradient of one row: the first `vocab` groups those of `W_E`, by
/// looking at every token; the others those of `W_pos`.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn backward(
    tokens: &[i32],
    dy: &[f32],
    by_parameters: &mut [f32],
    batch: usize,
    seq: usize,
    vocab: usize,
    e_start: usize,
    pos_start: usize,
    width: usize,
    #[comptime] has_places: bool,
) {
    let group = CUBE_POS;
    if group < vocab {
        for column in range_stepped(UNIT_POS as usize, width, ROW_UNITS) {
            let mut sum = 0.0f32;
            for token in 0..batch * seq {
                if tokens[token] == i32::cast_from(group) {
                    sum += dy[token * width + column];
                }
            }
            by_parameters[e_start + group * width + column] += sum;
        }
    } else if has_places.runtime() && group < vocab + seq {
        let place = group - vocab;
        for column in range_stepped(UNIT_POS as usize, width, ROW_UNITS) {
            let mut sum = 0.0f32;
            for row in 0..batch {
                sum += dy[(row * seq + place) * width + column];
            }
            by_parameters[pos_start + place * width + column] += sum;
        }
    }
}
