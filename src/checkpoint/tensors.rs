//! Tensors of a file: the parameters of a model, in the formats that they are stored in.

use std::borrow::Cow;
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};

use super::CheckpointError;
use crate::arch::{Layout, Parameter};
use crate::base::numbers::{Encoding, Numbers};
use crate::host::{Values, Weights};

/// A tensor to write. Its bytes are made as they are written.
pub enum Part<'a> {
    Numbers(Vec<usize>, Numbers<'a>),
    Bytes(TensorView<'a>),
}

impl View for Part<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Numbers(_, numbers) => match numbers.encoding() {
                Encoding::F32 => Dtype::F32,
                Encoding::F16 => Dtype::F16,
                Encoding::Bf16 => Dtype::BF16,
            },
            Self::Bytes(view) => view.dtype(),
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Numbers(shape, _) => shape,
            Self::Bytes(view) => view.shape(),
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Numbers(_, numbers) => numbers.to_bytes(),
            Self::Bytes(view) => view.data().into(),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::Numbers(_, numbers) => numbers.len() * numbers.encoding().bytes(),
            Self::Bytes(view) => view.data().len(),
        }
    }
}

/// The tensors `{prefix}{name}` of every parameter, flat and in 32 bits.
pub fn read(
    tensors: &SafeTensors,
    layout: &Layout,
    prefix: &str,
) -> Result<Vec<f32>, CheckpointError> {
    let found = find_all(tensors, layout, prefix)?;
    let mut flat = Vec::with_capacity(found.iter().map(|numbers| numbers.len()).sum());
    found.iter().for_each(|numbers| flat.extend_from_slice(&numbers.widen()));
    Ok(flat)
}

/// The parameters as they lie in the file, which they share if one of them is in 16 bits.
pub fn share(file: &Arc<Vec<u8>>, layout: &Layout) -> Result<Weights, CheckpointError> {
    let tensors = SafeTensors::deserialize(file)?;
    let found = find_all(&tensors, layout, "")?;
    if found.iter().all(|numbers| numbers.encoding() == Encoding::F32) {
        return Ok(read(&tensors, layout, "")?.into());
    }
    let (header, metadata) = SafeTensors::read_metadata(file)?;
    let data = header + size_of::<u64>();
    let values = layout.parameters().iter().zip(found).filter_map(|(parameter, numbers)| {
        let (start, end) = metadata.info(parameter.name())?.data_offsets;
        Some(Values::of_file(file.clone(), numbers.encoding(), data + start..data + end))
    });
    Ok(values.collect::<Vec<_>>().into())
}

/// Checks the tensors `{prefix}{name}` of every parameter.
pub fn check(tensors: &SafeTensors, layout: &Layout, prefix: &str) -> Result<(), CheckpointError> {
    find_all(tensors, layout, prefix).map(drop)
}

fn find_all<'t>(
    tensors: &SafeTensors<'t>,
    layout: &Layout,
    prefix: &str,
) -> Result<Vec<Numbers<'t>>, CheckpointError> {
    let find = |parameter: &Parameter| {
        find(tensors, format!("{prefix}{}", parameter.name()), &parameter.shape())
    };
    layout.parameters().iter().map(find).collect()
}

/// The finite numbers of the tensor `name`, of this shape.
///
/// # Errors
/// If it is missing, or another one.
pub fn find<'t>(
    tensors: &SafeTensors<'t>,
    name: String,
    wanted: &[usize],
) -> Result<Numbers<'t>, CheckpointError> {
    let refuse = |what: String| CheckpointError::Tensor { name: name.clone(), what };
    let view = tensors.tensor(&name).map_err(|_| refuse("is missing".into()))?;
    let (shape, dtype) = (view.shape(), view.dtype());
    let encoding = match dtype {
        Dtype::F32 => Some(Encoding::F32),
        Dtype::F16 => Some(Encoding::F16),
        Dtype::BF16 => Some(Encoding::Bf16),
        _ => None,
    };
    let Some(encoding) = encoding.filter(|_| shape == wanted) else {
        let wanted = format!("F32, F16 or BF16 {wanted:?} is expected");
        return Err(refuse(format!("is {dtype:?} {shape:?} where {wanted}")));
    };
    let numbers = Numbers::of_bytes(view.data(), encoding);
    match numbers.is_finite() {
        true => Ok(numbers),
        false => Err(refuse("holds a value that is not a finite number".into())),
    }
}
