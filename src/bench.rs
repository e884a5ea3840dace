//! Speed of training and writing, and the time of each part of a step.

#[cfg(feature = "cli")]
mod decode;
mod suite;

use std::rc::Rc;

use burn::tensor::{Device, ExecutionError, Tensor};
use rand::RngExt;
use web_time::{Duration, Instant};

use crate::base::parallel::Threads;
use crate::base::random::stream_rng;
use crate::config::{ConfigError, MemoryLimits, Preset, RunConfig};
use crate::data::{Batch, Row};
use crate::generate::Decoder;
use crate::kernel::dropout::Dropout;
use crate::kernel::empty::dispatch;
use crate::kernel::is_cpu;
use crate::learn::{Crew, Likelihood, Passes, Trainer, TrainingPass};
use crate::memory::{self, NewSlot, Origin, Store};
use crate::model::Model;
use crate::report::{Shape, StepTime};
use crate::run::Field;

#[cfg(feature = "cli")]
pub use decode::{DecodeRow, DecodeShape};
pub use suite::Suite;

/// Warm-up steps, whose times do not count: kernels compile and memory is allocated.
const WARM_UP: usize = 3;
/// Characters written before timing starts, and most characters written.
const FIRST_CHARS: usize = 8;
const MAX_CHARS: usize = 128;
/// Dispatches of a step of a preset for each layer, and all others; the page's tests count them.
const DISPATCHES: [usize; 2] = [16, 19];
/// Repetitions of the writing.
const PASSES: usize = 5;

/// A model under measurement, with new weights and arbitrary tokens.
pub struct Bench {
    trainer: Trainer,
    device: Device,
    /// Who takes whole steps; parts of one are measured on threads.
    crew: Rc<dyn Crew>,
}

/// Step times of one shape, taken in rounds.
#[derive(Debug, Default)]
struct Rounds {
    done: usize,
    whole: Vec<f64>,
    parts: [Vec<f64>; 4],
    floor: Vec<f64>,
}

impl Rounds {
    fn median(self) -> StepTime {
        let [forward, backward, update, readback] = self.parts.map(median);
        let floor = (!self.floor.is_empty()).then(|| median(self.floor));
        StepTime { step: median(self.whole), forward, backward, update, readback, floor }
    }
}

impl Bench {
    /// # Errors
    /// If the run does not work on a device with `limits`.
    pub fn new(
        config: RunConfig,
        device: Device,
        limits: &MemoryLimits,
        crew: Rc<dyn Crew>,
    ) -> Result<Self, ConfigError> {
        let mut trainer = Trainer::new(config, device.clone(), limits)?;
        fill(&mut trainer.learner.model);
        Ok(Self { trainer, device, crew })
    }

    /// Times one more step of `shape`, as a whole and part by part.
    async fn round(&mut self, shape: Shape, rounds: &mut Rounds) -> Result<(), ExecutionError> {
        let times = self.step(shape, rounds.done, false).await?;
        let apart = self.step(shape, rounds.done, true).await?;
        let floor = self.floor().await?;
        if rounds.done >= WARM_UP {
            rounds.whole.push(times.iter().sum());
            rounds.parts.iter_mut().zip(apart).for_each(|(part, time)| part.push(time));
            rounds.floor.extend(floor);
        }
        rounds.done += 1;
        Ok(())
    }

