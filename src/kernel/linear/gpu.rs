//! Linear layers on a GPU: one kernel forward, and one backward; large ones in half precision where
//! that is what the GPU has matrix units for.

pub mod half;
mod kernels;
mod slim;
mod tile;
mod weights;

use std::sync::Arc;

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::cubecl::prelude::*;

use self::half::Half;
use self::tile::Tile;
use self::weights::WeightsLaunch;
use super::Linear;
use crate::kernel::fused::{self, Fused};
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups};
use crate::kernel::param::{Memory, Param, Part};
use crate::platform::HAS_MATRIX_UNITS;

/// Matrices side by side that multiply the same tokens.
#[derive(Clone, Debug)]
pub struct Product {
    memory: Arc<Memory>,
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
    half: Option<Half>,
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
        let (matrices, half) = (parts.len(), memory.half);
        Some(Self {
            memory,
            rows,
            columns,
            matrices,
            start,
            apart,
            is_transposed: false,
            b_start,
            half,
        })
    }

    /// In half precision if it is large, whatever the GPU.
    pub fn in_half(self, half: Half) -> Self {
        Self { half: Some(half), ..self }
    }

    /// Of a matrix `[columns, rows]`.
    pub fn transposed(part: &Part<2>) -> Self {
        let Part { memory, start, shape: [columns, rows] } = part.clone();
        let half = memory.half;
        Self {
            memory,
            rows,
            columns,
            matrices: 1,
            start,
            apart: 0,
            is_transposed: true,
            b_start: None,
            half,
        }
    }

    fn width(&self) -> usize {
        self.columns * self.matrices
    }

    /// Whether sums are of so few terms, or of so few tokens, that sharing what they are made of is
    /// not worth while.
    fn is_slim(&self, tokens: usize) -> bool {
        const MANY_TERMS: usize = 128;
        const MANY_TOKENS: usize = 8;
        self.rows.max(self.width()) <= MANY_TERMS || tokens <= MANY_TOKENS
    }

    /// What the product is computed in if not in 32 bits.
    fn half(&self, tokens: usize) -> Option<Half> {
        let is_large = [self.rows, self.width(), tokens].into_iter().min() >= Some(half::LARGE);
        self.half.filter(|_| is_large && HAS_MATRIX_UNITS)
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

    /// What became of the product, and the slopes of [`Then::Gelu`].
    fn forward(
        &self,
        x: &GpuTensor,
        then: Then,
        to: Option<&GpuTensor>,
    ) -> (GpuTensor, Option<GpuTensor>) {
        let [batch, seq, _] = dims(x);
        let (tokens, width) = (batch * seq, self.width());
        let y = empty(x, [batch, seq, width]);
        let slopes = (then == Then::Gelu).then(|| empty(x, [batch, seq, width]));
        if let Some(half) = self.half(tokens)
            && half.forward(self, x, then, to, &y, slopes.as_ref()).is_some()
        {
            return (y, slopes);
        }
        let tile = (!self.is_slim(tokens)).then(|| Tile::of(tokens, width));
        let count = match tile {
            None => (tokens * width).div_ceil(UNITS),
            Some(tile) => tile.count(tokens, width),
        };
        kernels::forward::launch(
            &x.client,
            groups(count),
            CubeDim::new_1d(UNITS as u32),
            arg(x),
            arg(&self.memory.values),
            arg(to.unwrap_or(x)),
            arg(&y),
            slopes.as_ref().map_or_else(|| BufferArg::alias(3, 1), arg),
            tokens,
            self.weights(),
            tile,
            then,
            self.b_start.is_some(),
        );
        (y, slopes)
    }

    /// The gradient by `x` from that by the product, and those by the weights, which are added
    /// where they belong.
    fn backward(&self, x: &GpuTensor, slopes: Option<&GpuTensor>, dy: &GpuTensor) -> GpuTensor {
        let shape @ [batch, seq, rows] = dims(x);
        let (tokens, width) = (batch * seq, self.width());
        if let Some(half) = self.half(tokens)
            && let Some(dx) = half.backward(self, x, slopes, dy)
        {
            return dx;
        }
        let dx = empty(x, shape);
        // With a row of ones below the tokens' own, whose product with the gradient is the bias's.
        let weight_rows = rows + usize::from(self.b_start.is_some());
        let tiles =
            (!self.is_slim(tokens)).then(|| [Tile::of(tokens, rows), Tile::of(weight_rows, width)]);
        let (first, others) = match tiles {
            None => {
                ((tokens * rows).div_ceil(UNITS), (weight_rows * width).div_ceil(slim::BY_GROUP))
            }
            Some([of_tokens, of_weights]) => {
                (of_tokens.count(tokens, rows), of_weights.count(weight_rows, width))
            }
        };
        kernels::backward::launch(
            &x.client,
            groups(first + others),
            CubeDim::new_1d(UNITS as u32),
            arg(x),
            arg(&self.memory.values),
            arg(slopes.unwrap_or(dy)),
            arg(dy),
            arg(&dx),
            arg(self.memory.by_values()),
            tokens,
            first,
            self.weights(),
            tiles,
            slopes.is_some(),
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
        slopes: &Self::Saved,
        dy: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        [Some(self.product.backward(x, slopes.as_ref(), dy))]
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
