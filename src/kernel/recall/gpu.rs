//! Reads on a GPU: one kernel scales queries and finds slots, and one reads them. Backward, one takes the gradients by
//! every query, and one adds up those by the parameters.

mod found;
mod kernels;
mod mirror;
mod next;
mod search;

use burn::backend::Cube;

pub use found::Found;
pub use mirror::Mirror;
pub use next::mix_next;
pub use search::find;

use super::form::Form;
use crate::kernel::fused::Fused;
use crate::kernel::gpu::{GpuTensor, dims};
use crate::kernel::param::ParamSlice;

/// [`super::read`] of projections, and a leaf in the place of the values found.
#[derive(Clone, Debug)]
pub struct Read {
    pub form: Form,
    pub found: Found,
    pub sharpness: ParamSlice<1>,
    pub trains: bool,
}

/// [`super::mix`] of projections and outputs.
#[derive(Clone, Debug)]
pub struct Mix {
    pub form: Form,
    pub found: Found,
    pub sharpness: ParamSlice<1>,
    /// Place of the gates in the vector of the sharpness.
    pub gate: usize,
}

impl Fused<Cube, 2> for Read {
    type Saved = ();

    fn forward(&self, [projected, _]: &[GpuTensor; 2]) -> (GpuTensor, ()) {
        (self.found.read(self.form, &self.sharpness, None, dims(projected)), ())
    }

    fn backward(
        &self,
        [projected, _]: &[GpuTensor; 2],
        (): &(),
        dz: &GpuTensor,
    ) -> [Option<GpuTensor>; 2] {
        let Self { form, found, sharpness, trains } = self;
        let [.., stride] = dims::<3>(projected);
        let by = found.backward(*form, sharpness, None, stride, *trains, dz);
        [Some(by.projected), trains.then_some(by.values)]
    }
}

impl Fused<Cube, 2> for Mix {
    type Saved = ();

    fn forward(&self, [projected, local]: &[GpuTensor; 2]) -> (GpuTensor, ()) {
        let mixed = Some((local, self.gate));
        (self.found.read(self.form, &self.sharpness, mixed, dims(projected)), ())
    }

    fn backward(
        &self,
        [projected, local]: &[GpuTensor; 2],
        (): &(),
        dz: &GpuTensor,
    ) -> [Option<GpuTensor>; 2] {
        let Self { form, found, sharpness, gate } = self;
        let [.., stride] = dims::<3>(projected);
        let by = found.backward(*form, sharpness, Some((local, *gate)), stride, false, dz);
        [Some(by.projected), Some(by.local)]
    }
}
