//! Linear attention on the CPU, a row of a batch and a head at a time, by the recurrence `S_t = S_{t-1} + φ(k_t) v_tᵀ`.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::arch::mixer::FeatureMap;
use crate::base::parallel::for_each;
use crate::kernel::fused::{self, Fused, primitive};

/// Linear attention of every head.
#[derive(Clone, Debug)]
pub struct Attend {
    pub n_heads: usize,
    pub map: FeatureMap,
    pub hidden: Option<Arc<[bool]>>, // [batch, key]
}

/// Results of the forward pass that the backward pass needs besides the inputs.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Queries and keys through the feature map, and values: `[batch, seq, 3 * width]`.
    mapped: Arc<Vec<f32>>,
    z: FlexTensor,
    /// Sums of the weights of every head, or 1 of a map that has none: `[batch, seq, n_heads]`.
    totals: Arc<Vec<f32>>,
}

/// Sizes of one row of a batch.
#[derive(Clone, Copy)]
struct Sizes {
    seq: usize,
    n_heads: usize,
    d_head: usize,
    map: FeatureMap,
}

/// One head of one row, of which `mapped` are queries, keys and values of all heads through the map.
#[derive(Clone, Copy)]
struct Head<'a> {
    sizes: Sizes,
    head: usize,
    mapped: &'a [f32],
}

impl Attend {
    fn sizes(&self, [_, seq, width]: [usize; 3]) -> Sizes {
        Sizes { seq, n_heads: self.n_heads, d_head: width / 3 / self.n_heads, map: self.map }
    }
}

impl Sizes {
    fn width(self) -> usize {
        self.n_heads * self.d_head
    }

    /// Maps the tokens of a row.
    fn map(self, qkv: &[f32], hidden: Option<&[bool]>) -> Vec<f32> {
        let width = self.width();
        let scale = (self.d_head as f32).sqrt().recip();
        let mut mapped = qkv.to_vec();
        for (token, mapped) in mapped.chunks_mut(3 * width).enumerate() {
            match self.map {
                FeatureMap::Elu => mapped[..2 * width].iter_mut().for_each(|x| *x = elu_plus_one(*x)),
                FeatureMap::Identity => mapped[..width].iter_mut().for_each(|q| *q *= scale),
            }
            if hidden.is_some_and(|hidden| hidden[token]) {
                mapped[width..2 * width].fill(0.0);
            }
        }
        mapped
    }
}

impl<'a> Head<'a> {
    fn part(self, token: usize, part: usize) -> &'a [f32] {
        let width = self.sizes.width();
        let start = token * 3 * width + part * width + self.head * self.sizes.d_head;
        &self.mapped[start..start + self.sizes.d_head]
    }

    /// The numbers of this head at `token` in a row of outputs.
    fn output(self, token: usize) -> std::ops::Range<usize> {
        let start = token * self.sizes.width() + self.head * self.sizes.d_head;
        start..start + self.sizes.d_head
    }

    /// Outputs and totals, after the tokens in `state`: `[d_head, d_head + 1]`.
    fn forward(self, state: &mut [f32], z: &mut [f32], totals: &mut [f32]) {
        let Sizes { seq, n_heads, d_head, map } = self.sizes;
        for token in 0..seq {
            let [q, k, v] = [0, 1, 2].map(|part| self.part(token, part));
            let z = &mut z[self.output(token)];
            let mut total = 0.0;
            for ((q, k), state) in q.iter().zip(k).zip(state.chunks_mut(d_head + 1)) {
                let (values, sum) = state.split_at_mut(d_head);
                sum[0] += k;
                total += q * sum[0];
                for ((z, state), v) in z.iter_mut().zip(values).zip(v) {
                    *state += k * v;
                    *z += q * *state;
                }
            }
            if map == FeatureMap::Elu {
                z.iter_mut().for_each(|z| *z /= total);
                totals[token * n_heads + self.head] = total;
            }
        }
    }

    /// Gradients by queries, keys and values before the map: those by the queries with the forward recurrence, those by
    /// keys and values with `R_t = R_{t+1} + φ(q_t) dn_tᵀ` from the end, where `dn` is the gradient by the outputs
    /// before the division and by the totals.
    fn backward(self, z: &[f32], dz: &[f32], totals: &[f32], gradient: &mut [f32]) {
        let Sizes { seq, n_heads, d_head, map } = self.sizes;
        let width = self.sizes.width();
        let rows = d_head + 1;
        let by_output = |token: usize, dn: &mut [f32]| {
            let own = self.output(token);
            let (z, dz) = (&z[own.clone()], &dz[own]);
            let total = totals[token * n_heads + self.head];
            dn.iter_mut().zip(dz).for_each(|(dn, dz)| *dn = dz / total);
            dn[d_head] = match map {
                FeatureMap::Elu => -dn.iter().zip(z).map(|(dn, z)| dn * z).sum::<f32>(),
                FeatureMap::Identity => 0.0,
            };
        };
        let at = |token: usize, part: usize| {
            let start = token * 3 * width + part * width + self.head * d_head;
            start..start + d_head
        };
        let scale = (d_head as f32).sqrt().recip();
        let mut state = vec![0.0; d_head * rows];
        let mut dn = vec![0.0; rows];
        for token in 0..seq {
            let [q, k, v] = [0, 1, 2].map(|part| self.part(token, part));
            by_output(token, &mut dn);
            let of_queries = gradient[at(token, 0)].iter_mut().zip(q);
            for (((dq, q), k), state) in of_queries.zip(k).zip(state.chunks_mut(rows)) {
                state.iter_mut().zip(v).for_each(|(state, v)| *state += k * v);
                state[d_head] += k;
                let by_feature = state.iter().zip(&dn).map(|(a, b)| a * b).sum::<f32>();
                *dq = by_feature * match map {
                    FeatureMap::Elu => slope(*q),
                    FeatureMap::Identity => scale,
                };
            }
        }
        state.fill(0.0);
        for token in (0..seq).rev() {
            let [q, k, v] = [0, 1, 2].map(|part| self.part(token, part));
            by_output(token, &mut dn);
            for (at_key, state) in state.chunks_mut(rows).enumerate() {
                state.iter_mut().zip(&dn).for_each(|(state, dn)| *state += q[at_key] * dn);
                let by_feature = state.iter().zip(v).map(|(a, b)| a * b).sum::<f32>() + state[d_head];
                gradient[at(token, 1)][at_key] = by_feature * match map {
                    FeatureMap::Elu => slope(k[at_key]),
                    FeatureMap::Identity => 1.0,
                };
                let dv = &mut gradient[at(token, 2)];
                dv.iter_mut().zip(&*state).for_each(|(dv, state)| *dv += k[at_key] * state);
            }
        }
    }
}

