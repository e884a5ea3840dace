//! Linear attention on a GPU: two kernels forward, of which the first maps queries and keys, and one backward. A unit
//! follows one row or one column of a head's state through all tokens.

use burn::backend::Cube;
use burn::backend::tensor::IntTensor;
use burn::tensor::{Int, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::arch::mixer::FeatureMap;
use crate::kernel::fused::{Fused, primitive};
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups, ints};

/// Units of a group that follow a state.
const BLOCK: usize = 64;

#[derive(Clone, Debug)]
pub struct Attend {
    n_heads: usize,
    map: FeatureMap,
    hidden: Option<IntTensor<Cube>>, // [batch, key]
}

/// Results of the forward pass that the backward pass needs besides the inputs.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Queries and keys through the feature map, and values: `[batch, seq, 3 * width]`.
    mapped: GpuTensor,
    z: GpuTensor,
    /// Sums of the weights of every head, if the map has them: `[batch, seq, n_heads]`.
    totals: GpuTensor,
}

/// A head, by which a kernel is compiled: a unit keeps vectors of its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Head {
    d_head: usize,
    is_elu: bool,
}

impl Attend {
    pub fn new(n_heads: usize, map: FeatureMap, hidden: Option<Tensor<2, Int>>) -> Self {
        Self { n_heads, map, hidden: hidden.map(ints) }
    }

    fn head(&self, width: usize) -> Head {
        Head { d_head: width / 3 / self.n_heads, is_elu: self.map == FeatureMap::Elu }
    }

    /// Queries and keys through the map, and values.
    fn mapped(&self, qkv: &GpuTensor) -> GpuTensor {
        let shape @ [batch, seq, width] = dims(qkv);
        let mapped = empty(qkv, shape);
        map::launch(
            &qkv.client,
            groups((batch * seq * width).div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(qkv),
            arg(self.hidden.as_ref().unwrap_or(qkv)),
            arg(&mapped),
            batch * seq,
            self.n_heads,
            self.head(width),
            self.hidden.is_some(),
        );
        mapped
    }

    /// Outputs, totals, and the state after the tokens, if `keeps`.
    fn outputs(
        &self,
        mapped: &GpuTensor,
        state: Option<&GpuTensor>,
        keeps: bool,
    ) -> [GpuTensor; 3] {
        let [batch, seq, width] = dims(mapped);
        let head @ Head { d_head, is_elu } = self.head(width);
        let z = empty(mapped, [batch, seq, width / 3]);
        let totals = empty(mapped, [if is_elu { batch * seq * self.n_heads } else { 1 }]);
        let after = empty(mapped, if keeps { [self.n_heads, d_head, d_head + 1] } else { [1, 1, 1] });
        forward::launch(
            &mapped.client,
            groups((batch * width / 3).div_ceil(BLOCK)),
            CubeDim::new_1d(BLOCK as u32),
            arg(mapped),
            arg(state.unwrap_or(mapped)),
            arg(&z),
            arg(&totals),
            arg(&after),
            batch,
            seq,
            self.n_heads,
            head,
            state.is_some(),
            keeps,
        );
        [z, totals, after]
    }
}

impl Fused<Cube, 1> for Attend {
    type Saved = Saved;

    fn forward(&self, [qkv]: &[GpuTensor; 1]) -> (GpuTensor, Saved) {
        let mapped = self.mapped(qkv);
        let [z, totals, _] = self.outputs(&mapped, None, false);
        (z.clone(), Saved { mapped, z, totals })
    }

