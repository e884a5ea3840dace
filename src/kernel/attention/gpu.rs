//! Attention on a GPU: one kernel forward, and one backward.
//!
//! A unit computes a query, or the gradients by a key, and stores no pattern; the others of its
//! group share what it reads (Dao et al. 2022).

mod backward;
mod forward;
mod head;

use burn::backend::Cube;
use burn::backend::tensor::IntTensor;
use burn::tensor::{Int, Tensor};
use burn_cubecl::cubecl::prelude::*;

use crate::kernel::dropout::Dropout;
use crate::kernel::fused::Fused;
use crate::kernel::gpu::{GpuTensor, arg, dims, empty, groups, ints};
use head::DroppedLaunch;
pub use head::{BLOCK, Head};

#[derive(Clone, Debug)]
pub struct Attend {
    n_heads: usize,
    /// Keys that a query sees, its own among them: 1 to `seq`.
    window: usize,
    hidden: Option<IntTensor<Cube>>, // [batch, key]
    dropout: Dropout,
}

impl Attend {
    pub fn new(
        n_heads: usize,
        window: usize,
        hidden: Option<Tensor<2, Int>>,
        dropout: Dropout,
    ) -> Self {
        Self { n_heads, window, hidden: hidden.map(ints), dropout }
    }

    fn head(&self, width: usize) -> Head {
        Head { d_head: width / (3 * self.n_heads) }
    }

    fn dropped(&self) -> DroppedLaunch {
        let dropout = self.dropout;
        DroppedLaunch::new(dropout.seed(), dropout.threshold(), dropout.scale(), dropout.row())
    }

    /// The hidden keys, or anything: not what the kernel writes, which must not be read as well.
    fn hidden_or(&self, other: &GpuTensor) -> BufferArg {
        arg(self.hidden.as_ref().unwrap_or(other))
    }
}

impl Fused<Cube, 1> for Attend {
    /// The output, and the logarithm of the sum of every query's `e^score`: `[batch, head, seq]`.
    type Saved = (GpuTensor, GpuTensor);

    fn forward(&self, [qkv]: &[GpuTensor; 1]) -> (GpuTensor, Self::Saved) {
        let [batch, seq, width] = dims(qkv);
        let z = empty(qkv, [batch, seq, width / 3]);
        let log_sums = empty(qkv, [batch, self.n_heads, seq]);
        forward::attend::launch(
            &qkv.client,
            groups(batch * self.n_heads * seq.div_ceil(BLOCK)),
            CubeDim::new_1d(BLOCK as u32),
            arg(qkv),
            self.hidden_or(qkv),
            arg(&z),
            arg(&log_sums),
            batch,
            seq,
            self.n_heads,
            self.window,
            self.dropped(),
            self.head(width),
            self.hidden.is_some(),
            !self.dropout.is_none(),
        );
        (z.clone(), (z, log_sums))
    }

    fn backward(
        &self,
        [qkv]: &[GpuTensor; 1],
        (z, log_sums): &Self::Saved,
        dz: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        let shape @ [batch, seq, width] = dims(qkv);
        let gradient = empty(qkv, shape);
        backward::attend::launch(
            &qkv.client,
            groups(2 * batch * self.n_heads * seq.div_ceil(BLOCK)),
            CubeDim::new_1d(BLOCK as u32),
            arg(qkv),
            self.hidden_or(z),
            arg(z),
            arg(log_sums),
            arg(dz),
            arg(&gradient),
            batch,
            seq,
            self.n_heads,
            self.window,
            self.dropped(),
            self.head(width),
            self.hidden.is_some(),
            !self.dropout.is_none(),
        );
        [Some(gradient)]
    }
}
