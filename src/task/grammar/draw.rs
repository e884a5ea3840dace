//! Draws records.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::machine::sort;
use super::node::{ANSWER, GIVEN, HIDDEN, Marks, Node, NodeId};
use super::plan::Plan;
use super::tree::Order;
use crate::run::{Field, Record};

/// A drawn record. Each character is a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    pub text: String,
    /// For each character, whether it belongs to an answer.
    pub is_answer: Vec<bool>,
    /// Number of characters at the beginning that are given, not predicted.
    pub given: usize,
}

impl From<Drawn> for Record {
    /// The record in its fields: all but the answer is the question.
    fn from(drawn: Drawn) -> Self {
        let mut record = Self::new();
        for (c, is_answer) in drawn.text.chars().zip(drawn.is_answer) {
            let field = if is_answer { Field::Answer } else { Field::Question };
            record.push(field, c.encode_utf8(&mut [0; 4]));
        }
        record.given = drawn.given.max(record.given);
        record
    }
}

/// Draws a record.
pub(super) fn draw(plan: &Plan, rng: &mut ChaCha8Rng) -> Drawn {
    let mut drawer = Drawer {
        plan,
        rng,
        drawn: Drawn { text: String::new(), is_answer: Vec::new(), given: 0 },
        slots: BTreeMap::new(),
        captures: Vec::new(),
        pools: BTreeMap::new(),
        marks: 0,
    };
    drawer.node(plan.root);
    drawer.drawn
}

/// Kept part of a chosen text.
#[derive(Clone, Default)]
struct Value {
    text: Vec<char>,
    items: Vec<Value>,
    separator: Vec<char>,
    parts: BTreeMap<u16, Value>,
}

struct Drawer<'a> {
    plan: &'a Plan,
    rng: &'a mut ChaCha8Rng,
    drawn: Drawn,
    slots: BTreeMap<u16, Value>,
    /// Texts being kept, the innermost last.
    captures: Vec<Vec<char>>,
    /// For each pool and text, whether it is drawn.
    pools: BTreeMap<usize, Vec<bool>>,
    marks: Marks,
}

