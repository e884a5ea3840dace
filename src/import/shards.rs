//! Weights in several files: the index that names them, and the numbers in their names.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;

use super::bare::bare;
use super::{File, ImportError};
use crate::base::file_kind::FileKind;

/// Missing files that a message names at most.
const MAX_NAMED: usize = 3;

/// An index of Hugging Face's, as model.safetensors.index.json.
#[derive(Clone, Debug)]
pub struct Index<'a> {
    pub file: &'a str,
    /// Each tensor's file.
    weight_map: HashMap<String, String>,
}

/// A file of several: `model-00002-of-00003.safetensors`.
#[derive(PartialEq)]
struct Numbered<'a> {
    beginning: &'a str,
    number: &'a str,
    count: &'a str,
    end: &'a str,
}

impl<'a> Index<'a> {
    /// # Errors
    /// If the file is no index.
    pub fn parse(file: &File<'a>) -> Result<Self, ImportError> {
        #[derive(Deserialize)]
        struct Written {
            weight_map: HashMap<String, String>,
        }
        match serde_json::from_slice::<Written>(file.bytes) {
            Ok(Written { weight_map }) if !weight_map.is_empty() => {
                Ok(Self { file: file.name, weight_map })
            }
            Ok(_) => Err(not_an_index(file, "its `weight_map` is empty")),
            Err(why) => match FileKind::of(file.bytes) {
                FileKind::Foreign(kind) => {
                    Err(ImportError::Kind { file: file.name.into(), kind })
                }
                _ => Err(not_an_index(file, why)),
            },
        }
    }

    /// Names of the files of weights.
    pub fn shards(&self) -> BTreeSet<&str> {
        self.weight_map.values().map(String::as_str).collect()
    }

    /// The files of weights among `files`, and the error if some are missing.
    pub fn find(&self, files: &[File<'a>]) -> (Vec<File<'a>>, Option<ImportError>) {
        let shards = self.shards();
        let found = files.iter().filter(|file| shards.contains(file.name)).copied().collect();
        let is_missing = |name: &&str| files.iter().all(|file| file.name != *name);
        let missing: Vec<&str> = shards.iter().copied().filter(is_missing).collect();
        let error = (!missing.is_empty()).then(|| lacking(&missing, "names", self.file));
        (found, error)
    }

    /// Name of the file that the tensor with the [bare name](bare) `name` should be in.
    pub fn shard_of(&self, name: &str) -> Option<&str> {
        let mut tensors = self.weight_map.iter();
        tensors.find(|(full, _)| bare(full) == name).map(|(_, file)| file.as_str())
    }
}

/// The files of `own` that are numbered, of one set; `None` if there are none.
///
/// # Errors
/// If a number is missing.
pub fn numbered_shards<'a>(own: &[File<'a>]) -> Result<Option<Vec<File<'a>>>, ImportError> {
    let Some(first) = own.iter().find_map(|file| Numbered::parse(file.name)) else {
        return Ok(None);
    };
    let is_of_set = |file: &&File<'a>| Numbered::parse(file.name).is_some_and(|f| f.is_with(&first));
    let shards: Vec<File> = own.iter().filter(is_of_set).copied().collect();
    let count: usize = first.count.parse().unwrap_or(0);
    let missing = (1..=count).map(|number| first.name(number));
    let missing = missing.filter(|name| shards.iter().all(|file| file.name != *name));
    let missing: Vec<String> = missing.take(MAX_NAMED + 1).collect();
    if missing.is_empty() {
        return Ok(Some(shards));
    }
    let names: Vec<&str> = missing.iter().map(String::as_str).collect();
    Err(lacking(&names, "is a part with", shards[0].name))
}

impl<'a> Numbered<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (before, after) = name.rsplit_once("-of-")?;
        let (count, end) = after.split_once('.')?;
        let (beginning, number) = before.rsplit_once('-')?;
        let is_number =
            |text: &str| (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        [number, count]
            .into_iter()
            .all(is_number)
            .then_some(Self { beginning, number, count, end })
    }

    /// True if both are parts of one whole.
    fn is_with(&self, other: &Self) -> bool {
        *self == Self { number: self.number, ..*other }
    }

    /// Name of another part.
    fn name(&self, number: usize) -> String {
        let (width, Self { beginning, count, end, .. }) = (self.number.len(), self);
        format!("{beginning}-{number:0width$}-of-{count}.{end}")
    }
}

fn lacking(missing: &[&str], why: &'static str, by: &str) -> ImportError {
    let named: Vec<String> =
        missing.iter().take(MAX_NAMED).map(|name| name.chars().take(80).collect()).collect();
    let more = if missing.len() > MAX_NAMED { " and more" } else { "" };
    let missing = format!("{}{more}", named.join(", "));
    ImportError::Shard { missing, why, by: by.into() }
}

fn not_an_index(file: &File, why: impl std::fmt::Display) -> ImportError {
    ImportError::Format { file: file.name.into(), kind: "an index of weights", why: why.to_string() }
}
