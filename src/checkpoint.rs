//! A run as one `.safetensors` file.
//!
//! Weights lie under TransformerLens-like names (`blocks.0.attn.W_Q`, `[in, out]`), in 32 bits or, of a model from
//! elsewhere, in the 16 that they came in; the optimizer's moments under `optim.first.…` and, of one that has them,
//! `optim.second.…`, which may be left out; the slots of memories under `blocks.0.memory.slots.…`. The metadata holds the
//! format's version, the RunConfig, the tokenizer, the step, the loss history and the operations done to the model, which
//! older files lack. The state of the random numbers is the seed and the step: every batch has a stream of its own.

mod adapters;
mod bank;
mod error;
mod format;
mod head;
mod metadata;
mod room;
mod summary;
mod tensors;

pub use adapters::drawn_adapter;
pub use error::CheckpointError;
pub use head::{Head, MAX_TOKENS, common_metadata};
pub use metadata::{from_json, to_json};
pub use room::{check_room, check_room_in_place};
pub use summary::{LENGTH_BYTES, Summary};

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use safetensors::tensor::SafeTensors;

use crate::arch::{Layout, ParamSpec, Parameter, parameters};
use crate::base::numbers::Numbers;
use crate::config::{LearnerKind, ModelConfig, RunConfig};
use crate::host::{ParameterSource, Weights};
use crate::memory::Bank;
use crate::run::{Adapter, AppliedOperation, LossPoint, MAX_EDITS, Moments};
use crate::tokenizer::Tokenizer;
use tensors::Part;

const FIRST: &str = "optim.first.";
const SECOND: &str = "optim.second.";

/// Everything a run needs to go on as if it had never stopped. Its parameters are the flat vector, to be trained or
/// changed, or [`Weights`] as they are stored, to be looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<W = Vec<f32>> {
    pub config: RunConfig,
    /// Steps done.
    pub step: usize,
    pub tokenizer: Tokenizer,
    pub history: Vec<LossPoint>,
    /// Operations done to the model, oldest first.
    pub edits: Vec<AppliedOperation>,
    /// In the order of [`Layout`]; without adapters.
    pub parameters: W,
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
        let moments = self.moments.iter().flat_map(Moments::vectors);
        let values = moments.chain([&self.parameters]).all(|of| Numbers::F32(of).is_finite());
        let stores = self.bank.memories().map(|(_, memory)| &memory.store);
        let adapters = self.adapters.iter();
        let adapters = adapters.flat_map(|of| {
            let moments = of.moments.iter().flat_map(Moments::vectors);
            std::iter::once(&of.values).chain(moments)
        });
        let losses = self.edits.iter().filter_map(|edit| edit.loss).flatten();
        values
            && stores.flat_map(|of| of.keys().iter().chain(of.values())).all(|x| x.is_finite())
            && adapters.flatten().all(|value| value.is_finite())
            && losses.chain(self.history.iter().map(|of| of.train_loss)).all(f32::is_finite)
    }

    /// Reads a file's bytes, and widens what is in 16 bits. Sizes are checked against the file's own length before
    /// memory is taken.
    ///
    /// # Errors
    /// If the file is no whole checkpoint of finite numbers.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let run = read_run(bytes)?;
        let (tensors, layout) = (SafeTensors::deserialize(bytes)?, run.layout());
        let moments = match has_moments(&tensors) {
            true => Some(Moments {
                first: tensors::read(&tensors, &layout, FIRST)?,
                second: match run.config.train.optimizer.has_second() {
                    true => Some(tensors::read(&tensors, &layout, SECOND)?),
                    false => None,
                },
            }),
            false => None,
        };
        let parameters = tensors::read(&tensors, &layout, "")?;
        Ok(Self { moments, ..run.with(parameters) })
    }

    /// Checks that [`from_bytes`](Self::from_bytes) would read a file, without a copy of its numbers.
    ///
    /// # Errors
    /// The errors of `from_bytes`.
    pub fn check(bytes: &[u8]) -> Result<(), CheckpointError> {
        let run = read_run(bytes)?;
        let (tensors, layout) = (SafeTensors::deserialize(bytes)?, run.layout());
        if has_moments(&tensors) {
            tensors::check(&tensors, &layout, FIRST)?;
            if run.config.train.optimizer.has_second() {
                tensors::check(&tensors, &layout, SECOND)?;
            }
        }
        tensors::check(&tensors, &layout, "")
    }
}

impl Checkpoint {
    /// The parameters with the changes of its adapters that are on.
    pub fn weights(&self) -> Cow<'_, [f32]> {
        if self.adapters.is_empty() {
            return Cow::Borrowed(&self.parameters);
        }
        let (layout, mut weights) = (self.layout(), self.parameters.clone());
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
        if !new.takes_weights_of(old) {
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
}

impl Checkpoint<Weights> {
    /// The weights to compute with: those of parameters that adapters change are in 32 bits.
    pub fn adapted(&self) -> Weights {
        let (layout, mut weights) = (self.layout(), self.parameters.clone());
        for adapter in self.adapters.iter().filter(|adapter| adapter.is_on) {
            let parts = adapter.parts(&layout).unwrap_or_default();
            for (target, part) in adapter.targets.iter().zip(parts) {
                if let Some(parameter) = layout.find(target) {
                    weights.change(parameter, |matrix| adapter.add_part(&part, matrix));
                }
            }
        }
        weights
    }

