//! The causal product of linear attention (Katharopoulos et al. 2020): `z_t = Σ_{s ≤ t} (q_t · k_s) v_s` of every
//! head, by the recurrence `S_t = S_{t-1} + k_t v_tᵀ`, `z_t = q_t S_t`. It takes time in proportion to the length.

mod gpu;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, TensorData};

use super::fused::{self, Fused};
use crate::base::parallel::for_each;

/// The causal product of every head.
///
/// # Shapes
/// `q`, `k`: `[batch, seq, n_heads * d_key]`; `v` and the result: `[batch, seq, n_heads * d_value]`
pub fn causal_product(q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, n_heads: usize) -> Tensor<3> {
    let is_cpu = fused::is_cpu(&q.device());
    let inputs = [q, k, v].map(Tensor::into_dispatch);
    match is_cpu {
        true => fused::apply(CausalProduct { n_heads }, inputs),
        false => fused::apply(gpu::CausalProduct { n_heads }, inputs),
    }
}

/// [`causal_product`] in plain tensor operations, by the masked product of queries and keys.
pub fn reference(q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, n_heads: usize) -> Tensor<3> {
    let [batch, seq, width] = v.dims();
    let heads = |x: Tensor<3>| {
        let d = x.dims()[2] / n_heads;
        x.reshape([batch, seq, n_heads, d]).swap_dims(1, 2) // [batch, head, seq, d]
    };
    let seen = (0..seq).flat_map(|query| (0..seq).map(move |key| f32::from(key <= query)));
    let seen = TensorData::new(seen.collect::<Vec<f32>>(), [1, 1, seq, seq]);
    let seen = Tensor::<4>::from_data(seen, &q.device());
    let weights = heads(q).matmul(heads(k).swap_dims(2, 3)) * seen; // [batch, head, query, key]
    weights.matmul(heads(v)).swap_dims(1, 2).reshape([batch, seq, width])
}

/// The causal product on the CPU.
#[derive(Clone, Debug)]
struct CausalProduct {
    n_heads: usize,
}

/// Sizes of one row of a batch.
#[derive(Clone, Copy)]
struct Sizes {
    seq: usize,
    n_heads: usize,
    d_key: usize,
    d_value: usize,
}

impl CausalProduct {
    fn sizes(&self, q: &FlexTensor, v: &FlexTensor) -> Sizes {
        let [_, seq, keys] = fused::dims(q);
        let [_, _, values] = fused::dims::<3>(v);
        let n_heads = self.n_heads;
        Sizes { seq, n_heads, d_key: keys / n_heads, d_value: values / n_heads }
    }
}

impl Sizes {
    fn keys(self) -> usize {
        self.seq * self.n_heads * self.d_key
    }

    fn values(self) -> usize {
        self.seq * self.n_heads * self.d_value
    }

    /// The numbers of `head` at `token` in a row of keys.
    fn key(self, head: usize, token: usize) -> std::ops::Range<usize> {
        let start = (token * self.n_heads + head) * self.d_key;
        start..start + self.d_key
    }

    /// The numbers of `head` at `token` in a row of values.
    fn value(self, head: usize, token: usize) -> std::ops::Range<usize> {
        let start = (token * self.n_heads + head) * self.d_value;
        start..start + self.d_value
    }
}

impl Fused<Flex, 3> for CausalProduct {
    type Saved = ();

    fn forward(&self, [q, k, v]: &[FlexTensor; 3]) -> (FlexTensor, ()) {
        let (sizes, shape) = (self.sizes(q, v), fused::dims::<3>(v));
        let [q, k, v] = [q, k, v].map(fused::values);
        let mut z = vec![0.0; v.len()];
        let rows = z.chunks_mut(sizes.values().max(1)).collect();
        for_each(rows, |row, z: &mut [f32]| {
            let [q, k] = [q, k].map(|x| &x[row * sizes.keys()..][..sizes.keys()]);
            let v = &v[row * sizes.values()..][..sizes.values()];
            (0..sizes.n_heads).for_each(|head| forward(sizes, head, [q, k, v], z));
        });
        (fused::tensor(z, shape), ())
    }

