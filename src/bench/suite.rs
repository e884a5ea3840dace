//! Benchmarks of several sizes at several shapes, one piece after another.

use std::collections::VecDeque;
use std::rc::Rc;

use burn::tensor::ExecutionError;

use super::{Bench, Rounds, WARM_UP};
use crate::config::{ConfigError, ModelConfig, PRESETS, Preset, RunConfig};
use crate::device::{OpenDevice, matmul_peak, memory_held};
use crate::report::{BenchCurrent, BenchReport, BenchRow, Shape};
use crate::learn::{Crew, Trainer};

/// Common shape, at which all sizes are compared.
const COMMON: Shape = Shape { batch: 32, seq: 64 };

/// Benchmarks of each run's size, at the common shape and at its own.
pub struct Suite {
    runs: VecDeque<RunConfig>,
    current: Option<Current>,
    rows: Vec<BenchRow>,
    device: OpenDevice,
    /// [`matmul_peak`], once measured.
    peak: Option<Option<f64>>,
    /// Steps per median.
    rounds: usize,
    crew: Rc<dyn Crew>,
}

struct Current {
    size: String,
    bench: Bench,
    /// Shapes left to measure, the current one first.
    shapes: VecDeque<Shape>,
    taken: Rounds,
    characters_per_s: Option<f64>,
}

impl Suite {
    /// Benchmarks of `runs`, whose whole steps `crew` takes.
    ///
    /// # Errors
    /// The first of `runs` that does not work on `device`.
    pub fn new(
        runs: Vec<RunConfig>,
        device: OpenDevice,
        rounds: usize,
        crew: Rc<dyn Crew>,
    ) -> Result<Self, ConfigError> {
        for run in &runs {
            Trainer::check(run, &device.limits)?;
        }
        let (runs, rows) = (runs.into(), Vec::new());
        let mut suite = Self { runs, current: None, rows, device, peak: None, rounds, crew };
        suite.begin_next();
        Ok(suite)
    }

    /// Measures one more piece; `false` if none is left.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self) -> Result<bool, ExecutionError> {
        if self.peak.is_none() {
            self.peak = Some(matmul_peak(&self.device).await?);
            return Ok(true);
        }
        let Some(current) = &mut self.current else { return Ok(false) };
        let Some(characters_per_s) = current.characters_per_s else {
            current.characters_per_s = Some(1.0 / current.bench.write().await?);
            return Ok(true);
        };
        if let Some(shape) = current.shapes.front().copied() {
            current.bench.round(shape, &mut current.taken).await?;
            if current.taken.done == WARM_UP + self.rounds {
                let time = std::mem::take(&mut current.taken).median();
                let tokens_per_s = (shape.batch * shape.seq) as f64 / time.step;
                let model = &current.bench.trainer.config.model;
                let operations = model.operations(current.bench.vocab_size(), shape.seq);
                current.shapes.pop_front();
                self.rows.push(BenchRow {
                    size: current.size.clone(),
                    parameters: current.bench.trainer.model().layout.len(),
                    vocab_size: current.bench.vocab_size(),
                    kind: self.device.report.kind.clone(),
                    device: self.device.report.name.clone(),
                    shape,
                    time,
                    tokens_per_s,
                    characters_per_s,
                    matmul_share: self.peak.flatten().map(|peak| tokens_per_s * operations / peak),
                    memory: memory_held(&self.device.device),
                });
            }
        }
        if current.shapes.is_empty() {
            self.begin_next();
        }
        Ok(self.current.is_some())
    }

    fn begin_next(&mut self) {
        let run = self.runs.pop_front();
        self.current = run.and_then(|run| self.begin(run));
    }

    /// Begins a run. [`Suite::new`] checked all runs, so none is refused here.
    fn begin(&self, run: RunConfig) -> Option<Current> {
        let size = name(&run.model);
        let mut shapes = VecDeque::from([COMMON]);
        let own = Shape { batch: run.train.batch, seq: run.model.context };
        if own != COMMON {
            shapes.push_back(own);
        }
        let OpenDevice { device, limits, .. } = &self.device;
        let bench = Bench::new(run, device.clone(), limits, self.crew.clone()).ok()?;
        Some(Current { size, bench, shapes, taken: Rounds::default(), characters_per_s: None })
    }

    /// Progress so far.
    pub fn progress(&self) -> BenchReport {
        let current = self.current.as_ref().map(|current| BenchCurrent {
            size: current.size.clone(),
            shape: current.characters_per_s.and_then(|_| current.shapes.front().copied()),
            done: current.taken.done,
            of: WARM_UP + self.rounds,
        });
        BenchReport::new(self.rows.clone(), current)
    }
}

/// A preset's name, with a star if the model has other parts; `custom` of another size.
fn name(model: &ModelConfig) -> String {
    let shape = (model.n_layers, model.n_heads, model.d_model);
    let is_as_large = |preset: &&Preset| (preset.n_layers, preset.n_heads, preset.d_model) == shape;
    match (Preset::of(model), PRESETS.iter().find(is_as_large)) {
        (Some(preset), _) => preset.name.to_owned(),
        (None, Some(preset)) => format!("{}*", preset.name),
        (None, None) => "custom".to_owned(),
    }
}
