//! Rules whose names are found.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::Order;

/// A rule whose names are found. Chosen texts lie in numbered **slots** of the rule.
#[derive(Debug)]
pub(super) struct Resolved {
    pub line: usize,
    pub depth: Option<u32>,
    pub body: Tree,
    /// Slots of the names that are chosen however the rule is written, by the number of the name.
    pub parts: BTreeMap<u16, u16>,
    pub slots: u16,
}

/// A part of a resolved rule.
#[derive(Debug)]
pub(super) enum Tree {
    Text(String),
    Range(char, char),
    Sequence(Vec<Tree>),
    Choice(Vec<(f64, Tree)>),
    Repeat {
        body: Box<Tree>,
        least: u32,
        most: u32,
        separator: String,
        /// Slots of the names chosen in the body, by name.
        parts: BTreeMap<u16, u16>,
    },
    Call(usize),
    /// A rule drawn from, and the line that says so.
    Unique(usize, usize),
    /// Writes the body and keeps it.
    Bind(Box<Tree>, u16),
    /// Draws the body, keeps it and writes nothing.
    Hide(Box<Tree>, u16),
    Read(Read),
    /// Keeps one item of the list in slot `from`.
    Pick {
        to: u16,
        from: u16,
    },
    Answer(Box<Tree>),
    Given(Box<Tree>),
}

/// A chosen text to be written again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub slot: u16,
    pub part: Option<u16>,
    pub order: Order,
}

/// The rules of a grammar and the number of the one named `record`.
#[derive(Debug)]
pub(super) struct Rules {
    pub rules: Vec<Resolved>,
    pub record: usize,
}

/// Rules that `tree` calls; those drawn from with `unique` too.
pub(super) fn calls(tree: &Tree) -> BTreeSet<usize> {
    let mut out = BTreeSet::new();
    visit(tree, &mut |tree| {
        if let Tree::Call(rule) | Tree::Unique(rule, _) = tree {
            out.insert(*rule);
        }
    });
    out
}

/// Calls `look` with `tree` and all within it.
pub(super) fn visit(tree: &Tree, look: &mut impl FnMut(&Tree)) {
    look(tree);
    match tree {
        Tree::Sequence(items) => items.iter().for_each(|item| visit(item, look)),
        Tree::Choice(alternatives) => alternatives.iter().for_each(|(_, tree)| visit(tree, look)),
        Tree::Repeat { body, .. }
        | Tree::Bind(body, _)
        | Tree::Hide(body, _)
        | Tree::Answer(body)
        | Tree::Given(body) => visit(body, look),
        _ => {}
    }
}

/// Rules with a `depth` that each rule leads to, itself included.
pub(super) fn deep_rules(rules: &[Resolved]) -> Vec<BTreeSet<usize>> {
    let calls: Vec<BTreeSet<usize>> = rules.iter().map(|rule| calls(&rule.body)).collect();
    let mut callers: Vec<Vec<usize>> = vec![Vec::new(); rules.len()];
    for (caller, calls) in calls.iter().enumerate() {
        for called in calls {
            if let Some(callers) = callers.get_mut(*called) {
                callers.push(caller);
            }
        }
    }
    let mut out: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); rules.len()];
    for (deep, _) in rules.iter().enumerate().filter(|(_, rule)| rule.depth.is_some()) {
        let mut stack = vec![deep];
        while let Some(at) = stack.pop() {
            if out.get_mut(at).is_some_and(|set| set.insert(deep)) {
                stack.extend(callers.get(at).into_iter().flatten());
            }
        }
    }
    out
}
