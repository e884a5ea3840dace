//! The delta rule on a GPU: two kernels forward, of which the first maps queries and keys, and three backward. A unit follows
//! one row or one column of a head's state through all tokens.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::arch::mixer::LENGTH_EPS;
use crate::kernel::fused::{Fused, primitive};
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups};

/// Units of a group that follow a state.
const BLOCK: usize = 64;

#[derive(Clone, Debug)]
pub struct Attend {
    pub n_heads: usize,
}

/// Results of the forward pass that the backward pass needs besides the inputs.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Queries and keys of length 1: `[batch, seq, 2 * n_heads * d_head]`.
    mapped: GpuTensor,
    /// Part of each value that the state lacked: `[batch, seq, n_heads * d_head]`.
    lacked: GpuTensor,
}

/// The width of a head, by which a kernel is compiled: a unit keeps vectors of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Head {
    d_head: usize,
}

impl Attend {
    fn head(&self, width: usize) -> Head {
        Head { d_head: width / 3 / self.n_heads }
    }

    /// Queries and keys of length 1.
    fn mapped(&self, qkv: &GpuTensor) -> GpuTensor {
        let [batch, seq, width] = dims(qkv);
        let mapped = empty(qkv, [batch, seq, width / 3 * 2]);
        let vectors = batch * seq * 2 * self.n_heads;
        map::launch(
            &qkv.client,
            groups(vectors.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(qkv),
            arg(&mapped),
            vectors,
            self.n_heads,
            self.head(width),
        );
        mapped
    }

    /// Outputs, what the state lacked, and the state after the tokens, if `keeps`.
    fn outputs(
        &self,
        [qkv, beta, mapped]: [&GpuTensor; 3],
        state: Option<&GpuTensor>,
        keeps: bool,
    ) -> [GpuTensor; 3] {
        let [batch, seq, width] = dims(qkv);
        let head @ Head { d_head } = self.head(width);
        let [z, lacked] = [(); 2].map(|()| empty(qkv, [batch, seq, width / 3]));
        let after = empty(qkv, if keeps { [self.n_heads, d_head, d_head] } else { [1, 1, 1] });
        forward::launch(
            &qkv.client,
            groups((batch * width / 3).div_ceil(BLOCK)),
            CubeDim::new_1d(BLOCK as u32),
            arg(qkv),
            arg(beta),
            arg(mapped),
            arg(state.unwrap_or(mapped)),
            arg(&z),
            arg(&lacked),
            arg(&after),
            batch,
            seq,
            self.n_heads,
            head,
            state.is_some(),
            keeps,
        );
        [z, lacked, after]
    }
}

impl Fused<Cube, 2> for Attend {
    type Saved = Saved;

    fn forward(&self, [qkv, beta]: &[GpuTensor; 2]) -> (GpuTensor, Saved) {
        let mapped = self.mapped(qkv);
        let [z, lacked, _] = self.outputs([qkv, beta, &mapped], None, false);
        (z, Saved { mapped, lacked })
    }

