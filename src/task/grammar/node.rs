//! Grammars as they run: a graph without circles, each `depth` spelled out.

use super::tree::Order;
use super::want::Want;

/// Number of a node.
pub(super) type NodeId = u32;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A part that no record can be written by, for it lies deeper than a `depth` allows.
    Impossible,
    Text(Vec<char>),
    /// One of the characters from the first to the last, evenly.
    Range(char, char),
    Sequence(Vec<NodeId>),
    /// Alternatives and their probabilities.
    Choice(Vec<(f64, NodeId)>),
    /// Evenly `least` to `most` times. `collects`: the results of the bodies make a list.
    Repeat {
        body: NodeId,
        least: u32,
        most: u32,
        separator: Vec<char>,
        collects: bool,
    },
    /// Runs a rule in slots of its own. `gather`: what lies in these slots in the end makes parts of the result, by
    /// name. `keeps`: of the body's result.
    Call {
        instance: usize,
        gather: Vec<(u16, u16)>,
        keeps: bool,
    },
    /// Runs the body of a repeat, in the slots of the rule, and gathers its parts.
    Gather {
        body: NodeId,
        parts: Vec<(u16, u16)>,
        keeps: bool,
    },
    /// Records the characters of the body as the text of the result, for chosen name `site`. `keeps`: of the result
    /// of the body.
    Capture {
        body: NodeId,
        site: u16,
        keeps: bool,
    },
    /// Puts the result of the body into a slot.
    Store {
        body: NodeId,
        slot: u16,
    },
    /// Writes what lies in a slot, or a part of it, of which `keep` is read again.
    Read {
        slot: u16,
        part: Option<u16>,
        order: Order,
        keep: Want,
    },
    /// Puts one item of the list in slot `from` into slot `to`, where `want` of it is read; of the list, `keep` is.
    Pick {
        from: u16,
        to: u16,
        keep: Want,
        want: Want,
    },
    /// Forgets all in a slot but this.
    Keep(u16, Want),
    /// Runs the body with these marks on its characters: see [`Marks`].
    Marked(NodeId, Marks),
    /// Writes a text of a pool that is not drawn yet.
    Unique(usize),
}

/// Marks on characters: sums of the constants below.
pub(super) type Marks = u8;
/// They belong to the answer.
pub(super) const ANSWER: Marks = 1;
/// They are given.
pub(super) const GIVEN: Marks = 2;
/// They are not written.
pub(super) const HIDDEN: Marks = 4;