impl Fused<Flex, 1> for Attend {
    type Saved = Saved;

    fn forward(&self, [qkv]: &[FlexTensor; 1]) -> (FlexTensor, Saved) {
        let shape @ [batch, seq, width] = fused::dims(qkv);
        let sizes = self.sizes(shape);
        let values = fused::values(qkv);
        let mut mapped = vec![Vec::new(); batch];
        let mut z = vec![0.0; values.len() / 3];
        let mut totals = vec![1.0; batch * seq * self.n_heads];
        let of_rows = mapped.iter_mut().zip(z.chunks_mut((seq * width / 3).max(1)));
        let of_rows = of_rows.zip(totals.chunks_mut((seq * self.n_heads).max(1))).collect();
        for_each(of_rows, |row, ((mapped, z), totals): ((&mut Vec<f32>, &mut [f32]), &mut [f32])| {
            let hidden = self.hidden.as_ref().map(|hidden| &hidden[row * seq..][..seq]);
            *mapped = sizes.map(&values[row * seq * width..][..seq * width], hidden);
            for head in 0..sizes.n_heads {
                let mut state = vec![0.0; sizes.d_head * (sizes.d_head + 1)];
                Head { sizes, head, mapped }.forward(&mut state, z, totals);
            }
        });
        let z = fused::tensor(z, [batch, seq, width / 3]);
        let saved =
            Saved { mapped: Arc::new(mapped.concat()), z: z.clone(), totals: Arc::new(totals) };
        (z, saved)
    }

    fn backward(
        &self,
        [qkv]: &[FlexTensor; 1],
        Saved { mapped, z, totals }: &Saved,
        dz: &FlexTensor,
    ) -> [Option<FlexTensor>; 1] {
        let shape @ [_, seq, width] = fused::dims(qkv);
        let sizes = self.sizes(shape);
        let [z, dz] = [z, dz].map(fused::values);
        let mut gradient = vec![0.0; mapped.len()];
        let rows = gradient.chunks_mut((seq * width).max(1)).collect();
        for_each(rows, |row, gradient: &mut [f32]| {
            let mapped = &mapped[row * seq * width..][..seq * width];
            let [z, dz] = [z, dz].map(|x| &x[row * seq * width / 3..][..seq * width / 3]);
            let totals = &totals[row * seq * sizes.n_heads..][..seq * sizes.n_heads];
            for head in 0..sizes.n_heads {
                Head { sizes, head, mapped }.backward(z, dz, totals, gradient);
            }
            let hidden = self.hidden.as_ref().map(|hidden| &hidden[row * seq..][..seq]);
            for (token, gradient) in gradient.chunks_mut(width).enumerate() {
                if hidden.is_some_and(|hidden| hidden[token]) {
                    gradient[width / 3..2 * width / 3].fill(0.0);
                }
            }
        });
        [Some(fused::tensor(gradient, shape))]
    }
}

pub fn follow(
    qkv: Tensor<3>,
    n_heads: usize,
    map: FeatureMap,
    state: Option<Tensor<3>>,
) -> (Tensor<3>, Tensor<3>) {
    let shape @ [_, seq, width] = qkv.dims();
    let sizes = Attend { n_heads, map, hidden: None }.sizes(shape);
    let (qkv, d_head) = (primitive::<Flex>(qkv.into_dispatch()), sizes.d_head);
    let mapped = sizes.map(fused::values(&qkv), None);
    let mut state = match state {
        Some(state) => fused::values(&primitive::<Flex>(state.into_dispatch())).to_vec(),
        None => vec![0.0; n_heads * d_head * (d_head + 1)],
    };
    let mut z = vec![0.0; seq * width / 3];
    let mut totals = vec![1.0; seq * n_heads];
    for (head, state) in state.chunks_mut(d_head * (d_head + 1)).enumerate() {
        Head { sizes, head, mapped: &mapped }.forward(state, &mut z, &mut totals);
    }
    let tensor = |values, shape: [usize; 3]| {
        Tensor::from_primitive::<Flex>(fused::tensor(values, shape))
    };
    (tensor(z, [1, seq, width / 3]), tensor(state, [n_heads, d_head, d_head + 1]))
}

fn elu_plus_one(x: f32) -> f32 {
    if x > 0.0 { x + 1.0 } else { x.exp() }
}

/// The derivative of `elu(x) + 1` where it is `feature`.
fn slope(feature: f32) -> f32 {
    feature.min(1.0)
}
