//! LayerNorm (Ba et al. 2016) and RMSNorm (Zhang & Sennrich 2019).

mod cpu;
mod gpu;
mod scaling;

pub use scaling::Scaling;

use burn::tensor::Tensor;

use super::fused;
use super::param::Param;

/// Every token of `x`, scaled, times `w`, plus `b`.
///
/// # Shapes
/// `x` and the result: `[batch, seq, d_model]`; `w` and `b`: `[d_model]`
pub fn normalize(x: Tensor<3>, w: &Param<1>, b: Option<&Param<1>>, scaling: Scaling) -> Tensor<3> {
    match (w, b) {
        (Param::Slice(w), None) => {
            let norm = gpu::LayerNorm { w: w.clone(), b: None, scaling };
            fused::apply(norm, [x.into_dispatch()])
        }
        (Param::Slice(w), Some(Param::Slice(b))) => {
            let norm = gpu::LayerNorm { w: w.clone(), b: Some(b.clone()), scaling };
            fused::apply(norm, [x.into_dispatch()])
        }
        _ => {
            let inputs = [x.into_dispatch(), w.tensor().into_dispatch()];
            let normed = fused::apply(cpu::LayerNorm { scaling }, inputs);
            match b {
                Some(b) => normed + b.tensor().unsqueeze::<3>(),
                None => normed,
            }
        }
    }
}

/// [`normalize`] in plain tensor operations.
pub fn reference(x: Tensor<3>, w: Tensor<1>, b: Option<Tensor<1>>, scaling: Scaling) -> Tensor<3> {
    let x = if scaling.is_centred { x.clone() - x.mean_dim(2) } else { x };
    let squares = (x.clone() * x.clone()).mean_dim(2);
    let y = x / squares.add_scalar(scaling.epsilon).sqrt() * w.unsqueeze::<3>();
    match b {
        Some(b) => y + b.unsqueeze::<3>(),
        None => y,
    }
}