    /// Takes a file to look at, without its moments. Weights in 16 bits stay where they lie in it.
    ///
    /// # Errors
    /// If the file is no whole checkpoint of finite numbers.
    pub fn open(bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        let (run, file) = (read_run(&bytes)?, Arc::new(bytes));
        let weights = tensors::share(&file, &run.layout())?;
        Ok(run.with(weights))
    }

    /// The run with weights in 32 bits, to be trained or changed.
    pub fn widen(self) -> Checkpoint {
        let (run, weights) = self.take();
        run.with(weights.into_flat())
    }
}

impl<W: ParameterSource> Checkpoint<W> {
    /// The file's bytes.
    ///
    /// # Errors
    /// If the format cannot hold the run, as with metadata over 100 MB, or its values are not as many as its model
    /// has.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let layout = self.layout();
        let mut views = parts(&layout, "", &self.parameters)?;
        let moments = self.moments.iter().flat_map(Moments::vectors);
        for (prefix, values) in [FIRST, SECOND].into_iter().zip(moments) {
            views.extend(parts(&layout, prefix, values)?);
        }
        views.extend(adapters::parts(&self.adapters, &layout)?);
        let remembered = bank::parts(&self.bank)?;
        for part in &remembered {
            views.push((part.name.clone(), Part::Bytes(part.view()?)));
        }
        Ok(safetensors::serialize(views, Some(self.metadata()?))?)
    }
}

impl<W> Checkpoint<W> {
    /// The places of the model's parameters.
    pub fn layout(&self) -> Layout {
        Layout::new(&self.config.model, self.tokenizer.vocab_size())
    }

    /// The run with other parameters.
    pub fn with<V>(self, parameters: V) -> Checkpoint<V> {
        let (run, _) = self.take();
        let Checkpoint { config, step, tokenizer, history, edits, moments, bank, adapters, .. } = run;
        Checkpoint { config, step, tokenizer, history, edits, parameters, moments, bank, adapters }
    }

    /// The run without its parameters, and these.
    fn take(self) -> (Checkpoint<()>, W) {
        let Self { config, step, tokenizer, history, edits, parameters, moments, bank, adapters } = self;
        let without = Checkpoint {
            config,
            step,
            tokenizer,
            history,
            edits,
            parameters: (),
            moments,
            bank,
            adapters,
        };
        (without, parameters)
    }

    fn metadata(&self) -> Result<HashMap<String, String>, CheckpointError> {
        let adapters = (!self.adapters.is_empty()).then(|| to_json(adapters::KEY, &self.adapters));
        let adapters = adapters.transpose()?.map(|json| (adapters::KEY.to_owned(), json));
        let mut all = common_metadata(&self.config, self.step, &self.tokenizer, &self.history)?;
        all.insert("confab.edits".into(), to_json("confab.edits", &self.edits)?);
        all.extend(adapters);
        Ok(all)
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

/// Reads all of a run but its parameters and their moments.
fn read_run(bytes: &[u8]) -> Result<Checkpoint<()>, CheckpointError> {
    let Head { summary: Summary { config, step, history }, tokenizer, metadata } = Head::read(bytes)?;
    if config.learner == LearnerKind::Codec {
        return Err(CheckpointError::Codec);
    }
    if tokenizer.memory_tokens() != config.model.memory_tokens {
        return Err(CheckpointError::Alphabet);
    }
    let edits = metadata.get("confab.edits").map(|text| from_json("confab.edits", text));
    let mut edits: Vec<AppliedOperation> = edits.transpose()?.unwrap_or_default();
    edits.truncate(MAX_EDITS);

    let adapters = metadata.get(adapters::KEY).map(|text| from_json(adapters::KEY, text));
    let adapters = adapters.transpose()?.unwrap_or_default();

    let tensors = SafeTensors::deserialize(bytes)?;
    let bank = bank::read(&tensors, &config.model)?;
    let layout = Layout::new(&config.model, tokenizer.vocab_size());
    let adapters = adapters::read(adapters, &tensors, &layout, config.train.optimizer)?;
    let (parameters, moments) = ((), None);
    Ok(Checkpoint { config, step, tokenizer, history, edits, parameters, moments, bank, adapters })
}

/// True if a file has an optimizer's moments.
fn has_moments(tensors: &SafeTensors) -> bool {
    tensors.names().iter().any(|name| name.starts_with(FIRST))
}

/// The tensors `{prefix}{name}` of every parameter, to write.
fn parts<'a>(
    layout: &Layout,
    prefix: &str,
    values: &'a impl ParameterSource,
) -> Result<Vec<(String, Part<'a>)>, CheckpointError> {
    if values.count() != layout.len() {
        let what = format!("are {} values instead of {}", values.count(), layout.len());
        return Err(CheckpointError::Tensor { name: format!("{prefix}*"), what });
    }
    let part = |of: &Parameter| {
        (format!("{prefix}{}", of.name()), Part::Numbers(of.shape(), values.numbers(of)))
    };
    Ok(layout.parameters().iter().map(part).collect())
}
