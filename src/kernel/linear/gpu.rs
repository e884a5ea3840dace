//! Linear layers on a GPU: one kernel forward, and one backward.
//!
//! A group of units computes a tile of a product, from strips of the two factors that it holds in
//! shared memory (Volkov & Demmel 2008).

mod tile;

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use self::tile::{Tile, WeightsLaunch};
use super::Linear;
use crate::kernel::fused::{self, Fused};
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups};
use crate::kernel::param::{Memory, Param, Part};

/// Matrices side by side that multiply the same tokens.
#[derive(Clone, Debug)]
pub struct Product {
    memory: Memory,
    rows: usize,
    /// Columns of one matrix.
    columns: usize,
    matrices: usize,
    start: usize,
    /// From one matrix's first value to the next one's.
    apart: usize,
    is_transposed: bool,
    /// Where the first bias begins; the others follow as their matrices do.
    b_start: Option<usize>,
}

/// What is done to a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    Nothing,
    Gelu,
    Add,
}

impl Product {
    /// Of linear layers in a GPU's memory; `None` if they are elsewhere.
    pub fn of(linears: &[&Linear]) -> Option<Self> {
        let part = |linear: &Linear| match &linear.w {
            Param::Part(part) => Some(part.clone()),
            Param::Own(_) => None,
        };
        let parts = linears.iter().map(|linear| part(linear)).collect::<Option<Vec<_>>>()?;
        let Part { memory, start, shape: [rows, columns] } = parts.first()?.clone();
        let apart = parts.get(1).map_or(0, |second| second.start - start);
        let is_even = |(place, part): (usize, &Part<2>)| part.start == start + place * apart;
        assert!(parts.iter().enumerate().all(is_even), "matrices at equal distances");
        let b_start = match &linears[0].b {
            Some(Param::Part(b)) => Some(b.start),
            _ => None,
        };
        let matrices = parts.len();
        Some(Self { memory, rows, columns, matrices, start, apart, is_transposed: false, b_start })
    }

    /// Of a matrix `[columns, rows]`.
    pub fn transposed(part: &Part<2>) -> Self {
        let Part { memory, start, shape: [columns, rows] } = part.clone();
        Self {
            memory,
            rows,
            columns,
            matrices: 1,
            start,
            apart: 0,
            is_transposed: true,
            b_start: None,
        }
    }

    fn width(&self) -> usize {
        self.columns * self.matrices
    }

    fn weights(&self) -> WeightsLaunch {
        let (by_row, by_column) =
            if self.is_transposed { (1, self.rows) } else { (self.columns, 1) };
        WeightsLaunch::new(
            self.start,
            self.apart,
            self.b_start.unwrap_or(0),
            by_row,
            by_column,
            self.rows,
            self.columns,
            self.width(),
        )
    }

    /// # Shapes
    /// `x`: `[batch, seq, rows]`; the result: `[batch, seq, matrices * columns]`
    pub fn apply(self, x: Tensor<3>, then: Then) -> Tensor<3> {
        fused::apply(Apply { product: self, then }, [x.into_dispatch()])
    }

    /// # Shapes
    /// `x`: `[batch, seq, rows]`; `to` and the result: `[batch, seq, columns]`
    pub fn add(self, x: Tensor<3>, to: Tensor<3>) -> Tensor<3> {
        fused::apply(Add { product: self }, [x, to].map(Tensor::into_dispatch))
    }

    /// The product, and what [`Then::Gelu`] was given.
    fn forward(
        &self,
        x: &GpuTensor,
        then: Then,
        to: Option<&GpuTensor>,
    ) -> (GpuTensor, Option<GpuTensor>) {
        let [batch, seq, _] = dims(x);
        let (tokens, width) = (batch * seq, self.width());
        let y = empty(x, [batch, seq, width]);
        let before = (then == Then::Gelu).then(|| empty(x, [batch, seq, width]));
        let tile = Tile::of(tokens, width);
        forward::launch(
            &x.client,
            groups(tile.count(tokens, width)),
            CubeDim::new_1d(UNITS as u32),
            arg(x),
            arg(&self.memory.values),
            arg(to.unwrap_or(x)),
            arg(&y),
            before.as_ref().map_or_else(|| BufferArg::alias(3, 1), arg),
            tokens,
            self.weights(),
            tile,
            then,
            self.b_start.is_some(),
        );
        (y, before)
    }

