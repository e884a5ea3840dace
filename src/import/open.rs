//! Opening of files that hold a checkpoint of Confab or another's model.

use super::{File, ImportError, Plan, plan};
use crate::base::file_kind::FileKind;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::host::Weights;

/// Reason for which files are taken neither for a checkpoint of Confab nor for another's model.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{file}: {error}")]
    Checkpoint { file: String, error: CheckpointError },
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// A run from files, and lines for the user about what was left out.
#[derive(Debug)]
pub struct Opened<W = Vec<f32>> {
    pub checkpoint: Checkpoint<W>,
    pub notes: Vec<String>,
}

/// Opens a checkpoint of Confab, or the files of another's model: see [`plan()`]. Weights are in 32 bits.
///
/// # Errors
/// If the files are neither, or not whole.
pub fn open(files: &[File]) -> Result<Opened, OpenError> {
    open_as(files, Checkpoint::from_bytes, |plan| plan.parameters())
}

/// Opens the same files, with weights in the bits that they have there, and without moments.
///
/// # Errors
/// The errors of [`open`].
pub fn open_stored(files: &[File]) -> Result<Opened<Weights>, OpenError> {
    open_as(files, |bytes| Checkpoint::open(bytes.into()), |plan| plan.weights())
}

fn open_as<W>(
    files: &[File],
    read: fn(&[u8]) -> Result<Checkpoint<W>, CheckpointError>,
    convert: fn(&Plan) -> Result<W, ImportError>,
) -> Result<Opened<W>, OpenError> {
    if let [file] = files
        && may_be_checkpoint(file)?
    {
        match read(file.bytes) {
            Ok(checkpoint) => return Ok(Opened { checkpoint, notes: Vec::new() }),
            Err(CheckpointError::Foreign(_)) => {}
            Err(error) => {
                return Err(OpenError::Checkpoint { file: file.name.into(), error });
            }
        }
    }
    let mut plan = plan(files)?;
    let notes = std::mem::take(&mut plan.notes);
    let parameters = convert(&plan)?;
    Ok(Opened { checkpoint: plan.checkpoint(parameters), notes })
}

/// True if nothing speaks against a checkpoint of Confab.
fn may_be_checkpoint(file: &File) -> Result<bool, ImportError> {
    let others = [".json", ".txt", ".md", ".pkl", ".pt", ".pth", ".bin", ".ckpt"];
    match FileKind::of(file.bytes) {
        FileKind::Safetensors => Ok(true),
        FileKind::Zip | FileKind::Pickle => Ok(false),
        FileKind::Foreign(kind) => Err(ImportError::Kind { file: file.name.into(), kind }),
        FileKind::Unknown => Ok(!others.iter().any(|end| file.name.ends_with(end))),
    }
}
