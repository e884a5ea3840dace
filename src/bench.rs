//! How fast a model trains and writes, and what a step spends its time on.

use burn::tensor::{Device, ExecutionError};
use serde::{Deserialize, Serialize};
use web_time::{Duration, Instant};

use crate::batch::{Batch, Row};
use crate::config::{ConfigError, MemoryLimits, RunConfig};
use crate::decode::Decoder;
use crate::loss::{mean_loss, token_losses};
use crate::model::{Gpt, Weights};
use crate::optimizer::AdamW;
use crate::task::Field;
use crate::trainer::Trainer;

/// Steps whose times are not counted: kernels are compiled and memory is taken in them.
const WARM_UP: usize = 3;
/// Characters written before the time of the others is taken, and the most written.
const FIRST_CHARS: usize = 8;
const MOST_CHARS: usize = 128;

/// The shape of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub batch: usize,
    /// Tokens a row.
    pub seq: usize,
}

/// Medians over steps, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepTime {
    /// A whole step, as in training, with its one readback.
    pub step: f64,
    /// Its parts, each waited for on its own.
    pub forward: f64,
    pub backward: f64,
    pub update: f64,
    pub readback: f64,
}

/// A model that is measured: its weights are new, its tokens any.
pub struct Bench {
    trainer: Trainer,
    optimizer: AdamW,
    device: Device,
}

impl Bench {
    /// # Errors
    /// If the run does not work on a device with `limits`.
    pub fn new(
        config: RunConfig,
        device: Device,
        limits: &MemoryLimits,
    ) -> Result<Self, ConfigError> {
        let trainer = Trainer::new(config, device.clone(), limits)?;
        let optimizer = AdamW::new(&trainer.layout, &device);
        Ok(Self { trainer, optimizer, device })
    }

    pub fn parameters(&self) -> usize {
        self.trainer.layout.len()
    }

    pub fn vocab_size(&self) -> usize {
        self.trainer.tokenizer.vocab_size()
    }

    /// The shape of the run's own steps.
    pub fn own_shape(&self) -> Shape {
        let RunConfig { train, model, .. } = &self.trainer.config;
        Shape { batch: train.batch, seq: model.context }
    }

    /// Times `rounds` training steps of `shape`, after some that are not counted.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn train(&mut self, shape: Shape, rounds: usize) -> Result<StepTime, ExecutionError> {
        let mut whole = Vec::new();
        let mut parts: [Vec<f64>; 4] = Default::default();
        for round in 0..WARM_UP + rounds {
            let times = self.step(shape, round, false).await?;
            let apart = self.step(shape, round, true).await?;
            if round >= WARM_UP {
                whole.push(times.iter().sum());
                parts.iter_mut().zip(apart).for_each(|(part, time)| part.push(time));
            }
        }
        let [forward, backward, update, readback] = parts.map(median);
        Ok(StepTime { step: median(whole), forward, backward, update, readback })
    }

    /// Seconds of forward, backward, update and readback of one step; if they are not waited for
    /// one by one, what the device does late falls to the readback.
    async fn step(
        &mut self,
        Shape { batch, seq }: Shape,
        round: usize,
        is_apart: bool,
    ) -> Result<[f64; 4], ExecutionError> {
        let rows: Vec<Row> = (0..batch).map(|row| self.row(row + batch * round, seq + 1)).collect();
        let mut times = [0.0; 4];
        let mut start = Instant::now();
        let mut lap = |place: usize, device: &Device| -> Result<(), ExecutionError> {
            if is_apart {
                device.sync()?;
            }
            let end = Instant::now();
            times[place] = seconds(end - start);
            start = end;
            Ok(())
        };
        let Trainer { config, layout, parameters, .. } = &mut self.trainer;
        let train = &config.train;
        let rates = self.optimizer.rates(train, round, train.lr);
        let mut weights = Weights::trainable(layout, parameters);
        let batch = Batch::new(&rows, seq, &self.device.clone().autodiff());
        let (logits, _) = Gpt::new(&config.model, &weights).forward(batch.tokens);
        let loss = mean_loss(token_losses(logits, batch.targets), batch.weights, 1.0);
        lap(0, &self.device)?;
        weights.backward(&loss);
        lap(1, &self.device)?;
        *parameters = self.optimizer.update(rates, parameters.clone(), weights.into_gradient());
        lap(2, &self.device)?;
        loss.inner().into_scalar_async::<f32>().await?;
        lap(3, &self.device)?;
        Ok(times)
    }

    /// Seconds a character takes that is written after others: a median.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn write(&self) -> Result<f64, ExecutionError> {
        let mut decoder = Decoder::new(&self.trainer);
        let mut times = Vec::new();
        for place in 0..MOST_CHARS.min(self.trainer.config.model.context) {
            let start = Instant::now();
            let id = (place * 7 % self.vocab_size()) as u32;
            decoder.decode(&[id]).await?;
            times.push(seconds(start.elapsed()));
        }
        times.drain(..FIRST_CHARS.min(times.len() - 1));
        Ok(median(times))
    }

    /// Any tokens, the same for the same `number`.
    fn row(&self, number: usize, length: usize) -> Row {
        let id =
            |place: usize| ((place * place + 31 * number + 7 * place) % self.vocab_size()) as u32;
        Row { ids: (0..length).map(id).collect(), fields: vec![Field::Text; length] }
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
