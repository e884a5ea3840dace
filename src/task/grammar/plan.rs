//! A grammar ready to run.

use std::collections::BTreeSet;

use super::measure::Size;
use super::node::{Node, NodeId};

/// Nodes with all that is known of them.
#[derive(Debug)]
pub(super) struct Plan {
    pub nodes: Vec<Node>,
    pub sizes: Vec<Size>,
    /// Node of each instance.
    pub roots: Vec<NodeId>,
    /// Texts of each pool and their probabilities, in order.
    pub pools: Vec<Vec<(Vec<char>, f64)>>,
    pub root: NodeId,
    /// Line of the rule `record`.
    pub line: usize,
    /// Characters that each chosen name may have.
    pub charsets: Vec<BTreeSet<char>>,
    pub alphabet: Vec<char>,
}

const IMPOSSIBLE: Node = Node::Impossible;

impl Plan {
    /// Characters that may be written from `nodes` on; the whole alphabet where a chosen name is.
    pub fn characters(&self, nodes: impl IntoIterator<Item = NodeId>) -> BTreeSet<char> {
        let mut out = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut stack: Vec<NodeId> = nodes.into_iter().collect();
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.node(id) {
                Node::Text(text) => out.extend(text),
                Node::Range(from, to) => out.extend(*from..=*to),
                Node::Sequence(items) => stack.extend(items),
                Node::Choice(alternatives) => {
                    stack.extend(alternatives.iter().map(|(_, node)| node))
                }
                Node::Repeat { body, most, separator, .. } => {
                    stack.push(*body);
                    if *most > 1 {
                        out.extend(separator);
                    }
                }
                Node::Call { instance, .. } => stack.push(self.instance(*instance)),
                Node::Gather { body, .. }
                | Node::Capture { body, .. }
                | Node::Store { body, .. }
                | Node::Marked(body, _) => stack.push(*body),
                Node::Unique(pool) => {
                    out.extend(self.pool(*pool).iter().flat_map(|(text, _)| text))
                }
                Node::Read { .. } => out.extend(&self.alphabet),
                Node::Impossible | Node::Pick { .. } | Node::Keep(..) => {}
            }
        }
        out
    }

    pub fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&IMPOSSIBLE)
    }

    pub fn size(&self, id: NodeId) -> Size {
        self.sizes.get(id as usize).copied().unwrap_or_default()
    }

    /// Node of an instance.
    pub fn instance(&self, index: usize) -> NodeId {
        self.roots.get(index).copied().unwrap_or_default()
    }

    /// Texts of a pool and their probabilities.
    pub fn pool(&self, index: usize) -> &[(Vec<char>, f64)] {
        self.pools.get(index).map_or(&[], Vec::as_slice)
    }

    /// Number of chosen names.
    pub fn sites(&self) -> usize {
        self.charsets.len()
    }

    /// True if chosen name `site` may have `c`.
    pub fn may_have(&self, site: u16, c: char) -> bool {
        self.charsets.get(usize::from(site)).is_none_or(|set| set.contains(&c))
    }

    /// True if both chosen names may have the same character.
    pub fn may_share(&self, one: u16, other: u16) -> bool {
        let set = |site| self.charsets.get(usize::from(site));
        match (set(one), set(other)) {
            (Some(one), Some(other)) => !one.is_disjoint(other),
            _ => true,
        }
    }
}