    fn backward(
        &self,
        [qkv, beta]: &[GpuTensor; 2],
        Saved { mapped, lacked }: &Saved,
        dz: &GpuTensor,
    ) -> [Option<GpuTensor>; 2] {
        let shape @ [batch, seq, width] = dims(qkv);
        let (head, n_heads) = (self.head(width), self.n_heads);
        let (gradient, by_beta) = (empty(qkv, shape), empty(qkv, [batch, seq, n_heads]));
        let by_correction = empty(qkv, [batch, seq, width / 3]);
        let columns = groups((batch * width / 3).div_ceil(BLOCK));
        by_values::launch(
            &qkv.client,
            columns.clone(),
            CubeDim::new_1d(BLOCK as u32),
            arg(beta),
            arg(mapped),
            arg(dz),
            arg(&gradient),
            arg(&by_correction),
            batch,
            seq,
            n_heads,
            head,
        );
        by_keys::launch(
            &qkv.client,
            columns,
            CubeDim::new_1d(BLOCK as u32),
            arg(beta),
            arg(mapped),
            arg(lacked),
            arg(dz),
            arg(&by_correction),
            arg(&gradient),
            arg(&by_beta),
            batch,
            seq,
            n_heads,
            head,
        );
        let vectors = batch * seq * 2 * n_heads;
        unmap::launch(
            &qkv.client,
            groups(vectors.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(qkv),
            arg(mapped),
            arg(&gradient),
            vectors,
            n_heads,
            head,
        );
        [Some(gradient), Some(by_beta)]
    }
}

pub fn follow(qkv: Tensor<3>, beta: Tensor<3>, state: Option<Tensor<3>>) -> (Tensor<3>, Tensor<3>) {
    let [_, _, n_heads] = beta.dims();
    let attend = Attend { n_heads };
    let [qkv, beta] = [qkv, beta].map(|x| primitive::<Cube>(x.into_dispatch()));
    let mapped = attend.mapped(&qkv);
    let state = state.map(|state| primitive::<Cube>(state.into_dispatch()));
    let [z, _, after] = attend.outputs([&qkv, &beta, &mapped], state.as_ref(), true);
    (Tensor::from_primitive::<Cube>(z), Tensor::from_primitive::<Cube>(after))
}

#[cube]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// A unit for each head's query or key of each token.
#[cube(launch)]
fn map(qkv: &[f32], mapped: &mut [f32], vectors: usize, n_heads: usize, #[comptime] head: Head) {
    let vector = CUBE_POS * UNITS + UNIT_POS as usize;
    if vector < vectors {
        let width = n_heads * head.d_head;
        let token = vector / (2 * n_heads);
        let within = vector % (2 * n_heads) * head.d_head;
        let from = token * 3 * width + within;
        let to = token * 2 * width + within;
        let mut squares = comptime![LENGTH_EPS].runtime();
        for d in 0..head.d_head {
            let x = qkv[from + d];
            let x = x * sigmoid(x);
            squares += x * x;
        }
        let length = squares.sqrt();
        for d in 0..head.d_head {
            let x = qkv[from + d];
            mapped[to + d] = x * sigmoid(x) / length;
        }
    }
}

/// The same units, which turn gradients by queries and keys of length 1 into those by what they were made of.
#[cube(launch)]
fn unmap(
    qkv: &[f32],
    mapped: &[f32],
    gradient: &mut [f32],
    vectors: usize,
    n_heads: usize,
    #[comptime] head: Head,
) {
    let vector = CUBE_POS * UNITS + UNIT_POS as usize;
    if vector < vectors {
        let width = n_heads * head.d_head;
        let token = vector / (2 * n_heads);
        let within = vector % (2 * n_heads) * head.d_head;
        let from = token * 3 * width + within;
        let unit = token * 2 * width + within;
        let mut squares = comptime![LENGTH_EPS].runtime();
        let mut along = 0.0f32;
        for d in 0..head.d_head {
            let x = qkv[from + d];
            let x = x * sigmoid(x);
            squares += x * x;
            along += mapped[unit + d] * gradient[from + d];
        }
        let length = squares.sqrt();
        for d in 0..head.d_head {
            let x = qkv[from + d];
            let share = sigmoid(x);
            let slope = share * (1.0 + x * (1.0 - share));
            gradient[from + d] = (gradient[from + d] - mapped[unit + d] * along) / length * slope;
        }
    }
}

/// A unit for each number of each head's outputs: it keeps that column of the state.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn forward(
    qkv: &[f32],
    beta: &[f32],
    mapped: &[f32],
    before: &[f32],
    z: &mut [f32],
    lacked: &mut [f32],
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
        let start = of_head * head.d_head * head.d_head;
        let mut state = Array::<f32>::new(head.d_head);
        for d in 0..head.d_head {
            state[d] = 0.0;
            if comptime![follows] {
                state[d] = before[start + d * head.d_head + own];
            }
        }
        for token in 0..seq {
            let place = row * seq + token;
            let query = place * 2 * width + of_head * head.d_head;
            let mut lack = qkv[(place * 3 + 2) * width + column];
            for d in 0..head.d_head {
                lack -= mapped[query + width + d] * state[d];
            }
            let correction = beta[place * n_heads + of_head] * lack;
            let mut sum = 0.0f32;
            for d in 0..head.d_head {
                state[d] += mapped[query + width + d] * correction;
                sum += mapped[query + d] * state[d];
            }
            z[place * width + column] = sum;
            lacked[place * width + column] = lack;
        }
        if comptime![keeps] {
            for d in 0..head.d_head {
                after[start + d * head.d_head + own] = state[d];
            }
        }
    }
}

