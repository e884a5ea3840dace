//! A run: its learner, its objective and how far it has come.

use std::rc::Rc;

use burn::tensor::{Device, ExecutionError, Tensor, Transaction};
use web_time::Instant;

use super::memory::Learned;
use super::sums::Passes;
use super::{
    Adapters, BatchSource, Crew, Learner, LossSums, Objective, Optimizer, TaskSource, feedback,
    hits, learning_rate, losses,
};
use crate::checkpoint::Checkpoint;
use crate::config::RunConfig;
use crate::data::Batch;
use crate::kernel::dropout::Dropout;
use crate::kernel::rows::Places;
use crate::kernel::transfer::floats;
use crate::model::{Model, Output, PassOptions};
use crate::run::{
    AppliedOperation, Field, FieldLoss, Floor, LossPoint, Moments, Reference, last_accuracy, push_thinned,
};
use crate::task::{Split, Task};
use crate::tokenizer::Tokenizer;

/// A run under way.
pub struct Trainer {
    pub config: RunConfig,
    pub task: Task,
    pub tokenizer: Tokenizer,
    pub learner: Learner,
    pub(super) objective: Box<dyn Objective>,
    pub(super) source: Box<dyn BatchSource>,
    /// Who takes the shards of a step.
    pub crew: Rc<dyn Crew>,
    /// Steps done.
    pub step: usize,
    /// Losses so far, oldest first; thinned as by [`push_thinned`].
    pub history: Vec<LossPoint>,
    /// Seconds that training took so far, without validation; `None` if the first steps were not timed.
    pub(super) seconds: Option<f64>,
    /// Operations done to the model, oldest first.
    pub edits: Vec<AppliedOperation>,
}

/// Streams of the seed from here on are validation batches.
pub(super) const VALIDATION_STREAM: u64 = 1 << 63;

/// The result of a step.
#[derive(Clone, Debug)]
pub struct StepOutcome {
    pub loss: LossPoint,
    /// Validation loss in bits per byte, at a validation.
    pub bits_per_byte: Option<f32>,
    /// Tokens whose prediction was trained on.
    pub tokens: usize,
    /// At a validation, the losses by field.
    pub fields: Option<Vec<FieldLoss>>,
    /// The objective's figures, the first of which is the loss; NaN if a parameter or a moment is no longer finite.
    pub figures: Vec<f32>,
}

/// A step whose work the device has, and whose figures are still to be read.
struct Begun {
    /// Steps done with it.
    step: usize,
    lr: f64,
    tokens: usize,
    figures: Tensor<1>,
    losses: Vec<(Tensor<2>, Vec<Option<Field>>)>,
    learned: Vec<Learned>,
    validates: bool,
}

impl Begun {
    /// True if the next step needs nothing that is read of this one.
    fn may_be_followed(&self) -> bool {
        !self.validates && self.learned.is_empty()
    }
}

impl Trainer {
    /// The run with another objective, other batches, and moments of 0 of the parameters where `trained` is 1.
    pub(super) fn with_objective(
        self,
        objective: impl Objective + 'static,
        source: impl BatchSource + 'static,
        trained: Vec<f32>,
    ) -> Self {
        let optimizer = self.config.train.optimizer;
        let learner = Learner::new(self.learner.model, optimizer, None).only(trained);
        Self { learner, objective: Box::new(objective), source: Box::new(source), ..self }
    }

    pub fn model(&self) -> &Model {
        &self.learner.model
    }

    pub fn device(&self) -> Device {
        self.learner.device()
    }

    /// Trains one step. The loss reported is that of the step's batch before its update.
    ///
    /// # Errors
    /// If the device failed; the run is then to be resumed from its last checkpoint.
    ///
    /// # Panics
    /// If there is nothing to train on: see [`Trainer::finished`].
    pub async fn step(&mut self) -> Result<StepOutcome, ExecutionError> {
        let start = Instant::now();
        let begun = self.begin().await;
        let figures = begun.figures.clone().into_data_async().await?;
        self.count_time(start);
        self.end(begun, floats(figures)).await
    }

