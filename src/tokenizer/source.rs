//! Tokenizers of imported models.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::byte_pairs::BytePairs;
#[cfg(feature = "cli")]
use super::library::Library;
use super::settings::Settings;

/// A Hugging Face `tokenizer.json`. Text becomes tokens by it where it is of byte pairs, and at the terminal always: the
/// library is larger than the page's worker may be. Tokens become text by it everywhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Source {
    json: String,
    /// Read on first use.
    read: Arc<OnceLock<Result<Read, String>>>,
}

/// A `tokenizer.json` that has been read.
#[derive(Debug)]
pub struct Read {
    pub settings: Settings,
    /// `None` if it is not of byte pairs, or has a part that Confab leaves to the library.
    pub pairs: Option<BytePairs>,
    #[cfg(feature = "cli")]
    pub library: Library,
}

impl Source {
    pub fn new(json: String) -> Self {
        Self { json, read: Arc::default() }
    }

    /// The file's text.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The file as it is read for a model with `rows` tokens.
    ///
    /// # Errors
    /// A sentence on what cannot be read, or must not be.
    pub fn read(&self, rows: usize) -> Result<&Read, &str> {
        self.read.get_or_init(|| Read::new(&self.json, rows)).as_ref().map_err(String::as_str)
    }
}

impl Read {
    fn new(json: &str, rows: usize) -> Result<Self, String> {
        let json: Value = serde_json::from_str(json).map_err(|why| why.to_string())?;
        let settings = Settings::read(&json, rows)?;
        let pairs = BytePairs::read(&json);
        #[cfg(feature = "cli")]
        let pairs = pairs.filter(|pairs| pairs.is_exact);
        #[cfg(feature = "cli")]
        let library = Library::new(json, rows)?;
        Ok(Self {
            settings,
            pairs,
            #[cfg(feature = "cli")]
            library,
        })
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
