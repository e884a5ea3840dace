//! Head of a run's file, the same for all learners: the settings, the step and the tokenizer.

use std::collections::HashMap;

use safetensors::tensor::SafeTensors;

use super::error::CheckpointError;
use super::format::FORMAT;
use super::metadata::{from_json, to_json};
use super::summary::Summary;
use crate::base::file_kind::FileKind;
use crate::config::{RunConfig, TaskKind};
use crate::run::LossPoint;
use crate::task::{Modular, RecordSource};
use crate::tokenizer::Tokenizer;

/// More tokens than any model has that fits the knobs; guards the size of the embedding.
pub const MAX_TOKENS: usize = 1 << 18;

/// The beginning of a run's file.
#[derive(Clone, Debug)]
pub struct Head {
    pub summary: Summary,
    pub tokenizer: Tokenizer,
    pub metadata: HashMap<String, String>,
}

impl Head {
    /// Reads it of a file's bytes.
    ///
    /// # Errors
    /// If the file is not one of Confab, or its settings or its tokenizer cannot be used.
    pub fn read(bytes: &[u8]) -> Result<Self, CheckpointError> {
        match FileKind::of(bytes) {
            FileKind::Foreign(kind) => return Err(CheckpointError::Kind(kind)),
            FileKind::Zip | FileKind::Pickle => return Err(CheckpointError::Pytorch),
            FileKind::Safetensors | FileKind::Unknown => {}
        }
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let metadata =
            header.metadata().clone().ok_or(CheckpointError::Foreign("confab.format"))?;
        let summary = Summary::from_metadata(&metadata)?;
        let key = "confab.tokenizer";
        let tokenizer = metadata.get(key).ok_or(CheckpointError::Foreign(key))?;
        let tokenizer: Tokenizer = from_json(key, tokenizer)?;
        let tokenizer = with_numbers(tokenizer, &summary.config);
        if tokenizer.vocab_size() > MAX_TOKENS {
            return Err(CheckpointError::Alphabet);
        }
        tokenizer.check().map_err(CheckpointError::Tokenizer)?;
        Ok(Self { summary, tokenizer, metadata })
    }
}

/// The metadata that every run's file has.
///
/// # Errors
/// If something cannot be written as JSON.
pub fn common_metadata(
    config: &RunConfig,
    step: usize,
    tokenizer: &Tokenizer,
    history: &[LossPoint],
) -> Result<HashMap<String, String>, CheckpointError> {
    Ok(HashMap::from([
        ("format".into(), "pt".into()), // what Python's loaders look for
        ("confab.format".into(), FORMAT.into()),
        ("confab.config".into(), to_json("confab.config", config)?),
        ("confab.step".into(), step.to_string()),
        ("confab.tokenizer".into(), to_json("confab.tokenizer", tokenizer)?),
        ("confab.rng".into(), format!("chacha8 seed {} stream {step}", config.seed)),
        ("confab.history".into(), to_json("confab.history", &history)?),
    ]))
}

/// Tokenizer of a model of modular addition, whose numbers were single characters in older files.
fn with_numbers(tokenizer: Tokenizer, config: &RunConfig) -> Tokenizer {
    if config.task.kind != TaskKind::Modular {
        return tokenizer;
    }
    let task = Modular::new(&config.task.modular);
    match task.had_alphabet(tokenizer.characters()) {
        true => task.tokenizer().with_memory(tokenizer.memory_tokens()),
        false => tokenizer,
    }
}
