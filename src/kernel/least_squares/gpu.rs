//! Least squares on a GPU: one kernel forward and three backward, of which the last adds up the gradient by α.

mod backward;
mod forward;

use burn::backend::Cube;
use burn::backend::tensor::IntTensor;
use burn::tensor::{Int, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::kernel::fused::{Fused, primitive};
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups, ints, part_of, together};

#[derive(Clone, Debug)]
pub struct Attend {
    n_heads: usize,
    hidden: Option<IntTensor<Cube>>, // [batch, seq]
}

/// Results of the forward pass: outputs, `[batch, seq, width]`, and from `saved` on gains, parts of values that were not
/// predicted, and `A⁻¹ q`, `[batch, seq, 3 * width]`.
#[derive(Clone, Debug)]
pub struct Saved {
    all: GpuTensor,
    saved: usize,
}

impl Attend {
    pub fn new(n_heads: usize, hidden: Option<Tensor<2, Int>>) -> Self {
        Self { n_heads, hidden: hidden.map(ints) }
    }

    fn d_head(&self, width: usize) -> usize {
        width / 3 / self.n_heads
    }

    /// Outputs with what is saved, and the state after the tokens, if `keeps`.
    fn outputs(
        &self,
        [qkv, gamma, log_ridge]: [&GpuTensor; 3],
        state: Option<&GpuTensor>,
        keeps: bool,
    ) -> (Saved, GpuTensor) {
        let [batch, seq, width] = dims(qkv);
        let d_head = self.d_head(width);
        let shape = [self.n_heads, 2 * d_head, d_head];
        let states = if keeps { shape.iter().product() } else { 0 };
        let (all, [_, saved, after]) =
            together(qkv, [batch * seq * width / 3, batch * seq * width, states]);
        forward::forward::launch(
            &qkv.client,
            groups(batch * self.n_heads),
            CubeDim::new_1d(d_head as u32),
            arg(qkv),
            arg(gamma),
            arg(log_ridge),
            arg(self.hidden.as_ref().unwrap_or(qkv)),
            arg(state.unwrap_or(qkv)),
            arg(&all),
            batch,
            seq,
            self.n_heads,
            saved,
            after,
            d_head,
            self.hidden.is_some(),
            state.is_some(),
            keeps,
        );
        let after = if keeps { part_of(&all, after, shape) } else { all.clone() };
        (Saved { all, saved }, after)
    }
}

impl Saved {
    fn z(&self, [batch, seq, width]: [usize; 3]) -> GpuTensor {
        part_of(&self.all, 0, [batch, seq, width / 3])
    }
}

impl Fused<Cube, 3> for Attend {
    type Saved = Saved;

    fn forward(&self, inputs: &[GpuTensor; 3]) -> (GpuTensor, Saved) {
        let (saved, _) = self.outputs(inputs.each_ref(), None, false);
        (saved.z(dims(&inputs[0])), saved)
    }

    fn backward(
        &self,
        [qkv, gamma, log_ridge]: &[GpuTensor; 3],
        Saved { all, saved }: &Saved,
        dz: &GpuTensor,
    ) -> [Option<GpuTensor>; 3] {
        let shape @ [batch, seq, width] = dims(qkv);
        let (d_head, n_heads) = (self.d_head(width), self.n_heads);
        let by_qkv = empty(qkv, shape);
        let (by_all, [of_gamma, of_rows]) = together(qkv, [batch * seq * n_heads, batch * n_heads]);
        let by_log_ridge = empty(qkv, [n_heads]);
        backward::by_queries::launch(
            &qkv.client,
            groups((batch * width / 3).div_ceil(backward::BLOCK)),
            CubeDim::new_1d(backward::BLOCK as u32),
            arg(all),
            arg(dz),
            arg(&by_qkv),
            batch,
            seq,
            n_heads,
            *saved,
            d_head,
        );
        backward::by_keys::launch(
            &qkv.client,
            groups(batch * n_heads),
            CubeDim::new_1d(d_head as u32),
            arg(qkv),
            arg(gamma),
            arg(self.hidden.as_ref().unwrap_or(qkv)),
            arg(all),
            arg(dz),
            arg(&by_qkv),
            arg(&by_all),
            batch,
            seq,
            n_heads,
            *saved,
            of_rows,
            d_head,
            self.hidden.is_some(),
        );
        backward::by_log_ridge::launch(
            &qkv.client,
            groups(n_heads.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(&by_all),
            arg(log_ridge),
            arg(&by_log_ridge),
            batch,
            n_heads,
            of_rows,
        );
        let by_gamma = part_of(&by_all, of_gamma, [batch, seq, n_heads]);
        [Some(by_qkv), Some(by_gamma), Some(by_log_ridge)]
    }
}

pub fn follow(
    qkv: Tensor<3>,
    gamma: Tensor<3>,
    log_ridge: Tensor<1>,
    state: Option<Tensor<3>>,
) -> (Tensor<3>, Tensor<3>) {
    let [n_heads] = log_ridge.dims();
    let inputs = [qkv.into_dispatch(), gamma.into_dispatch(), log_ridge.into_dispatch()];
    let inputs = inputs.map(primitive::<Cube>);
    let state = state.map(|state| primitive::<Cube>(state.into_dispatch()));
    let attend = Attend { n_heads, hidden: None };
    let (saved, after) = attend.outputs(inputs.each_ref(), state.as_ref(), true);
    let z = saved.z(dims(&inputs[0]));
    (Tensor::from_primitive::<Cube>(z), Tensor::from_primitive::<Cube>(after))
}
