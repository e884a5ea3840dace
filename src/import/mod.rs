//! Other people's models as Confab's own weights, from the bytes of their files.
//!
//! [`plan`] learns what the model is and that all of it is there; [`Plan::parameters`] then
//! converts its weights. Nothing in a file is run, and every size is checked against the file's own
//! length before memory is taken.

mod error;
mod family;
mod hugging_face;
#[cfg(feature = "cli")]
mod nanogpt;
#[cfg(feature = "cli")]
mod pickle;
mod settings;
mod tensors;
#[cfg(feature = "cli")]
mod torch;
mod vocabulary;

pub use error::ImportError;
pub use vocabulary::Vocabulary;

use std::collections::HashSet;

use crate::checkpoint::{Checkpoint, CheckpointError, MAX_TOKENS};
use crate::config::{ModelConfig, RunConfig, TrainConfig};
use crate::memory::Bank;
use crate::model::Layout;
use crate::model::weights::Parameter;
use crate::task::TaskKind;
use crate::tokenizer::Tokenizer;
use family::Family;
use tensors::{Tensors, View};
use vocabulary::Named;

/// A file's name, without folders, and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

/// A model as Confab runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    pub config: ModelConfig,
    pub vocabulary: Vocabulary,
    /// Flat, in the order of [`Layout`].
    pub parameters: Vec<f32>,
}

/// A model whose files are all there, before its weights are converted.
#[derive(Debug)]
pub struct Plan<'a> {
    pub config: ModelConfig,
    pub vocabulary: Vocabulary,
    layout: Layout,
    /// The row of the file's embedding that each id of the vocabulary has, if not its own.
    order: Option<Vec<usize>>,
    family: &'static Family,
    tensors: Tensors<'a>,
}

/// What the files say of a model.
struct Model<'a> {
    /// Name of the file that says how the model is built.
    file: &'a str,
    config: ModelConfig,
    vocab_size: usize,
    family: &'static Family,
    tensors: Tensors<'a>,
}

/// Reads a model whole.
///
/// # Errors
/// As of [`plan`] and [`Plan::parameters`].
pub fn import(files: &[File]) -> Result<Imported, ImportError> {
    let plan = plan(files)?;
    let parameters = plan.parameters()?;
    Ok(Imported { config: plan.config, vocabulary: plan.vocabulary, parameters })
}

/// Why files were taken neither for a checkpoint of Confab nor for another's model.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{file}: {error}")]
    Checkpoint { file: String, error: CheckpointError },
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// Opens a checkpoint of Confab, or the files of another's model: see [`plan`].
///
/// # Errors
/// If the files are neither, or not whole.
pub fn open(files: &[File]) -> Result<Checkpoint, OpenError> {
    if let [file] = files
        && !file.name.ends_with(".pt")
    {
        match Checkpoint::from_bytes(file.bytes) {
            Err(CheckpointError::Foreign(_)) => {}
            opened => {
                let file = file.name.into();
                return opened.map_err(|error| OpenError::Checkpoint { file, error });
            }
        }
    }
    Ok(plan(files)?.checkpoint()?)
}

/// Reads what a model is: Hugging Face's GPT-2, Llama, Mistral or Qwen3 from `config.json` and
/// `*.safetensors`, or nanoGPT's from `ckpt.pt` (at the terminal only). What its tokens are is in
/// `tokenizer.json`, `vocab.json` or nanoGPT's `meta.pkl`; other files are passed over.
///
/// # Errors
/// If the files are no such model, if it is not whole, or if it computes what Confab does not.
pub fn plan<'a>(files: &[File<'a>]) -> Result<Plan<'a>, ImportError> {
    let Model { file, config, vocab_size, family, tensors } = read(files)?;
    let run = RunConfig { model: config, ..RunConfig::default() };
    run.validate().map_err(|why| ImportError::Config { file: file.into(), why })?;
    let config = run.model;
    if !(1..=MAX_TOKENS).contains(&vocab_size) {
        let what = format!("is {vocab_size}, but Confab takes 1 to {MAX_TOKENS} tokens");
        return Err(ImportError::Setting { file: file.into(), key: "vocab_size", what });
    }
    // Sizes in 32 bits hold what the files do, but not what settings may tell of.
    let tables = if config.tied_head { 1 } else { 2 };
    let embeddings = tables * vocab_size as u64 * config.d_model as u64;
    tensors.check_size(embeddings + config.parameters(0) as u64)?;
    let layout = Layout::new(&config, vocab_size);
    let Named { vocabulary, order } = vocabulary::read(files, vocab_size)?;
    let plan = Plan { config, vocabulary, layout, order, family, tensors };
    plan.check()?;
    Ok(plan)
}

fn read<'a>(files: &[File<'a>]) -> Result<Model<'a>, ImportError> {
    if let Some(file) = files.iter().find(|file| file.name.ends_with(".pt")) {
        #[cfg(feature = "cli")]
        return nanogpt::read(file);
        #[cfg(not(feature = "cli"))]
        return Err(ImportError::Terminal { file: file.name.into() });
    }
    hugging_face::read(files)
}

impl Plan<'_> {
    /// Where each of the model's parameters lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The model's weights: `[layout.len()]`, in the order of [`Layout`].
    ///
    /// # Errors
    /// If a value is not a finite number.
    pub fn parameters(&self) -> Result<Vec<f32>, ImportError> {
        let mut out = Vec::with_capacity(self.layout.len());
        for parameter in self.layout.parameters() {
            self.view(parameter)?.read(&mut out)?;
        }
        Ok(out)
    }

    /// The model as a run that has nothing to train on.
    ///
    /// # Errors
    /// As of [`Plan::parameters`].
    pub fn checkpoint(self) -> Result<Checkpoint, ImportError> {
        let parameters = self.parameters()?;
        let mut config = RunConfig { model: self.config, ..RunConfig::default() };
        config.task.kind = TaskKind::Text;
        config.train = TrainConfig { batch: 1, ..config.train };
        let tokenizer = match self.vocabulary {
            Vocabulary::Characters(characters) => Tokenizer::new(&characters),
            Vocabulary::Tokens { tokens, tokenizer } => Tokenizer::of_tokens(tokens, tokenizer),
        };
        let (step, history, edits) = (0, Vec::new(), Vec::new());
        let bank = Bank::new(&config.model);
        let moments = None;
        Ok(Checkpoint { config, step, tokenizer, history, edits, parameters, moments, bank })
    }

    /// Checks that every parameter has its tensor, and every tensor its place.
    fn check(&self) -> Result<(), ImportError> {
        let mut used = HashSet::new();
        for parameter in self.layout.parameters() {
            self.view(parameter)?;
            used.insert(self.family.source(&parameter.name).name);
        }
        // A tensor that is left over would have changed what the model computes.
        let is_left = |name: &str| !used.contains(name) && !family::is_ignored(name);
        if let Some(tensor) = self.tensors.iter().find_map(|(name, t)| is_left(name).then_some(t)) {
            let what = "has no place in the model that its settings tell of; \
                        Confab would compute something else than the model does";
            return Err(tensor.refuse(what));
        }
        Ok(())
    }

    fn view(&self, parameter: &Parameter) -> Result<View<'_>, ImportError> {
        let view = self.family.source(&parameter.name).view(&self.tensors, &parameter.shape)?;
        Ok(match (&self.order, parameter.name.as_str()) {
            (Some(order), "embed.W_E") => view.with_rows(order),
            (Some(order), "unembed.W_U") => view.with_columns(order),
            _ => view,
        })
    }
}
