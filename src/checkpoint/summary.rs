//! The beginning of a checkpoint's file, which tells of its run before a tensor is read.

use std::collections::HashMap;

use serde::Deserialize;

use super::error::CheckpointError;
use super::format::FORMAT;
use super::metadata::from_json;
use crate::config::RunConfig;
use crate::run::{LossPoint, MAX_HISTORY};

/// Settings, step and losses of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub config: RunConfig,
    /// Steps done.
    pub step: usize,
    /// Losses, oldest first.
    pub history: Vec<LossPoint>,
}

/// Bytes before the header, which hold its length.
pub const LENGTH_BYTES: usize = 8;
/// Longest header that is read for a summary.
const MAX_HEADER: u64 = 32 << 20;

impl Summary {
    /// Length of the header of a safetensors file that begins with `start`; `None` if it is too long to be one of a run.
    pub fn header_len(start: [u8; LENGTH_BYTES]) -> Option<usize> {
        let length = u64::from_le_bytes(start);
        usize::try_from(length).ok().filter(|_| length <= MAX_HEADER)
    }

    /// Reads the header of a safetensors file: JSON.
    ///
    /// # Errors
    /// If it is not one of a run that this version reads.
    pub fn from_header(header: &[u8]) -> Result<Self, CheckpointError> {
        #[derive(Deserialize)]
        struct Header {
            #[serde(default, rename = "__metadata__")]
            metadata: HashMap<String, String>,
        }
        let header: Header = serde_json::from_slice(header).map_err(|error| {
            CheckpointError::Metadata { key: "__metadata__", why: error.to_string() }
        })?;
        Self::from_metadata(&header.metadata)
    }

    pub(super) fn from_metadata(
        metadata: &HashMap<String, String>,
    ) -> Result<Self, CheckpointError> {
        let entry = |key: &'static str| metadata.get(key).ok_or(CheckpointError::Foreign(key));
        let format = entry("confab.format")?;
        if format != FORMAT {
            return Err(CheckpointError::Version(format.chars().take(40).collect()));
        }
        let config: RunConfig = from_json("confab.config", entry("confab.config")?)?;
        config.validate()?;
        let step = from_json("confab.step", entry("confab.step")?)?;
        let mut history: Vec<LossPoint> = from_json("confab.history", entry("confab.history")?)?;
        history.truncate(MAX_HISTORY);
        Ok(Self { config, step, history })
    }
}
