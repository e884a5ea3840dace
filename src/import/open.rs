//! Opening of files that hold a checkpoint of Confab or another's model.

use super::{File, ImportError, plan};
use crate::checkpoint::{Checkpoint, CheckpointError};

/// Reason for which files are taken neither for a checkpoint of Confab nor for another's model.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{file}: {error}")]
    Checkpoint { file: String, error: CheckpointError },
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// Opens a checkpoint of Confab, or the files of another's model: see [`plan()`].
///
/// # Errors
/// If the files are neither, or not whole.
pub fn open(files: &[File]) -> Result<Checkpoint, OpenError> {
    if let [file] = files
        && !file.name.ends_with(".pt")
    {
        match Checkpoint::from_bytes(file.bytes) {
            Err(CheckpointError::Foreign(_)) => {}
            opened => {
                let file = file.name.into();
                return opened.map_err(|error| OpenError::Checkpoint { file, error });
            }
        }
    }
    Ok(plan(files)?.checkpoint()?)
}
