//! The plan of an import: a model whose files are all there, and the conversion of its weights.

use std::collections::HashSet;

use super::family::{self, Family};
use super::model_files::ModelFiles;
use super::selection::{Selection, select};
use super::settings::Settings;
use super::tensors::{Tensors, View};
use super::vocabulary::{Named, Vocabulary};
use super::weights::Weights;
use super::{File, ImportError, hugging_face, nanogpt, token_files};
use crate::arch::{Layout, Parameter};
use crate::checkpoint::{Checkpoint, MAX_TOKENS};
use crate::config::{ModelConfig, RunConfig, TaskKind, TrainConfig};
use crate::host;
use crate::memory::Bank;
use crate::tokenizer::Tokenizer;

/// A model whose files are all there, before its weights are converted.
#[derive(Debug)]
pub struct Plan<'a> {
    pub config: ModelConfig,
    pub vocabulary: Vocabulary,
    /// Lines for the user about what was left out.
    pub notes: Vec<String>,
    layout: Layout,
    /// The row of the file's embedding that each id of the vocabulary has, if not its own.
    order: Option<Vec<usize>>,
    family: &'static Family,
    tensors: Tensors<'a>,
}

/// Reads how a model is built: Hugging Face's GPT-2, Llama, Mistral or Qwen3 from `config.json` and
/// `*.safetensors` or PyTorch's files, or nanoGPT's from `ckpt.pt` (PyTorch's at the terminal only).
/// Its tokens' names are in `tokenizer.json`, `vocab.json` or nanoGPT's `meta.pkl`; see [`select`] for
/// which of the files count.
///
/// # Errors
/// If the files are no such model, if it is not whole, or if it computes what Confab does not.
pub fn plan<'a>(files: &[File<'a>]) -> Result<Plan<'a>, ImportError> {
    let selection = select(files)?;
    let mut notes: Vec<String> = selection.note().into_iter().collect();
    let weights = Weights::read(&selection)?;
    notes.extend(weights.notes);
    let ModelFiles { file, config, vocab_size, family, tensors } =
        read(&selection, weights.settings, weights.tensors)?;
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
    let named = token_files::read(&selection.tokens, vocab_size)?;
    let Named { vocabulary, order, notes: of_tokens } = named;
    notes.extend(of_tokens);
    let plan = Plan { config, vocabulary, notes, layout, order, family, tensors };
    plan.check()?;
    Ok(plan)
}

/// Reads how the program that wrote the model has built it: by the checkpoint's own settings, if it
/// has some, else by config.json.
fn read<'a>(
    selection: &Selection<'a>,
    settings: Option<Settings<'a>>,
    tensors: Tensors<'a>,
) -> Result<ModelFiles<'a>, ImportError> {
    if let Some(settings) = settings {
        return nanogpt::read(&settings, tensors);
    }
    let Some(config) = selection.config else { return Err(selection.without_config()) };
    let settings = Settings::parse(&config)?;
    match nanogpt::is_of(&settings) {
        true => nanogpt::read(&settings, tensors),
        false => hugging_face::read(&settings, tensors),
    }
}

impl Plan<'_> {
    /// The place of each of the model's parameters.
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

    /// The model's weights, those in 16 bits as they are.
    ///
    /// # Errors
    /// If a value is not a finite number.
    pub fn weights(&self) -> Result<host::Weights, ImportError> {
        let parameters = self.layout.parameters().iter();
        let values: Result<Vec<_>, _> =
            parameters.map(|parameter| self.view(parameter)?.values()).collect();
        Ok(values?.into())
    }

    /// The model as a run of these parameters, which has nothing to train on.
    pub fn checkpoint<W>(self, parameters: W) -> Checkpoint<W> {
        let mut config = RunConfig { model: self.config, ..RunConfig::default() };
        config.task.kind = TaskKind::Text;
        config.train = TrainConfig::for_fine_tuning();
        let tokenizer = match self.vocabulary {
            Vocabulary::Characters(characters) => Tokenizer::new(&characters),
            Vocabulary::Tokens { tokens, tokenizer } => Tokenizer::of_tokens(tokens, tokenizer),
        };
        let (step, history, edits) = (0, Vec::new(), Vec::new());
        let bank = Bank::new(&config.model);
        let (moments, adapters) = (None, Vec::new());
        Checkpoint { config, step, tokenizer, history, edits, parameters, moments, bank, adapters }
    }

    /// Checks that every parameter has its tensor, and every tensor its place.
    fn check(&self) -> Result<(), ImportError> {
        let mut used = HashSet::new();
        for parameter in self.layout.parameters() {
            self.view(parameter)?;
            used.insert(self.family.source(parameter.name()).name);
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
        let view = self.family.source(parameter.name()).view(&self.tensors, &parameter.shape())?;
        Ok(match (&self.order, parameter.name()) {
            (Some(order), "embed.W_E") => view.with_rows(order),
            (Some(order), "unembed.W_U") => view.with_columns(order),
            _ => view,
        })
    }
}
