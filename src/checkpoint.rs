//! A run as one `.safetensors` file.
//!
//! Weights lie under TransformerLens-like names (`blocks.0.attn.W_Q`, `[in, out]`), AdamW's
//! moments under `optim.first.…` and `optim.second.…`, which may be left out, the slots of memories under
//! `blocks.0.memory.slots.…`. The metadata holds the format's version, the RunConfig, the tokenizer, the step, the
//! loss history and the operations done to the model, which older files lack. The state of the random numbers is
//! the seed and the step: every batch has a stream of its own.

mod adapters;
mod bank;
mod error;
mod format;
mod room;
mod tensor;

pub use adapters::drawn_adapter;
pub use error::CheckpointError;
pub use room::check_room;

use std::borrow::Cow;
use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::arch::{Layout, ParamSpec, parameters};
use crate::base::file_kind::FileKind;
use crate::config::{MemoryConfig, ModelConfig, RunConfig, TaskKind};
use crate::memory::Bank;
use crate::run::{Adapter, AppliedOperation, LossPoint, MAX_EDITS, MAX_HISTORY, Moments};
use crate::task::{Modular, RecordSource};
use crate::tokenizer::Tokenizer;
use format::{FORMAT, to_le_bytes};

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
    /// Flat, in the order of [`Layout`]; without adapters.
    pub parameters: Vec<f32>,
    /// `None` if they were left out; training then goes on with moments of 0.
    pub moments: Option<Moments>,
    /// Memories of its layers.
    pub bank: Bank,
    /// Low-rank changes that are added to the parameters.
    pub adapters: Vec<Adapter>,
}

impl Checkpoint {
    /// True if all of its values are finite numbers, without which it cannot be read again.
    pub fn is_finite(&self) -> bool {
        let groups = self.groups();
        let stores = self.bank.memories().map(|(_, memory)| &memory.store);
        let adapters = self.adapters.iter();
        let adapters = adapters.flat_map(|of| {
            let moments = of.moments.iter().flat_map(|of| [&of.first, &of.second]);
            std::iter::once(&of.values).chain(moments)
        });
        let losses = self.edits.iter().filter_map(|edit| edit.loss).flatten();
        groups.iter().flat_map(|(_, values)| *values).all(|value| value.is_finite())
            && stores.flat_map(|of| of.keys().iter().chain(of.values())).all(|x| x.is_finite())
            && adapters.flatten().all(|value| value.is_finite())
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
        let adapted = adapters::parts(&self.adapters, &layout)?;
        for part in &adapted {
            views.push((part.name.clone(), part.view()?));
        }
        let remembered = bank::parts(&self.bank)?;
        for part in &remembered {
            views.push((part.name.clone(), part.view()?));
        }
        Ok(safetensors::serialize(views, Some(self.metadata()?))?)
    }

    fn metadata(&self) -> Result<HashMap<String, String>, CheckpointError> {
        let adapters = (!self.adapters.is_empty()).then(|| to_json(adapters::KEY, &self.adapters));
        let adapters = adapters.transpose()?.map(|json| (adapters::KEY.to_owned(), json));
        let always = [
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
        ];
        Ok(always.into_iter().chain(adapters).collect())
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
        let adapters = metadata.get(adapters::KEY).map(|text| from_json(adapters::KEY, text));
        let adapters: Vec<Adapter> = adapters.transpose()?.unwrap_or_default();

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
            adapters: adapters::read(adapters, &tensors, &layout)?,
            config,
            step,
            tokenizer,
            history,
            edits,
        })
    }

    /// The parameters with the changes of its adapters that are on.
    pub fn weights(&self) -> Cow<'_, [f32]> {
        if self.adapters.is_empty() {
            return Cow::Borrowed(&self.parameters);
        }
        let layout = Layout::new(&self.config.model, self.tokenizer.vocab_size());
        let mut weights = self.parameters.clone();
        self.adapters.iter().for_each(|adapter| adapter.add_to(&mut weights, &layout));
        Cow::Owned(weights)
    }

    /// A new run of these weights and memories, with other settings. Without low-rank adaptation, adapters become part of
    /// the weights.
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
        let (parameters, adapters) = match config.train.lora.rank {
            0 => (self.weights().into_owned(), Vec::new()),
            _ => {
                let layout = Layout::new(new, self.tokenizer.vocab_size());
                let drawn = drawn_adapter(&config, &layout, self.adapters.len());
                let old = self.adapters.into_iter().map(|of| Adapter { moments: None, ..of });
                (self.parameters, old.chain([drawn]).collect())
            }
        };
        let (history, moments) = (Vec::new(), None);
        let (tokenizer, edits) = (self.tokenizer, self.edits);
        Ok(Self { config, step: 0, tokenizer, history, edits, parameters, moments, bank, adapters })
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
        out.extend(tensor::finite(tensors, name, &parameter.shape())?);
    }
    Ok(out)
}
