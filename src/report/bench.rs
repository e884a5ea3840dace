//! How fast models train and write, measured by `confab bench` and the page's `?bench`.

use serde::{Deserialize, Serialize};

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

impl StepTime {
    /// The share of forward, backward, update and readback, in percent.
    pub fn percentages(&self) -> [f64; 4] {
        let parts = [self.forward, self.backward, self.update, self.readback];
        let all: f64 = parts.iter().sum();
        parts.map(|part| 100.0 * part / all)
    }
}

/// A size on a device at a shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchRow {
    /// A preset's name, or `custom`.
    pub size: String,
    pub parameters: usize,
    pub vocab_size: usize,
    /// As in [`DeviceReport`](crate::protocol::DeviceReport).
    pub kind: String,
    pub device: String,
    pub shape: Shape,
    pub time: StepTime,
    pub tokens_per_s: f64,
    pub characters_per_s: f64,
    /// Floating-point operations of the model a second, by those of the device's fastest matrix
    /// product; `None` in a browser.
    pub matmul_share: Option<f64>,
    /// Bytes that training holds; `None` in a browser.
    pub memory: Option<u64>,
}

/// How a benchmark stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    pub rows: Vec<BenchRow>,
    /// The rows as JSON.
    pub json: String,
    /// What is measured now; `None` once all is.
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
    /// `None` while it writes.
    pub shape: Option<Shape>,
    /// Rounds done, warm-up and all, and how many there are.
    pub done: usize,
    pub of: usize,
}
