//! Low-rank adapters in training (Hu et al. 2021): the gradient of a matrix `W + s A B` is that of `W`, `G`, and so that of
//! `A` is `s G Bᵀ`, and that of `B` is `s Aᵀ G`. The model itself knows only the sum.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::{Optimizer, Rates};
use crate::arch::Layout;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;
use crate::kernel::transfer::to_device;
use crate::run::{Adapter, LowRank};

/// A model's weights apart from its adapters.
pub struct Adapters {
    /// Weights without adapters: `[layout.len()]`.
    base: Tensor<1>,
    held: Vec<Held>,
    /// True if the last adapter is trained in place of the weights.
    trains_last: bool,
}

struct Held {
    /// Without its values.
    adapter: Adapter,
    parts: Vec<LowRank>,
    values: Tensor<1>,
}

impl Held {
    fn new(mut adapter: Adapter, layout: &Layout, device: &Device) -> Self {
        let parts = adapter.parts(layout).expect("an adapter that was checked");
        let values = to_device(std::mem::take(&mut adapter.values), device);
        Self { adapter, parts, values }
    }

    /// The change of a part: `[in, out]`, flat.
    fn change(&self, part: &LowRank) -> Tensor<1> {
        let ([rows, columns], rank) = (part.shape, self.adapter.rank);
        let a = self.values.clone().slice(part.a.clone()).reshape([1, rows, rank]);
        let b = Param::matrix(&self.values, part.b.start, [rank, columns]);
        let product = Linear { w: b, b: None }.apply(a);
        product.reshape([part.target.len()]) * self.adapter.scale()
    }

    /// Gradient of the values by that of the model's weights.
    fn gradient(&self, gradient: &Tensor<1>) -> Tensor<1> {
        let rank = self.adapter.rank;
        let of_part = |part: &LowRank| {
            let [rows, columns] = part.shape;
            let g = gradient.clone().slice(part.target.clone()).reshape([1, rows, columns]);
            let b = Param::matrix(&self.values, part.b.start, [rank, columns]);
            let of_a = Linear::unembed(&b, g); // [1, in, rank]
            let a: Tensor<2> = self.values.clone().slice(part.a.clone()).reshape([rows, rank]);
            // Reshaped to a vector first, so that the numbers lie in that order.
            let a = a.transpose().reshape([rank * rows]).reshape([1, rank, rows]);
            let g = Param::matrix(gradient, part.target.start, [rows, columns]);
            let of_b = Linear { w: g, b: None }.apply(a); // [1, rank, out]
            [of_a.reshape([part.a.len()]), of_b.reshape([part.b.len()])]
        };
        Tensor::cat(self.parts.iter().flat_map(of_part).collect(), 0) * self.adapter.scale()
    }
}

impl Adapters {
    /// # Panics
    /// If an adapter has a target that is no matrix of the model.
    pub fn new(
        layout: &Layout,
        base: Tensor<1>,
        adapters: Vec<Adapter>,
        trains_last: bool,
    ) -> Self {
        let device = base.device();
        let held = adapters.into_iter().map(|adapter| Held::new(adapter, layout, &device));
        Self { held: held.collect(), base, trains_last }
    }

    /// The weights with the changes of all adapters that are on: `[layout.len()]`.
    pub fn weights(&self) -> Tensor<1> {
        let mut changes: BTreeMap<usize, (usize, Tensor<1>)> = BTreeMap::new();
        for held in self.held.iter().filter(|held| held.adapter.is_on) {
            for part in &held.parts {
                let change = held.change(part);
                let start = part.target.start;
                let sum = match changes.remove(&start) {
                    Some((_, sum)) => sum + change,
                    None => self.base.clone().slice(part.target.clone()) + change,
                };
                changes.insert(start, (part.target.end, sum));
            }
        }
        let mut at = 0;
        let mut pieces = Vec::new();
        let len = self.base.dims()[0];
        for (start, (end, changed)) in changes {
            if at < start {
                pieces.push(self.base.clone().slice(at..start));
            }
            pieces.push(changed);
            at = end;
        }
        if at < len {
            pieces.push(self.base.clone().slice(at..len));
        }
        Tensor::cat(pieces, 0)
    }

    /// Updates the last adapter, or the weights below all adapters, by the gradient of the model's weights:
    /// `[layout.len()]`.
    pub fn update(&mut self, optimizer: &mut Optimizer, rates: Rates, gradient: Tensor<1>) {
        match self.held.last_mut().filter(|_| self.trains_last) {
            Some(last) => {
                let gradient = last.gradient(&gradient);
                last.values = optimizer.update(rates, last.values.clone(), gradient);
            }
            None => self.base = optimizer.update(rates, self.base.clone(), gradient),
        }
    }

    /// The weights without adapters, and the values of each adapter.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<1>> {
        std::iter::once(self.base.clone()).chain(self.held.iter().map(|held| held.values.clone()))
    }

    /// The adapters, with values that were read, in the order of [`tensors`](Self::tensors).
    pub fn with_values(&self, values: impl Iterator<Item = Vec<f32>>) -> Vec<Adapter> {
        let adapters = self.held.iter().map(|held| &held.adapter).zip(values);
        adapters.map(|(adapter, values)| Adapter { values, moments: None, ..adapter.clone() }).collect()
    }

    /// True if the last adapter is trained in place of the weights.
    pub fn trains_last(&self) -> bool {
        self.trains_last
    }

    /// Number of values that the optimizer trains.
    pub fn trained(&self) -> usize {
        match self.held.last().filter(|_| self.trains_last) {
            Some(last) => last.values.dims()[0],
            None => self.base.dims()[0],
        }
    }
}
