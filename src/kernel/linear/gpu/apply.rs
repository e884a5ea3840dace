//! Products as operations on tensors: their forward and backward passes.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::cubecl::prelude::*;

use super::product::Product;
use super::then::Then;
use super::tile::Tile;
use super::{kernels, mixed, slim};
use crate::kernel::fused;
use crate::kernel::fused::Fused;
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups};

impl Product {
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

    /// The product after `then`, and the slopes of [`Then::Gelu`].
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
            && mixed::forward(half, self, x, then, to, &y, slopes.as_ref()).is_some()
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
            arg(&self.parameters.values),
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
            && let Some(dx) = mixed::backward(half, self, x, slopes, dy)
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
            arg(&self.parameters.values),
            arg(slopes.unwrap_or(dy)),
            arg(dy),
            arg(&dx),
            arg(self.parameters.by_values()),
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