/// A unit for each number of each head's values, for the gradients by it and by its corrections: it keeps that column of the
/// gradient by the state, from the last token on.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn by_values(
    beta: &[f32],
    mapped: &[f32],
    dz: &[f32],
    gradient: &mut [f32],
    by_correction: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    #[comptime] head: Head,
) {
    let unit = CUBE_POS * BLOCK + UNIT_POS as usize;
    let width = n_heads * head.d_head;
    if unit < batch * width {
        let row = unit / width;
        let column = unit % width;
        let of_head = column / head.d_head;
        let mut by_state = Array::<f32>::new(head.d_head);
        for d in 0..head.d_head {
            by_state[d] = 0.0;
        }
        for step in 0..seq {
            let place = row * seq + seq - 1 - step;
            let query = place * 2 * width + of_head * head.d_head;
            let by_output = dz[place * width + column];
            let mut sum = 0.0f32;
            for d in 0..head.d_head {
                by_state[d] += mapped[query + d] * by_output;
                sum += mapped[query + width + d] * by_state[d];
            }
            let by_lacked = beta[place * n_heads + of_head] * sum;
            for d in 0..head.d_head {
                by_state[d] -= mapped[query + width + d] * by_lacked;
            }
            by_correction[place * width + column] = sum;
            gradient[(place * 3 + 2) * width + column] = by_lacked;
        }
    }
}

/// A unit for each number of each head's queries and keys, for the gradients by both: it keeps that row of the state, which
/// is taken back from the last token on, and of the gradient by it. The first of a head also has the gradient by β.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn by_keys(
    beta: &[f32],
    mapped: &[f32],
    lacked: &[f32],
    dz: &[f32],
    by_correction: &[f32],
    gradient: &mut [f32],
    by_beta: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    #[comptime] head: Head,
) {
    let unit = CUBE_POS * BLOCK + UNIT_POS as usize;
    let width = n_heads * head.d_head;
    if unit < batch * width {
        let row = unit / width;
        let column = unit % width;
        let of_head = column / head.d_head;
        let mut state = Array::<f32>::new(head.d_head);
        let mut by_state = Array::<f32>::new(head.d_head);
        for d in 0..head.d_head {
            state[d] = 0.0;
            by_state[d] = 0.0;
        }
        for token in 0..seq {
            let place = row * seq + token;
            let strength =
                beta[place * n_heads + of_head] * mapped[(place * 2 + 1) * width + column];
            for d in 0..head.d_head {
                state[d] += strength * lacked[place * width + of_head * head.d_head + d];
            }
        }
        for step in 0..seq {
            let place = row * seq + seq - 1 - step;
            let output = place * width + of_head * head.d_head;
            let query = mapped[place * 2 * width + column];
            let key = mapped[(place * 2 + 1) * width + column];
            let strength = beta[place * n_heads + of_head];
            let mut of_query = 0.0f32;
            let mut of_key = 0.0f32;
            let mut of_beta = 0.0f32;
            for d in 0..head.d_head {
                let by_output = dz[output + d];
                let lack = lacked[output + d];
                let by_own = by_correction[output + d];
                of_query += state[d] * by_output;
                state[d] -= key * strength * lack;
                by_state[d] += query * by_output;
                of_key += by_state[d] * strength * lack - state[d] * strength * by_own;
                by_state[d] -= key * strength * by_own;
                of_beta += by_own * lack;
            }
            gradient[place * 3 * width + column] = of_query;
            gradient[(place * 3 + 1) * width + column] = of_key;
            if column == of_head * head.d_head {
                by_beta[place * n_heads + of_head] = of_beta;
            }
        }
    }
}
