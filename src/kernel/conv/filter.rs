//! Parameters of a convolution.

use burn::tensor::Tensor;

use crate::kernel::param::Param;

/// A kernel and a bias of each number.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Kernels κ by distance, that of the token itself first: `[taps, width]`.
    pub w: Param<2>,
    /// `[width]`
    pub b: Option<Param<1>>,
}

impl Filter {
    /// Kernels, and biases, which are 0 in a model without any.
    pub(super) fn tensors(&self) -> (Tensor<2>, Tensor<1>) {
        let w = self.w.tensor();
        let [_, width] = w.dims();
        let b = self.b.as_ref().map_or_else(|| Tensor::zeros([width], &w.device()), Param::tensor);
        (w, b)
    }
}