    /// Trains `most` steps, fewer up to the first that is validated, writes memories or is the last, and reads what they
    /// gave together: a GPU then need not wait for each step's loss to be read.
    ///
    /// # Errors
    /// If the device failed; the run is then to be resumed from its last checkpoint.
    ///
    /// # Panics
    /// If there is nothing to train on: see [`Trainer::finished`].
    pub async fn steps(&mut self, most: usize) -> Result<Vec<StepOutcome>, ExecutionError> {
        let start = Instant::now();
        let mut all = vec![self.begin().await];
        while all.len() < most && !self.finished() && all.iter().all(Begun::may_be_followed) {
            all.push(self.begin().await);
        }
        let reads = all.iter().map(|begun| begun.figures.clone());
        let reads = reads.fold(Transaction::default(), Transaction::register);
        let read = reads.execute_async().await?;
        self.count_time(start);
        let mut outcomes = Vec::new();
        for (begun, figures) in all.into_iter().zip(read) {
            outcomes.push(self.end(begun, floats(figures)).await?);
        }
        Ok(outcomes)
    }

    /// Gives the device the work of the next step.
    async fn begin(&mut self) -> Begun {
        let train = self.config.train.clone();
        let lr = learning_rate(&train, self.step);
        let rates = self.learner.rates(&train, self.step, lr);
        let validates = self.objective.is_validated() && self.validates_after(self.step + 1);
        let Passes { tokens, figures, gradient, losses, learned, .. } =
            self.passes(validates).await;
        let (Some(figures), Some(gradient)) = (figures, gradient) else {
            unreachable!("accumulation is at least 1");
        };
        if !train.frozen {
            self.learner.update(rates, gradient);
        }
        let figures = figures + self.learner.finite_zero();
        self.step += 1;
        Begun { step: self.step, lr, tokens, figures, losses, learned, validates }
    }

    /// Ends a step whose figures have been read: the last that was begun, if it may not be followed.
    async fn end(
        &mut self,
        begun: Begun,
        figures: Vec<f32>,
    ) -> Result<StepOutcome, ExecutionError> {
        let Begun { step, lr, tokens, losses: by_token, learned, validates, .. } = begun;
        let start = Instant::now();
        self.learn(learned, step, lr).await?;
        self.count_time(start);
        let train_loss = figures.first().copied().unwrap_or(f32::NAN);
        let seconds = self.seconds.map(|seconds| seconds as f32);
        let mut loss = LossPoint { step, train_loss, val_loss: None, accuracy: None, seconds };
        let (mut fields, mut bits_per_byte) = (None, None);
        if validates {
            let mut trained = LossSums::default();
            for (losses, of_target) in by_token {
                trained.add(&floats(losses.into_data_async().await?), &of_target);
            }
            let validated = self.losses(Split::Validation, self.config.train.val_batches).await?;
            (loss.val_loss, loss.accuracy) =
                (Some(validated.mean()), self.accuracy(&validated).await?);
            bits_per_byte = Some(validated.bits_per_byte());
            fields = Some(FieldLoss::of(&trained, &validated));
        }
        self.record(loss);
        Ok(StepOutcome { loss, bits_per_byte, tokens, fields, figures })
    }

    /// Changes the memories by what `step` read from them.
    ///
    /// # Errors
    /// If the device failed.
    pub(crate) async fn learn(
        &mut self,
        learned: Vec<Learned>,
        step: usize,
        lr: f64,
    ) -> Result<(), ExecutionError> {
        let memory = self.config.model.memory.clone();
        for learned in learned {
            let tokens = learned.tokens(&self.tokenizer, step as u64, false);
            self.learner.learn(learned, &tokens, &memory, lr).await?;
        }
        Ok(())
    }

    fn validates_after(&self, step: usize) -> bool {
        let train = &self.config.train;
        step.is_multiple_of(train.val_every) || step == 1 || step == train.steps
    }

