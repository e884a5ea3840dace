//! One step: forward, loss, backward, update; and what a run has come to.

mod heads;
mod learn;

use burn::tensor::{Device, ExecutionError, Tensor, TensorData, Transaction};

use crate::batch::Batch;
use crate::checkpoint::{Checkpoint, CheckpointError, Moments};
use crate::config::{ConfigError, MemoryLimits, NoiseConfig, RunConfig};
use crate::kernel::dropout::Dropout;
use crate::loss::{LossSums, mean_loss, token_losses};
use crate::memory::Bank;
use crate::model::gpt::Output;
use crate::model::weights::to_device;
use crate::model::{Gpt, Layout, Weights};
use crate::optimizer::AdamW;
use crate::protocol::{FieldLoss, LossPoint};
use crate::schedule::learning_rate;
use crate::surgery::Surgery;
use crate::task::{Split, Task};
use crate::tokenizer::Tokenizer;

pub use heads::Verdict;
pub(crate) use learn::Learned;
pub use learn::TeachError;

/// A run: its model, its optimizer and how far it has come.
pub struct Trainer {
    pub config: RunConfig,
    pub task: Task,
    pub tokenizer: Tokenizer,
    pub layout: Layout,
    /// `[layout.len()]`
    pub parameters: Tensor<1>,
    /// What its memory layers remember.
    pub bank: Bank,
    /// `None` if there is nothing to train on.
    pub(crate) optimizer: Option<AdamW>,
    device: Device,
    /// Steps done.
    pub step: usize,
    /// Losses so far, oldest first; thinned to every second point when longer than
    /// [`MAX_HISTORY`].
    pub history: Vec<LossPoint>,
    /// What was done to the model, oldest first.
    pub edits: Vec<Surgery>,
}

/// Most losses kept of a run.
pub const MAX_HISTORY: usize = 8192;

/// Streams of the seed from here on are validation batches.
const VALIDATION_STREAM: u64 = 1 << 63;

/// What a step came to.
#[derive(Clone, Debug)]
pub struct StepOutcome {
    pub loss: LossPoint,
    /// Characters whose prediction was trained on.
    pub tokens: usize,
    /// At a validation, the losses by field.
    pub fields: Option<Vec<FieldLoss>>,
}

impl Trainer {
    /// An untrained model.
    ///
    /// # Errors
    /// Whatever in `config` does not work on a device with `limits`, before memory is taken.
    pub fn new(
        config: RunConfig,
        device: Device,
        limits: &MemoryLimits,
    ) -> Result<Self, ConfigError> {
        let (task, tokenizer) = prepare(&config, limits)?;
        let layout = Layout::new(&config.model, tokenizer.vocab_size());
        let untrained = Checkpoint {
            step: 0,
            tokenizer,
            history: Vec::new(),
            edits: Vec::new(),
            parameters: layout.init(config.seed),
            moments: None,
            bank: Bank::new(&config.model),
            config,
        };
        Ok(Self::of(untrained, task, device))
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
        // A model from elsewhere has tokens of its own.
        let Checkpoint { config, tokenizer, .. } = &checkpoint;
        let task = match config.task.is_unknown() {
            true => {
                config.validate()?;
                check_room(config, tokenizer.vocab_size(), limits)?;
                Task::none()
            }
            false => {
                let (task, of_task) = prepare(config, limits)?;
                if of_task != *tokenizer {
                    return Err(CheckpointError::Alphabet);
                }
                task
            }
        };
        Ok(Self::of(checkpoint, task, device))
    }

    /// The run of a checkpoint that has been checked.
    fn of(checkpoint: Checkpoint, task: Task, device: Device) -> Self {
        let Checkpoint { config, step, tokenizer, history, edits, parameters, moments, bank } =
            checkpoint;
        let layout = Layout::new(&config.model, tokenizer.vocab_size());
        let optimizer = (!task.is_none()).then(|| {
            let optimizer = match moments {
                Some(moments) => AdamW::from_moments(&layout, moments, &device),
                None => AdamW::new(&layout, &device),
            };
            match config.train.keep_zeros {
                true => optimizer.only(to_device(layout.non_zero(&parameters), &device)),
                false => optimizer,
            }
        });
        let parameters = to_device(parameters, &device);
        Self {
            config,
            task,
            tokenizer,
            layout,
            parameters,
            bank,
            optimizer,
            device,
            step,
            history,
            edits,
        }
    }

