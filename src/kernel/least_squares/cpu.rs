//! Least squares on the CPU, a row of a batch and a head at a time, token by token in 64 bits.

use std::ops::Range;
use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::Regression;
use crate::base::parallel::for_each;
use crate::kernel::fused::{self, Fused, primitive};

#[derive(Clone, Debug)]
pub struct Attend {
    pub n_heads: usize,
    pub hidden: Option<Arc<[bool]>>, // [batch, seq]
}

/// Sizes of one row of a batch.
#[derive(Clone, Copy)]
struct Sizes {
    seq: usize,
    n_heads: usize,
    d_head: usize,
}

/// Results of the forward pass that the backward pass needs besides the inputs: `[batch, seq, n_heads * d_head]` each.
#[derive(Clone, Debug)]
pub struct Saved {
    gains: Arc<Vec<f32>>,
    /// Parts of values that were not predicted.
    lacked: Arc<Vec<f32>>,
    /// `A⁻¹ q`.
    solved: Arc<Vec<f32>>,
}

/// One head of one row.
#[derive(Clone, Copy)]
struct Head<'a> {
    sizes: Sizes,
    head: usize,
    qkv: &'a [f32],
    gamma: &'a [f32],
    hidden: Option<&'a [bool]>,
}

/// Gradients of one row.
struct Gradients<'a> {
    by_qkv: &'a mut [f32],
    by_gamma: &'a mut [f32],
    by_log_ridge: &'a mut [f32],
}

impl Sizes {
    fn of(n_heads: usize, [_, seq, width]: [usize; 3]) -> Self {
        Self { seq, n_heads, d_head: width / 3 / n_heads }
    }

    fn width(self) -> usize {
        self.n_heads * self.d_head
    }
}

impl<'a> Head<'a> {
    /// This head's queries, keys or values at `token` in a row.
    fn place(self, token: usize, part: usize) -> Range<usize> {
        let start = (token * 3 + part) * self.sizes.width() + self.head * self.sizes.d_head;
        start..start + self.sizes.d_head
    }

