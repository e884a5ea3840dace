//! Opening of files that hold a checkpoint of Confab or another's model.

use super::{File, ImportError, plan};
use crate::base::file_kind::FileKind;
use crate::checkpoint::{Checkpoint, CheckpointError};

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
pub struct Opened {
    pub checkpoint: Checkpoint,
    pub notes: Vec<String>,
}

/// Opens a checkpoint of Confab, or the files of another's model: see [`plan()`].
///
/// # Errors
/// If the files are neither, or not whole.
pub fn open(files: &[File]) -> Result<Opened, OpenError> {
    if let [file] = files
        && may_be_checkpoint(file)?
    {
        match Checkpoint::from_bytes(file.bytes) {
            Ok(checkpoint) => return Ok(Opened { checkpoint, notes: Vec::new() }),
            Err(CheckpointError::Foreign(_)) => {}
            Err(error) => {
                return Err(OpenError::Checkpoint { file: file.name.into(), error });
            }
        }
    }
    let mut plan = plan(files)?;
    let notes = std::mem::take(&mut plan.notes);
    Ok(Opened { checkpoint: plan.checkpoint()?, notes })
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