    /// Whether [`new`](Self::new) would take `config`.
    ///
    /// # Errors
    /// As there.
    pub fn check(config: &RunConfig, limits: &MemoryLimits) -> Result<(), ConfigError> {
        prepare(config, limits).map(drop)
    }

    /// Trains one step. The loss reported is that of the step's batch before its update.
    ///
    /// # Errors
    /// If the device failed; the run is then to be resumed from its last checkpoint.
    ///
    /// # Panics
    /// If there is nothing to train on: see [`Trainer::finished`].
    pub async fn step(&mut self) -> Result<StepOutcome, ExecutionError> {
        let train = self.config.train.clone();
        let lr = learning_rate(&train, self.step);
        let optimizer = self.optimizer.as_mut().expect("there is something to train on");
        let rates = optimizer.rates(&train, self.step, lr);
        let validates = self.validates_after(self.step + 1);
        let share = 1.0 / train.accumulation as f64;
        let stream = |micro: usize| (self.step * train.accumulation + micro) as u64;
        let draw = |micro| self.draw(Split::Train, stream(micro), &self.device.clone().autodiff());
        // Drawn before anything else: what is sent to a GPU later waits for what it was given.
        let mut first = Some(draw(0));
        let mut weights = Weights::trainable(&self.layout, &self.parameters);
        let mut sum: Option<Tensor<1>> = None;
        let mut tokens = 0;
        let mut by_token = Vec::new();
        let mut learned = Vec::new();
        for micro in 0..train.accumulation {
            let batch = first.take().unwrap_or_else(|| draw(micro));
            tokens += batch.counted;
            let [_, seq] = batch.tokens.dims();
            let seed = self.config.seed ^ stream(micro) << 20;
            let dropout = Dropout::new(self.config.model.dropout, seed);
            // Made anew, for a backward pass uses up the graph behind every tensor but the leaves.
            let model = Gpt::new(&self.config.model, &weights).remember(&self.bank, &self.device);
            // Keys of weights that still move would be old by the next step.
            let model = if train.frozen { model.note() } else { model };
            let Output { logits, normed, reads, .. } =
                model.forward_training(batch.tokens, batch.forgotten, dropout);
            let losses = token_losses(logits, batch.targets);
            if validates {
                by_token.push((losses.clone().inner(), batch.fields.clone()));
            }
            let loss = mean_loss(losses.clone(), batch.weights.clone(), share);
            let gradients = if train.output_l1 > 0.0 {
                let sizes = normed.abs().mean_dim(2).squeeze_dim::<2>(2); // [batch, seq]
                let losses = losses + sizes.mul_scalar(train.output_l1);
                weights.backward(&mean_loss(losses, batch.weights, share))
            } else {
                weights.backward(&loss)
            };
            learned.extend(Learned::new(reads, gradients, seq, batch.ids, &batch.fields));
            let loss = loss.inner();
            sum = Some(match sum {
                Some(sum) => sum + loss,
                None => loss,
            });
        }
        let Some(loss) = sum else {
            unreachable!("accumulation is at least 1");
        };
        let gradient = weights.into_gradient();
        let optimizer = self.optimizer.as_mut().expect("it was there before");
        if !train.frozen {
            self.parameters = optimizer.update(rates, self.parameters.clone(), gradient);
        }
        let train_loss = loss.into_scalar_async::<f32>().await?; // the step's one readback
        self.step += 1;
        let memory = self.config.model.memory.clone();
        for learned in learned {
            self.learn(learned, lr, &memory, false).await?;
        }
        let mut loss = LossPoint { step: self.step, train_loss, val_loss: None };
        let mut fields = None;
        if validates {
            let mut trained = LossSums::default();
            for (losses, of_target) in by_token {
                trained.add(&floats(losses.into_data_async().await?), &of_target);
            }
            let validated = self.losses(Split::Validation, train.val_batches).await?;
            loss.val_loss = Some(validated.mean());
            fields = Some(FieldLoss::of(&trained, &validated));
        }
        self.remember(loss);
        Ok(StepOutcome { loss, tokens, fields })
    }

