//! Attention on the CPU, a row of a batch and a head at a time.
//!
//! No pattern is stored: the backward pass computes it again from the sum of each row (Dao et al.
//! 2022), of the lower triangle alone.

mod backward;
mod dropped;
mod forward;
mod heads;
mod program;
mod scores;

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use crate::base::parallel::for_each;
use crate::kernel::dropout::Dropout;
use crate::kernel::fused;
use crate::kernel::fused::Fused;
use backward::Backward;
use dropped::Dropped;
use forward::Forward;
use heads::{Heads, Outputs};
use scores::added;

/// Attention on the CPU.
#[derive(Clone, Debug)]
pub struct Attend {
    pub n_heads: usize,
    /// Keys that a query sees, its own among them: 1 to `seq`.
    pub window: usize,
    pub hidden: Option<Arc<[bool]>>, // [batch, key]
    pub dropout: Dropout,
}

impl Attend {
    fn heads(&self, [_, seq, width]: [usize; 3]) -> Heads {
        Heads {
            seq,
            window: self.window,
            n_heads: self.n_heads,
            d_head: width / (3 * self.n_heads),
        }
    }
}

impl Fused<Flex, 1> for Attend {
    /// The output, and its `log_sums`.
    type Saved = (FlexTensor, Vec<f32>);

    fn forward(&self, [qkv]: &[FlexTensor; 1]) -> (FlexTensor, Self::Saved) {
        let shape @ [batch, seq, width] = fused::dims(qkv);
        let (z, log_sums) =
            forward(self.heads(shape), fused::values(qkv), self.hidden.as_deref(), self.dropout);
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
        let gradient = backward(self.heads(shape), qkv, hidden, self.dropout, outputs);
        [Some(fused::tensor(gradient, shape))]
    }
}

/// `z` and the `log_sums` of a whole batch, from its queries, keys and values; `hidden`:
/// `[batch, key]`.
fn forward(
    heads: Heads,
    qkv: &[f32],
    hidden: Option<&[bool]>,
    dropout: Dropout,
) -> (Vec<f32>, Vec<f32>) {
    let size = heads.seq * heads.d_model();
    let mut z = vec![0.0; qkv.len() / 3];
    let mut log_sums = vec![0.0; z.len() / heads.d_head];
    let rows = z.chunks_exact_mut(size).zip(log_sums.chunks_exact_mut(size / heads.d_head));
    for_each(rows.collect(), |row, (z, log_sums)| {
        let qkv = part(qkv, row, 3 * size);
        let added = added(heads, hidden.map(|hidden| part(hidden, row, heads.seq)));
        let mut scratch = Forward::new(heads);
        for (head, log_sums) in log_sums.chunks_exact_mut(heads.seq).enumerate() {
            let dropped = Dropped::new(dropout, heads, row, head);
            scratch.load(heads, head, qkv, dropped);
            scratch.compute(heads, head, qkv, &added, z, log_sums);
        }
    });
    (z, log_sums)
}

/// The gradient by the queries, keys and values of a whole batch, from that by `z`.
fn backward(
    heads: Heads,
    qkv: &[f32],
    hidden: Option<&[bool]>,
    dropout: Dropout,
    outputs: Outputs,
) -> Vec<f32> {
    let size = heads.seq * heads.d_model();
    let mut gradient = vec![0.0; qkv.len()];
    for_each(gradient.chunks_exact_mut(3 * size).collect(), |row, gradient| {
        let outputs = Outputs {
            z: part(outputs.z, row, size),
            dz: part(outputs.dz, row, size),
            log_sums: part(outputs.log_sums, row, size / heads.d_head),
        };
        let added = added(heads, hidden.map(|hidden| part(hidden, row, heads.seq)));
        let mut scratch = Backward::new(heads);
        for head in 0..heads.n_heads {
            scratch.load(heads, head, part(qkv, row, 3 * size), outputs);
            let dropped = Dropped::new(dropout, heads, row, head);
            scratch.compute(heads, &added, dropped);
            scratch.store(heads, head, gradient);
        }
    });
    gradient
}

fn part<T>(x: &[T], index: usize, size: usize) -> &[T] {
    &x[index * size..][..size]
}
