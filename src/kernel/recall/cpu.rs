//! Reads on the CPU, a query at a time.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, TensorData};

use super::form::Form;
use crate::arch::EPSILON;
use crate::base::parallel::for_each;
use crate::base::softmax::softmax;
use crate::kernel::fused::{self, Fused};
use crate::kernel::transfer::floats;
use crate::memory::{self, Exact};

/// Queries that are worth a thread's while.
const PART: usize = 64;

/// Keys and values of slots that queries found: `[n, k, width]` each.
#[derive(Debug, Default)]
pub struct Slots {
    k: usize,
    keys: Vec<f32>,
    pub(super) values: Vec<f32>,
}

/// As [`super::Slots::find`]: what was found, and the keys and values to write.
pub fn find(
    store: Option<&Exact>,
    projected: Tensor<3>,
    form: Form,
    top_k: usize,
) -> (memory::Found, Slots, [Tensor<2>; 2]) {
    let (width, device) = (form.width, projected.device());
    let [batch, seq, stride] = projected.dims();
    let numbers = floats(projected.into_data());
    let part = |at: usize| -> Vec<f32> {
        numbers.chunks(stride).flat_map(|row| &row[at * width..][..width]).copied().collect()
    };
    let rows =
        |values| Tensor::<2>::from_data(TensorData::new(values, [batch * seq, width]), &device);
    let queries = units(part(0), form);
    let found = store.map(|store| store.search(&queries, top_k));
    let found = found.transpose().expect("queries are as wide as keys").unwrap_or_default();
    let memory::Found { k, keys, values, distances, ids } = found;
    let slots = Slots { k, keys, values };
    let found = memory::Found { k, distances, ids, ..memory::Found::default() };
    let written = match stride > width {
        true => [rows(units(part(1), form)), rows(part(2))],
        false => {
            let queries = rows(queries);
            [queries.clone(), queries]
        }
    };
    (found, slots, written)
}

/// Each head's part of a row scaled to the same length, and the row to length 1.
fn units(mut rows: Vec<f32>, form: Form) -> Vec<f32> {
    for head in rows.chunks_mut(form.d_head()) {
        let scale = inverse(head, form);
        head.iter_mut().for_each(|x| *x *= scale);
    }
    rows
}

/// Factor that scales a head's part of a query.
fn inverse(head: &[f32], form: Form) -> f32 {
    let square = head.iter().map(|x| x * x).sum::<f32>() + EPSILON;
    (square * form.n_heads as f32).sqrt().recip()
}

/// One head of a query, with the slots found: `k` keys and values of all heads.
struct Head<'a> {
    form: Form,
    /// Factor of the scores.
    sharpness: f32,
    at: usize,
    keys: &'a [f32],
    values: &'a [f32],
}

impl<'a> Head<'a> {
    fn part(&self, rows: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
        let (start, d_head) = (self.at * self.form.d_head(), self.form.d_head());
        rows.chunks(self.form.width).map(move |row| &row[start..start + d_head])
    }

    /// Scores of the slots, and their weights.
    fn weigh(&self, unit: &[f32], scores: &mut [f32], weights: &mut [f32]) {
        for (score, key) in scores.iter_mut().zip(self.part(self.keys)) {
            let pairs = unit.iter().zip(key);
            *score = match self.form.by_distance {
                true => -(pairs.map(|(u, k)| (u - k) * (u - k)).sum::<f32>() + EPSILON).sqrt(),
                false => pairs.map(|(u, k)| u * k).sum(),
            };
        }
        weights.copy_from_slice(scores);
        softmax(weights, self.sharpness);
    }

    /// `z` is added to.
    fn read(&self, weights: &[f32], z: &mut [f32]) {
        for (weight, value) in weights.iter().zip(self.part(self.values)) {
            z.iter_mut().zip(value).for_each(|(z, value)| *z += weight * value);
        }
    }

    /// The gradient by the factor of the scores. `weights` become the gradients by the scores, and that by the query of
    /// length 1 is added to `by_unit`.
    fn backward(
        &self,
        unit: &[f32],
        scores: &[f32],
        weights: &mut [f32],
        dz: &[f32],
        by_unit: &mut [f32],
    ) -> f32 {
        let by_weight = |value: &[f32]| dz.iter().zip(value).map(|(dz, value)| dz * value).sum::<f32>();
        let by_weights: Vec<f32> = self.part(self.values).map(by_weight).collect();
        let mean = by_weights.iter().zip(&*weights).map(|(by, weight)| by * weight).sum::<f32>();
        let mut by_sharpness = 0.0;
        let slots = weights.iter_mut().zip(&by_weights).zip(scores).zip(self.part(self.keys));
        for (((weight, by_weight), score), key) in slots {
            let by_score = *weight * (by_weight - mean);
            by_sharpness += by_score * score;
            *weight = by_score * self.sharpness;
            let pairs = by_unit.iter_mut().zip(unit.iter().zip(key));
            match self.form.by_distance {
                true => pairs.for_each(|(by, (u, k))| *by += *weight * (u - k) / score),
                false => pairs.for_each(|(by, (_, k))| *by += *weight * k),
            }
        }
        by_sharpness
    }
}

