//! A run as one `.safetensors` file.
//!
//! Weights lie under TransformerLens-like names (`blocks.0.attn.W_Q`, `[in, out]`), AdamW's
//! moments under `optim.first.…` and `optim.second.…`, which may be left out, what memories remember under
//! `blocks.0.memory.slots.…`. The metadata holds the
//! format's version, the RunConfig, the tokenizer, the step, the loss history and what was done to the
//! model, which older files lack. The state of the
//! random numbers is the seed and the step: every batch has a stream of its own.

mod bank;

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::config::{ConfigError, MemoryConfig, ModelConfig, RunConfig};
use crate::memory::Bank;
use crate::model::Layout;
use crate::protocol::LossPoint;
use crate::surgery::{MAX_EDITS, Surgery};
use crate::tokenizer::Tokenizer;
use crate::trainer::MAX_HISTORY;

const FORMAT: &str = "confab.1";
const FIRST: &str = "optim.first.";
const SECOND: &str = "optim.second.";
/// More tokens than any model has that fits the knobs; guards the size of the embedding.
pub const MAX_TOKENS: usize = 1 << 18;

/// Everything a run needs to go on as if it had never stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub config: RunConfig,
    /// Steps done.
    pub step: usize,
    pub tokenizer: Tokenizer,
    pub history: Vec<LossPoint>,
    /// What was done to the model, oldest first.
    pub edits: Vec<Surgery>,
    /// Flat, in the order of [`Layout`].
    pub parameters: Vec<f32>,
    /// `None` if they were left out; training then goes on with moments of 0.
    pub moments: Option<Moments>,
    /// What its memory layers remember.
    pub bank: Bank,
}

/// AdamW's first and second moments, in the order of the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

/// Why a file is not taken for a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(
        "it is not a whole safetensors file ({0}); it may be cut off or damaged: use another copy"
    )]
    Format(safetensors::SafeTensorError),
    #[error("it is a safetensors file, but not one of Confab: its metadata lacks `{0}`")]
    Foreign(&'static str),
    #[error("it was written in the format `{0}`; this version reads `{FORMAT}`: update Confab")]
    Version(String),
    #[error("its metadata `{key}` cannot be read: {why}")]
    Metadata { key: &'static str, why: String },
    #[error("its run cannot be run here: {0}")]
    Config(ConfigError),
    #[error("its tensor `{name}` {what}; the file is damaged: use another copy")]
    Tensor { name: String, what: String },
    #[error(
        "its {parameters} parameters need about {needs} MiB to be looked into, more than the {has} MiB \
         this device is taken to have; use a smaller model, or one at the terminal of a larger machine"
    )]
    TooLarge { parameters: usize, needs: u64, has: u64 },
    #[error(
        "its model is not the one that was asked for; set every knob of the model back but Dropout, Slots, \
         Neighbours, Novelty, Inserts, Recombine and kNN-LM share"
    )]
    Model,
    #[error("its alphabet is not that of its task in this version of Confab")]
    Alphabet,
}

// Their texts are part of the message; as sources they would be told twice.
impl From<safetensors::SafeTensorError> for CheckpointError {
    fn from(error: safetensors::SafeTensorError) -> Self {
        Self::Format(error)
    }
}

impl From<ConfigError> for CheckpointError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl Checkpoint {
    /// Whether all of its values are finite numbers, without which it cannot be read again.
    pub fn is_finite(&self) -> bool {
        let groups = self.groups();
        groups.iter().flat_map(|(_, values)| *values).all(|value| value.is_finite())
            && self.history.iter().all(|point| point.train_loss.is_finite())
    }

    /// What lies under each prefix.
    fn groups(&self) -> Vec<(&'static str, &Vec<f32>)> {
        let moments = self.moments.iter();
        let moments = moments.flat_map(|of| [(FIRST, &of.first), (SECOND, &of.second)]);
        std::iter::once(("", &self.parameters)).chain(moments).collect()
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// If the format cannot hold the run, as with metadata over 100 MB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let layout = Layout::new(&self.config.model, self.tokenizer.vocab_size());
        let groups = self.groups().into_iter();
        let groups: Vec<_> = groups.map(|(prefix, values)| (prefix, to_le_bytes(values))).collect();
        let mut views = Vec::new();
        for (prefix, bytes) in &groups {
            for parameter in layout.parameters() {
                let part = &bytes[parameter.range.start * 4..parameter.range.end * 4];
                let view = TensorView::new(Dtype::F32, parameter.shape.clone(), part)?;
                views.push((format!("{prefix}{}", parameter.name), view));
            }
        }
        let remembered = bank::parts(&self.bank)?;
        for part in &remembered {
            views.push((part.name.clone(), part.view()?));
        }
        Ok(safetensors::serialize(views, Some(self.metadata()?))?)
    }

    fn metadata(&self) -> Result<HashMap<String, String>, CheckpointError> {
        Ok(HashMap::from([
            ("format".into(), "pt".into()), // what Python's loaders look for
            ("confab.format".into(), FORMAT.into()),
            ("confab.config".into(), to_json("confab.config", &self.config)?),
            ("confab.step".into(), self.step.to_string()),
            ("confab.tokenizer".into(), to_json("confab.tokenizer", &self.tokenizer)?),
            (
                "confab.rng".into(),
                format!("chacha8 seed {} stream {}", self.config.seed, self.step),
            ),
            ("confab.history".into(), to_json("confab.history", &self.history)?),
            ("confab.edits".into(), to_json("confab.edits", &self.edits)?),
        ]))
    }

