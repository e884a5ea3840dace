//! How a session keeps its run safe.

use burn::tensor::ExecutionError;
use web_time::{Duration, Instant};

use super::Session;
use crate::protocol::*;

/// How long a run may go without being saved.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// Share of the time that saving may take while training: 1 / 20.
const SAVE_SHARE: u32 = 20;

/// The last state of the run that is safe: where a lost device is resumed from.
pub(super) struct Saved {
    at: Instant,
    took: Duration,
    pub(super) bytes: Option<Vec<u8>>,
    /// `None` if something else than a step has happened since.
    step: Option<usize>,
}

impl Saved {
    /// A run whose `step` needs no saving.
    pub(super) fn at(step: usize) -> Self {
        Self { at: Instant::now(), took: Duration::ZERO, bytes: None, step: Some(step) }
    }

    /// The run is no longer as it was saved.
    pub(super) fn forget(&mut self) {
        self.step = None;
    }

    pub(super) fn is_due(&self) -> bool {
        self.at.elapsed() > SAVE_EVERY.max(self.took * SAVE_SHARE)
    }
}

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn export(&mut self) {
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no run to save yet: press Train first.");
        };
        match trainer.checkpoint().await {
            Ok(checkpoint) if !checkpoint.is_finite() => self.notice(
                "The checkpoint was not written: training has diverged, and the run holds values \
                 that are no numbers.",
            ),
            Ok(checkpoint) => match checkpoint.to_bytes() {
                Ok(bytes) => {
                    (self.emit)(Event::CheckpointFile { name: checkpoint.file_name(), bytes })
                }
                Err(error) => self.notice(format!("The checkpoint was not written: {error}.")),
            },
            Err(error) => self.recover(error).await,
        }
    }

    /// Keeps the run in the store and in memory, unless nothing has happened since it was kept
    /// or it holds values that are no numbers.
    pub(super) async fn save(&mut self) {
        let Some(trainer) = &self.trainer else { return };
        if self.saved.step == Some(trainer.step) {
            return;
        }
        let start = Instant::now();
        let Ok(checkpoint) = trainer.checkpoint().await else { return };
        let step = checkpoint.step;
        if checkpoint.is_finite() {
            match checkpoint.to_bytes() {
                Ok(bytes) => {
                    match self.store.save(&checkpoint, &bytes).await {
                        Ok(true) => (self.emit)(Event::Saved { step }),
                        Ok(false) => {}
                        Err(error) => self.notice(format!("The run was not saved: {error}.")),
                    }
                    self.saved.bytes = Some(bytes);
                }
                Err(error) => self.notice(format!("The run was not saved: {error}.")),
            }
        }
        (self.saved.at, self.saved.took, self.saved.step) =
            (Instant::now(), start.elapsed(), Some(step));
    }

    /// Goes on on the CPU from the last safe state after the device failed.
    pub(super) async fn recover(&mut self, error: ExecutionError) {
        let running = self.running;
        self.running = false;
        self.drop_work();
        let Some(lost) = self.device.take() else { return };
        let reason = error.to_string().lines().next().unwrap_or_default().to_string();
        self.notice(format!(
            "{} failed ({reason}). The run goes on on the CPU from its last saved step.",
            lost.report.name
        ));
        let config = self.trainer.take().map(|trainer| trainer.config);
        let cpu = DeviceChoice::Cpu;
        match (self.saved.bytes.take(), config) {
            (Some(bytes), _) => self.load_saved(bytes, cpu).await,
            (None, Some(config)) => self.build(config, cpu).await,
            (None, None) => {}
        }
        if running {
            self.start();
        }
    }
}
