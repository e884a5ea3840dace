//! Clipping of a gradient by its norm (Pascanu et al. 2013).

use burn::tensor::Tensor;

/// The sum of `values`, the same on any number of threads: Burn adds up more of them in the order in which threads end.
pub fn sum(values: &Tensor<1>) -> Tensor<1> {
    const MOST: usize = (1 << 22) - 1;
    let [count] = values.dims();
    let part = |start: usize| values.clone().slice(start..count.min(start + MOST)).sum();
    (MOST..count).step_by(MOST).fold(part(0), |sum, start| sum + part(start))
}

/// Scales `gradient` to norm `limit` if its norm is larger, without reading it back; with
/// PyTorch's 1e-6 against a norm of 0. A `limit` of 0 leaves it.
pub fn clip(gradient: Tensor<1>, limit: f64) -> Tensor<1> {
    if limit == 0.0 {
        return gradient;
    }
    let norm = sum(&gradient.clone().square()).sqrt(); // [1]
    let scale = norm.add_scalar(1e-6).recip().mul_scalar(limit).clamp_max(1.0);
    gradient * scale
}
