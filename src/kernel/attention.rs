//! Causal attention of every head, from queries, keys and values.

mod backward;
mod cache;
mod cpu;
mod decode;
mod forward;
mod gpu;

pub use cache::Cache;

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use self::cpu::{Heads, Outputs};
use super::fused::{self, Fused};
use crate::model::dropout;

/// Which keys a query sees: those up to its own place, but for hidden ones.
#[derive(Clone, Debug)]
pub struct Mask {
    hidden: Option<Hidden>,
}

#[derive(Clone, Debug)]
enum Hidden {
    Cpu(Arc<[bool]>), // [batch, key]
    Gpu(Tensor<2, Int>),
}

/// What is added to the score of a key that is not to be seen.
const HIDDEN: f32 = -1e9;

impl Mask {
    /// No token sees a later one, nor any of the `hidden` ones, which must not be first.
    ///
    /// # Shapes
    /// `hidden`: `[batch, seq]`
    pub fn causal(hidden: Option<Tensor<2, Bool>>) -> Self {
        let hidden = hidden.map(|hidden| match fused::is_cpu(&hidden.device()) {
            true => Hidden::Cpu(hidden.into_data().iter::<bool>().collect()),
            false => Hidden::Gpu(hidden.int()),
        });
        Self { hidden }
    }

    /// What is added to scores: 0, or at least [`HIDDEN`]; `[batch or 1, 1, query, key]`.
    fn added(&self, seq: usize, device: &Device) -> Tensor<4> {
        let values = (0..seq)
            .flat_map(|query| (0..seq).map(move |key| if key <= query { 0.0 } else { HIDDEN }))
            .collect::<Vec<_>>();
        let added = Tensor::from_data(TensorData::new(values, [1, 1, seq, seq]), device);
        let hidden = match &self.hidden {
            None => return added,
            Some(Hidden::Gpu(hidden)) => hidden.clone().float(),
            Some(Hidden::Cpu(hidden)) => {
                let values: Vec<f32> = hidden.iter().map(|hidden| f32::from(*hidden)).collect();
                let batch = values.len() / seq;
                Tensor::from_data(TensorData::new(values, [batch, seq]), device)
            }
        };
        let [batch, _] = hidden.dims();
        added + hidden.mul_scalar(HIDDEN).reshape([batch, 1, 1, seq])
    }
}

/// `softmax(q kᵀ / sqrt(d_head)) v` of every head. A share `p` of the pattern is dropped.
///
/// # Shapes
/// `qkv`: `[batch, seq, 3 * d_model]`, queries, keys and values side by side; the result:
/// `[batch, seq, d_model]`
pub fn attend(qkv: Tensor<3>, n_heads: usize, mask: &Mask, p: f64) -> Tensor<3> {
    let hidden = mask.hidden.clone();
    let is_fused = p == 0.0 && is_fused(&qkv, n_heads);
    if is_fused && fused::is_cpu(&qkv.device()) {
        let hidden = match hidden {
            Some(Hidden::Cpu(hidden)) => Some(hidden),
            _ => None,
        };
        fused::apply(Attend { n_heads, hidden }, [qkv.into_dispatch()])
    } else if is_fused {
        let hidden = match hidden {
            Some(Hidden::Gpu(hidden)) => Some(hidden),
            _ => None,
        };
        fused::apply(gpu::Attend::new(n_heads, hidden), [qkv.into_dispatch()])
    } else {
        let [q, k, v] = split_qkv(qkv);
        reference(q, k, v, n_heads, Some(mask), p)
    }
}

/// Whether loops or a kernel take heads of this width.
fn is_fused(qkv: &Tensor<3>, n_heads: usize) -> bool {
    fused::is_cpu(&qkv.device()) || qkv.dims()[2] / (3 * n_heads) <= gpu::MOST_D_HEAD
}

/// Queries, keys and values apart.
///
/// # Shapes
/// `qkv`: `[batch, seq, 3 * d_model]`; the results: `[batch, seq, d_model]`
pub fn split_qkv(qkv: Tensor<3>) -> [Tensor<3>; 3] {
    let d_model = qkv.dims()[2] / 3;
    [0, 1, 2].map(|part| qkv.clone().narrow(2, part * d_model, d_model))
}

/// [`attend`] in plain tensor operations. Without a `mask` every query sees every key.
///
/// # Shapes
/// `q` and the result: `[batch, query, d_model]`; `k` and `v`: `[batch, key, d_model]`
pub fn reference(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    n_heads: usize,
    mask: Option<&Mask>,
    p: f64,
) -> Tensor<3> {
    let shape = q.dims();
    let pattern = dropout(pattern(q, k, n_heads, mask), p);
    pattern.matmul(split(v, n_heads)).swap_dims(1, 2).reshape(shape)
}

/// How much each query takes from each key, its rows adding up to 1.
///
/// # Shapes
/// `q`: `[batch, query, d_model]`; `k`: `[batch, key, d_model]`; the result:
/// `[batch, head, query, key]`
pub fn pattern(q: Tensor<3>, k: Tensor<3>, n_heads: usize, mask: Option<&Mask>) -> Tensor<4> {
    let (q, k) = (split(q, n_heads), split(k, n_heads));
    let d_head = q.dims()[3] as f64;
    let mut scores = q.div_scalar(d_head.sqrt()).matmul(k.swap_dims(2, 3)); // [batch, head, query, key]
    if let Some(mask) = mask {
        scores = scores.clone() + mask.added(scores.dims()[2], &scores.device());
    }
    softmax(scores, 3)
}

fn split(x: Tensor<3>, n_heads: usize) -> Tensor<4> {
    let [batch, seq, d_model] = x.dims();
    x.reshape([batch, seq, n_heads, d_model / n_heads]).swap_dims(1, 2) // [batch, head, seq, d_head]
}

/// Attention on the CPU.
#[derive(Clone, Debug)]
struct Attend {
    n_heads: usize,
    hidden: Option<Arc<[bool]>>, // [batch, key]
}

impl Attend {
    fn heads(&self, [_, seq, width]: [usize; 3]) -> Heads {
        Heads { seq, n_heads: self.n_heads, d_head: width / (3 * self.n_heads) }
    }
}

impl Fused<Flex, 1> for Attend {
    /// The output, and its `log_sums`.
    type Saved = (FlexTensor, Vec<f32>);

    fn forward(&self, [qkv]: &[FlexTensor; 1]) -> (FlexTensor, Self::Saved) {
        let shape @ [batch, seq, width] = fused::dims(qkv);
        let (z, log_sums) =
            cpu::forward(self.heads(shape), fused::values(qkv), self.hidden.as_deref());
        let z = fused::tensor(z, [batch, seq, width / 3]);
        (z.clone(), (z, log_sums))
    }

    fn backward(
        &self,
        [qkv]: &[FlexTensor; 1],
        (z, log_sums): &Self::Saved,
        dz: &FlexTensor,
    ) -> [Option<FlexTensor>; 1] {
        let shape: [usize; 3] = fused::dims(qkv);
        let outputs = Outputs { z: fused::values(z), dz: fused::values(dz), log_sums };
        let hidden = self.hidden.as_deref();
        let gradient = cpu::backward(self.heads(shape), fused::values(qkv), hidden, outputs);
        [Some(fused::tensor(gradient, shape))]
    }
}
