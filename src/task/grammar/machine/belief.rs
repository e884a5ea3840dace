//! Beliefs: the derivations that may have written a text, run to what may come next.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::super::heap::{Letter, Numbers};
use super::super::node::Marks;
use super::step::Step;
use super::{Machine, Particle, SORTED, Stop};

/// Derivations that go on with the same letter, and what they are after it.
#[derive(Debug)]
pub(in super::super) struct Group {
    /// `None`: the record ends.
    pub letter: Option<Letter>,
    pub probability: f64,
    /// Part of the probability by the marks on the letter.
    pub by_marks: [f64; 8],
    /// Derivations after it; they sum to 1.
    pub after: Vec<(Particle, f64)>,
}

impl Machine<'_> {
    /// Runs `particles` until each is at a letter or at its end, those that become equal added up. They sum to 1.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn settle(&mut self, particles: &[(Particle, f64)]) -> Result<Vec<(Particle, f64)>, Stop> {
        self.sorted.clear();
        self.fresh = SORTED;
        let mut ready: BTreeMap<Particle, f64> = BTreeMap::new();
        // Those with most to do run first, so that others which come to the same wait for them.
        let mut waiting: BTreeMap<(Reverse<u32>, Particle), f64> = BTreeMap::new();
        let mut place = |machine: &mut Self,
                         waiting: &mut BTreeMap<(Reverse<u32>, Particle), f64>,
                         particle: Particle,
                         weight: f64|
         -> Result<(), Stop> {
            // Too unlikely to be a number.
            if weight <= 0.0 {
                return Ok(());
            }
            let (particle, is_ready) = machine.advance(particle)?;
            if is_ready {
                *ready.entry(particle).or_insert(0.0) += weight;
            } else {
                let work = machine.heap.meta(particle.todo).work;
                *waiting.entry((Reverse(work), particle)).or_insert(0.0) += weight;
            }
            if ready.len() + waiting.len() > machine.limit { Err(Stop::Beyond) } else { Ok(()) }
        };
        for (particle, weight) in particles {
            place(self, &mut waiting, *particle, *weight)?;
        }
        while let Some(((_, particle), weight)) = waiting.pop_first() {
            if let Step::Branch(branches) = self.step(particle)? {
                for (share, branch) in branches {
                    place(self, &mut waiting, branch, weight * share)?;
                }
            }
        }
        let total: f64 = ready.values().sum();
        Ok(ready.into_iter().map(|(particle, weight)| (particle, weight / total)).collect())
    }

    /// Runs `particle` to the next branch (false), letter or end (true).
    fn advance(&mut self, mut particle: Particle) -> Result<(Particle, bool), Stop> {
        loop {
            self.burn()?;
            match self.step(particle)? {
                Step::Next(next) => particle = next,
                Step::Branch(_) => return Ok((self.forget_drawn(particle), false)),
                Step::Letters(_) | Step::End => return Ok((self.forget_drawn(particle), true)),
            }
        }
    }

    /// Letters that may come after a settled belief, in order of the letters; the end first. With `only`, no other character
    /// is looked at.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn groups(
        &mut self,
        belief: &[(Particle, f64)],
        only: Option<char>,
    ) -> Result<Vec<Group>, Stop> {
        let mut groups: BTreeMap<Option<Same>, Group> = BTreeMap::new();
        for (particle, weight) in belief {
            match self.step(*particle)? {
                Step::Letters(letters) => {
                    let weight = weight / letters.count as f64;
                    let is_asked = |letter: &Letter| only.is_none_or(|c| letter.known() == Some(c));
                    for letter in letters.each.filter(is_asked) {
                        let after = self.keep(letters.after, letter)?;
                        self.burn()?;
                        let group = groups
                            .entry(Some(Same::of(letter)))
                            .or_insert_with(|| Group::new(Some(letter)));
                        group.add(particle.marks, weight, after);
                    }
                }
                _ => groups.entry(None).or_insert_with(|| Group::new(None)).add(
                    particle.marks,
                    *weight,
                    *particle,
                ),
            }
        }
        let mut groups: Vec<Group> =
            groups.into_values().filter(|group| group.probability > 0.0).collect();
        self.tell_apart(&groups)?;
        for group in &mut groups {
            group.after.iter_mut().for_each(|(_, weight)| *weight /= group.probability);
        }
        Ok(groups)
    }

    /// Asks to tell characters apart if an opaque letter of one group may be the letter of another.
    fn tell_apart(&self, groups: &[Group]) -> Result<(), Stop> {
        for (index, group) in groups.iter().enumerate() {
            let Some(Letter::Opaque { site, wide, .. }) = group.letter else { continue };
            for other in
                groups.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, other)| other)
            {
                let is_possible = match other.letter {
                    None => false,
                    Some(Letter::Known(c)) => wide || self.plan.may_have(site, c),
                    Some(Letter::Opaque { site: theirs, wide: is_wide, .. }) => {
                        wide || is_wide || self.plan.may_share(site, theirs)
                    }
                };
                if is_possible {
                    return Err(Stop::Tell(site));
                }
            }
        }
        Ok(())
    }

    /// Settled `belief` with its opaque letters numbered anew, so that beliefs that differ in these numbers alone
    /// become the same.
    pub fn renumber(&mut self, belief: Vec<(Particle, f64)>) -> Vec<(Particle, f64)> {
        let heap = &mut self.heap;
        let links = |at: &Particle| [at.todo, at.slots, at.captures, at.result];
        if !belief.iter().any(|(at, _)| links(at).iter().any(|id| heap.meta(*id).is_opaque)) {
            return belief;
        }
        let mut ordered: Vec<_> = belief
            .into_iter()
            .map(|(at, weight)| {
                let shape = links(&at).map(|id| heap.meta(id).shape);
                ((shape, at.marks, at.drawn, rounded(weight), at), weight)
            })
            .collect();
        ordered.sort_by_key(|(key, _)| *key);
        let mut numbers = Numbers::default();
        let mut out: Vec<(Particle, f64)> = ordered
            .into_iter()
            .map(|((_, _, _, _, at), weight)| {
                let [todo, slots, captures, result] =
                    links(&at).map(|id| heap.renumber(id, &mut numbers));
                (Particle { todo, slots, captures, result, ..at }, weight)
            })
            .collect();
        out.sort_by_key(|(at, _)| *at);
        out
    }
}

/// A probability as a key: equal for two that differ by rounding alone, but at the bounds of steps.
pub(in super::super) fn rounded(weight: f64) -> u64 {
    (weight * (1u64 << 40) as f64).round() as u64
}

/// Distinction between letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Same {
    Known(char),
    Opaque(u32),
}

impl Same {
    fn of(letter: Letter) -> Self {
        match letter {
            Letter::Known(c) => Self::Known(c),
            Letter::Opaque { number, .. } => Self::Opaque(number),
        }
    }
}

impl Group {
    fn new(letter: Option<Letter>) -> Self {
        Self { letter, probability: 0.0, by_marks: [0.0; 8], after: Vec::new() }
    }

    fn add(&mut self, marks: Marks, weight: f64, after: Particle) {
        self.probability += weight;
        if let Some(part) = self.by_marks.get_mut(usize::from(marks)) {
            *part += weight;
        }
        self.after.push((after, weight));
    }
}
