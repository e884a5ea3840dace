//! Reads of memories: queries find the slots near them, and take the mean of their values, weighted by a softmax of the
//! scores of their keys.
//!
//! Queries and keys are scaled to length 1, so that one threshold serves every layer and step, and old keys stay
//! comparable (Wu et al. 2022, section 3.2).

mod cpu;
mod form;
mod gpu;
mod next;
mod slots;

use burn::tensor::Tensor;

pub use form::Form;
pub use gpu::Found as OnGpu;
pub use next::mix_next;
pub use slots::{Asked, Found, Mirrors, Slots};

use super::fused;
use super::param::Param;
use crate::arch::EPSILON;

/// Means of the values that queries read, and if `trains` a leaf whose gradient is that by the values found.
///
/// # Shapes
/// `projected`: as of [`Slots::find`]; the result: `[batch, seq, width]`; the leaf: `[n * k, width]`
pub fn read(
    projected: Tensor<3>,
    found: &Found,
    form: Form,
    sharpness: &Param<1>,
    trains: bool,
) -> (Tensor<3>, Option<Tensor<2>>) {
    let ([batch, seq, _], device) = (projected.dims(), projected.device().inner());
    let trains = trains && projected.is_autodiff();
    // Its own numbers are never read.
    let rows = if trains { batch * seq * found.k() } else { 1 };
    let leaf = Tensor::<2>::empty([rows, form.width], &device);
    let leaf = if trains { leaf.autodiff().require_grad() } else { leaf };
    let inputs = [projected.into_dispatch(), leaf.clone().into_dispatch()];
    let z = match (found, sharpness) {
        (Found::OnGpu(found), Param::Slice(sharpness)) => {
            let (found, sharpness) = ((**found).clone(), sharpness.clone());
            fused::apply(gpu::Read { form, found, sharpness, trains }, inputs)
        }
        (Found::OnHost(_, slots), _) => {
            let [projected, leaf] = inputs;
            let inputs = [projected, leaf, sharpness.tensor().into_dispatch()];
            fused::apply(cpu::Read { form, slots: slots.clone(), trains }, inputs)
        }
        (Found::OnGpu(_), Param::Own(_)) => unreachable!("{ONE_VECTOR}"),
    };
    (z, trains.then_some(leaf))
}

/// `g z + (1 - g) local` of every head, where `z` is what its queries read and `g = σ(gate)`.
///
/// # Shapes
/// `projected`: as of [`Slots::find`]; `local` and the result: `[batch, seq, width]`; `gate`: `[n_heads]`
pub fn mix(
    [projected, local]: [Tensor<3>; 2],
    found: &Found,
    form: Form,
    sharpness: &Param<1>,
    gate: &Param<1>,
) -> Tensor<3> {
    let inputs = [projected, local].map(Tensor::into_dispatch);
    match (found, sharpness, gate) {
        (Found::OnGpu(found), Param::Slice(sharpness), Param::Slice(gate)) => {
            let (found, sharpness) = ((**found).clone(), sharpness.clone());
            fused::apply(gpu::Mix { form, found, sharpness, gate: gate.start }, inputs)
        }
        (Found::OnHost(_, slots), ..) => {
            let [projected, local] = inputs;
            let [sharpness, gate] = [sharpness, gate].map(|of| of.tensor().into_dispatch());
            let mix = cpu::Mix { form, slots: slots.clone() };
            fused::apply(mix, [projected, local, sharpness, gate])
        }
        _ => unreachable!("{ONE_VECTOR}"),
    }
}

const ONE_VECTOR: &str = "a GPU's parameters lie in one vector";

/// [`read`] in plain tensor operations, of the keys and values found.
///
/// # Shapes
/// `projected`: `[n, width]` or `[n, 3 * width]`; `keys` and `values`: `[n, k, width]`; `sharpness`: `[1]`; the result:
/// `[n, width]`
pub fn reference(
    projected: Tensor<2>,
    [keys, values]: [Tensor<3>; 2],
    form: Form,
    sharpness: Tensor<1>,
) -> Tensor<2> {
    let ([n, k, width], [_, stride]) = (keys.dims(), projected.dims());
    let (heads, d_head) = (form.n_heads, form.d_head());
    let by_head = |x: Tensor<3>| x.reshape([n, k, heads, d_head]);
    let q = unit(projected.clone().narrow(1, 0, width), form);
    let written = if stride == width { q.clone() } else { projected.narrow(1, 2 * width, width) };
    let values = if form.estimates { straight_through(values, written) } else { values };
    let q = q.reshape([n, 1, heads, d_head]);
    let scores = match form.by_distance {
        true => (q - by_head(keys)).square().sum_dim(3).add_scalar(EPSILON).sqrt().neg(),
        false => (q * by_head(keys)).sum_dim(3),
    }; // [n, k, heads, 1]
    let sharpness = sharpness.abs().mul_scalar(form.scale()).reshape([1, 1, 1, 1]);
    let powers = (scores * sharpness).exp();
    let weights = powers.clone() / powers.sum_dim(1);
    (weights * by_head(values)).sum_dim(1).reshape([n, width])
}

/// Each head's part of a row scaled to the same length, and the row to length 1.
///
/// # Shapes
/// `x` and the result: `[n, width]`
pub fn unit(x: Tensor<2>, form: Form) -> Tensor<2> {
    let [n, width] = x.dims();
    let heads = x.reshape([n * form.n_heads, form.d_head()]);
    let length = heads.clone().square().sum_dim(1).add_scalar(EPSILON).sqrt(); // [n * heads, 1]
    (heads / length).reshape([n, width]).div_scalar((form.n_heads as f32).sqrt())
}

/// `found` as it is, whose gradient also goes to `estimate`, once for each of the `k`
/// (Bengio et al. 2013, "straight-through").
///
/// # Shapes
/// `found`: `[n, k, width]`; `estimate`: `[n, width]`
pub fn straight_through(found: Tensor<3>, estimate: Tensor<2>) -> Tensor<3> {
    let nothing = estimate.clone() - estimate.detach();
    found + nothing.unsqueeze_dim::<3>(1)
}
