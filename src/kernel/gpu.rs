//! Helpers that all kernels for GPUs share.
//!
//! They are written in CubeCL, which compiles them for WebGPU, Vulkan and CUDA as they are first
//! used. None uses subgroup operations, which a browser may refuse.

use burn::backend::Cube;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, Device, Int, IntDType, Shape, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::fused::{int_primitive, primitive};

/// A float tensor on a GPU.
pub type GpuTensor = FloatTensor<Cube>;

/// Units that work together in most kernels: as many as every WebGPU device allows.
pub const UNITS: usize = 256;

/// The client that gives work to `device`, a GPU.
pub fn client(device: &Device) -> Client {
    primitive::<Cube>(Tensor::<1>::empty([1], device).into_dispatch()).client
}

/// A new tensor on the device of `like`, of any values.
pub fn empty<const D: usize>(like: &GpuTensor, shape: [usize; D]) -> GpuTensor {
    let client = like.client.clone();
    let handle = client.empty(shape.iter().product::<usize>() * size_of::<f32>());
    GpuTensor::new_contiguous(client, like.device.clone(), Shape::from(shape), handle, DType::F32)
}

/// A buffer for several tensors, of any values, and where each begins: WebGPU binds at most eight buffers to a kernel.
pub fn together<const N: usize>(like: &GpuTensor, lengths: [usize; N]) -> (GpuTensor, [usize; N]) {
    /// Numbers between two places at which a WebGPU device may bind a buffer: 256 bytes.
    const ALIGNMENT: usize = 64;
    let mut end = 0;
    let starts = lengths.map(|length| {
        let start = end;
        end += length.next_multiple_of(ALIGNMENT);
        start
    });
    (empty(like, [end.max(1)]), starts)
}

/// The tensor that begins at `start` of a buffer for several.
pub fn part_of<const D: usize>(whole: &GpuTensor, start: usize, shape: [usize; D]) -> GpuTensor {
    let [length] = dims(whole);
    let bytes = |numbers: usize| (numbers * size_of::<f32>()) as u64;
    let after = length - start - shape.iter().product::<usize>();
    let handle = whole.handle.clone().offset_start(bytes(start)).offset_end(bytes(after));
    let (client, device) = (whole.client.clone(), whole.device.clone());
    GpuTensor::new_contiguous(client, device, Shape::from(shape), handle, DType::F32)
}

/// A contiguous tensor as a kernel's argument.
pub fn arg(tensor: &GpuTensor) -> BufferArg {
    let length = tensor.meta.shape().num_elements();
    // SAFETY: it is the tensor's own length.
    unsafe { BufferArg::from_raw_parts(tensor.handle.clone(), length) }
}

pub fn dims<const D: usize>(tensor: &GpuTensor) -> [usize; D] {
    tensor.meta.shape().dims()
}

/// Whole numbers as kernels read them.
pub fn ints(tensor: Tensor<2, Int>) -> IntTensor<Cube> {
    int_primitive(tensor.cast(IntDType::I32).into_dispatch())
}

/// `count` groups of units, in as many dimensions as a device needs for them; a few may be too many.
pub fn groups(count: usize) -> CubeCount {
    const MAX: usize = 65_535;
    let columns = count.clamp(1, MAX);
    CubeCount::Static(columns as u32, count.div_ceil(columns).max(1) as u32, 1)
}

/// The sum of `value` over the `units` units that stand side by side with this one, a power of 2;
/// `shared` has a place for each of the group. Every unit of the group must take part.
#[cube]
pub fn sum_of(value: f32, shared: &mut Shared<[f32]>, #[comptime] units: usize) -> f32 {
    if comptime![units == 1] {
        value
    } else {
        let at = UNIT_POS as usize;
        let lane = at % units;
        sync_cube();
        shared[at] = value;
        sync_cube();
        let mut half = comptime![units / 2].runtime();
        #[unroll]
        for _ in 0..comptime![units.ilog2()] {
            if lane < half {
                let other = shared[at + half];
                shared[at] += other;
            }
            sync_cube();
            half /= 2;
        }
        shared[at - lane]
    }
}
