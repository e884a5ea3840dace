//! The delta rule on the CPU, a row of a batch and a head at a time, token by token.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::arch::mixer::LENGTH_EPS;
use crate::base::parallel::for_each;
use crate::kernel::fused::{self, Fused, primitive};

#[derive(Clone, Debug)]
pub struct Attend {
    pub n_heads: usize,
}

/// Sizes of one row of a batch.
#[derive(Clone, Copy)]
struct Sizes {
    seq: usize,
    n_heads: usize,
    d_head: usize,
}

/// Results of the forward pass that the backward pass needs besides the inputs.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Queries and keys of length 1, and values: `[batch, seq, 3 * n_heads * d_head]`.
    mapped: Arc<Vec<f32>>,
    /// `w`, the part of each value that the state lacked: `[batch, seq, n_heads * d_head]`.
    lacked: Arc<Vec<f32>>,
}

/// One head of one row.
#[derive(Clone, Copy)]
struct Head<'a> {
    sizes: Sizes,
    head: usize,
    mapped: &'a [f32],
    beta: &'a [f32],
}

impl Sizes {
    fn of(n_heads: usize, [_, seq, width]: [usize; 3]) -> Self {
        Self { seq, n_heads, d_head: width / 3 / n_heads }
    }

    fn width(self) -> usize {
        self.n_heads * self.d_head
    }

    /// Maps the tokens of a row.
    fn map(self, qkv: &[f32]) -> Vec<f32> {
        let mut mapped = qkv.to_vec();
        for token in mapped.chunks_mut(3 * self.width()) {
            for x in token[..2 * self.width()].chunks_mut(self.d_head) {
                x.iter_mut().for_each(|x| *x *= sigmoid(*x));
                let length = (product(x, x) + LENGTH_EPS).sqrt();
                x.iter_mut().for_each(|x| *x /= length);
            }
        }
        mapped
    }

    /// Turns gradients by queries and keys of length 1 into those by what they were made of.
    fn unmap(self, qkv: &[f32], mapped: &[f32], gradient: &mut [f32]) {
        let width = 3 * self.width();
        let tokens = qkv.chunks(width).zip(mapped.chunks(width)).zip(gradient.chunks_mut(width));
        for ((x, unit), gradient) in tokens {
            let heads = x[..2 * self.width()].chunks(self.d_head).zip(unit.chunks(self.d_head));
            for ((x, unit), gradient) in heads.zip(gradient.chunks_mut(self.d_head)) {
                let squares: f32 = x.iter().map(|x| (x * sigmoid(*x)).powi(2)).sum();
                let (length, along) = ((squares + LENGTH_EPS).sqrt(), product(unit, gradient));
                for ((x, unit), gradient) in x.iter().zip(unit).zip(gradient) {
                    let share = sigmoid(*x);
                    let slope = share * (1.0 + x * (1.0 - share));
                    *gradient = (*gradient - unit * along) / length * slope;
                }
            }
        }
    }
}

impl<'a> Head<'a> {
    fn part(self, token: usize, part: usize) -> &'a [f32] {
        &self.mapped[self.place(token, part)]
    }

    /// Place of this head's queries, keys or values in a row.
    fn place(self, token: usize, part: usize) -> std::ops::Range<usize> {
        let Sizes { d_head, .. } = self.sizes;
        let start = (token * 3 + part) * self.sizes.width() + self.head * d_head;
        start..start + d_head
    }

    /// Place of this head's outputs in a row.
    fn output(self, token: usize) -> std::ops::Range<usize> {
        let start = token * self.sizes.width() + self.head * self.sizes.d_head;
        start..start + self.sizes.d_head
    }

    fn strength(self, token: usize) -> f32 {
        self.beta[token * self.sizes.n_heads + self.head]
    }

    /// Outputs, and what the state lacked, after the tokens in `state`: `[d_head, d_head]`.
    fn forward(self, state: &mut [f32], z: &mut [f32], lacked: &mut [f32]) {
        let d_head = self.sizes.d_head;
        for token in 0..self.sizes.seq {
            let [q, k, v] = [0, 1, 2].map(|part| self.part(token, part));
            let (z, lacked) = (&mut z[self.output(token)], &mut lacked[self.output(token)]);
            lacked.copy_from_slice(v);
            for (k, state) in k.iter().zip(state.chunks(d_head)) {
                lacked.iter_mut().zip(state).for_each(|(lacked, state)| *lacked -= k * state);
            }
            let beta = self.strength(token);
            for ((q, k), state) in q.iter().zip(k).zip(state.chunks_mut(d_head)) {
                let strength = beta * k;
                for ((z, state), lacked) in z.iter_mut().zip(state).zip(&*lacked) {
                    *state += strength * lacked;
                    *z += q * *state;
                }
            }
        }
    }

    /// Gradients by queries and keys of length 1, values and strengths, from the last token to the first: `G` is the
    /// gradient by the state, which is taken back token by token.
    fn backward(self, lacked: &[f32], dz: &[f32], gradient: &mut [f32], by_beta: &mut [f32]) {
        let Sizes { seq, n_heads, d_head } = self.sizes;
        let mut state = vec![0.0; d_head * d_head];
        for token in 0..seq {
            let (k, lacked) = (self.part(token, 1), &lacked[self.output(token)]);
            for (k, state) in k.iter().zip(state.chunks_mut(d_head)) {
                let strength = self.strength(token) * k;
                state
                    .iter_mut()
                    .zip(lacked)
                    .for_each(|(state, lacked)| *state += strength * lacked);
            }
        }
        let mut by_state = vec![0.0; d_head * d_head];
        let mut by_correction = vec![0.0; d_head];
        for token in (0..seq).rev() {
            let [q, k] = [0, 1].map(|part| self.part(token, part));
            let (lacked, dz) = (&lacked[self.output(token)], &dz[self.output(token)]);
            let beta = self.strength(token);
            by_correction.fill(0.0);
            for ((q, k), by_state) in q.iter().zip(k).zip(by_state.chunks_mut(d_head)) {
                for ((by_state, dz), by_correction) in
                    by_state.iter_mut().zip(dz).zip(&mut by_correction)
                {
                    *by_state += q * dz;
                    *by_correction += k * *by_state;
                }
            }
            by_beta[token * n_heads + self.head] = product(&by_correction, lacked);
            for (key, k) in k.iter().enumerate() {
                let own = key * d_head..(key + 1) * d_head;
                let (state, by_state) = (&mut state[own.clone()], &mut by_state[own]);
                gradient[self.place(token, 0)][key] = product(state, dz);
                let mut by_key = 0.0;
                let lists = state.iter_mut().zip(by_state).zip(lacked).zip(&by_correction);
                for (((state, by_state), lacked), by_correction) in lists {
                    let (correction, by_lacked) = (beta * lacked, beta * by_correction);
                    *state -= k * correction;
                    by_key += *by_state * correction - *state * by_lacked;
                    *by_state -= k * by_lacked;
                }
                gradient[self.place(token, 1)][key] = by_key;
            }
            let by_value = gradient[self.place(token, 2)].iter_mut().zip(&by_correction);
            by_value.for_each(|(by_value, by_correction)| *by_value = beta * by_correction);
        }
    }
}

