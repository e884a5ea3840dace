//! Errands: work that another worker does whole, and what it brings back.

use futures::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::report::sweep::Outcome;
use crate::report::{EvalOptions, Report};

/// Work that another worker does whole, on the CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Errand {
    /// Trains a run of a sweep.
    Run(Box<RunConfig>),
    /// Evaluates `count` records from `first` on.
    Records {
        /// The run, as a checkpoint.
        run: Vec<u8>,
        options: EvalOptions,
        first: usize,
        count: usize,
    },
}

/// Result of an errand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Brought {
    Run(Outcome),
    /// A report for each record.
    Records(Vec<Report>),
}

/// Future result of an errand; `None` if its worker has ended, which the crew reports. Dropping it ends the errand.
pub type Elsewhere = LocalBoxFuture<'static, Option<Brought>>;
