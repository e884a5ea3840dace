//! Settings by which a model was built, as a file has them.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{File, ImportError};

pub struct Settings<'a> {
    pub file: &'a str,
    values: Map<String, Value>,
}

impl<'a> Settings<'a> {
    #[cfg(feature = "cli")]
    pub fn new(file: &'a str, values: Map<String, Value>) -> Self {
        Self { file, values }
    }

    pub fn parse(file: &File<'a>) -> Result<Self, ImportError> {
        match serde_json::from_slice(file.bytes) {
            Ok(values) => Ok(Self { file: file.name, values }),
            Err(why) => Err(ImportError::Format {
                file: file.name.into(),
                kind: "JSON",
                why: why.to_string(),
            }),
        }
    }

    /// True if `key` is there and not null.
    pub fn has(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|value| !value.is_null())
    }

    /// The value of `key`, unless it is not there or null.
    ///
    /// # Errors
    /// If it is no `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &'static str) -> Result<Option<T>, ImportError> {
        let Some(value) = self.values.get(key).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let read = serde_json::from_value(value.clone());
        read.map(Some).map_err(|why| self.refuse(key, format!("cannot be read: {why}")))
    }

    /// The value of `key`, which must be there: see [`get`](Self::get).
    pub fn need<T: DeserializeOwned>(&self, key: &'static str) -> Result<T, ImportError> {
        self.get(key)?.ok_or_else(|| self.refuse(key, "is missing; use another copy"))
    }

    /// Refuses a model whose `key` is there, but not `usual`.
    pub fn expect(&self, key: &'static str, usual: impl Into<Value>) -> Result<(), ImportError> {
        let usual = usual.into();
        match self.get::<Value>(key)? {
            Some(found) if found != usual => {
                let what = format!("is {}, where Confab's models have {usual}", brief(&found));
                Err(self.refuse(key, what))
            }
            _ => Ok(()),
        }
    }

    pub fn refuse(&self, key: &'static str, what: impl Into<String>) -> ImportError {
        ImportError::Setting { file: self.file.into(), key, what: what.into() }
    }
}

/// The beginning of a value, to be shown.
pub fn brief(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}
