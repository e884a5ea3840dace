//! Causal attention of every head, from queries, keys and values.

mod backward;
mod cpu;
mod decode;
mod forward;
mod gpu;

pub use decode::KeyValues;

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use self::cpu::{Heads, Outputs};
use super::dropout::Dropout;
use super::fused::{self, Fused};

/// Which keys a query sees: those up to its own place, but for hidden ones.
#[derive(Clone, Debug)]
pub struct Mask {
    hidden: Option<Hidden>,
}

#[derive(Clone, Debug)]
enum Hidden {
    Cpu(Arc<[bool]>), // [batch, key]
    Gpu(Box<Tensor<2, Int>>),
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
            false => Hidden::Gpu(Box::new(hidden.int())),
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
            Some(Hidden::Gpu(hidden)) => (**hidden).clone().float(),
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

/// `softmax(q kᵀ / sqrt(d_head)) v` of every head, with `dropout` of the pattern.
///
/// # Shapes
/// `qkv`: `[batch, seq, 3 * d_model]`, queries, keys and values side by side; the result:
/// `[batch, seq, d_model]`
pub fn attend(qkv: Tensor<3>, n_heads: usize, mask: &Mask, dropout: Dropout) -> Tensor<3> {
    let is_cpu = fused::is_cpu(&qkv.device());
    let qkv = [qkv.into_dispatch()];
    if is_cpu {
        let hidden = match &mask.hidden {
            Some(Hidden::Cpu(hidden)) => Some(hidden.clone()),
            _ => None,
        };
        fused::apply(Attend { n_heads, hidden, dropout }, qkv)
    } else {
        let hidden = match &mask.hidden {
            Some(Hidden::Gpu(hidden)) => Some((**hidden).clone()),
            _ => None,
        };
        fused::apply(gpu::Attend::new(n_heads, hidden, dropout), qkv)
    }
}

/// [`attend`] in plain tensor operations.
pub fn reference(qkv: Tensor<3>, n_heads: usize, mask: &Mask, dropout: Dropout) -> Tensor<3> {
    let [batch, seq, width] = qkv.dims();
    let d_model = width / 3;
    let d_head = d_model / n_heads;
    let [q, k, v] = [0, 1, 2].map(|part| {
        let part = qkv.clone().narrow(2, part * d_model, d_model);
        part.reshape([batch, seq, n_heads, d_head]).swap_dims(1, 2) // [batch, head, seq, d_head]
    });
    let scores = q.div_scalar((d_head as f64).sqrt()).matmul(k.swap_dims(2, 3)); // [batch, head, query, key]
    let scores = scores + mask.added(seq, &qkv.device());
    let pattern = dropout.apply(softmax(scores, 3));
    pattern.matmul(v).swap_dims(1, 2).reshape([batch, seq, d_model])
}

/// How much each query of one row takes from each key up to its own: `[head, query, key]`, whose
/// rows sum to 1.
///
/// # Shapes
/// `qkv`: `[seq, 3 * d_model]`
pub fn pattern(qkv: &[f32], d_model: usize, n_heads: usize) -> Vec<f32> {
    let (width, d_head) = (3 * d_model, d_model / n_heads);
    let seq = qkv.len() / width;
    let scale = (d_head as f32).sqrt().recip();
    let mut pattern = vec![0.0; n_heads * seq * seq];
    for (row, weights) in pattern.chunks_mut(seq).enumerate() {
        let (head, query) = (row / seq, row % seq);
        let weights = &mut weights[..=query];
        let own = |token: usize, part: usize| {
            &qkv[token * width + part * d_model + head * d_head..][..d_head]
        };
        for (key, weight) in weights.iter_mut().enumerate() {
            let products = own(query, 0).iter().zip(own(key, 1)).map(|(q, k)| q * k);
            *weight = products.sum::<f32>() * scale;
        }
        let greatest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        weights.iter_mut().for_each(|weight| *weight = (*weight - greatest).exp());
        let sum: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    pattern
}

/// Attention on the CPU.
#[derive(Clone, Debug)]
struct Attend {
    n_heads: usize,
    hidden: Option<Arc<[bool]>>, // [batch, key]
    dropout: Dropout,
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
        let (z, log_sums) = cpu::forward(
            self.heads(shape),
            fused::values(qkv),
            self.hidden.as_deref(),
            self.dropout,
        );
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
        let qkv = fused::values(qkv);
        let gradient = cpu::backward(self.heads(shape), qkv, hidden, self.dropout, outputs);
        [Some(fused::tensor(gradient, shape))]
    }
}
