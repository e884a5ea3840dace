//! Slots that queries found on a GPU, and what is read of them.

use std::sync::Arc;

use burn::backend::Cube;
use burn::tensor::{Int, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::kernels::{self, Head, QUERIES, Takes};
use super::mirror::Mirror;
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups, part_of, together};
use crate::kernel::param::ParamSlice;
use crate::kernel::recall::form::Form;

/// Slots that queries found.
#[derive(Clone, Debug)]
pub struct Found {
    pub(super) places: GpuTensor,    // [n, k], whole numbers
    pub(super) distances: GpuTensor, // [n, k]
    pub mirror: Arc<Mirror>,
    /// Queries of length 1, `[n, width]`, and from `factors` on those that their heads were scaled by, `[n, n_heads]`.
    pub(super) asked: GpuTensor,
    pub(super) factors: usize,
}

/// Gradients by what a kernel took.
pub(super) struct Gradients {
    /// By what was projected: `[n, stride]`.
    pub projected: GpuTensor,
    /// By outputs that the values were mixed with: `[n, width]`.
    pub local: GpuTensor,
    /// By values found: `[n * k, width]`.
    pub values: GpuTensor,
}

impl Found {
    pub fn k(&self) -> usize {
        let [_, k] = dims(&self.places);
        k
    }

    /// Places among the slots: `[n, k]`.
    pub fn places(&self) -> Tensor<2, Int> {
        Tensor::from_primitive::<Cube>(self.places.clone())
    }

    /// `[n, k]`
    pub fn distances(&self) -> Tensor<2> {
        Tensor::from_primitive::<Cube>(self.distances.clone())
    }

    fn head(&self, form: Form) -> Head {
        Head {
            n_heads: form.n_heads,
            d_head: form.d_head(),
            k: self.k(),
            by_distance: form.by_distance,
        }
    }

    /// Means of the values that each query of `rows` reads, mixed with other outputs by the gates in the parameters.
    pub(super) fn read(
        &self,
        form: Form,
        sharpness: &ParamSlice<1>,
        mixed: Option<(&GpuTensor, usize)>,
        [batch, seq, _]: [usize; 3],
    ) -> GpuTensor {
        let z = empty(&self.asked, [batch, seq, form.width]);
        let n = batch * seq;
        kernels::read::launch(
            &z.client,
            groups((n * form.n_heads).div_ceil(QUERIES)),
            CubeDim::new_1d(QUERIES as u32),
            arg(&self.asked),
            arg(&self.places),
            arg(&self.mirror.rows),
            arg(&sharpness.parameters.values),
            arg(mixed.map_or(&self.asked, |(local, _)| local)),
            arg(&z),
            n,
            self.mirror.width(),
            sharpness.start,
            mixed.map_or(0, |(_, gate)| gate),
            form.scale(),
            self.head(form),
            mixed.is_some(),
        );
        z
    }

    /// Gradients from that by the outputs, of projections of `stride` numbers; those by parameters are added to theirs.
    pub(super) fn backward(
        &self,
        form: Form,
        sharpness: &ParamSlice<1>,
        mixed: Option<(&GpuTensor, usize)>,
        stride: usize,
        trains: bool,
        dz: &GpuTensor,
    ) -> Gradients {
        let [batch, seq, width] = dims(dz);
        let (n, k, heads) = (batch * seq, self.k(), form.n_heads);
        let lengths = [
            n * stride,
            if mixed.is_some() { n * width } else { 0 },
            if trains { n * k * width } else { 0 },
            2 * n * heads,
        ];
        let (by_all, [_, local, values, parameters]) = together(dz, lengths);
        let gate = mixed.map_or(0, |(_, gate)| gate);
        kernels::backward::launch(
            &dz.client,
            groups((n * heads).div_ceil(QUERIES)),
            CubeDim::new_1d(QUERIES as u32),
            arg(&self.asked),
            arg(&self.places),
            arg(&self.mirror.rows),
            arg(&sharpness.parameters.values),
            arg(mixed.map_or(&self.asked, |(local, _)| local)),
            arg(dz),
            arg(&by_all),
            n,
            self.mirror.width(),
            stride,
            self.factors,
            local,
            values,
            parameters,
            sharpness.start,
            gate,
            form.scale(),
            self.head(form),
            Takes {
                is_mixed: mixed.is_some(),
                trains,
                estimates: form.estimates,
                has_written: stride > width,
            },
        );
        kernels::add::launch(
            &dz.client,
            groups(if mixed.is_some() { 1 + heads } else { 1 }),
            CubeDim::new_1d(UNITS as u32),
            arg(&by_all),
            arg(sharpness.parameters.by_values()),
            n,
            heads,
            parameters,
            sharpness.start,
            gate,
        );
        Gradients {
            projected: part_of(&by_all, 0, [batch, seq, stride]),
            local: part_of(&by_all, local, [batch, seq, lengths[1] / n]),
            values: part_of(&by_all, values, [lengths[2] / width, width]),
        }
    }
}