    fn backward(
        &self,
        [qkv]: &[GpuTensor; 1],
        Saved { mapped, z, totals }: &Saved,
        dz: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        let shape @ [batch, seq, width] = dims(qkv);
        let gradient = empty(qkv, shape);
        backward::launch(
            &qkv.client,
            groups((batch * width).div_ceil(BLOCK)),
            CubeDim::new_1d(BLOCK as u32),
            arg(mapped),
            arg(self.hidden.as_ref().unwrap_or(mapped)),
            arg(z),
            arg(dz),
            arg(totals),
            arg(&gradient),
            batch,
            seq,
            self.n_heads,
            self.head(width),
            self.hidden.is_some(),
        );
        [Some(gradient)]
    }
}

pub fn follow(
    qkv: Tensor<3>,
    n_heads: usize,
    map: FeatureMap,
    state: Option<Tensor<3>>,
) -> (Tensor<3>, Tensor<3>) {
    let attend = Attend { n_heads, map, hidden: None };
    let mapped = attend.mapped(&primitive::<Cube>(qkv.into_dispatch()));
    let state = state.map(|state| primitive::<Cube>(state.into_dispatch()));
    let [z, _, after] = attend.outputs(&mapped, state.as_ref(), true);
    (Tensor::from_primitive::<Cube>(z), Tensor::from_primitive::<Cube>(after))
}

/// A unit for each number of each token.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
#[allow(clippy::collapsible_if, reason = "the outer condition is known as the kernel is compiled")]
fn map(
    qkv: &[f32],
    hidden: &[i32],
    mapped: &mut [f32],
    tokens: usize,
    n_heads: usize,
    #[comptime] head: Head,
    #[comptime] hides: bool,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    let width = n_heads * head.d_head;
    if at < tokens * 3 * width {
        let part = at / width % 3;
        let x = qkv[at];
        let mut value = x;
        if comptime![head.is_elu] {
            if part < 2 {
                value = select(x > 0.0, x + 1.0, x.min(0.0).exp());
            }
        } else if part == 0 {
            value = x / comptime![(head.d_head as f32).sqrt()].runtime();
        }
        if comptime![hides] {
            if part == 1 && hidden[at / (3 * width)] != 0 {
                value = 0.0;
            }
        }
        mapped[at] = value;
    }
}

/// A unit for each number of each head's outputs: it keeps that column of the state, and the sum of the keys.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn forward(
    mapped: &[f32],
    before: &[f32],
    z: &mut [f32],
    totals: &mut [f32],
    after: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    #[comptime] head: Head,
    #[comptime] follows: bool,
    #[comptime] keeps: bool,
) {
    let unit = CUBE_POS * BLOCK + UNIT_POS as usize;
    let width = n_heads * head.d_head;
    if unit < batch * width {
        let row = unit / width;
        let column = unit % width;
        let of_head = column / head.d_head;
        let own = column % head.d_head;
        let columns = comptime![head.d_head + 1].runtime();
        let start = of_head * head.d_head * columns;
        let mut state = Array::<f32>::new(head.d_head);
        let mut keys = Array::<f32>::new(head.d_head);
        for d in 0..head.d_head {
            state[d] = 0.0;
            keys[d] = 0.0;
            if comptime![follows] {
                state[d] = before[start + d * columns + own];
                keys[d] = before[start + d * columns + head.d_head];
            }
        }
        for token in 0..seq {
            let at = (row * seq + token) * 3 * width;
            let query = at + of_head * head.d_head;
            let value = mapped[at + 2 * width + column];
            let mut sum = 0.0f32;
            let mut total = 0.0f32;
            for d in 0..head.d_head {
                let key = mapped[query + width + d];
                state[d] += key * value;
                keys[d] += key;
                sum += mapped[query + d] * state[d];
                total += mapped[query + d] * keys[d];
            }
            if comptime![head.is_elu] {
                sum /= total;
                if own == 0 {
                    totals[(row * seq + token) * n_heads + of_head] = total;
                }
            }
            z[(row * seq + token) * width + column] = sum;
        }
        if comptime![keeps] {
            for d in 0..head.d_head {
                after[start + d * columns + own] = state[d];
                if own == 0 {
                    after[start + d * columns + head.d_head] = keys[d];
                }
            }
        }
    }
}

/// A unit for each number of each head's queries, keys and values, for the gradient by it: a query's goes forward
/// through the tokens, the others' from the end.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
#[allow(clippy::collapsible_if, reason = "the outer condition is known as the kernel is compiled")]
fn backward(
    mapped: &[f32],
    hidden: &[i32],
    z: &[f32],
    dz: &[f32],
    totals: &[f32],
    gradient: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    #[comptime] head: Head,
    #[comptime] hides: bool,
) {
    let unit = CUBE_POS * BLOCK + UNIT_POS as usize;
    let width = n_heads * head.d_head;
    if unit < 3 * batch * width {
        let part = unit / (batch * width);
        let row = unit % (batch * width) / width;
        let column = unit % width;
        let of_head = column / head.d_head;
        // A row of the state of a query or a key, a column of that of a value; and the sum that goes with the totals.
        let mut state = Array::<f32>::new(head.d_head);
        let mut rest = 0.0f32;
        for d in 0..head.d_head {
            state[d] = 0.0;
        }
        for step in 0..seq {
            let token = select(part == 0, step, seq - 1 - step);
            let at = (row * seq + token) * 3 * width;
            let first = at + of_head * head.d_head;
            let output = (row * seq + token) * width + of_head * head.d_head;
            let mut total = 1.0f32;
            if comptime![head.is_elu] {
                total = totals[(row * seq + token) * n_heads + of_head];
            }
            let mut sum = 0.0f32;
            if part == 0 {
                let key = mapped[at + width + column];
                rest += key;
                for d in 0..head.d_head {
                    state[d] += key * mapped[first + 2 * width + d];
                    let mut by_state = state[d];
                    if comptime![head.is_elu] {
                        by_state -= rest * z[output + d];
                    }
                    sum += by_state * dz[output + d];
                }
                sum /= total;
            } else if part == 1 {
                let query = mapped[at + column] / total;
                for d in 0..head.d_head {
                    let by_output = query * dz[output + d];
                    state[d] += by_output;
                    if comptime![head.is_elu] {
                        rest -= by_output * z[output + d];
                    }
                    sum += state[d] * mapped[first + 2 * width + d];
                }
                sum += rest;
            } else {
                let by_output = dz[(row * seq + token) * width + column] / total;
                for d in 0..head.d_head {
                    state[d] += mapped[first + d] * by_output;
                    sum += state[d] * mapped[first + width + d];
                }
            }
            let place = at + part * width + column;
            if comptime![head.is_elu] {
                if part < 2 {
                    sum *= mapped[place].min(1.0);
                }
            } else if part == 0 {
                sum /= comptime![(head.d_head as f32).sqrt()].runtime();
            }
            if comptime![hides] {
                if part == 1 && hidden[row * seq + token] != 0 {
                    sum = 0.0;
                }
            }
            gradient[place] = sum;
        }
    }
}
