//! Start of a run: untrained, or as it was saved.

use burn::tensor::Device;

use super::{Learner, Likelihood, TaskRecords, Trainer};
use crate::arch::Layout;
use crate::checkpoint::{Checkpoint, CheckpointError, check_room};
use crate::config::{ConfigError, MemoryLimits, RunConfig, TaskConfig};
use crate::kernel::transfer::to_device;
use crate::memory::Bank;
use crate::model::{Model, untrained};
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
        let (task, tokenizer) = prepare(&config)?;
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
            config,
        };
        Ok(Self::of(checkpoint, task, device))
    }

    /// A run as it was saved.
    ///
    /// # Errors
    /// If the run does not work on a device with `limits`, or its task now has other characters.
    pub fn resume(
        checkpoint: Checkpoint,
        device: Device,
        limits: &MemoryLimits,
    ) -> Result<Self, CheckpointError> {
        let task = Self::task_of(&checkpoint)?;
        let Checkpoint { config, tokenizer, .. } = &checkpoint;
        match config.task.is_unknown() {
            true => check_room(config, tokenizer.vocab_size(), limits)?,
            false => config.validate_room(tokenizer.vocab_size(), limits)?,
        }
        Ok(Self::of(checkpoint, task, device))
    }

    /// The task of a run as it was saved; none, if its model is from elsewhere and has tokens of its own.
    ///
    /// # Errors
    /// If the run cannot be run, or its task now has other characters.
    pub fn task_of<W>(checkpoint: &Checkpoint<W>) -> Result<Task, CheckpointError> {
        let Checkpoint { config, tokenizer, .. } = checkpoint;
        if config.task.is_unknown() {
            config.validate()?;
            return Ok(Task::none());
        }
        let (task, of_task) = prepare(config)?;
        if of_task == *tokenizer { Ok(task) } else { Err(CheckpointError::Alphabet) }
    }

    /// The run of a checkpoint that has been checked.
    fn of(checkpoint: Checkpoint, task: Task, device: Device) -> Self {
        let Checkpoint { config, step, tokenizer, history, edits, parameters, moments, bank } =
            checkpoint;
        let layout = Layout::new(&config.model, tokenizer.vocab_size());
        let kept = config.train.keep_pruned.then(|| layout.non_zero(&parameters));
        let model = Model {
            config: config.model.clone(),
            parameters: to_device(parameters, &device),
            layout,
            bank,
        };
        let learner = match (task.is_none(), kept) {
            (true, _) => Learner::frozen(model),
            (false, Some(kept)) => Learner::new(model, moments).only(kept),
            (false, None) => Learner::new(model, moments),
        };
        let objective = Box::new(Likelihood::of(&config.train));
        let source = Box::new(TaskRecords);
        Self { config, task, tokenizer, learner, objective, source, step, history, edits }
    }

    /// The run with the records of another task, which its model reads as its own.
    ///
    /// # Errors
    /// A sentence, if the task cannot be set up, its records are longer than the context, or the model has no token
    /// for each of their symbols.
    pub fn with_task(mut self, task: TaskConfig) -> Result<Self, String> {
        self.task = Task::new(&task).map_err(|error| error.to_string())?;
        self.config.task = task;
        let longest = self.task.longest();
        self.config.validate_context(longest).map_err(|error| error.to_string())?;
        if self.tokenizer.is_of_pieces() {
            let why = "the model's tokens are pieces of text, and records need one for each symbol";
            return Err(why.into());
        }
        let symbols = self.task.tokenizer();
        let mut symbols = (0..symbols.text_size() as u32).filter_map(|id| symbols.token(id));
        match symbols.find(|symbol| self.tokenizer.id(symbol).is_none()) {
            Some(symbol) => {
                Err(format!("this model has never seen “{}”, which the records have", symbol.escape_debug()))
            }
            None => Ok(self),
        }
    }

    /// Checks that [`new`](Self::new) would take `config`.
    ///
    /// # Errors
    /// The errors of `new`.
    pub fn check(config: &RunConfig, limits: &MemoryLimits) -> Result<(), ConfigError> {
        let (_, tokenizer) = prepare(config)?;
        config.validate_room(tokenizer.vocab_size(), limits)
    }
}

fn prepare(config: &RunConfig) -> Result<(Task, Tokenizer), ConfigError> {
    config.validate()?;
    let task = Task::new(&config.task)?;
    config.validate_context(task.longest())?;
    let tokenizer = task.tokenizer().with_memory(config.model.memory_tokens);
    Ok((task, tokenizer))
}