    /// The gradient by `x` from that by the product, and those by the weights, which are added
    /// where they belong.
    fn backward(&self, x: &GpuTensor, before: Option<&GpuTensor>, dy: &GpuTensor) -> GpuTensor {
        let shape @ [batch, seq, rows] = dims(x);
        let (tokens, width) = (batch * seq, self.width());
        let dx = empty(x, shape);
        // With a row of ones below the tokens' own, whose product with the gradient is the bias's.
        let weight_rows = rows + usize::from(self.b_start.is_some());
        let of_tokens = Tile::of(tokens, rows);
        let of_weights = Tile::of(weight_rows, width);
        let first = of_tokens.count(tokens, rows);
        backward::launch(
            &x.client,
            groups(first + of_weights.count(weight_rows, width)),
            CubeDim::new_1d(UNITS as u32),
            arg(x),
            arg(&self.memory.values),
            arg(before.unwrap_or(dy)),
            arg(dy),
            arg(&dx),
            arg(self.memory.by_values()),
            tokens,
            first,
            self.weights(),
            of_tokens,
            of_weights,
            before.is_some(),
            self.b_start.is_some(),
        );
        dx
    }
}

#[derive(Clone, Debug)]
struct Apply {
    product: Product,
    then: Then,
}

impl Fused<Cube, 1> for Apply {
    type Saved = Option<GpuTensor>;

    fn forward(&self, [x]: &[GpuTensor; 1]) -> (GpuTensor, Self::Saved) {
        self.product.forward(x, self.then, None)
    }

    fn backward(
        &self,
        [x]: &[GpuTensor; 1],
        before: &Self::Saved,
        dy: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        [Some(self.product.backward(x, before.as_ref(), dy))]
    }
}

#[derive(Clone, Debug)]
struct Add {
    product: Product,
}

impl Fused<Cube, 2> for Add {
    type Saved = ();

    fn forward(&self, [x, to]: &[GpuTensor; 2]) -> (GpuTensor, ()) {
        (self.product.forward(x, Then::Add, Some(to)).0, ())
    }

    fn backward(&self, [x, _]: &[GpuTensor; 2], (): &(), dy: &GpuTensor) -> [Option<GpuTensor>; 2] {
        [Some(self.product.backward(x, None, dy)), Some(dy.clone())]
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn forward(
    x: &[f32],
    parameters: &[f32],
    to: &[f32],
    y: &mut [f32],
    before: &mut [f32],
    tokens: usize,
    weights: tile::Weights,
    #[comptime] tile: Tile,
    #[comptime] then: Then,
    #[comptime] has_bias: bool,
) {
    tile::product(x, parameters, to, y, before, tokens, &weights, tile, then, has_bias);
}

/// The first `of_tokens` groups compute tiles of `dx`, the others of the gradient by the weights.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn backward(
    x: &[f32],
    parameters: &[f32],
    before: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    by_parameters: &mut [f32],
    tokens: usize,
    first: usize,
    weights: tile::Weights,
    #[comptime] of_tokens: Tile,
    #[comptime] of_weights: Tile,
    #[comptime] is_gelu: bool,
    #[comptime] has_bias: bool,
) {
    let strip = comptime![of_tokens.strip().max(of_weights.strip())];
    let mut left = Shared::<[f32]>::new_slice(strip);
    let mut right = Shared::<[f32]>::new_slice(strip);
    if CUBE_POS < first {
        tile::by_tokens(
            &mut left, &mut right, parameters, before, dy, dx, tokens, &weights, of_tokens, is_gelu,
        );
    } else {
        tile::by_weights(
            &mut left,
            &mut right,
            x,
            before,
            dy,
            by_parameters,
            tokens,
            CUBE_POS - first,
            &weights,
            of_weights,
            is_gelu,
            has_bias,
        );
    }
}
