//! `x W + b`, and what follows it.

mod cpu;
pub mod gpu;
mod layer;

pub use layer::Linear;

use burn::tensor::Tensor;
use burn::tensor::module::linear as matrix_product;

use super::dropout::Dropout;
use super::fused;
use super::gelu::gelu;
use super::param::Param;

impl Linear {
    /// `x W + b`
    ///
    /// # Shapes
    /// `x`: `[batch, seq, in]`; the result: `[batch, seq, out]`
    pub fn apply(&self, x: Tensor<3>) -> Tensor<3> {
        Self::side_by_side([self], x)
    }

    /// `x W + b` of several, which lie at equal distances in memory, one after the other in each
    /// token.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, in]`; the result: `[batch, seq, N * out]`
    pub fn side_by_side<const N: usize>(linears: [&Self; N], x: Tensor<3>) -> Tensor<3> {
        match gpu::Product::of(&linears) {
            Some(product) => product.apply(x, gpu::Then::Nothing),
            None => on_cpu(linears, x),
        }
    }

    /// `gelu(x W + b)`
    ///
    /// # Shapes
    /// Shapes of [`apply`](Self::apply).
    pub fn apply_gelu(&self, x: Tensor<3>) -> Tensor<3> {
        match gpu::Product::of(&[self]) {
            Some(product) => product.apply(x, gpu::Then::Gelu),
            None => gelu(self.apply(x)),
        }
    }

    /// `to + x W + b`, with `dropout` of the second part.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, in]`; `to` and the result: `[batch, seq, out]`
    pub fn add(&self, x: Tensor<3>, to: Tensor<3>, dropout: Dropout) -> Tensor<3> {
        match gpu::Product::of(&[self]) {
            Some(product) if dropout.is_none() => product.add(x, to),
            _ => to + dropout.apply(self.apply(x)),
        }
    }

    /// `x W_Eᵀ`: logits by an embedding.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`; `w_e`: `[vocab, d_model]`; the result: `[batch, seq, vocab]`
    pub fn unembed(w_e: &Param<2>, x: Tensor<3>) -> Tensor<3> {
        match w_e {
            Param::Slice(w_e) => gpu::Product::transposed(w_e).apply(x, gpu::Then::Nothing),
            Param::Own(w_e) => product_on_cpu(x, (**w_e).clone().transpose()),
        }
    }
}

fn on_cpu<const N: usize>(linears: [&Linear; N], x: Tensor<3>) -> Tensor<3> {
    let (w, b) = join(linears);
    let y = product_on_cpu(x, w);
    match b {
        Some(b) => y + b.unsqueeze::<3>(),
        None => y,
    }
}

fn product_on_cpu(x: Tensor<3>, w: Tensor<2>) -> Tensor<3> {
    fused::apply(cpu::Product, [x.into_dispatch(), w.into_dispatch()])
}

/// [`Linear::side_by_side`] in plain tensor operations.
pub fn reference<const N: usize>(linears: [&Linear; N], x: Tensor<3>) -> Tensor<3> {
    let (w, b) = join(linears);
    matrix_product(x, w, b)
}

/// The matrices side by side, `[in, N * out]`, and the biases, `[N * out]`.
fn join<const N: usize>(linears: [&Linear; N]) -> (Tensor<2>, Option<Tensor<1>>) {
    if let [linear] = linears[..] {
        return (linear.w.tensor(), linear.b.as_ref().map(Param::tensor));
    }
    let w = linears.iter().map(|linear| linear.w.tensor()).collect();
    let b: Option<Vec<_>> =
        linears.iter().map(|linear| linear.b.as_ref().map(Param::tensor)).collect();
    (Tensor::cat(w, 1), b.map(|b| Tensor::cat(b, 0)))
}
