//! The entropy floor, counted exactly over what can be known after each beginning of a record.
//!
//! A **state** is a belief: the derivations that may have written the text so far, and their probabilities. Texts
//! after which the beliefs are the same share a state. Characters of chosen names are not told apart at first, so
//! that all words to be copied share states; where a later part would have to compare them, the count starts anew
//! and tells the characters of that name apart.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::limits;
use super::machine::{Group, Machine, Particle, Stop, rounded};
use super::mixer::Mixer;
use super::node::{ANSWER, GIVEN};
use super::plan::Plan;
use crate::run::Field;
use crate::task::floor::Sums;

/// Characters and their entropy, expected in one record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// Number of characters.
    pub chars: f64,
    /// Entropy of all of them, in nats.
    pub nats: f64,
}

impl Part {
    pub(super) fn add(&mut self, chars: f64, nats: f64) {
        self.chars += chars;
        self.nats += nats;
    }
}

/// The least loss that any model can reach on the records of a grammar. Each predicted character costs −ln of its
/// probability given all characters before it and that the record goes on, for where it ends is no character. Given ones
/// cost nothing and are not counted, nor is the first, which nothing precedes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Floor {
    /// Characters of answers.
    pub answer: Part,
    /// All other predicted characters.
    pub rest: Part,
}

/// Result of counting a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Counted {
    /// The floor, and the number of states it took.
    Exactly { floor: Floor, states: usize },
    /// It takes more states than were allowed, or too much memory: see [`Grammar::estimate`](super::Grammar::estimate).
    Beyond,
}

impl Floor {
    /// All of them.
    pub fn record(&self) -> Part {
        let Self { answer, rest } = self;
        Part { chars: answer.chars + rest.chars, nats: answer.nats + rest.nats }
    }

    /// The floor in the fields of a record: all but the answer is the question.
    pub fn by_field(&self) -> crate::run::Floor {
        let mut sums = Sums::default();
        for (field, part) in [(Field::Question, self.rest), (Field::Answer, self.answer)] {
            if part.chars > 0.0 {
                sums.add(field, part.chars, part.nats);
            }
        }
        sums.floor()
    }

    /// Adds the costs of what may come next, of which `groups` are all.
    fn add(&mut self, groups: &[Group]) {
        let goes_on = goes_on(groups);
        for group in groups.iter().filter(|group| group.letter.is_some()) {
            let nats = (goes_on / group.probability).max(1.0).ln();
            for (marks, weight) in group.by_marks.iter().enumerate() {
                let marks = marks as u8;
                if *weight > 0.0 && marks & GIVEN == 0 {
                    let part = if marks & ANSWER != 0 { &mut self.answer } else { &mut self.rest };
                    part.add(*weight, weight * nats);
                }
            }
        }
    }
}

/// Probability that the record does not end here, where one of `groups` is the end if it may.
pub(super) fn goes_on(groups: &[Group]) -> f64 {
    let end = groups.iter().find(|group| group.letter.is_none());
    1.0 - end.map_or(0.0, |group| group.probability)
}

/// Counts the floor over at most `limit` states.
pub(super) fn count(plan: &Plan, limit: usize) -> Counted {
    let mut opaque = vec![true; plan.sites()];
    let mut fuel = (limit as u64).saturating_mul(limits::FUEL).saturating_add(limits::RECORD_FUEL);
    loop {
        let machine = Machine::new(plan, fuel, limits::PARTICLES).with_opaque(opaque.clone());
        let mut graph =
            Graph { machine, states: Vec::new(), numbers: HashMap::default(), limit, particles: 0 };
        match graph.explore() {
            Ok(floor) => return Counted::Exactly { floor, states: graph.states.len() },
            Err(Stop::Beyond) => return Counted::Beyond,
            Err(Stop::Tell(site)) => match opaque.get_mut(usize::from(site)) {
                Some(is_opaque) if *is_opaque => *is_opaque = false,
                _ => return Counted::Beyond,
            },
        }
        fuel = graph.machine.left();
    }
}

