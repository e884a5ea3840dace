//! Entries of a file's metadata, which are JSON.

use super::error::CheckpointError;

/// The text of an entry of the metadata.
///
/// # Errors
/// If `value` has no JSON.
pub fn to_json(key: &'static str, value: &impl serde::Serialize) -> Result<String, CheckpointError> {
    serde_json::to_string(value).map_err(|e| CheckpointError::Metadata { key, why: e.to_string() })
}

/// The value of an entry of the metadata.
///
/// # Errors
/// If `text` is none.
pub fn from_json<T: serde::de::DeserializeOwned>(
    key: &'static str,
    text: &str,
) -> Result<T, CheckpointError> {
    serde_json::from_str(text).map_err(|e| CheckpointError::Metadata { key, why: e.to_string() })
}
