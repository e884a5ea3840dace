//! Start of a run: untrained, or as it was saved.

use std::rc::Rc;

use burn::tensor::Device;

use super::{Learner, Likelihood, TaskRecords, Trainer};
use crate::arch::Layout;
use crate::base::parallel::Threads;
use crate::checkpoint::{Checkpoint, CheckpointError, check_room, drawn_adapter};
use crate::config::{ConfigError, LearnerKind, MemoryLimits, RunConfig, TaskConfig};
use crate::kernel::recall::Mirrors;
use crate::kernel::transfer::to_device;
use crate::memory::Bank;
use crate::model::{Model, untrained};
use crate::run::seconds_of;
use crate::task::Task;
use crate::tokenizer::Tokenizer;

impl Trainer {
    /// An untrained model.
    ///
    /// # Errors
    /// If something in `config` does not work on a device with `limits`, before memory is taken.
    pub fn new(
        config: RunConfig,
        device: Device,
        limits: &MemoryLimits,
    ) -> Result<Self, ConfigError> {
        if config.learner == LearnerKind::Codec {
            return Err(ConfigError::Parts { key: "learner", why: NO_WEIGHTS });
        }
        if config.train.lora.rank > 0 {
            return Err(ConfigError::Parts { key: "train.lora.rank", why: UNTRAINED });
        }
        let (task, tokenizer) = prepare(&config, None)?;
        config.validate_room(tokenizer.vocab_size(), limits)?;
        let layout = Layout::new(&config.model, tokenizer.vocab_size());
        let checkpoint = Checkpoint {
            step: 0,
            tokenizer,
            history: Vec::new(),
            edits: Vec::new(),
            parameters: untrained(&config.model, &layout, config.seed),
            moments: None,
            bank: Bank::new(&config.model),
            adapters: Vec::new(),
            config,
        };
        Ok(Self::of(checkpoint, task, device))
    }

    /// A run as it was saved. One whose text becomes other tokens here than at the terminal has nothing to train on.
    ///
    /// # Errors
    /// If the run does not work on a device with `limits`, or its model has no token for a symbol of its task.
    pub fn resume(
        checkpoint: Checkpoint,
        device: Device,
        limits: &MemoryLimits,
    ) -> Result<Self, CheckpointError> {
        let task = Self::task_of(&checkpoint)?;
        let Checkpoint { config, tokenizer, .. } = &checkpoint;
        match task.is_none() {
            true => check_room(config, tokenizer.vocab_size(), limits)?,
            false => config.validate_room(tokenizer.vocab_size(), limits)?,
        }
        Ok(Self::of(checkpoint, task, device))
    }

    /// The task of a run as it was saved; none, if its model is from elsewhere and was given none, or if its text becomes
    /// other tokens here than at the terminal.
    ///
    /// # Errors
    /// If the run cannot be run, or its model has no token for a symbol of its task.
    pub fn task_of<W>(checkpoint: &Checkpoint<W>) -> Result<Task, CheckpointError> {
        let Checkpoint { config, tokenizer, .. } = checkpoint;
        if tokenizer.memory_tokens() != config.model.memory_tokens {
            return Err(CheckpointError::Alphabet);
        }
        if config.task.is_unknown() || tokenizer.is_approximate() {
            config.validate()?;
            return Ok(Task::none());
        }
        Ok(prepare(config, Some(tokenizer))?.0)
    }

    /// The run of a checkpoint that has been checked.
    fn of(checkpoint: Checkpoint, task: Task, device: Device) -> Self {
        let Checkpoint { config, step, tokenizer, history, edits, parameters, .. } = checkpoint;
        let Checkpoint { moments, bank, mut adapters, .. } = checkpoint;
        let layout = Layout::new(&config.model, tokenizer.vocab_size());
        let kept = config.train.keep_pruned.then(|| layout.non_zero(&parameters));
        let model = Model {
            config: config.model.clone(),
            parameters: to_device(parameters, &device),
            layout,
            bank,
            mirrors: Mirrors::default(),
        };
        let is_adapted = config.train.lora.rank > 0;
        if is_adapted && adapters.is_empty() {
            adapters.push(drawn_adapter(&config, &model.layout, 0)); // a step that was kept
        }
        let optimizer = config.train.optimizer;
        let learner = match (adapters.is_empty(), task.is_none(), kept) {
            (false, ..) => Learner::adapted(model, adapters, optimizer, moments, is_adapted),
            (true, true, _) => Learner::frozen(model),
            (true, false, Some(kept)) => Learner::new(model, optimizer, moments).only(kept),
            (true, false, None) => Learner::new(model, optimizer, moments),
        };
        let objective = Box::new(Likelihood::of(&config.train));
        let source = Box::new(TaskRecords);
        let crew = Rc::new(Threads::shared());
        let seconds = seconds_of(&history, step);
        Self {
            config,
            task,
            tokenizer,
            learner,
            objective,
            source,
            crew,
            step,
            history,
            seconds,
            edits,
        }
    }

    /// The run with the records of another task, which its model reads as its own.
    ///
    /// # Errors
    /// If the task cannot be set up, its records are longer than the context, or the model has no token for a symbol of
    /// theirs.
    pub fn with_task(mut self, task: TaskConfig) -> Result<Self, ConfigError> {
        self.task = Task::for_model(&task, &self.tokenizer)?;
        self.config.task = task;
        self.config.validate_context(self.task.longest())?;
        Ok(self)
    }

    /// Checks that [`new`](Self::new) would take `config`.
    ///
    /// # Errors
    /// The errors of `new`.
    pub fn check(config: &RunConfig, limits: &MemoryLimits) -> Result<(), ConfigError> {
        let (_, tokenizer) = prepare(config, None)?;
        config.validate_room(tokenizer.vocab_size(), limits)
    }
}

const NO_WEIGHTS: &str =
    "this trains transformers, and the Learner (learner) is the noise codec; set it to gpt";
const UNTRAINED: &str = "low-rank adaptation changes a model that is trained already: go on from one (`--from` at the \
                         terminal, Continue in the page), or set LoRA rank (train.lora.rank) to 0";

/// The task of a run, and the tokenizer: that of its model, if there is one, else the task's own.
pub(super) fn prepare(
    config: &RunConfig,
    of_model: Option<&Tokenizer>,
) -> Result<(Task, Tokenizer), ConfigError> {
    config.validate()?;
    let task = match of_model {
        Some(tokenizer) => Task::for_model(&config.task, tokenizer)?,
        None => Task::new(&config.task)?,
    };
    config.validate_context(task.longest())?;
    let tokenizer = match of_model {
        Some(tokenizer) => tokenizer.clone(),
        None => task.tokenizer().with_memory(config.model.memory_tokens),
    };
    Ok((task, tokenizer))
}