    fn part(self, token: usize, part: usize) -> &'a [f32] {
        &self.qkv[self.place(token, part)]
    }

    /// Place of this head's outputs in a row.
    fn output(self, token: usize) -> Range<usize> {
        let start = token * self.sizes.width() + self.head * self.sizes.d_head;
        start..start + self.sizes.d_head
    }

    fn is_hidden(self, token: usize) -> bool {
        self.hidden.is_some_and(|hidden| hidden[token])
    }

    fn gamma(self, token: usize) -> f64 {
        f64::from(self.gamma[token * self.sizes.n_heads + self.head])
    }

    /// Outputs, gains, what was not predicted and `A⁻¹ q`, after the tokens in `state`.
    fn forward(self, state: &mut Regression, [z, gains, lacked, solved]: [&mut [f32]; 4]) {
        for token in 0..self.sizes.seq {
            let [q, k, v] = [0, 1, 2].map(|part| self.part(token, part));
            let own = self.output(token);
            if !self.is_hidden(token) {
                state.learn(k, v, self.gamma(token));
                narrow(&state.gain, &mut gains[own.clone()]);
                narrow(&state.lacked, &mut lacked[own.clone()]);
            }
            state.predict(q, &mut z[own.clone()]);
            state.solve(q, &mut solved[own]);
        }
    }

    /// Gradients by queries, `w_t = W_t dz_t`, from the first token to the last.
    fn by_queries(self, saved: [&[f32]; 2], dz: &[f32], by_qkv: &mut [f32]) {
        let d_head = self.sizes.d_head;
        let mut weights = vec![0.0f64; d_head * d_head];
        for token in 0..self.sizes.seq {
            let own = self.output(token);
            let [gains, lacked] = saved.map(|x| &x[own.clone()]);
            let rows = weights.chunks_mut(d_head).zip(gains);
            for ((weights, gain), w) in rows.zip(&mut by_qkv[self.place(token, 0)]) {
                let mut sum = 0.0;
                for ((weight, lacked), dz) in weights.iter_mut().zip(lacked).zip(&dz[own.clone()]) {
                    *weight += f64::from(*gain) * f64::from(*lacked);
                    sum += *weight * f64::from(*dz);
                }
                *w = sum as f32;
            }
        }
    }

    /// Gradients by keys, values, γ and ln α, from the last token to the first, with those by queries in `by_qkv`. `G` is the
    /// gradient by `A`, and `H` that by `B`: `G_t = γ_{t+1} G_{t+1} − ½ (w_t u_tᵀ + u_t w_tᵀ)`,
    /// `H_t = γ_{t+1} H_{t+1} + u_t dz_tᵀ`, where `u_t = A_t⁻¹ q_t`.
    fn by_keys(self, solved: &[f32], dz: &[f32], ridge: f64, gradients: &mut Gradients) {
        let Sizes { seq, n_heads, d_head } = self.sizes;
        let [mut by_moments, mut by_products] = [(); 2].map(|()| vec![0.0f64; d_head * d_head]);
        let mut by_value = vec![0.0f64; d_head];
        // γ dL/dγ: `<G_t, γ_t A_{t−1}> + <H_t, γ_t B_{t−1}>`, which each key takes its part from. A token's own output adds
        // nothing, for it is the same if `A` and `B` are both scaled.
        let mut by_log_gamma = 0.0;
        let mut kept = 1.0;
        let wide = |x: &[f32]| -> Vec<f64> { x.iter().map(|x| f64::from(*x)).collect() };
        for token in (0..seq).rev() {
            let own = self.output(token);
            let [k, v] = [1, 2].map(|part| wide(self.part(token, part)));
            let [u, dz] = [solved, dz].map(|x| wide(&x[own.clone()]));
            let w = wide(&gradients.by_qkv[self.place(token, 0)]);
            let is_hidden = self.is_hidden(token);
            by_value.fill(0.0);
            for row in 0..d_head {
                let at = row * d_head..(row + 1) * d_head;
                let (mut of_moments, mut of_products) = (0.0, 0.0);
                for (((x, u_), w_), k) in by_moments[at.clone()].iter_mut().zip(&u).zip(&w).zip(&k)
                {
                    *x = kept * *x - 0.5 * (w[row] * u_ + u[row] * w_);
                    of_moments += *x * k;
                }
                let products = by_products[at].iter_mut().zip(&dz).zip(&v).zip(&mut by_value);
                for (((x, dz), v), by_value) in products {
                    *x = kept * *x + u[row] * dz;
                    of_products += *x * v;
                    *by_value += *x * k[row];
                }
                if !is_hidden {
                    by_log_gamma -= k[row] * (of_moments + of_products);
                    gradients.by_qkv[self.place(token, 1)][row] =
                        (2.0 * of_moments + of_products) as f32;
                }
            }
            kept = 1.0;
            if !is_hidden {
                narrow(&by_value, &mut gradients.by_qkv[self.place(token, 2)]);
                kept = self.gamma(token);
                gradients.by_gamma[token * n_heads + self.head] = (by_log_gamma / kept) as f32;
            }
        }
        let trace: f64 = by_moments.iter().step_by(d_head + 1).sum();
        gradients.by_log_ridge[self.head] = (kept * trace * ridge) as f32;
    }
}

impl Fused<Flex, 3> for Attend {
    type Saved = Saved;

    fn forward(&self, [qkv, gamma, log_ridge]: &[FlexTensor; 3]) -> (FlexTensor, Saved) {
        let shape @ [_, seq, width] = fused::dims(qkv);
        let sizes = Sizes::of(self.n_heads, shape);
        let [qkv, gamma, log_ridge] = [qkv, gamma, log_ridge].map(fused::values);
        let [mut z, mut gains, mut lacked, mut solved] = [(); 4].map(|()| vec![0.0; qkv.len() / 3]);
        let size = (seq * width / 3).max(1);
        let [of_z, of_gains, of_lacked, of_solved] =
            [&mut z, &mut gains, &mut lacked, &mut solved].map(|x| x.chunks_mut(size));
        let rows = of_z.zip(of_gains).zip(of_lacked.zip(of_solved)).collect();
        type Outputs<'a> = ((&'a mut [f32], &'a mut [f32]), (&'a mut [f32], &'a mut [f32]));
        for_each(rows, |row, ((z, gains), (lacked, solved)): Outputs| {
            for head in self.heads(row, sizes, qkv, gamma) {
                let mut state = Regression::new(sizes.d_head, ridge(log_ridge, head.head));
                head.forward(&mut state, [&mut *z, &mut *gains, &mut *lacked, &mut *solved]);
            }
        });
        let [gains, lacked, solved] = [gains, lacked, solved].map(Arc::new);
        let [batch, ..] = shape;
        (fused::tensor(z, [batch, seq, width / 3]), Saved { gains, lacked, solved })
    }

