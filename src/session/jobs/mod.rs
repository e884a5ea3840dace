//! Jobs: work of many pieces that reports its progress. A session has one at a time, the newest.
//!
//! A job is a file here, a kind in the protocol, and a line in `registry`.

mod average;
mod bench;
mod distill;
mod evaluate;
mod job;
mod probe;
mod registry;
mod sweep;

pub(super) use job::{Context, Job, StartError};
pub(super) use registry::start;
