//! Attention of tokens that follow others: what these need to know of those.

use burn::tensor::Tensor;

use super::decode::KeyValues;
use super::{Mask, attend, is_fused, reference, split_qkv};
use crate::kernel::fused::is_cpu;

/// Keys and values of one layer's tokens so far, so that each token is computed once.
#[derive(Debug)]
pub struct Cache {
    /// Most tokens that it will be given.
    context: usize,
    len: usize,
    held: Option<Held>,
}

#[derive(Debug)]
enum Held {
    /// Each `[1, key, d_model]`.
    Tensors(Tensor<3>, Tensor<3>),
    Gpu(KeyValues),
}

impl Cache {
    pub fn new(context: usize) -> Self {
        Self { context, len: 0, held: None }
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// [`attend`] of tokens that follow those held, and join them: one, or any number after none.
    ///
    /// # Shapes
    /// `qkv`: `[1, seq, 3 * d_model]`; the result: `[1, seq, d_model]`
    ///
    /// # Panics
    /// If there are several tokens after others, or more than the context has room for.
    pub fn attend(&mut self, qkv: Tensor<3>, n_heads: usize) -> Tensor<3> {
        let [_, seq, _] = qkv.dims();
        assert!(self.is_empty() || seq == 1, "several tokens after {} others", self.len);
        assert!(self.len + seq <= self.context, "no room for {seq} tokens after {}", self.len);
        let before = self.len;
        self.len += seq;
        if !is_cpu(&qkv.device()) && is_fused(&qkv, n_heads) {
            let context = self.context;
            let held = self.held.take();
            let held = match held {
                Some(Held::Gpu(held)) => held,
                _ => KeyValues::new(&qkv, n_heads, context),
            };
            let z = if seq == 1 {
                held.attend(qkv, before)
            } else {
                held.store(&qkv);
                attend(qkv, n_heads, &Mask::causal(None), 0.0)
            };
            self.held = Some(Held::Gpu(held));
            return z;
        }
        let [q, mut k, mut v] = split_qkv(qkv);
        if let Some(Held::Tensors(keys, values)) = self.held.take() {
            k = Tensor::cat(vec![keys, k], 1);
            v = Tensor::cat(vec![values, v], 1);
        }
        self.held = Some(Held::Tensors(k.clone(), v.clone()));
        let mask = (seq > 1).then(|| Mask::causal(None));
        reference(q, k, v, n_heads, mask.as_ref(), 0.0)
    }
}
