//! How fast a model trains and writes, and what a step spends its time on.

mod peak;
mod suite;

use burn::tensor::{Device, ExecutionError, Tensor};
use web_time::{Duration, Instant};

use crate::batch::{Batch, Row};
use crate::config::{ConfigError, MemoryLimits, RunConfig};
use crate::decode::Decoder;
use crate::loss::{mean_loss, token_losses};
use crate::model::{Gpt, Weights};
use crate::optimizer::AdamW;
use crate::report::{Shape, StepTime};
use crate::task::Field;
use crate::trainer::Trainer;

pub use suite::Suite;

/// Steps whose times are not counted: kernels are compiled and memory is taken in them.
const WARM_UP: usize = 3;
/// Characters written before the time of the others is taken, and the most written.
const FIRST_CHARS: usize = 8;
const MOST_CHARS: usize = 128;
/// Times that they are written.
const PASSES: usize = 5;

/// A model that is measured: its weights are new, its tokens any.
pub struct Bench {
    trainer: Trainer,
    optimizer: AdamW,
    device: Device,
}

/// The times of one shape's steps, taken round by round.
#[derive(Debug, Default)]
struct Rounds {
    done: usize,
    whole: Vec<f64>,
    parts: [Vec<f64>; 4],
}

impl Rounds {
    fn median(self) -> StepTime {
        let [forward, backward, update, readback] = self.parts.map(median);
        StepTime { step: median(self.whole), forward, backward, update, readback }
    }
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

    /// Times one more step of `shape`, whole and part by part.
    async fn round(&mut self, shape: Shape, rounds: &mut Rounds) -> Result<(), ExecutionError> {
        let times = self.step(shape, rounds.done, false).await?;
        let apart = self.step(shape, rounds.done, true).await?;
        if rounds.done >= WARM_UP {
            rounds.whole.push(times.iter().sum());
            rounds.parts.iter_mut().zip(apart).for_each(|(part, time)| part.push(time));
        }
        rounds.done += 1;
        Ok(())
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
        let mut laps = Laps::new(is_apart.then_some(&self.device));
        let Trainer { config, layout, parameters, .. } = &mut self.trainer;
        let train = &config.train;
        let rates = self.optimizer.rates(train, round, train.lr);
        let batch = Batch::new(&rows, seq, &self.device.clone().autodiff());
        let mut weights = Weights::trainable(layout, parameters);
        let (logits, _) = Gpt::new(&config.model, &weights).forward(batch.tokens);
        let loss = mean_loss(token_losses(logits, batch.targets), batch.weights, 1.0);
        laps.end().await?;
        weights.backward(&loss);
        laps.end().await?;
        *parameters = self.optimizer.update(rates, parameters.clone(), weights.into_gradient());
        laps.end().await?;
        loss.inner().into_scalar_async::<f32>().await?;
        laps.end().await?;
        Ok(laps.times)
    }

    /// Seconds a character takes that is written after others: a median over passes, for clocks
    /// of browsers do not tell one character from the next.
    async fn write(&self) -> Result<f64, ExecutionError> {
        let count = MOST_CHARS.min(self.trainer.config.model.context);
        let first = FIRST_CHARS.min(count - 1);
        let mut times = Vec::new();
        for _ in 0..PASSES {
            let mut decoder = Decoder::new(&self.trainer);
            let mut start = Instant::now();
            for place in 0..count {
                if place == first {
                    start = Instant::now();
                }
                let id = (place * 7 % self.vocab_size()) as u32;
                decoder.decode(&[id]).await?;
            }
            times.push(seconds(start.elapsed()) / (count - first) as f64);
        }
        Ok(median(times))
    }

    /// Any tokens, the same for the same `number`.
    fn row(&self, number: usize, length: usize) -> Row {
        let id =
            |place: usize| ((place * place + 31 * number + 7 * place) % self.vocab_size()) as u32;
        Row { ids: (0..length).map(id).collect(), fields: vec![Field::Text; length], given: 1 }
    }

    fn vocab_size(&self) -> usize {
        self.trainer.tokenizer.vocab_size()
    }
}

/// Splits a time into four.
struct Laps {
    /// Is read at the end of a lap, which waits for all that its device was given before: Burn
    /// has no other wait that a browser allows. `None` waits for nothing.
    mark: Option<Tensor<1>>,
    start: Instant,
    times: [f64; 4],
    ended: usize,
}

impl Laps {
    fn new(waits_for: Option<&Device>) -> Self {
        let mark = waits_for.map(|device| Tensor::zeros([1], device));
        Self { mark, start: Instant::now(), times: [0.0; 4], ended: 0 }
    }

    async fn end(&mut self) -> Result<(), ExecutionError> {
        if let Some(mark) = &self.mark {
            mark.clone().into_scalar_async::<f32>().await?;
        }
        let end = Instant::now();
        self.times[self.ended] = seconds(end - self.start);
        (self.start, self.ended) = (end, self.ended + 1);
        Ok(())
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
