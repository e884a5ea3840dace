//! Tensors of a file, as numbers.

use safetensors::tensor::{Dtype, SafeTensors};

use super::error::CheckpointError;
use super::format::from_le_bytes;

/// The finite numbers of a tensor of this shape.
///
/// # Errors
/// If it is missing, or another one.
pub fn finite(
    tensors: &SafeTensors,
    name: String,
    shape: &[usize],
) -> Result<Vec<f32>, CheckpointError> {
    let refuse = |what: String| CheckpointError::Tensor { name: name.clone(), what };
    let view = tensors.tensor(&name).map_err(|_| refuse("is missing".into()))?;
    if view.dtype() != Dtype::F32 || view.shape() != shape {
        let (there, dtype) = (view.shape(), view.dtype());
        return Err(refuse(format!("is {dtype:?} {there:?} where F32 {shape:?} is expected")));
    }
    let values = from_le_bytes(view.data());
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(values),
        false => Err(refuse("holds a value that is not a finite number".into())),
    }
}