    /// The model as it is now, which later steps leave alone.
    pub fn model(&self) -> Gpt {
        self.model_of(&self.parameters)
    }

    /// The model with other weights: `[layout.len()]`.
    pub fn model_of(&self, parameters: &Tensor<1>) -> Gpt {
        let weights = Weights::new(&self.layout, parameters);
        Gpt::new(&self.config.model, &weights).remember(&self.bank, &self.device)
    }

    fn validates_after(&self, step: usize) -> bool {
        let train = &self.config.train;
        step.is_multiple_of(train.val_every) || step == 1 || step == train.steps
    }

    /// Losses on the first `batches` fixed batches of `split`, drawn apart from those of steps; of
    /// training records, with the noise they are read through.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn losses(&self, split: Split, batches: usize) -> Result<LossSums, ExecutionError> {
        let model = self.model();
        let mut sums = LossSums::default();
        for batch in 0..batches {
            let batch = self.draw(split, VALIDATION_STREAM + batch as u64, &self.device);
            let (logits, _) = model.forward(batch.tokens);
            let losses = token_losses(logits, batch.targets).into_data_async().await?;
            sums.add(&floats(losses), &batch.fields);
        }
        Ok(sums)
    }

    /// The run as it is now, read back in one go.
    pub async fn checkpoint(&self) -> Result<Checkpoint, ExecutionError> {
        let mut read = Transaction::default().register(self.parameters.clone());
        if let Some(AdamW { first, second, .. }) = &self.optimizer {
            read = read.register(first.clone()).register(second.clone());
        }
        let mut read = read.execute_async().await?.into_iter().map(floats);
        let parameters = read.next().unwrap_or_default();
        let moments = read.next().zip(read.next());
        Ok(Checkpoint {
            config: self.config.clone(),
            step: self.step,
            tokenizer: self.tokenizer.clone(),
            history: self.history.clone(),
            edits: self.edits.clone(),
            parameters,
            moments: moments.map(|(first, second)| Moments { first, second }),
            bank: self.bank.clone(),
        })
    }

    /// Whether the run's last step is done, or there is nothing to train on.
    pub fn finished(&self) -> bool {
        self.step >= self.config.train.steps || self.task.is_none()
    }

    pub(crate) fn draw(&self, split: Split, stream: u64, device: &Device) -> Batch {
        let RunConfig { train, model, noise, seed, .. } = &self.config;
        let clean = NoiseConfig::default();
        let noise = if split == Split::Train { noise } else { &clean };
        let shape = (train.batch, model.context);
        Batch::draw(&self.task, &self.tokenizer, split, noise, shape, (*seed, stream), device)
    }

    pub(crate) fn remember(&mut self, point: LossPoint) {
        self.history.push(point);
        if self.history.len() > MAX_HISTORY {
            let mut place = 0;
            self.history.retain(|_| {
                place += 1;
                place % 2 == 0
            });
        }
    }
}

/// The values of a float tensor that was read back.
pub(crate) fn floats(data: TensorData) -> Vec<f32> {
    data.iter::<f32>().collect()
}

/// Copies of the weights of a model that is loaded and looked into, at worst: as a file, on the host,
/// on the device and in plain numbers.
const COPIES: u64 = 7;

/// Whether a model can be looked into, with the logits of a whole context.
pub(crate) fn check_room(
    config: &RunConfig,
    vocab_size: usize,
    limits: &MemoryLimits,
) -> Result<(), CheckpointError> {
    let parameters = config.model.parameters(vocab_size);
    let needs = 4 * (COPIES * parameters as u64 + (config.model.context * vocab_size) as u64);
    let has = limits.total.min(limits.buffer.saturating_mul(COPIES));
    match needs > has {
        true => Err(CheckpointError::TooLarge { parameters, needs: needs >> 20, has: has >> 20 }),
        false => Ok(()),
    }
}

fn prepare(config: &RunConfig, limits: &MemoryLimits) -> Result<(Task, Tokenizer), ConfigError> {
    config.validate()?;
    let task = Task::new(&config.task)?;
    config.validate_context(task.longest())?;
    let tokenizer = task.tokenizer().with_memory(config.model.memory_tokens);
    config.validate_memory(tokenizer.vocab_size(), limits)?;
    Ok((task, tokenizer))
}
