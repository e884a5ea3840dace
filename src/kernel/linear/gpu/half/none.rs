//! In the browser: no large products in half precision, for no browser offers a GPU's units for them,
//! and CubeK's kernels would be a sixth of the worker.

use burn_cubecl::cubecl::prelude::Client;

use super::{Product, Then};
use crate::kernel::gpu::GpuTensor;

pub const LARGE: usize = usize::MAX;

/// There are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {}

impl Half {
    pub fn of(_: &Client) -> Option<Self> {
        None
    }

    pub(super) fn forward(
        self,
        _: &Product,
        _: &GpuTensor,
        _: Then,
        _: Option<&GpuTensor>,
        _: &GpuTensor,
        _: Option<&GpuTensor>,
    ) -> Option<()> {
        match self {}
    }

    pub(super) fn backward(
        self,
        _: &Product,
        _: &GpuTensor,
        _: Option<&GpuTensor>,
        _: &GpuTensor,
    ) -> Option<GpuTensor> {
        match self {}
    }
}