    /// Reads a file's bytes. Sizes are checked against the file's own length before memory is
    /// taken.
    ///
    /// # Errors
    /// Whatever keeps the file from being a whole checkpoint of finite numbers.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let metadata =
            header.metadata().as_ref().ok_or(CheckpointError::Foreign("confab.format"))?;
        let entry = |key: &'static str| metadata.get(key).ok_or(CheckpointError::Foreign(key));
        let format = entry("confab.format")?;
        if format != FORMAT {
            return Err(CheckpointError::Version(format.chars().take(40).collect()));
        }
        let config: RunConfig = from_json("confab.config", entry("confab.config")?)?;
        config.validate()?;
        let tokenizer: Tokenizer = from_json("confab.tokenizer", entry("confab.tokenizer")?)?;
        let has_its_memory = tokenizer.memory_tokens() == config.model.memory_tokens;
        if tokenizer.vocab_size() > MAX_TOKENS || !has_its_memory {
            return Err(CheckpointError::Alphabet);
        }
        let step = from_json("confab.step", entry("confab.step")?)?;
        let mut history: Vec<LossPoint> = from_json("confab.history", entry("confab.history")?)?;
        history.truncate(MAX_HISTORY);
        let edits = metadata.get("confab.edits").map(|text| from_json("confab.edits", text));
        let mut edits: Vec<Surgery> = edits.transpose()?.unwrap_or_default();
        edits.truncate(MAX_EDITS);

        let tensors = SafeTensors::deserialize(bytes)?;
        let layout = Layout::new(&config.model, tokenizer.vocab_size());
        Ok(Self {
            parameters: read(&tensors, &layout, "")?,
            moments: match tensors.names().iter().any(|name| name.starts_with(FIRST)) {
                true => Some(Moments {
                    first: read(&tensors, &layout, FIRST)?,
                    second: read(&tensors, &layout, SECOND)?,
                }),
                false => None,
            },
            bank: bank::read(&tensors, &config.model)?,
            config,
            step,
            tokenizer,
            history,
            edits,
        })
    }

    /// A new run of these weights and memories, with other settings.
    ///
    /// # Errors
    /// If they are of another model: all that may differ of a model is its dropout and how its memories are
    /// read and written.
    pub fn restart(self, config: RunConfig) -> Result<Self, CheckpointError> {
        let (old, new) = (&self.config.model, &config.model);
        let MemoryConfig { slots, top_k, threshold, inserts, recombine, lambda, .. } = new.memory;
        let memory = old.memory.clone();
        let memory = MemoryConfig { slots, top_k, threshold, inserts, recombine, lambda, ..memory };
        if *new != (ModelConfig { dropout: new.dropout, memory, ..old.clone() }) {
            return Err(CheckpointError::Model);
        }
        let bank = self.bank.fit(new);
        Ok(Self { config, step: 0, history: Vec::new(), moments: None, bank, ..self })
    }

    /// What a saved file is called.
    pub fn file_name(&self) -> String {
        let task = serde_json::to_value(self.config.task.kind).unwrap_or_default();
        let task = task.as_str().unwrap_or("run");
        let size = crate::config::Preset::of(&self.config.model).map_or("custom", |p| p.name);
        format!("confab-{task}-{size}-step{}.safetensors", self.step)
    }
}

fn to_json(key: &'static str, value: &impl serde::Serialize) -> Result<String, CheckpointError> {
    serde_json::to_string(value).map_err(|e| CheckpointError::Metadata { key, why: e.to_string() })
}

fn from_json<T: serde::de::DeserializeOwned>(
    key: &'static str,
    text: &str,
) -> Result<T, CheckpointError> {
    serde_json::from_str(text).map_err(|e| CheckpointError::Metadata { key, why: e.to_string() })
}

fn to_le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn from_le_bytes(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks::<4>();
    values.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

/// The tensors `{prefix}{name}` of every parameter, flat.
fn read(tensors: &SafeTensors, layout: &Layout, prefix: &str) -> Result<Vec<f32>, CheckpointError> {
    let mut out = Vec::new();
    for parameter in layout.parameters() {
        let name = format!("{prefix}{}", parameter.name);
        let refuse = |what: String| CheckpointError::Tensor { name: name.clone(), what };
        let view = tensors.tensor(&name).map_err(|_| refuse("is missing".into()))?;
        if view.dtype() != Dtype::F32 || view.shape() != parameter.shape {
            let (shape, dtype) = (view.shape(), view.dtype());
            let wanted = &parameter.shape;
            return Err(refuse(format!("is {dtype:?} {shape:?} where F32 {wanted:?} is expected")));
        }
        let start = out.len();
        out.extend(from_le_bytes(view.data()));
        if out[start..].iter().any(|value| !value.is_finite()) {
            return Err(refuse("holds a value that is not a finite number".into()));
        }
    }
    Ok(out)
}
