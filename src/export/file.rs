//! Files to be written.

use serde_json::Value;

/// A file to be written: its name without folders, and its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct OutFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl OutFile {
    pub fn new(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

/// JSON in lines.
pub(super) fn pretty(json: &Value) -> String {
    format!("{json:#}\n")
}
