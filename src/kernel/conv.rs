//! Gated causal convolution of each number's values (see [`GatedConv`](crate::arch::GatedConv)):
//! `z_t = g_t ⊙ (Σ_{j < taps} κ_j ⊙ v_{t−j} + b)`. Before the first token there are no values. It takes time in proportion to
//! the length.

mod cpu;
mod filter;
mod gpu;

pub use filter::Filter;

use burn::tensor::Tensor;

use super::attention::Mask;
use super::fused;

/// The gated convolution. A hidden token has no value.
///
/// # Shapes
/// `gv`: `[batch, seq, 2 * width]`, gates and values side by side; the result: `[batch, seq, width]`
pub fn convolve(gv: Tensor<3>, filter: &Filter, mask: &Mask) -> Tensor<3> {
    match gpu::Convolve::of(filter, mask.on_gpu()) {
        Some(convolve) => fused::apply(convolve, [gv.into_dispatch()]),
        None => {
            let (w, b) = filter.tensors();
            let inputs = [gv.into_dispatch(), w.into_dispatch(), b.into_dispatch()];
            fused::apply(cpu::Convolve { hidden: mask.on_host() }, inputs)
        }
    }
}

/// The gated convolution of tokens that follow those in `state`, and the state after them: the last `taps − 1` values, oldest
/// first. No gradient is taken of it.
///
/// # Shapes
/// `gv`: as of [`convolve`], with a batch of 1; `state`: `[1, taps - 1, width]`
pub fn follow(gv: Tensor<3>, filter: &Filter, state: Option<Tensor<3>>) -> (Tensor<3>, Tensor<3>) {
    match gpu::Convolve::of(filter, None) {
        Some(convolve) => convolve.follow(gv, state),
        None => cpu::follow(gv, filter.tensors(), state),
    }
}

/// [`convolve`] in plain tensor operations, distance by distance.
pub fn reference(gv: Tensor<3>, filter: &Filter, mask: &Mask) -> Tensor<3> {
    let ([batch, seq, both], device) = (gv.dims(), gv.device());
    let width = both / 2;
    let (w, b) = filter.tensors();
    let (gates, values) = (gv.clone().narrow(2, 0, width), gv.narrow(2, width, width));
    let values = match mask.shown(&device) {
        Some(shown) => values * shown,
        None => values,
    };
    let [taps, _] = w.dims();
    let at = |back: usize| {
        let later = values.clone().narrow(1, 0, seq - back);
        let earlier = Tensor::zeros([batch, back, width], &device);
        let values = if back > 0 { Tensor::cat(vec![earlier, later], 1) } else { later };
        values * w.clone().narrow(0, back, 1).unsqueeze::<3>()
    };
    let sum = (0..taps.min(seq)).fold(b.unsqueeze::<3>(), |sum, back| sum + at(back));
    gates * sum
}