    /// Seconds of forward, backward, update and readback of one step. Unless `is_apart`, forward counts as part of
    /// backward, and only the readback waits for the device, so its time includes all late work.
    async fn step(
        &mut self,
        Shape { batch, seq }: Shape,
        round: usize,
        is_apart: bool,
    ) -> Result<[f64; 4], ExecutionError> {
        let rows: Vec<Row> = (0..batch).map(|row| self.row(row + batch * round, seq + 1)).collect();
        let mut laps = Laps::new(is_apart.then_some(&self.device));
        let trainer = &mut self.trainer;
        trainer.crew = match is_apart {
            true => Rc::new(Threads::shared()),
            false => self.crew.clone(),
        };
        let train = &trainer.config.train;
        let rates = trainer.learner.rates(train, round, train.lr);
        let batch = Batch::new(&rows, seq, &self.device.clone().autodiff());
        if is_apart {
            forward(trainer, &batch);
        }
        laps.end().await?;
        let Passes { figures, gradient, learned, .. } =
            trainer.passes_over(|_| batch.clone(), false).await;
        laps.end().await?;
        let (Some(figures), Some(gradient)) = (figures, gradient) else {
            unreachable!("a step has a pass");
        };
        let lr = train.lr;
        trainer.learner.update(rates, gradient);
        let figures = figures + trainer.learner.finite_zero();
        trainer.learn(learned, round + 1, lr).await?;
        laps.end().await?;
        figures.into_scalar_async::<f32>().await?;
        laps.end().await?;
        let [forward, passes, update, readback] = laps.times;
        let backward = if is_apart { (passes - forward).max(0.0) } else { passes };
        Ok([forward, backward, update, readback])
    }

    /// Seconds of as many empty dispatches as a step of a preset has; `None` of other models, and on the CPU.
    async fn floor(&self) -> Result<Option<f64>, ExecutionError> {
        let model = &self.trainer.config.model;
        if is_cpu(&self.device) || Preset::of(model).is_none() {
            return Ok(None);
        }
        let [of_layer, others] = DISPATCHES;
        let count = of_layer * model.n_layers + others;
        let start = Instant::now();
        dispatch(&self.device, count).await?;
        Ok(Some(seconds(start.elapsed())))
    }

    /// Seconds per character after the first ones: a median over passes, because browser clocks cannot time a
    /// single character.
    async fn write(&self) -> Result<f64, ExecutionError> {
        let count = MAX_CHARS.min(self.trainer.config.model.context);
        let first = FIRST_CHARS.min(count - 1);
        let mut times = Vec::new();
        for _ in 0..PASSES {
            let mut decoder = Decoder::new(self.trainer.model());
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

    /// Arbitrary tokens, the same for the same `number`.
    fn row(&self, number: usize, length: usize) -> Row {
        let id =
            |place: usize| ((place * place + 31 * number + 7 * place) % self.vocab_size()) as u32;
        let fields = vec![Field::Text; length];
        Row { ids: (0..length).map(id).collect(), fields, given: 1, targets: None }
    }

    fn vocab_size(&self) -> usize {
        self.trainer.tokenizer.vocab_size()
    }
}

/// Fills the stores of a model's memories with arbitrary slots, for a full store takes longest to search.
fn fill(model: &mut Model) {
    let mut rng = stream_rng(0, 0);
    let layers: Vec<usize> = model.bank.memories().map(|(layer, _)| layer).collect();
    for layer in layers {
        let Some(store) = model.bank.store(layer) else { continue };
        let memory::Shape { d_key, d_value, .. } = store.shape();
        let mut numbers = |count| (0..count).map(|_| rng.random_range(-1.0..1.0)).collect();
        let slots: Vec<NewSlot> = (0..model.config.memory.slots)
            .map(|_| NewSlot { key: numbers(d_key), value: numbers(d_value), origin: Origin::default() })
            .collect();
        store.insert(&slots).expect("a store in memory takes slots of its shape");
    }
}

/// A forward pass alone, in the shards of a step.
fn forward(trainer: &Trainer, batch: &Batch) {
    let model = trainer.model();
    let shards: Vec<Batch> = batch.shards(trainer.parts(batch)).map(|(_, shard)| shard).collect();
    let pass = |shard: Batch| {
        TrainingPass::new(model).forward(&shard, &Likelihood::default(), Dropout::NONE, 1.0);
    };
    match shards.len() {
        1 => shards.into_iter().for_each(pass),
        _ => drop(Threads::shared().map(shards, pass)),
    }
}

/// Splits a time into four parts.
struct Laps {
    /// Tensor to read at the end of a lap. The readback waits for all earlier work of its device: Burn has no
    /// other wait that a browser allows. `None` does not wait.
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