    fn backward(
        &self,
        [qkv, gamma, log_ridge]: &[FlexTensor; 3],
        Saved { gains, lacked, solved }: &Saved,
        dz: &FlexTensor,
    ) -> [Option<FlexTensor>; 3] {
        let shape @ [batch, seq, width] = fused::dims(qkv);
        let sizes = Sizes::of(self.n_heads, shape);
        let [qkv, gamma, log_ridge, dz] = [qkv, gamma, log_ridge, dz].map(fused::values);
        let mut by_qkv = vec![0.0; qkv.len()];
        let mut by_gamma = vec![0.0; gamma.len()];
        let mut by_row = vec![0.0; batch * self.n_heads];
        let rows = by_qkv.chunks_mut((seq * width).max(1));
        let rows = rows.zip(by_gamma.chunks_mut((seq * self.n_heads).max(1)));
        let rows = rows.zip(by_row.chunks_mut(self.n_heads));
        let rows = rows.map(|((by_qkv, by_gamma), by_log_ridge)| Gradients {
            by_qkv,
            by_gamma,
            by_log_ridge,
        });
        for_each(rows.collect(), |row, mut gradients: Gradients| {
            let [gains, lacked, solved, dz] =
                [gains, lacked, solved, dz].map(|x| part(x, row, seq * width / 3));
            for head in self.heads(row, sizes, qkv, gamma) {
                head.by_queries([gains, lacked], dz, gradients.by_qkv);
                head.by_keys(solved, dz, ridge(log_ridge, head.head), &mut gradients);
            }
        });
        let of_head = |head: usize| by_row[head..].iter().step_by(self.n_heads).sum();
        let by_log_ridge = (0..self.n_heads).map(of_head).collect();
        [
            Some(fused::tensor(by_qkv, shape)),
            Some(fused::tensor(by_gamma, [batch, seq, self.n_heads])),
            Some(fused::tensor(by_log_ridge, [self.n_heads])),
        ]
    }
}

impl Attend {
    /// All heads of a row.
    fn heads<'a>(
        &'a self,
        row: usize,
        sizes: Sizes,
        qkv: &'a [f32],
        gamma: &'a [f32],
    ) -> impl Iterator<Item = Head<'a>> {
        let Sizes { seq, n_heads, .. } = sizes;
        let qkv = part(qkv, row, seq * 3 * sizes.width());
        let gamma = part(gamma, row, seq * n_heads);
        let hidden = self.hidden.as_deref().map(|hidden| &hidden[row * seq..][..seq]);
        (0..n_heads).map(move |head| Head { sizes, head, qkv, gamma, hidden })
    }
}

pub fn follow(
    qkv: Tensor<3>,
    gamma: Tensor<3>,
    log_ridge: Tensor<1>,
    state: Option<Tensor<3>>,
) -> (Tensor<3>, Tensor<3>) {
    let (shape @ [_, seq, width], [n_heads]) = (qkv.dims(), log_ridge.dims());
    let sizes @ Sizes { d_head, .. } = Sizes::of(n_heads, shape);
    let inputs = [qkv.into_dispatch(), gamma.into_dispatch(), log_ridge.into_dispatch()];
    let inputs = inputs.map(primitive::<Flex>);
    let [qkv, gamma, log_ridge] = inputs.each_ref().map(fused::values);
    let state = state.map(|state| primitive::<Flex>(state.into_dispatch()));
    let mut outputs = [(); 4].map(|()| vec![0.0; seq * width / 3]);
    let mut after = Vec::with_capacity(n_heads * 2 * d_head * d_head);
    for head in (Attend { n_heads, hidden: None }).heads(0, sizes, qkv, gamma) {
        let mut regression = Regression::new(d_head, ridge(log_ridge, head.head));
        if let Some(state) = &state {
            regression.restore(part(fused::values(state), head.head, 2 * d_head * d_head));
        }
        head.forward(&mut regression, outputs.each_mut().map(Vec::as_mut_slice));
        after.extend(regression.state());
    }
    let tensor =
        |values, shape: [usize; 3]| Tensor::from_primitive::<Flex>(fused::tensor(values, shape));
    let [z, ..] = outputs;
    (tensor(z, [1, seq, width / 3]), tensor(after, [n_heads, 2 * d_head, d_head]))
}

/// α of a head.
fn ridge(log_ridge: &[f32], head: usize) -> f64 {
    f64::from(log_ridge[head]).exp()
}

fn part(x: &[f32], row: usize, size: usize) -> &[f32] {
    &x[row * size..][..size]
}

fn narrow(from: &[f64], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from as f32);
}
