//! One step of one derivation.

use std::ops::RangeInclusive;

use super::super::heap::{Id, Kind, Letter};
use super::super::node::{HIDDEN, Node, NodeId};
use super::value::{BETWEEN, ITEMS, PARTS, TEXT};
use super::{Machine, Particle, Stop};

/// Next act of a derivation.
pub(super) enum Step {
    /// It writes a letter.
    Letters(Letters),
    /// It goes on in several ways with these probabilities; none, if it is impossible.
    Branch(Vec<(f64, Particle)>),
    Next(Particle),
    End,
}

/// Letters that a derivation may write, all equally likely.
pub(super) struct Letters {
    pub each: Each,
    pub count: usize,
    /// The derivation after any of them, which has yet to keep it.
    pub after: Particle,
}

pub(super) enum Each {
    One(Option<Letter>),
    Range(RangeInclusive<char>),
}

impl Iterator for Each {
    type Item = Letter;

    fn next(&mut self) -> Option<Letter> {
        match self {
            Self::One(letter) => letter.take(),
            Self::Range(range) => range.next().map(Letter::Known),
        }
    }
}

impl Machine<'_> {
    pub(super) fn step(&mut self, at: Particle) -> Result<Step, Stop> {
        let Some(cell) = self.heap.get(at.todo) else { return Ok(Step::End) };
        let [next, other] = cell.links;
        let then = |todo: Id| Particle { todo, ..at };
        Ok(match cell.kind {
            Kind::Do(node) => return self.run(at, node, next),
            Kind::Rest(node, index) => Step::Next(then(self.rest(node, index, next))),
            Kind::Loop(node, done) => self.repeat(at, node, done, next, other),
            Kind::Again(node, done) => {
                let items = match self.plan.node(node) {
                    Node::Repeat { collects: true, .. } => {
                        self.heap.cons(Kind::Item, other, at.result)
                    }
                    _ => other,
                };
                let todo = self.loop_cell(node, done, next, items);
                Step::Next(Particle { todo, result: 0, ..at })
            }
            Kind::Write => {
                let Some(letters) = self.heap.get(other) else { return Ok(Step::Next(then(next))) };
                let rest = self.write(letters.links[0], next);
                let each = Each::One(letters.kind.letter());
                return self.letters(Letters { each, count: 1, after: then(rest) });
            }
            Kind::Close(node) => {
                let Some(open) = self.heap.get(at.captures) else {
                    return Ok(Step::Next(then(next)));
                };
                let [captures, letters] = open.links;
                let keeps = matches!(self.plan.node(node), Node::Capture { keeps: true, .. });
                let result = self.heap.set(if keeps { at.result } else { 0 }, TEXT, letters);
                Step::Next(Particle { todo: next, captures, result, ..at })
            }
            Kind::Leave(node) => {
                let (parts, keeps) = match self.plan.node(node) {
                    Node::Call { gather, keeps, .. } => (gather.as_slice(), *keeps),
                    _ => (&[][..], false),
                };
                let result = self.gather(parts, at.slots, if keeps { at.result } else { 0 });
                Step::Next(Particle { todo: next, slots: other, result, ..at })
            }
            Kind::Collect(node) => {
                let (parts, keeps) = match self.plan.node(node) {
                    Node::Gather { parts, keeps, .. } => (parts.as_slice(), *keeps),
                    _ => (&[][..], false),
                };
                let result = self.gather(parts, at.slots, if keeps { at.result } else { 0 });
                let mut slots = at.slots;
                for (_, slot) in parts {
                    slots = self.heap.set(slots, u32::from(*slot), 0);
                }
                Step::Next(Particle { todo: next, slots, result, ..at })
            }
            Kind::Put(slot) => {
                let slots = self.heap.set(at.slots, u32::from(slot), at.result);
                Step::Next(Particle { todo: next, slots, result: 0, ..at })
            }
            Kind::Mark(marks) => Step::Next(Particle { todo: next, marks, ..at }),
            Kind::Show(marks) => Step::Next(Particle { todo: next, marks, captures: other, ..at }),
            Kind::Letter(_) | Kind::Item | Kind::Entry(_) | Kind::Open(_) | Kind::Drawn(..) => {
                Step::End
            }
        })
    }

    /// Begins to run `node`, with `next` to do after it.
    fn run(&mut self, at: Particle, id: NodeId, next: Id) -> Result<Step, Stop> {
        let plan = self.plan;
        let then = |todo: Id| Particle { todo, ..at };
        Ok(match plan.node(id) {
            Node::Impossible => Step::Branch(Vec::new()),
            Node::Text(text) => {
                let letters = match self.literals.get(&id) {
                    Some(letters) => *letters,
                    None => {
                        let letters = self.literal(text);
                        self.literals.insert(id, letters);
                        letters
                    }
                };
                Step::Next(then(self.write(letters, next)))
            }
            Node::Range(from, to) => {
                let count = (*from..=*to).count();
                return self.letters(Letters {
                    each: Each::Range(*from..=*to),
                    count,
                    after: then(next),
                });
            }
            Node::Sequence(_) => Step::Next(then(self.rest(id, 0, next))),
            Node::Choice(alternatives) => Step::Branch(
                alternatives
                    .iter()
                    .map(|(weight, node)| (*weight, then(self.todo(*node, next))))
                    .collect(),
            ),
            Node::Repeat { .. } => Step::Next(then(self.loop_cell(id, 0, next, 0))),
            Node::Call { instance, .. } => {
                let leave = self.heap.add(Kind::Leave(id), [next, at.slots], 0, 0);
                let todo = self.todo(plan.instance(*instance), leave);
                Step::Next(Particle { todo, slots: 0, ..at })
            }
            Node::Gather { body, .. } => {
                let collect = self.heap.add(Kind::Collect(id), [next, 0], 0, 0);
                Step::Next(then(self.todo(*body, collect)))
            }
            Node::Capture { body, site, .. } => {
                let close = self.heap.add(Kind::Close(id), [next, 0], 0, 0);
                let captures = self.heap.cons(Kind::Open(*site), at.captures, 0);
                Step::Next(Particle { todo: self.todo(*body, close), captures, ..at })
            }
            Node::Store { body, slot } => {
                let put = self.heap.add(Kind::Put(*slot), [next, 0], 0, 0);
                Step::Next(then(self.todo(*body, put)))
            }
            Node::Read { slot, part, order, keep } => {
                let mut value = self.heap.lookup(at.slots, u32::from(*slot));
                if let Some(part) = part {
                    value = self.heap.lookup(value, PARTS + u32::from(*part));
                }
                let letters = self.in_order(value, *order)?;
                let slots = self.trim(at.slots, *slot, keep);
                Step::Next(Particle { todo: self.write(letters, next), slots, ..at })
            }
            Node::Pick { from, to, keep, want } => {
                let value = self.heap.lookup(at.slots, u32::from(*from));
                let items: Vec<Id> = self
                    .heap
                    .list(self.heap.lookup(value, ITEMS))
                    .map(|cell| cell.links[1])
                    .collect();
                let share = 1.0 / items.len() as f64;
                let rest = self.trim(at.slots, *from, keep);
                let mut branches = Vec::with_capacity(items.len());
                for item in items {
                    let item = self.project(item, want);
                    let slots = self.heap.set(rest, u32::from(*to), item);
                    branches.push((share, Particle { todo: next, slots, ..at }));
                }
                Step::Branch(branches)
            }
            Node::Keep(slot, want) => {
                let slots = self.trim(at.slots, *slot, want);
                Step::Next(Particle { todo: next, slots, ..at })
            }
            // What is hidden is no part of a text that is being kept.
            Node::Marked(body, HIDDEN) => {
                let show = self.heap.add(Kind::Show(at.marks), [next, at.captures], 0, 0);
                let todo = self.todo(*body, show);
                Step::Next(Particle { todo, captures: 0, marks: at.marks | HIDDEN, ..at })
            }
            Node::Marked(body, marks) => {
                let restore = self.heap.add(Kind::Mark(at.marks), [next, 0], 0, 0);
                Step::Next(Particle {
                    todo: self.todo(*body, restore),
                    marks: at.marks | marks,
                    ..at
                })
            }
            Node::Unique(pool) => Step::Branch(self.unique(at, *pool, next)),
        })
    }

    /// Letters that are written, or drawn and hidden.
    fn letters(&mut self, letters: Letters) -> Result<Step, Stop> {
        if letters.after.marks & HIDDEN == 0 {
            return Ok(Step::Letters(letters));
        }
        let share = 1.0 / letters.count as f64;
        let mut branches = Vec::with_capacity(letters.count);
        for letter in letters.each {
            branches.push((share, self.keep(letters.after, letter)?));
        }
        match (branches.len(), branches.pop()) {
            (1, Some((_, only))) => Ok(Step::Next(only)),
            (_, last) => {
                branches.extend(last);
                Ok(Step::Branch(branches))
            }
        }
    }

    pub(super) fn literal(&mut self, text: &[char]) -> Id {
        self.heap.push_letters(text.iter().rev().map(|c| Letter::Known(*c)), 0)
    }

    pub(super) fn write(&mut self, letters: Id, next: Id) -> Id {
        if letters == 0 { next } else { self.heap.add(Kind::Write, [next, letters], 0, 0) }
    }

    /// Items of a sequence from `index` on.
    fn rest(&mut self, id: NodeId, index: u32, next: Id) -> Id {
        let plan = self.plan;
        let Node::Sequence(items) = plan.node(id) else { return next };
        let Some((first, more)) = items.get(index as usize..).and_then(<[NodeId]>::split_first)
        else {
            return next;
        };
        let next = if more.is_empty() {
            next
        } else {
            let sizes = more.iter().map(|item| plan.size(*item));
            let (work, pools) = sizes.fold((0u32, 0), |(work, pools), size| {
                (work.saturating_add(size.work as u32).saturating_add(1), pools | size.pools)
            });
            self.heap.add(Kind::Rest(id, index + 1), [next, 0], work, pools)
        };
        self.todo(*first, next)
    }

    fn loop_cell(&mut self, id: NodeId, done: u32, next: Id, items: Id) -> Id {
        let (work, pools) = self.rounds(id, done);
        self.heap.add(Kind::Loop(id, done), [next, items], work, pools)
    }

    /// Work and pools of the rounds that a repeat may still run after `done`.
    fn rounds(&self, id: NodeId, done: u32) -> (u32, u32) {
        let Node::Repeat { body, most, separator, .. } = self.plan.node(id) else { return (0, 0) };
        let left = most.saturating_sub(done);
        let size = self.plan.size(*body);
        let each = (size.work as u32).saturating_add(separator.len() as u32 + 4);
        (each.saturating_mul(left), if left == 0 { 0 } else { size.pools })
    }

    fn repeat(&mut self, at: Particle, id: NodeId, done: u32, next: Id, items: Id) -> Step {
        let plan = self.plan;
        let Node::Repeat { body, least, most, separator, collects } = plan.node(id) else {
            return Step::Next(Particle { todo: next, ..at });
        };
        let stops = |machine: &mut Self| {
            let mut result = at.result;
            if *collects {
                let between = machine.literal(separator);
                result = machine.heap.set(0, BETWEEN, between);
                result = machine.heap.set(result, ITEMS, items);
            }
            Particle { todo: next, result, ..at }
        };
        let goes_on = |machine: &mut Self| {
            let (work, pools) = machine.rounds(id, done + 1);
            let again = machine.heap.add(Kind::Again(id, done + 1), [next, items], work, pools);
            let mut todo = machine.todo(*body, again);
            if done > 0 {
                let between = machine.literal(separator);
                todo = machine.write(between, todo);
            }
            Particle { todo, ..at }
        };
        if done >= *most {
            return Step::Next(stops(self));
        }
        if done < *least {
            return Step::Next(goes_on(self));
        }
        // Of the counts that are left, each is as likely.
        let share = 1.0 / f64::from(*most - done + 1);
        let branches = vec![(share, stops(self)), (1.0 - share, goes_on(self))];
        Step::Branch(branches)
    }

}
