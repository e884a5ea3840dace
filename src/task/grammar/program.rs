//! Grammars as nodes, before anything is known of them.

use std::collections::BTreeSet;

use super::node::{Node, NodeId};

/// A rule, spelled out.
#[derive(Debug)]
pub(super) struct Instance {
    pub rule: usize,
    pub line: usize,
    pub root: NodeId,
    /// Instances that it calls.
    pub calls: BTreeSet<usize>,
    /// True unless it stands inside a call of the same rule.
    pub is_outermost: bool,
}

/// A rule drawn from with `unique`.
#[derive(Debug)]
pub(super) struct PoolPlan {
    pub instance: usize,
    /// Line of the first draw.
    pub line: usize,
}

/// A grammar as nodes. The first instance is the rule `record`.
#[derive(Debug)]
pub(super) struct Program {
    pub nodes: Vec<Node>,
    pub instances: Vec<Instance>,
    pub pools: Vec<PoolPlan>,
    /// Node that runs a record.
    pub root: NodeId,
    /// Number of chosen names.
    pub sites: u16,
}
