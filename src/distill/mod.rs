//! Distillation: a clone of a model has memories in the place of some MLPs, and learns to predict what the
//! model itself predicts (Hinton et al. 2015), its own weights being kept.
//!
//! The loss is KL(teacher ‖ clone) of every prediction that counts, and of each replaced layer the mean
//! squared error between what the teacher's MLP writes and what the memory writes, as a share of the
//! former's mean square, so that layers and models of any size weigh alike. Each model reads its own residual
//! stream: both passes are made anyway, so a layer costs one subtraction, and a later memory learns to make up for
//! what an earlier one left.
//!
//! Of stores the values are trained too, of whatever kind they are; queries and keys stay as they were
//! drawn. An associative store holds projections of what was read otherwise, which are no more than linear,
//! and found by other queries than they learned from.

mod clone;
mod source;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, ExecutionError, Tensor};

use crate::checkpoint::Checkpoint;
use crate::config::{MemoryLimits, RunConfig};
use crate::eval::Writer;
use crate::kernel::dropout::Dropout;
use crate::model::gpt::Output;
use crate::model::weights::to_device;
use crate::model::{Gpt, Weights};
use crate::optimizer::AdamW;
use crate::protocol::LossPoint;
use crate::report::{DistillReport, EvalOptions, LayerError, SideBySide};
use crate::schedule::learning_rate;
use crate::trainer::{Learned, Trainer, floats};

pub use clone::{DistillError, untrained};
use source::Source;

/// Characters written side by side.
const SIDE_CHARS: usize = 64;
/// How often a distillation has its clone write.
const SIDES: usize = 16;

/// A clone that learns from its teacher.
pub struct Distillation {
    /// The clone, as a run whose losses are KL(teacher ‖ clone), in nats per token.
    clone: Trainer,
    teacher: Gpt,
    /// Of the memories' weights alone.
    optimizer: AdamW,
    source: Source,
    /// Those that have memories.
    layers: Vec<usize>,
    report: DistillReport,
}

impl Distillation {
    /// A clone of `teacher` before it has learned: see [`untrained`]. Both read `text`, or without one
    /// the training records of the teacher's task.
    ///
    /// # Errors
    /// As of [`untrained`]; if a model from elsewhere is given no text; if the teacher does not know a
    /// character of `text` or `prompt`; if the device failed.
    pub async fn new(
        teacher: Checkpoint,
        config: &RunConfig,
        text: Option<&str>,
        prompt: Option<String>,
        device: Device,
        limits: &MemoryLimits,
    ) -> Result<Self, DistillError> {
        let untrained = untrained(&teacher, config, limits)?;
        let layers: Vec<usize> = (0..untrained.config.model.n_layers)
            .filter(|layer| untrained.config.model.memory.of(*layer).is_some())
            .collect();
        let mut clone = Trainer::resume(untrained, device.clone(), limits)?;
        let source = Source::new(&clone, text)?;
        let prompt = prompt.unwrap_or_else(|| source.prompt(&clone));
        clone.tokenizer.encode(&prompt)?;
        let trained = clone::trained(&clone.layout, clone.config.model.memory.kind);
        let optimizer = AdamW::new(&clone.layout, &device).only(to_device(trained, &device));
        clone.optimizer = None;
        let teacher = Trainer::resume(teacher, device, limits)?;
        let written = write(&teacher, &prompt).await?;
        let report = DistillReport {
            steps: clone.config.train.steps,
            sides: Some(SideBySide { prompt, teacher: written, ..SideBySide::default() }),
            ..DistillReport::default()
        };
        let teacher = teacher.model().watch(&layers);
        Ok(Self { clone, teacher, optimizer, source, layers, report })
    }

    /// The clone as it is now.
    pub fn trainer(&self) -> &Trainer {
        &self.clone
    }

    /// How it stands.
    pub fn standing(&self) -> &DistillReport {
        &self.report
    }