impl Drawer<'_> {
    /// Runs a node. The height of grammars is bounded, and so is the stack.
    fn node(&mut self, id: NodeId) -> Value {
        let plan = self.plan;
        match plan.node(id) {
            Node::Impossible | Node::Keep(..) => Value::default(),
            Node::Text(text) => self.write(text),
            Node::Range(from, to) => {
                let at = self.below((*from..=*to).count());
                let c = (*from..=*to).nth(at).unwrap_or(*from);
                self.write(&[c])
            }
            Node::Sequence(items) => {
                let is_item = |item: &&NodeId| !matches!(plan.node(**item), Node::Keep(..));
                let is_alone = items.iter().filter(is_item).count() == 1;
                let mut result = Value::default();
                for item in items.iter().filter(is_item) {
                    result = self.node(*item);
                }
                if is_alone { result } else { Value::default() }
            }
            Node::Choice(alternatives) => {
                let at = weighted(self.rng, alternatives.iter().map(|(weight, _)| *weight));
                alternatives.get(at).map(|(_, node)| self.node(*node)).unwrap_or_default()
            }
            Node::Repeat { body, least, most, separator, collects } => {
                let count = *least as usize + self.below((most - least) as usize + 1);
                let list = self.repeat(*body, count, separator);
                if *collects { list } else { Value::default() }
            }
            Node::Call { instance, gather, keeps } => {
                let slots = std::mem::take(&mut self.slots);
                let result = self.result(plan.instance(*instance), *keeps);
                let mut inner = std::mem::replace(&mut self.slots, slots);
                gather_into(result, gather, &mut inner)
            }
            Node::Gather { body, parts, keeps } => {
                let result = self.result(*body, *keeps);
                gather_into(result, parts, &mut self.slots)
            }
            Node::Capture { body, keeps, .. } => {
                self.captures.push(Vec::new());
                let result = self.result(*body, *keeps);
                Value { text: self.captures.pop().unwrap_or_default(), ..result }
            }
            Node::Store { body, slot } => {
                let value = self.node(*body);
                self.slots.insert(*slot, value);
                Value::default()
            }
            Node::Read { slot, part, order, .. } => {
                let text = self.in_order(*slot, *part, *order);
                self.write(&text)
            }
            Node::Pick { from, to, .. } => {
                let count = self.slots.get(from).map_or(0, |list| list.items.len());
                let at = self.below(count);
                let item = self.slots.get(from).and_then(|list| list.items.get(at)).cloned();
                self.slots.insert(*to, item.unwrap_or_default());
                Value::default()
            }
            Node::Marked(body, marks) => self.marked(*body, *marks),
            Node::Unique(pool) => self.unique(*pool),
        }
    }

    /// Runs a node, and keeps its result or not.
    fn result(&mut self, id: NodeId, keeps: bool) -> Value {
        let result = self.node(id);
        if keeps { result } else { Value::default() }
    }

    fn write(&mut self, text: &[char]) -> Value {
        for capture in &mut self.captures {
            capture.extend(text);
        }
        if self.marks & HIDDEN == 0 {
            self.drawn.text.extend(text);
            self.drawn.is_answer.extend(text.iter().map(|_| self.marks & ANSWER != 0));
            if self.marks & GIVEN != 0 {
                self.drawn.given = self.drawn.is_answer.len();
            }
        }
        Value::default()
    }

    fn repeat(&mut self, body: NodeId, count: usize, separator: &[char]) -> Value {
        let mut items = Vec::with_capacity(count);
        for index in 0..count {
            if index > 0 {
                self.write(separator);
            }
            items.push(self.node(body));
        }
        Value { items, separator: separator.to_vec(), ..Value::default() }
    }

    fn marked(&mut self, body: NodeId, marks: Marks) -> Value {
        let before = self.marks;
        self.marks |= marks;
        let is_hidden = marks & HIDDEN != 0;
        // What is hidden is no part of a text that is being kept.
        let captures = if is_hidden { std::mem::take(&mut self.captures) } else { Vec::new() };
        let result = self.node(body);
        if is_hidden {
            self.captures = captures;
        }
        self.marks = before;
        result
    }

    fn unique(&mut self, pool: usize) -> Value {
        let texts = self.plan.pool(pool);
        let drawn = self.pools.entry(pool).or_insert_with(|| vec![false; texts.len()]);
        let weights =
            texts.iter().zip(drawn.iter()).map(|((_, weight), is)| if *is { 0.0 } else { *weight });
        let at = weighted(self.rng, weights);
        if let Some(is_drawn) = drawn.get_mut(at) {
            *is_drawn = true;
        }
        match texts.get(at) {
            Some((text, _)) => self.write(text),
            None => Value::default(),
        }
    }

    fn in_order(&self, slot: u16, part: Option<u16>, order: Order) -> Vec<char> {
        let value = self.slots.get(&slot);
        let value = match part {
            None => value,
            Some(part) => value.and_then(|value| value.parts.get(&part)),
        };
        let Some(value) = value else { return Vec::new() };
        let (mut units, between): (Vec<Vec<char>>, &[char]) =
            if order != Order::Written && !value.items.is_empty() {
                (value.items.iter().map(|item| item.text.clone()).collect(), &value.separator)
            } else {
                (value.text.iter().map(|c| vec![*c]).collect(), &[])
            };
        match order {
            Order::Written => {}
            Order::Reversed => units.reverse(),
            Order::Rising | Order::Falling => sort(&mut units, order == Order::Falling, |c| *c),
        }
        units.join(between)
    }

    /// An even draw from `0..count`; 0 if `count` is 0.
    fn below(&mut self, count: usize) -> usize {
        if count == 0 { 0 } else { self.rng.random_range(0..count as u32) as usize }
    }
}

/// Place of one of `weights`, drawn by them; never of a 0.
fn weighted(rng: &mut ChaCha8Rng, weights: impl Iterator<Item = f64> + Clone) -> usize {
    let total: f64 = weights.clone().sum();
    let mut left = rng.random::<f64>() * total;
    let mut last = 0;
    for (at, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
        last = at;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// `result` with the contents of slots as its parts.
fn gather_into(mut result: Value, parts: &[(u16, u16)], slots: &mut BTreeMap<u16, Value>) -> Value {
    for (name, slot) in parts {
        result.parts.insert(*name, slots.remove(slot).unwrap_or_default());
    }
    result
}