/// Scales a gradient by a head's part of length 1 to one by the part as it was.
fn scale_back(by_unit: &mut [f32], unit: &[f32], inverse: f32, form: Form) {
    let along = by_unit.iter().zip(unit).map(|(by, u)| by * u).sum::<f32>() * form.n_heads as f32;
    by_unit.iter_mut().zip(unit).for_each(|(by, u)| *by = (*by - along * u) * inverse);
}

/// Queries that read slots.
#[derive(Clone, Copy)]
struct Reader<'a> {
    form: Form,
    slots: &'a Slots,
    sharpness: f32,
    /// Projections of every query, of which it is the first `width` numbers.
    queries: &'a [f32],
    stride: usize,
}

/// Gradients of some queries.
struct Part<'a> {
    dz: &'a [f32],
    by_projected: &'a mut [f32],
    /// Nothing if they are not asked for.
    by_values: &'a mut [f32],
    by_sharpness: &'a mut f32,
}

impl<'a> Reader<'a> {
    fn new(form: Form, slots: &'a Slots, sharpness: &FlexTensor, queries: &'a FlexTensor) -> Self {
        let [.., stride] = fused::dims::<3>(queries);
        let sharpness = fused::values(sharpness)[0].abs() * form.scale();
        Self { form, slots, sharpness, queries: fused::values(queries), stride }
    }

    fn head(&self, query: usize, at: usize) -> Head<'a> {
        let Self { form, slots, sharpness, .. } = *self;
        let size = slots.k * form.width;
        let [keys, values] = [&slots.keys, &slots.values].map(|of| &of[query * size..][..size]);
        Head { form, sharpness, at, keys, values }
    }

    /// A head's part of a query of length 1, and the factor that it was scaled by.
    fn unit(&self, query: usize, at: usize) -> (Vec<f32>, f32) {
        let d_head = self.form.d_head();
        let part = &self.queries[query * self.stride + at * d_head..][..d_head];
        let inverse = inverse(part, self.form);
        (part.iter().map(|x| x * inverse).collect(), inverse)
    }

    /// Values read: `[n, width]`.
    fn forward(&self) -> Vec<f32> {
        let (width, d_head, k) = (self.form.width, self.form.d_head(), self.slots.k);
        let mut z = vec![0.0; self.queries.len() / self.stride * width];
        for_each(z.chunks_mut(PART * width).collect(), |part, z: &mut [f32]| {
            let [mut scores, mut weights] = [(); 2].map(|()| vec![0.0; k]);
            for (at, z) in z.chunks_mut(d_head).enumerate() {
                let (query, at) = (part * PART + at / self.form.n_heads, at % self.form.n_heads);
                let head = self.head(query, at);
                head.weigh(&self.unit(query, at).0, &mut scores, &mut weights);
                head.read(&weights, z);
            }
        });
        z
    }

    /// Gradients from that by the values read: by the projections, by the values found if `trains`, and by the sharpness
    /// over its factor.
    fn backward(&self, dz: &[f32], trains: bool) -> ([Vec<f32>; 2], f32) {
        let (width, k) = (self.form.width, self.slots.k);
        let n = dz.len() / width;
        let mut by_projected = vec![0.0; self.queries.len()];
        let mut by_values = vec![0.0; if trains { n * k * width } else { 0 }];
        let mut by_sharpness = vec![0.0; n.div_ceil(PART)];
        let mut of_values = by_values.chunks_mut(PART * k * width);
        let parts = by_projected.chunks_mut(PART * self.stride).zip(dz.chunks(PART * width));
        let parts = parts.zip(&mut by_sharpness).map(|((by_projected, dz), by_sharpness)| {
            let by_values = of_values.next().unwrap_or_default();
            Part { dz, by_projected, by_values, by_sharpness }
        });
        for_each(parts.collect(), |part, of_part| self.backward_part(part, of_part));
        ([by_projected, by_values], by_sharpness.iter().sum())
    }

    /// Gradients of the queries from `part * PART` on.
    fn backward_part(&self, part: usize, of_part: Part) {
        let Part { dz, by_projected, by_values, by_sharpness } = of_part;
        let Self { form, stride, .. } = *self;
        let (width, d_head, k) = (form.width, form.d_head(), self.slots.k);
        let mut values = by_values.chunks_mut(k * width);
        let [mut scores, mut weights] = [(); 2].map(|()| vec![0.0; k]);
        let rows = by_projected.chunks_mut(stride).zip(dz.chunks(width));
        for (row, (by_query, dz)) in rows.enumerate() {
            let query = part * PART + row;
            let by_values = values.next().unwrap_or_default();
            if form.estimates {
                by_query[stride - width..].copy_from_slice(dz);
            }
            for at in 0..form.n_heads {
                let own = at * d_head..(at + 1) * d_head;
                let dz = &dz[own.clone()];
                let head = self.head(query, at);
                let (unit, inverse) = self.unit(query, at);
                head.weigh(&unit, &mut scores, &mut weights);
                for (weight, by_value) in weights.iter().zip(by_values.chunks_mut(width)) {
                    let pairs = by_value[own.clone()].iter_mut().zip(dz);
                    pairs.for_each(|(by, dz)| *by = weight * dz);
                }
                let by_unit = &mut by_query[own];
                *by_sharpness += head.backward(&unit, &scores, &mut weights, dz, by_unit);
                scale_back(by_unit, &unit, inverse, form);
            }
        }
    }

    /// The gradient by a sharpness: `[1]`.
    fn by_sharpness(&self, of: &FlexTensor, by_factor: f32) -> FlexTensor {
        let sharpness = fused::values(of)[0];
        let sign = if sharpness == 0.0 { 0.0 } else { sharpness.signum() };
        fused::tensor(vec![by_factor * sign * self.form.scale()], [1])
    }
}