impl Fused<Flex, 2> for Attend {
    type Saved = Saved;

    fn forward(&self, [qkv, beta]: &[FlexTensor; 2]) -> (FlexTensor, Saved) {
        let shape @ [batch, seq, width] = fused::dims(qkv);
        let sizes = Sizes::of(self.n_heads, shape);
        let (values, beta) = (fused::values(qkv), fused::values(beta));
        let mut mapped = vec![Vec::new(); batch];
        let [mut z, mut lacked] = [(); 2].map(|()| vec![0.0; values.len() / 3]);
        let size = (seq * width / 3).max(1);
        let rows = mapped.iter_mut().zip(z.chunks_mut(size)).zip(lacked.chunks_mut(size)).collect();
        for_each(rows, |row, ((mapped, z), lacked): ((&mut Vec<f32>, &mut [f32]), &mut [f32])| {
            *mapped = sizes.map(part(values, row, seq * width));
            let beta = part(beta, row, seq * sizes.n_heads);
            for head in 0..sizes.n_heads {
                let mut state = vec![0.0; sizes.d_head * sizes.d_head];
                Head { sizes, head, mapped, beta }.forward(&mut state, z, lacked);
            }
        });
        let saved = Saved { mapped: Arc::new(mapped.concat()), lacked: Arc::new(lacked) };
        (fused::tensor(z, [batch, seq, width / 3]), saved)
    }

    fn backward(
        &self,
        [qkv, beta]: &[FlexTensor; 2],
        Saved { mapped, lacked }: &Saved,
        dz: &FlexTensor,
    ) -> [Option<FlexTensor>; 2] {
        let shape @ [batch, seq, width] = fused::dims(qkv);
        let sizes = Sizes::of(self.n_heads, shape);
        let (values, beta, dz) = (fused::values(qkv), fused::values(beta), fused::values(dz));
        let mut gradient = vec![0.0; mapped.len()];
        let mut by_beta = vec![0.0; beta.len()];
        let of_beta = seq * sizes.n_heads;
        let rows = gradient.chunks_mut((seq * width).max(1));
        let rows = rows.zip(by_beta.chunks_mut(of_beta.max(1))).collect();
        for_each(rows, |row, (gradient, by_beta): (&mut [f32], &mut [f32])| {
            let mapped = part(mapped, row, seq * width);
            let [lacked, dz] = [&lacked[..], dz].map(|x| part(x, row, seq * width / 3));
            let beta = part(beta, row, of_beta);
            for head in 0..sizes.n_heads {
                Head { sizes, head, mapped, beta }.backward(lacked, dz, gradient, by_beta);
            }
            sizes.unmap(part(values, row, seq * width), mapped, gradient);
        });
        let by_beta = fused::tensor(by_beta, [batch, seq, sizes.n_heads]);
        [Some(fused::tensor(gradient, shape)), Some(by_beta)]
    }
}

pub fn follow(qkv: Tensor<3>, beta: Tensor<3>, state: Option<Tensor<3>>) -> (Tensor<3>, Tensor<3>) {
    let (shape @ [_, seq, width], [_, _, n_heads]) = (qkv.dims(), beta.dims());
    let sizes @ Sizes { d_head, .. } = Sizes::of(n_heads, shape);
    let [qkv, beta] = [qkv, beta].map(|x| primitive::<Flex>(x.into_dispatch()));
    let mapped = sizes.map(fused::values(&qkv));
    let mut state = match state {
        Some(state) => fused::values(&primitive::<Flex>(state.into_dispatch())).to_vec(),
        None => vec![0.0; n_heads * d_head * d_head],
    };
    let [mut z, mut lacked] = [(); 2].map(|()| vec![0.0; seq * width / 3]);
    for (head, state) in state.chunks_mut(d_head * d_head).enumerate() {
        let head = Head { sizes, head, mapped: &mapped, beta: fused::values(&beta) };
        head.forward(state, &mut z, &mut lacked);
    }
    let tensor =
        |values, shape: [usize; 3]| Tensor::from_primitive::<Flex>(fused::tensor(values, shape));
    (tensor(z, [1, seq, width / 3]), tensor(state, [n_heads, d_head, d_head]))
}

fn part(x: &[f32], row: usize, size: usize) -> &[f32] {
    &x[row * size..][..size]
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn product(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
