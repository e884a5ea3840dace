//! Product keys (Lample et al. 2019): a query's halves each find their nearest half-keys, and every pair of those has a
//! value of its own, with the sum of their scores.

mod cpu;
mod gpu;

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burn::tensor::module::embedding;

use super::fused;
use super::param::Param;

/// Means of the values of the `k` pairs with the largest scores, weighted by the softmax of those. `k` is at most the number
/// of half-keys.
///
/// # Shapes
/// `q`: `[batch, seq, d_key]`; `keys`: `[half_keys, d_key / 2]` each; `values`: `[half_keys², d_model]`; the result:
/// `[batch, seq, d_model]`
pub fn read(q: Tensor<3>, keys: &[Param<2>; 2], values: &Param<2>, k: usize) -> Tensor<3> {
    match (keys, values) {
        ([Param::Slice(first), Param::Slice(second)], Param::Slice(values)) => {
            let [half_keys, half] = first.shape;
            let read = gpu::Read {
                parameters: first.parameters.clone(),
                starts: [first.start, second.start, values.start],
                sizes: gpu::Sizes { half_keys, half, d_model: values.shape[1], k },
            };
            fused::apply(read, [q.into_dispatch()])
        }
        ([first, second], values) => {
            let [first, second, values] =
                [first, second, values].map(|of| of.tensor().into_dispatch());
            fused::apply(cpu::Read { k }, [q.into_dispatch(), first, second, values])
        }
    }
}

/// [`read`] in plain tensor operations, by the scores of all pairs.
pub fn reference(q: Tensor<3>, keys: [Tensor<2>; 2], values: Tensor<2>, k: usize) -> Tensor<3> {
    let ([batch, seq, d_key], [half_keys, half]) = (q.dims(), keys[0].dims());
    let [_, d_model] = values.dims();
    let n = batch * seq;
    let q = q.reshape([n, d_key]);
    let [first, second] = keys;
    let first = q.clone().narrow(1, 0, half).matmul(first.transpose()).unsqueeze_dim::<3>(2);
    let second = q.narrow(1, half, half).matmul(second.transpose()).unsqueeze_dim::<3>(1);
    let scores = (first + second).reshape([n, half_keys * half_keys]);
    let (scores, places) = scores.topk_with_indices(k, 1);
    let weights = softmax(scores, 1).unsqueeze_dim::<3>(2); // [n, k, 1]
    (weights * embedding(values, places)).sum_dim(1).reshape([batch, seq, d_model])
}