/// [`super::read`] of projections, a leaf in the place of the values found, and a sharpness.
#[derive(Clone, Debug)]
pub struct Read {
    pub form: Form,
    pub slots: Arc<Slots>,
    pub trains: bool,
}

impl Fused<Flex, 3> for Read {
    type Saved = ();

    fn forward(&self, [projected, _, sharpness]: &[FlexTensor; 3]) -> (FlexTensor, ()) {
        let z = Reader::new(self.form, &self.slots, sharpness, projected).forward();
        let [batch, seq, _] = fused::dims(projected);
        (fused::tensor(z, [batch, seq, self.form.width]), ())
    }

    fn backward(
        &self,
        [projected, leaf, sharpness]: &[FlexTensor; 3],
        (): &(),
        dz: &FlexTensor,
    ) -> [Option<FlexTensor>; 3] {
        let reader = Reader::new(self.form, &self.slots, sharpness, projected);
        let ([by_projected, by_values], by_factor) = reader.backward(fused::values(dz), self.trains);
        [
            Some(fused::tensor(by_projected, fused::dims::<3>(projected))),
            self.trains.then(|| fused::tensor(by_values, fused::dims::<2>(leaf))),
            Some(reader.by_sharpness(sharpness, by_factor)),
        ]
    }
}

/// [`super::mix`] of projections, outputs, a sharpness and gates.
#[derive(Clone, Debug)]
pub struct Mix {
    pub form: Form,
    pub slots: Arc<Slots>,
}

impl Mix {
    /// Shares of the values read, one a head.
    fn shares(gate: &FlexTensor) -> Vec<f32> {
        fused::values(gate).iter().map(|gate| 1.0 / (1.0 + (-gate).exp())).collect()
    }
}

impl Fused<Flex, 4> for Mix {
    /// Values read: `[n, width]`.
    type Saved = Arc<Vec<f32>>;

    fn forward(&self, [projected, local, sharpness, gate]: &[FlexTensor; 4]) -> (FlexTensor, Self::Saved) {
        let z = Reader::new(self.form, &self.slots, sharpness, projected).forward();
        let (shares, d_head) = (Self::shares(gate), self.form.d_head());
        let pairs = z.iter().zip(fused::values(local)).enumerate();
        let mixed = pairs.map(|(at, (z, local))| {
            let share = shares[at / d_head % shares.len()];
            share * z + (1.0 - share) * local
        });
        (fused::tensor(mixed.collect(), fused::dims::<3>(local)), Arc::new(z))
    }

    fn backward(
        &self,
        [projected, local, sharpness, gate]: &[FlexTensor; 4],
        z: &Self::Saved,
        dy: &FlexTensor,
    ) -> [Option<FlexTensor>; 4] {
        let (shares, d_head) = (Self::shares(gate), self.form.d_head());
        let mut by_shares = vec![0.0; shares.len()];
        let (mut dz, mut by_local) = (Vec::with_capacity(z.len()), Vec::with_capacity(z.len()));
        let numbers = z.iter().zip(fused::values(local)).zip(fused::values(dy)).enumerate();
        for (at, ((z, local), dy)) in numbers {
            let head = at / d_head % shares.len();
            by_shares[head] += (z - local) * dy;
            dz.push(shares[head] * dy);
            by_local.push((1.0 - shares[head]) * dy);
        }
        let by_gates = by_shares.iter().zip(&shares).map(|(by, share)| by * share * (1.0 - share));
        let reader = Reader::new(self.form, &self.slots, sharpness, projected);
        let ([by_projected, _], by_factor) = reader.backward(&dz, false);
        [
            Some(fused::tensor(by_projected, fused::dims::<3>(projected))),
            Some(fused::tensor(by_local, fused::dims::<3>(local))),
            Some(reader.by_sharpness(sharpness, by_factor)),
            Some(fused::tensor(by_gates.collect(), [shares.len()])),
        ]
    }
}