    /// Records the losses of weights that came without any: those that a model's training goes on from, where no floor
    /// is known to compare with, and those of a link.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn record_start(&mut self) -> Result<(), ExecutionError> {
        let is_new = self.history.is_empty() && !self.task.is_none();
        if is_new && (self.step > 0 || self.floor().is_none()) {
            let train_loss = self.losses(Split::Train, 1).await?.mean();
            let validated = self.losses(Split::Validation, self.config.train.val_batches).await?;
            let (val_loss, accuracy) = (Some(validated.mean()), self.accuracy(&validated).await?);
            let seconds = self.seconds.map(|seconds| seconds as f32);
            self.record(LossPoint { step: self.step, train_loss, val_loss, accuracy, seconds });
        }
        Ok(())
    }

    /// Least loss that any model can reach, where it is known: of records in symbols of their own.
    pub fn floor(&self) -> Option<Floor> {
        if self.tokenizer.is_of_pieces() { None } else { self.task.floor() }
    }

    /// A loss to compare with where no floor is known: that of the weights that training began with, or of counted
    /// 5-grams.
    pub fn reference(&self) -> Option<Reference> {
        let first = self.history.first().filter(|point| point.step == 0);
        if let Some(loss) = first.and_then(|point| point.val_loss) {
            return Some(Reference::before(loss));
        }
        self.task.baseline().map(Reference::of_5_grams)
    }

    /// The output of the model as it is now, for inference.
    pub fn predict(&self, batch: &Batch) -> Output {
        self.output(batch, None)
    }

    fn output(&self, batch: &Batch, places: Option<Places>) -> Output {
        let feedback = feedback(self.model(), batch, Dropout::NONE);
        let options = PassOptions { feedback, places, ..PassOptions::default() };
        self.model().gpt().forward(batch.inputs.clone(), &options)
    }

    /// Losses and hits on the first `batches` fixed batches of `split`, drawn apart from those of steps; of
    /// training records, with the noise they are read through.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn losses(&self, split: Split, batches: usize) -> Result<LossSums, ExecutionError> {
        let mut sums = LossSums::default();
        for batch in 0..batches {
            let batch = self.draw(split, VALIDATION_STREAM + batch as u64, &self.device());
            let Output { logits, .. } = self.output(&batch, batch.places());
            let (targets, _, fields) = batch.predictions();
            sums.bytes += batch.target_bytes(&self.tokenizer);
            let hits = hits(logits.clone(), &targets);
            let losses = losses(logits, targets).into_data_async().await?;
            sums.add(&floats(losses), fields);
            if let Some(hits) = hits {
                sums.add_hits(hits.into_data_async().await?.iter::<bool>(), fields);
            }
        }
        Ok(sums)
    }

    /// Accuracy where it can be expected: in training records, if those that were `validated` cannot be known.
    async fn accuracy(&self, validated: &LossSums) -> Result<Option<f32>, ExecutionError> {
        Ok(match self.task.is_by_heart() {
            true => self.losses(Split::Train, 1).await?.accuracy(),
            false => validated.accuracy(),
        })
    }

    /// The run as it is now, read back in one go.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn checkpoint(&self) -> Result<Checkpoint, ExecutionError> {
        let adapters = self.learner.adapters();
        let own = || vec![self.model().parameters.clone()];
        let values = adapters.map_or_else(own, |adapters| adapters.tensors().collect());
        let moments = self.learner.optimizer.iter().flat_map(Optimizer::moments);
        let count = values.len();
        let tensors = values.into_iter().chain(moments);
        let read = tensors.fold(Transaction::default(), Transaction::register);
        let mut read = read.execute_async().await?.into_iter().map(floats);
        let parameters = read.next().unwrap_or_default();
        let values: Vec<Vec<f32>> = read.by_ref().take(count - 1).collect();
        let first = read.next();
        let mut moments = first.map(|first| Moments { first, second: read.next() });
        let mut held = adapters.map_or_else(Vec::new, |of| of.with_values(values.into_iter()));
        if let Some(last) = held.last_mut().filter(|_| adapters.is_some_and(Adapters::trains_last))
        {
            last.moments = moments.take();
        }
        Ok(Checkpoint { moments, adapters: held, ..self.checkpoint_of(self.step, parameters) })
    }

    /// The run with the parameters of a step, without moments; adapters are part of these parameters.
    pub fn checkpoint_of<W>(&self, step: usize, parameters: W) -> Checkpoint<W> {
        Checkpoint {
            config: self.config.clone(),
            step,
            tokenizer: self.tokenizer.clone(),
            history: self.history.clone(),
            edits: self.edits.clone(),
            parameters,
            moments: None,
            bank: self.model().bank.clone(),
            adapters: Vec::new(),
        }
    }

    /// True if the run is over, or there is nothing to train on.
    pub fn finished(&self) -> bool {
        self.config.train.is_over(self.step, last_accuracy(&self.history)) || self.task.is_none()
    }

    /// The run as batches are drawn by it.
    pub(super) fn run(&self) -> TaskSource<'_> {
        TaskSource { config: &self.config, task: &self.task, tokenizer: &self.tokenizer }
    }

    /// Micro-batch `stream` of `split`.
    pub fn draw(&self, split: Split, stream: u64, device: &Device) -> Batch {
        self.run().draw(split, stream, device)
    }

    /// Adds the time since `start` to that of training.
    fn count_time(&mut self, start: Instant) {
        self.seconds = self.seconds.map(|seconds| seconds + start.elapsed().as_secs_f64());
    }

    fn record(&mut self, point: LossPoint) {
        push_thinned(&mut self.history, point, |point| point.step == 0);
    }
}
