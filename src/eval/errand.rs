//! Execution of an errand by a worker.

use super::{Evaluation, SweepRun};
use crate::checkpoint::Checkpoint;
use crate::device::{self, OpenDevice};
use crate::learn::{Brought, Errand, Trainer};
use crate::run::DeviceChoice;

/// Does an errand.
///
/// # Errors
/// A sentence on what this worker cannot do of it.
pub async fn run_errand(errand: Errand) -> Result<Brought, String> {
    let (cpu, _) = device::open(DeviceChoice::Cpu).await?;
    let OpenDevice { device, limits, .. } = cpu;
    match errand {
        Errand::Run(config) => {
            let run = SweepRun::new(*config, device, &limits).map_err(|error| error.to_string())?;
            run.finish().await.map(Brought::Run).map_err(|error| error.to_string())
        }
        Errand::Records { run, options, first, count } => {
            let run = Checkpoint::from_bytes(&run)
                .and_then(|checkpoint| Trainer::resume(checkpoint, device, &limits))
                .map_err(|error| error.to_string())?;
            let evaluation = Evaluation::new(&run, None, options);
            let reports = evaluation.map_err(|error| error.to_string())?.records(first..first + count);
            reports.await.map(Brought::Records).map_err(|error| error.to_string())
        }
    }
}
