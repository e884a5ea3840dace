//! Reads of chosen texts by the parts of a rule.

use std::collections::BTreeMap;

use super::resolved::{Read, Tree};
use super::tree::Order;
use super::want::Want;

/// Later reads of each slot.
pub(super) type Live = BTreeMap<u16, Want>;

/// Part of its slot that a read reads.
pub(super) fn wanted(read: &Read) -> Want {
    let text = Want { text: true, ..Want::default() };
    // Of a list, the items are put in order; of a text, which has none, the characters.
    let items = (read.order != Order::Written).then(|| Box::new(text.clone()));
    let value = Want { items, ..text };
    match read.part {
        None => value,
        Some(part) => Want { parts: BTreeMap::from([(part, value)]), ..Want::default() },
    }
}

/// Adds to `live` all that `tree` reads of slots, wherever these are chosen.
pub(super) fn reads(tree: &Tree, live: &mut Live) {
    match tree {
        Tree::Sequence(items) => items.iter().rev().for_each(|item| reads(item, live)),
        Tree::Choice(alternatives) => alternatives.iter().for_each(|(_, tree)| reads(tree, live)),
        Tree::Repeat { body, .. }
        | Tree::Bind(body, _)
        | Tree::Hide(body, _)
        | Tree::Answer(body)
        | Tree::Given(body) => reads(body, live),
        Tree::Read(read) => live.entry(read.slot).or_default().add(&wanted(read)),
        Tree::Pick { to, from } => {
            let want = live.get(to).cloned().unwrap_or_default();
            live.entry(*from).or_default().items.get_or_insert_default().add(&want);
        }
        _ => {}
    }
}
