//! Numbers to a device and back.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// A flat vector on the device: `[values.len()]`.
pub fn to_device(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

/// One row of token ids on the device: `[1, seq]`.
pub fn to_tensor(ids: &[u32], device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
    let seq = ids.len();
    Tensor::from_data(TensorData::new(ids, [1, seq]), device)
}

/// The values of a float tensor that was read back.
pub fn floats(data: TensorData) -> Vec<f32> {
    data.iter::<f32>().collect()
}
