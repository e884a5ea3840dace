//! Some tokens of a batch on a GPU: one kernel forward, and one backward.

use burn::backend::Cube;
use burn::backend::tensor::IntTensor;
use burn::tensor::{Int, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::kernel::fused::Fused;
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups, ints};

#[derive(Clone, Debug)]
pub struct Select {
    count: usize,
    places: IntTensor<Cube>,  // [1, count]
    numbers: IntTensor<Cube>, // [1, batch * seq]
}

impl Select {
    pub fn new(places: Tensor<2, Int>, numbers: Tensor<2, Int>) -> Self {
        let [_, count] = places.dims();
        Self { count, places: ints(places), numbers: ints(numbers) }
    }
}

impl Fused<Cube, 1> for Select {
    type Saved = ();

    fn forward(&self, [x]: &[GpuTensor; 1]) -> (GpuTensor, ()) {
        let [_, _, width] = dims(x);
        let rows = empty(x, [1, self.count, width]);
        copy(x, &self.places, &rows, self.count * width, width);
        (rows, ())
    }

    fn backward(
        &self,
        [x]: &[GpuTensor; 1],
        (): &(),
        by_rows: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        let shape @ [batch, seq, width] = dims(x);
        let by_x = empty(x, shape);
        copy(by_rows, &self.numbers, &by_x, batch * seq * width, width);
        [Some(by_x)]
    }
}

/// Writes `count` numbers to `to`, whose rows of `width` are those of `from` at the places, and 0 at places below 0.
fn copy(from: &GpuTensor, places: &IntTensor<Cube>, to: &GpuTensor, count: usize, width: usize) {
    rows::launch(
        &from.client,
        groups(count.div_ceil(UNITS)),
        CubeDim::new_1d(UNITS as u32),
        arg(from),
        arg(places),
        arg(to),
        count,
        width,
    );
}

#[cube(launch)]
fn rows(from: &[f32], places: &[i32], to: &mut [f32], count: usize, width: usize) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < count {
        let place = places[at / width];
        let mut value = 0.0f32;
        if place >= 0 {
            value = from[usize::cast_from(place) * width + at % width];
        }
        to[at] = value;
    }
}
