//! A run as one `.safetensors` file.
//!
//! Weights lie under TransformerLens-like names (`blocks.0.attn.W_Q`, `[in, out]`), AdamW's
//! moments under `optim.first.…` and `optim.second.…`, which may be left out, the slots of memories under
//! `blocks.0.memory.slots.…`. The metadata holds the format's version, the RunConfig, the tokenizer, the step, the
//! loss history and the operations done to the model, which older files lack. The state of the random numbers is
//! the seed and the step: every batch has a stream of its own.

mod bank;
mod error;
mod format;
mod room;

pub use error::CheckpointError;
pub use room::check_room;

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::arch::{Layout, ParamSpec, parameters};
use crate::base::file_kind::FileKind;
use crate::config::{MemoryConfig, ModelConfig, RunConfig, TaskKind};
use crate::memory::Bank;
use crate::run::{AppliedOperation, LossPoint, MAX_EDITS, MAX_HISTORY, Moments};
use crate::task::{Modular, RecordSource};
use crate::tokenizer::Tokenizer;
use format::{FORMAT, from_le_bytes, to_le_bytes};

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
    /// Operations done to the model, oldest first.
    pub edits: Vec<AppliedOperation>,
    /// Flat, in the order of [`Layout`].
    pub parameters: Vec<f32>,
    /// `None` if they were left out; training then goes on with moments of 0.
    pub moments: Option<Moments>,
    /// Memories of its layers.
    pub bank: Bank,
}

impl Checkpoint {
    /// True if all of its values are finite numbers, without which it cannot be read again.
    pub fn is_finite(&self) -> bool {
        let groups = self.groups();
        let stores = self.bank.memories().map(|(_, memory)| &memory.store);
        let losses = self.edits.iter().filter_map(|edit| edit.loss).flatten();
        groups.iter().flat_map(|(_, values)| *values).all(|value| value.is_finite())
            && stores.flat_map(|of| of.keys().iter().chain(of.values())).all(|x| x.is_finite())
            && losses.chain(self.history.iter().map(|of| of.train_loss)).all(f32::is_finite)
    }

    /// Each prefix, and the values under it.
    fn groups(&self) -> Vec<(&'static str, &Vec<f32>)> {
        let moments = self.moments.iter();
        let moments = moments.flat_map(|of| [(FIRST, &of.first), (SECOND, &of.second)]);
        std::iter::once(("", &self.parameters)).chain(moments).collect()
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// If the format cannot hold the run, as with metadata over 100 MB, or its values are not as many as its model
    /// has.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let layout = Layout::new(&self.config.model, self.tokenizer.vocab_size());
        let groups = self.groups().into_iter();
        let groups: Vec<_> = groups.map(|(prefix, values)| (prefix, to_le_bytes(values))).collect();
        let mut views = Vec::new();
        for (prefix, bytes) in &groups {
            if bytes.len() != 4 * layout.len() {
                let what = format!("are {} values instead of {}", bytes.len() / 4, layout.len());
                return Err(CheckpointError::Tensor { name: format!("{prefix}*"), what });
            }
            for parameter in layout.parameters() {
                let part = &bytes[parameter.range.start * 4..parameter.range.end * 4];
                let view = TensorView::new(Dtype::F32, parameter.shape(), part)?;
                views.push((format!("{prefix}{}", parameter.name()), view));
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
    /// If the file is no whole checkpoint of finite numbers.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        match FileKind::of(bytes) {
            FileKind::Foreign(kind) => return Err(CheckpointError::Kind(kind)),
            FileKind::Zip | FileKind::Pickle => return Err(CheckpointError::Pytorch),
            FileKind::Safetensors | FileKind::Unknown => {}
        }
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
        let tokenizer = with_numbers(tokenizer, &config);
        let has_its_memory = tokenizer.memory_tokens() == config.model.memory_tokens;
        if tokenizer.vocab_size() > MAX_TOKENS || !has_its_memory {
            return Err(CheckpointError::Alphabet);
        }
        tokenizer.check().map_err(CheckpointError::Tokenizer)?;
        let step = from_json("confab.step", entry("confab.step")?)?;
        let mut history: Vec<LossPoint> = from_json("confab.history", entry("confab.history")?)?;
        history.truncate(MAX_HISTORY);
        let edits = metadata.get("confab.edits").map(|text| from_json("confab.edits", text));
        let mut edits: Vec<AppliedOperation> = edits.transpose()?.unwrap_or_default();
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
    /// read and written, where that gives no parameter another shape.
    pub fn restart(self, config: RunConfig) -> Result<Self, CheckpointError> {
        let (old, new) = (&self.config.model, &config.model);
        let MemoryConfig { slots, top_k, write_threshold, max_writes, merge_after, lambda, .. } = new.memory;
        let memory = old.memory.clone();
        let memory = MemoryConfig { slots, top_k, write_threshold, max_writes, merge_after, lambda, ..memory };
        if *new != (ModelConfig { dropout: new.dropout, memory, ..old.clone() }) {
            return Err(CheckpointError::Model);
        }
        self.check_shapes(new, self.tokenizer.vocab_size())?;
        let bank = self.bank.fit(new);
        Ok(Self { config, step: 0, history: Vec::new(), moments: None, bank, ..self })
    }

    /// Checks that the parameters of another run could take the place of these.
    ///
    /// # Errors
    /// The first parameter that the other's model has in another shape, or one of both has not.
    pub fn check_like(&self, other: &Self) -> Result<(), CheckpointError> {
        self.check_shapes(&other.config.model, other.tokenizer.vocab_size())
    }

    /// Checks that the parameters are those which are declared for `model`, by name and shape.
    fn check_shapes(&self, model: &ModelConfig, vocab_size: usize) -> Result<(), CheckpointError> {
        let there = parameters(&self.config.model, self.tokenizer.vocab_size());
        let asked = parameters(model, vocab_size);
        for at in 0..there.len().max(asked.len()) {
            let told = |of: Option<&ParamSpec>| of.map(|spec| (spec.name(), spec.shape()));
            let [there, asked] = [told(there.get(at)), told(asked.get(at))];
            if there != asked {
                return Err(CheckpointError::Shape { there, asked });
            }
        }
        Ok(())
    }

    /// Name for a file that the checkpoint is saved as.
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

/// The tensors `{prefix}{name}` of every parameter, flat.
fn read(tensors: &SafeTensors, layout: &Layout, prefix: &str) -> Result<Vec<f32>, CheckpointError> {
    let mut out = Vec::new();
    for parameter in layout.parameters() {
        let name = format!("{prefix}{}", parameter.name());
        let refuse = |what: String| CheckpointError::Tensor { name: name.clone(), what };
        let view = tensors.tensor(&name).map_err(|_| refuse("is missing".into()))?;
        if view.dtype() != Dtype::F32 || view.shape() != parameter.shape() {
            let (shape, dtype) = (view.shape(), view.dtype());
            let wanted = parameter.shape();
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
