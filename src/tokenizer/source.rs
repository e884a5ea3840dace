//! Tokenizers of imported models.

#[cfg(feature = "cli")]
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

/// A Hugging Face `tokenizer.json`. Only the terminal applies it: its parser is larger than the page's worker may
/// be.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Source {
    json: String,
    /// Parsed on first use; `None` if it is invalid.
    #[cfg(feature = "cli")]
    read: Arc<OnceLock<Option<tokenizers::Tokenizer>>>,
}

impl Source {
    pub fn new(json: String) -> Self {
        Self {
            json,
            #[cfg(feature = "cli")]
            read: Arc::default(),
        }
    }

    /// Ids of `text`, without begin and end marks; `None` if the tokenizer is invalid or fails.
    #[cfg(feature = "cli")]
    pub fn encode(&self, text: &str) -> Option<Vec<u32>> {
        let tokenizer = self.read.get_or_init(|| self.json.parse().ok()).as_ref()?;
        Some(tokenizer.encode(text, false).ok()?.get_ids().to_vec())
    }

    #[cfg(not(feature = "cli"))]
    pub fn encode(&self, _text: &str) -> Option<Vec<u32>> {
        None
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl Eq for Source {}

impl From<String> for Source {
    fn from(json: String) -> Self {
        Self::new(json)
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.json
    }
}
