//! Speed of training and writing, measured by `confab bench` and the page's `?bench`.

use serde::{Deserialize, Serialize};

/// Shape of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub batch: usize,
    /// Tokens per row.
    pub seq: usize,
}

/// Median times of a step, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepTime {
    /// Whole step, as in training, with its one readback.
    pub step: f64,
    /// Parts of a step, each waited for separately.
    pub forward: f64,
    pub backward: f64,
    pub update: f64,
    pub readback: f64,
    /// As many empty dispatches as a step has, with a readback; `None` on the CPU.
    pub floor: Option<f64>,
}

impl StepTime {
    /// The step as a multiple of its dispatches' floor.
    pub fn times_floor(&self) -> Option<f64> {
        self.floor.map(|floor| self.step / floor)
    }

    /// Shares of forward, backward, update and readback, in percent.
    pub fn percentages(&self) -> [f64; 4] {
        let parts = [self.forward, self.backward, self.update, self.readback];
        let all: f64 = parts.iter().sum();
        parts.map(|part| 100.0 * part / all)
    }
}

/// Measurements of a model size on a device at a shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchRow {
    /// A preset's name, with a star if the model has other parts, or `custom`.
    pub size: String,
    pub parameters: usize,
    pub vocab_size: usize,
    /// Kind and name, as in [`DeviceReport`](crate::run::DeviceReport).
    pub kind: String,
    pub device: String,
    pub shape: Shape,
    pub time: StepTime,
    pub tokens_per_s: f64,
    pub characters_per_s: f64,
    /// Model floating-point operations per second, as a share of the device's fastest matrix product; `None` in a
    /// browser.
    pub matmul_share: Option<f64>,
    /// Bytes of memory held in training; `None` in a browser.
    pub memory: Option<u64>,
}

/// State of a benchmark.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    pub rows: Vec<BenchRow>,
    /// Rows as JSON.
    pub json: String,
    /// Current measurement; `None` once all are done.
    pub current: Option<BenchCurrent>,
}

#[cfg(feature = "compute")]
impl BenchReport {
    pub fn new(rows: Vec<BenchRow>, current: Option<BenchCurrent>) -> Self {
        let json = serde_json::to_string(&rows).unwrap_or_default();
        Self { rows, json, current }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchCurrent {
    pub size: String,
    /// Shape of the step; `None` while the model writes.
    pub shape: Option<Shape>,
    /// Rounds done, with warm-up, and rounds in all.
    pub done: usize,
    pub of: usize,
}