/// A settled belief as a key: derivations with rounded probabilities.
type Key = Box<[(Particle, u64)]>;

/// A state: what is expected of its next character, and where that leads.
#[derive(Default)]
struct State {
    cost: Floor,
    next: Vec<(u32, f64)>,
    /// Number of states that lead here and are not added up yet.
    before: u32,
    /// Probability that a record comes here.
    reached: f64,
}

/// States and what leads from each to the next.
struct Graph<'a> {
    machine: Machine<'a>,
    states: Vec<State>,
    numbers: HashMap<Key, u32, BuildHasherDefault<Mixer>>,
    limit: usize,
    /// Derivations in all states.
    particles: usize,
}

impl Graph<'_> {
    fn explore(&mut self) -> Result<Floor, Stop> {
        let start = self.machine.start(self.machine.root());
        let mut waiting = Vec::new();
        self.state(&[(start, 1.0)], &mut waiting)?;
        while let Some((number, belief)) = waiting.pop() {
            let mut cost = Floor::default();
            let mut next: Vec<(u32, f64)> = Vec::new();
            // Many letters lead to the same derivations; these are settled once.
            let mut settled: HashMap<Key, u32, BuildHasherDefault<Mixer>> = HashMap::default();
            let groups = self.machine.groups(&belief, None)?;
            if number > 0 {
                cost.add(&groups);
            }
            for group in groups.iter().filter(|group| group.letter.is_some()) {
                let key = key(&group.after);
                let to = match settled.get(&key) {
                    Some(to) => *to,
                    None => {
                        let to = self.state(&group.after, &mut waiting)?;
                        settled.insert(key, to);
                        to
                    }
                };
                match next.iter_mut().find(|(other, _)| *other == to) {
                    Some((_, probability)) => *probability += group.probability,
                    None => next.push((to, group.probability)),
                }
            }
            self.particles += next.len();
            for (to, _) in &next {
                if let Some(state) = self.states.get_mut(*to as usize) {
                    state.before += 1;
                }
            }
            if let Some(state) = self.states.get_mut(number as usize) {
                (state.cost, state.next) = (cost, next);
            }
        }
        Ok(self.total())
    }

    /// Number of the state of `particles`; a new one is put into `waiting`.
    fn state(
        &mut self,
        particles: &[(Particle, f64)],
        waiting: &mut Vec<(u32, Vec<(Particle, f64)>)>,
    ) -> Result<u32, Stop> {
        let belief = self.machine.settle(particles)?;
        let belief = self.machine.renumber(belief);
        let next = self.states.len() as u32;
        let number = *self.numbers.entry(key(&belief)).or_insert(next);
        if number == next {
            self.particles += belief.len();
            if self.states.len() >= self.limit || self.particles > limits::PARTICLES {
                return Err(Stop::Beyond);
            }
            self.states.push(State::default());
            waiting.push((number, belief));
        }
        Ok(number)
    }

    /// Costs of all states, each as often as a record comes there.
    fn total(&mut self) -> Floor {
        let mut out = Floor::default();
        if let Some(first) = self.states.first_mut() {
            first.reached = 1.0;
        }
        // Texts only grow, so no state leads back to itself.
        let mut ready = vec![0];
        while let Some(number) = ready.pop() {
            let Some(state) = self.states.get_mut(number as usize) else { continue };
            let (cost, reached, next) =
                (state.cost, state.reached, std::mem::take(&mut state.next));
            for (sum, part) in [(&mut out.answer, cost.answer), (&mut out.rest, cost.rest)] {
                sum.add(reached * part.chars, reached * part.nats);
            }
            for (to, probability) in next {
                let Some(state) = self.states.get_mut(to as usize) else { continue };
                state.reached += reached * probability;
                state.before -= 1;
                if state.before == 0 {
                    ready.push(to);
                }
            }
        }
        out
    }
}

fn key(particles: &[(Particle, f64)]) -> Key {
    particles.iter().map(|(particle, weight)| (*particle, rounded(*weight))).collect()
}