    fn backward(
        &self,
        [q, k, v]: &[FlexTensor; 3],
        (): &(),
        dz: &FlexTensor,
    ) -> [Option<FlexTensor>; 3] {
        let sizes = self.sizes(q, v);
        let shapes = [q, k, v].map(fused::dims::<3>);
        let [q, k, v, dz] = [q, k, v, dz].map(fused::values);
        let [mut dq, mut dk, mut dv] = [q, k, v].map(|x| vec![0.0; x.len()]);
        let keys = sizes.keys().max(1);
        let rows = dq.chunks_mut(keys).zip(dk.chunks_mut(keys));
        let rows = rows.zip(dv.chunks_mut(sizes.values().max(1))).collect();
        for_each(rows, |row, ((dq, dk), dv): ((&mut [f32], &mut [f32]), &mut [f32])| {
            let [q, k] = [q, k].map(|x| &x[row * sizes.keys()..][..sizes.keys()]);
            let [v, dz] = [v, dz].map(|x| &x[row * sizes.values()..][..sizes.values()]);
            for head in 0..sizes.n_heads {
                backward(sizes, head, [q, k, v, dz], [&mut *dq, &mut *dk, &mut *dv]);
            }
        });
        let [of_q, of_k, of_v] = shapes;
        [(dq, of_q), (dk, of_k), (dv, of_v)].map(|(d, shape)| Some(fused::tensor(d, shape)))
    }
}

/// One head of one row.
fn forward(sizes: Sizes, head: usize, [q, k, v]: [&[f32]; 3], z: &mut [f32]) {
    let mut state = vec![0.0; sizes.d_key * sizes.d_value]; // [d_key, d_value]
    for token in 0..sizes.seq {
        let (key, value) = (sizes.key(head, token), sizes.value(head, token));
        add_outer(&k[key.clone()], &v[value.clone()], &mut state);
        let z = &mut z[value];
        for (q, state) in q[key].iter().zip(state.chunks(sizes.d_value)) {
            z.iter_mut().zip(state).for_each(|(z, s)| *z += q * s);
        }
    }
}

/// One head of one row: `dq_t = S_t dz_t` with the forward recurrence, and with that of `R_t = R_{t+1} + q_t dz_tᵀ`
/// from the end `dk_t = R_t v_t` and `dv_t = R_tᵀ k_t`.
fn backward(
    sizes: Sizes,
    head: usize,
    [q, k, v, dz]: [&[f32]; 4],
    [dq, dk, dv]: [&mut [f32]; 3],
) {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let mut state = vec![0.0; sizes.d_key * sizes.d_value];
    for token in 0..sizes.seq {
        let (key, value) = (sizes.key(head, token), sizes.value(head, token));
        add_outer(&k[key.clone()], &v[value.clone()], &mut state);
        let rows = dq[key].iter_mut().zip(state.chunks(sizes.d_value));
        rows.for_each(|(dq, state)| *dq = dot(state, &dz[value.clone()]));
    }
    state.fill(0.0);
    for token in (0..sizes.seq).rev() {
        let (key, value) = (sizes.key(head, token), sizes.value(head, token));
        add_outer(&q[key.clone()], &dz[value.clone()], &mut state);
        let rows = dk[key.clone()].iter_mut().zip(state.chunks(sizes.d_value));
        rows.for_each(|(dk, state)| *dk = dot(state, &v[value.clone()]));
        let dv = &mut dv[value];
        for (k, state) in k[key].iter().zip(state.chunks(sizes.d_value)) {
            dv.iter_mut().zip(state).for_each(|(dv, s)| *dv += k * s);
        }
    }
}

/// Adds `a bᵀ` to `to`: `[a, b]`.
fn add_outer(a: &[f32], b: &[f32], to: &mut [f32]) {
    for (a, to) in a.iter().zip(to.chunks_mut(b.len())) {
        to.iter_mut().zip(b).for_each(|(to, b)| *to += a * b);
    }
}
