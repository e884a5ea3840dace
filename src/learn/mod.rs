//! Training: a [`Learner`] is a model with its optimizer, an [`Objective`] the loss of its output on a batch, and a
//! [`Trainer`] the one loop of all that train: forward, loss, backward, update.

mod adapters;
#[cfg(feature = "cli")]
pub mod devices;
pub mod distill;
mod errand;
mod feedback;
mod heads;
mod helper;
mod learner;
mod loss;
mod memory;
mod objective;
mod optimizer;
mod packed;
mod pass;
mod passes;
mod schedule;
mod shard;
mod source;
mod start;
mod sums;
mod teach;
mod trainer;
mod write;

pub use adapters::Adapters;
pub use errand::{Brought, Elsewhere, Errand};
pub use feedback::feedback;
pub use heads::HeadChange;
pub use helper::{Answer, Helper, Known, Order};
#[cfg(feature = "cli")]
pub use helper::Plan;
pub use learner::Learner;
pub use loss::{LossSums, hits, losses, mean_loss, token_losses};
pub use objective::{Likelihood, Loss, Objective};
pub use optimizer::{Optimizer, Rates, orthogonalize};
pub use packed::PackError;
pub use pass::TrainingPass;
pub use schedule::learning_rate;
pub use shard::{Crew, PassedShard, Shard, ShardPass};
pub use source::{BatchSource, TaskRecords, TaskSource};
pub(crate) use sums::Passes;
pub use teach::TeachError;
pub use trainer::{StepOutcome, Trainer};