    /// Trains one more step; `false` once all are done, or the clone has diverged.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self) -> Result<bool, ExecutionError> {
        if self.clone.step < self.report.steps {
            self.step().await?;
        }
        let is_over = self.clone.step >= self.report.steps || !self.report.kl.is_finite();
        let every = (self.report.steps / SIDES).max(1);
        if is_over || self.clone.step.is_multiple_of(every) {
            let step = self.clone.step;
            if let Some(sides) = self.report.sides.as_mut().filter(|sides| sides.step < step) {
                sides.clone = write(&self.clone, &sides.prompt).await?;
                sides.step = step;
            }
        }
        Ok(!is_over)
    }

    async fn step(&mut self) -> Result<(), ExecutionError> {
        let Self { clone, teacher, optimizer, source, layers, .. } = self;
        let RunConfig { model, train, .. } = clone.config.clone();
        let lr = learning_rate(&train, clone.step);
        let rates = optimizer.rates(&train, clone.step, lr);
        let device = clone.parameters.device();
        let mut weights = Weights::trainable(&clone.layout, &clone.parameters);
        let mut learned = Vec::new();
        let mut sum: Option<Tensor<1>> = None;
        for micro in 0..train.accumulation {
            let stream = (clone.step * train.accumulation + micro) as u64;
            let batch = source.draw(clone, stream, &device.clone().autodiff());
            let [_, seq] = batch.tokens.dims();
            let read = batch.tokens.clone().inner();
            let forgotten = batch.forgotten.clone().map(Tensor::inner);
            let taught = teacher.forward_training(read, forgotten, Dropout::NONE);
            let gpt = Gpt::new(&model, &weights).remember(&clone.bank, &device);
            let gpt = gpt.watch(layers).train_values();
            let output = gpt.forward_training(batch.tokens, batch.forgotten, Dropout::NONE);
            let (loss, figures) = compare(taught, &output, batch.weights);
            let share = 1.0 / train.accumulation as f64;
            let gradients = weights.backward(&loss.mul_scalar(share));
            learned.extend(Learned::new(output.reads, gradients, seq, batch.ids, &batch.fields));
            let figures = figures.mul_scalar(share);
            sum = Some(match sum {
                Some(sum) => sum + figures,
                None => figures,
            });
        }
        let Some(figures) = sum else { unreachable!("accumulation is at least 1") };
        let gradient = weights.into_gradient();
        if !train.frozen {
            clone.parameters = optimizer.update(rates, clone.parameters.clone(), gradient);
        }
        let figures = floats(figures.into_data_async().await?); // the step's one readback
        clone.step += 1;
        for learned in learned {
            clone.learn(learned, lr, &model.memory, false).await?;
        }
        self.tell(&figures);
        Ok(())
    }

    fn tell(&mut self, figures: &[f32]) {
        let Self { clone, report, layers, .. } = self;
        let [kl, agreement, errors @ ..] = figures else { return };
        (report.step, report.kl, report.agreement) = (clone.step, *kl, *agreement);
        if clone.step == 1 {
            report.first_kl = *kl;
        }
        let slots = |layer: usize| Some(clone.bank.layer(layer)?.store.ids().len());
        let error = |(layer, error): (&usize, &f32)| LayerError {
            layer: *layer,
            error: *error,
            slots: slots(*layer),
        };
        report.layers = layers.iter().zip(errors).map(error).collect();
        clone.remember(LossPoint { step: clone.step, train_loss: *kl, val_loss: None });
    }
}

/// The loss, `[1]`, and what is told of it: the KL, the share of tokens that both agree on, and the error of
/// each layer that is watched: `[2 + layers]`.
///
/// # Shapes
/// `weights`: `[batch, seq]`, 1 where a token counts
fn compare(taught: Output, clone: &Output, weights: Tensor<2>) -> (Tensor<1>, Tensor<1>) {
    let counted = weights.clone().sum(); // [1]
    let mean = |of_token: Tensor<2>| (of_token * weights.clone()).sum() / counted.clone();
    let by_token = |x: Tensor<3>| x.squeeze_dim::<2>(2);
    let likeliest = |logits: Tensor<3>| logits.argmax(2).squeeze_dim::<2>(2);
    let agree = likeliest(taught.logits.clone()).equal(likeliest(clone.logits.clone().inner()));
    let log_p = log_softmax(taught.logits, 2).autodiff();
    let apart = log_p.clone() - log_softmax(clone.logits.clone(), 2);
    let kl = mean(by_token((log_p.exp() * apart).sum_dim(2)));
    let mut figures = vec![kl.clone(), mean(agree.float().autodiff())];
    let mut loss = kl;
    for (taught, written) in taught.written.into_iter().zip(&clone.written) {
        let taught = taught.autodiff();
        let size = mean(by_token(taught.clone().square().mean_dim(2)));
        let far = mean(by_token((written.clone() - taught).square().mean_dim(2)));
        let error = far / size.add_scalar(f32::MIN_POSITIVE);
        figures.push(error.clone());
        loss = loss + error;
    }
    (loss, Tensor::cat(figures, 0).inner())
}

/// What a model writes after `prompt`, always the likeliest.
async fn write(model: &Trainer, prompt: &str) -> Result<String, ExecutionError> {
    Ok(Writer::new(model, EvalOptions::default()).write(prompt, "{E}", SIDE_CHARS).await?.text)
}
