//! Surgery on the structure of a model: [`operate`] applies one of the [`OPERATIONS`](crate::run::OPERATIONS) to a
//! checkpoint, and [`compare`] measures the change of its logits.

mod adapters;
mod compare;
mod error;
mod graft;
mod heads;
mod operate;
mod plan;
mod plan_heads;
mod refit;
mod weights;
mod widen;

pub use compare::{Difference, compare, report};
pub use error::SurgeryError;
pub use graft::graft;
pub use heads::{grow_heads, head_gates, prune_heads};
pub use operate::{Past, operate};
pub use plan::{New, Plan};
