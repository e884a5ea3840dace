//! Devices: the one in use, newly opened ones, and the way on when one fails.

use burn::tensor::ExecutionError;

use super::state::Session;
use crate::device::{self, OpenDevice};
use crate::protocol::Event;
use crate::run::DeviceChoice;

impl<E: Fn(Event)> Session<E> {
    /// Opens the chosen device; `None`, with an answer, if there is none.
    pub(super) async fn open(&mut self, choice: DeviceChoice) -> Option<OpenDevice> {
        match device::choose(self.device.as_ref(), choice).await {
            Ok((device, notice)) => {
                if let Some(text) = notice {
                    self.notice(text);
                }
                Some(device)
            }
            Err(reason) => {
                self.refuse(reason);
                None
            }
        }
    }

    /// Goes on on the CPU from the last saved state after the device failed.
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
            (Some(bytes), _) => self.load_saved(self.run.clone(), bytes, cpu).await,
            (None, Some(config)) => {
                self.build(config, cpu).await;
            }
            (None, None) => {}
        }
        if running {
            self.start();
        }
    }
}
