//! The cell of a key: the numbers that are nearer to it than to any other key.

use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::distance::{Cost, Metric};
use super::keys::Keys;
use super::number::{PLACES, WHOLE, digit, unit};

/// Most undecided beginnings of numbers at a time, beyond which a search leaves them open: for a cell that is kept, and
/// for one that serves a single draw.
pub const KEPT: usize = 20_000;
pub const ONCE: usize = 500;

/// Part of a cell: values of one number of an embedding, whose other numbers are fixed, at which the key is the
/// nearest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Ranges in the cell, in ascending order.
    pub inside: Vec<Range<u32>>,
    /// Ranges that the search left undecided, in ascending order: none unless the cell has very many pieces.
    pub open: Vec<Range<u32>>,
}

impl Cell {
    /// Finds the cell of `token` along number `axis` of the embedding `at`. The search leaves numbers open once more
    /// than `most` of their beginnings are undecided.
    pub fn of(keys: &Keys, token: u32, at: &[u32], axis: usize, most: usize) -> Self {
        let others = |key: &[u32]| {
            let numbers = key.iter().zip(at).enumerate().filter(|(number, _)| *number != axis);
            numbers.map(|(_, (own, at))| keys.metric.of_numbers(*own, *at)).sum::<Cost>()
        };
        let candidate = |token: u32| {
            let key = keys.of(token);
            Candidate { token, number: key[axis], cost: others(key) }
        };
        let rest = (0..keys.len() as u32).filter(|other| *other != token).map(candidate);
        let (own, rest) = (candidate(token), rest.collect());
        match &keys.metric {
            Metric::Digits(costs) => Search::new(own, rest, costs).run(most),
            Metric::Plain => Self::plain(own, rest),
        }
    }

    /// Finds the cell by the distance |Δ|: one range around the own number, or nothing. The cost of each key has slope
    /// 1 to either side of its number, whatever its other numbers add. So another key cuts off only the side that it
    /// lies on.
    fn plain(own: Candidate, others: Vec<Candidate>) -> Self {
        let to = |of: &Candidate, number| of.cost + Metric::Plain.of_numbers(of.number, number);
        let is_inside = |number: u32| {
            let own = (to(&own, number), own.token);
            others.iter().all(|other| own < (to(other, number), other.token))
        };
        if !is_inside(own.number) {
            return Self::default();
        }
        let end = partition(own.number, WHOLE, is_inside);
        let below = partition(0, own.number + 1, |down| is_inside(own.number - down));
        let start = own.number + 1 - below;
        Self { inside: std::iter::once(start..end).collect(), open: Vec::new() }
    }

    /// Counts of the numbers in the cell, and of those left open.
    pub fn sizes(&self) -> (u64, u64) {
        let size =
            |of: &[Range<u32>]| of.iter().map(|range| u64::from(range.end - range.start)).sum();
        (size(&self.inside), size(&self.open))
    }

    /// Draws a number evenly from `inside` and `open`; `None` from an empty cell. A number from `open` may be outside
    /// the cell.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Option<u32> {
        let (inside, open) = self.sizes();
        if inside + open == 0 {
            return None;
        }
        let mut left = rng.random_range(0..inside + open);
        self.inside.iter().chain(&self.open).find_map(|range| {
            let size = u64::from(range.end - range.start);
            let found = (left < size).then(|| range.start + left as u32);
            left = left.saturating_sub(size);
            found
        })
    }
}

/// First number of `from..to` for which `is` is false, or `to`, by bisection: those for which it is true come first.
fn partition(from: u32, to: u32, is: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if is(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// A key that the search compares: the own one, whose cell it looks for, or another.
#[derive(Clone, Copy)]
struct Candidate {
    token: u32,
    number: u32,
    /// Distance of the key from the embedding in all numbers but the one along the axis.
    cost: Cost,
}

/// A search by the beginnings of numbers, which it makes longer by a digit at a time. Further digits change the lead of
/// one key over another by no more than the distance of both keys' own digits at these places. A lead beyond that
/// decides all numbers with this beginning.
struct Search<'a> {
    own: Candidate,
    others: Vec<Candidate>,
    costs: &'a [[Cost; 10]; PLACES],
    /// Distances of the other keys' digits from the own key's, summed from each place on: `[other, place]`.
    rest: Vec<[Cost; PLACES + 1]>,
    cell: Cell,
}

/// An undecided beginning: its first number, and the keys that may still be nearer. Each of them is given by its place
/// among the other keys and by its cost so far less that of the own key.
type Open = (u32, Vec<(usize, i64)>);

impl<'a> Search<'a> {
    fn new(own: Candidate, others: Vec<Candidate>, costs: &'a [[Cost; 10]; PLACES]) -> Self {
        let rest = others.iter().map(|other| {
            let mut rest = [0; PLACES + 1];
            for place in (0..PLACES).rev() {
                let apart = digit(other.number, place).abs_diff(digit(own.number, place));
                rest[place] = rest[place + 1] + costs[place][apart];
            }
            rest
        });
        Self { rest: rest.collect(), own, others, costs, cell: Cell::default() }
    }

    fn run(mut self, most: usize) -> Cell {
        let further = |of: &Candidate| of.cost as i64 - self.own.cost as i64;
        let all = self.others.iter().map(further).enumerate().collect();
        let mut open: Vec<Open> = self.decide(0, WHOLE, 0, all).into_iter().collect();
        for place in 0..PLACES {
            if open.len() > most {
                let end = |start| start + 10 * unit(place);
                self.cell.open = open.iter().map(|(start, _)| *start..end(*start)).collect();
                break;
            }
            let mut longer = Vec::new();
            for (start, others) in &open {
                for next in 0..10 {
                    let others = others
                        .iter()
                        .map(|(at, further)| (*at, further + self.cost(*at, place, next)));
                    let start = start + next as u32 * unit(place);
                    let others = others.collect();
                    longer.extend(self.decide(start, unit(place), place + 1, others));
                }
            }
            open = longer;
        }
        self.cell.inside.sort_by_key(|range| range.start);
        join(&mut self.cell.inside);
        join(&mut self.cell.open);
        self.cell
    }

    /// Cost of the digit `next` at `place` for the other key number `at`, less its cost for the own one.
    fn cost(&self, at: usize, place: usize, next: usize) -> i64 {
        let cost = |number| self.costs[place][digit(number, place).abs_diff(next)] as i64;
        cost(self.others[at].number) - cost(self.own.number)
    }

    /// Decides on the `size` numbers from `start` on, which share the digits before `place`; returns what is left open.
    fn decide(
        &mut self,
        start: u32,
        size: u32,
        place: usize,
        mut others: Vec<(usize, i64)>,
    ) -> Option<Open> {
        // Of keys that are equally near, the first is taken.
        let is_first = |at: usize| self.own.token < self.others[at].token;
        let rest = |at: usize| self.rest[at][place] as i64;
        let is_nearer = |(at, further): &(usize, i64)| {
            -further > rest(*at) || -further == rest(*at) && !is_first(*at)
        };
        if others.iter().any(is_nearer) {
            return None;
        }
        others.retain(|(at, further)| {
            !(*further > rest(*at) || *further == rest(*at) && is_first(*at))
        });
        if others.is_empty() {
            self.cell.inside.push(start..start + size);
            return None;
        }
        Some((start, others))
    }
}

/// Joins ranges that touch.
fn join(ranges: &mut Vec<Range<u32>>) {
    ranges.dedup_by(|next, last| {
        let touches = last.end == next.start;
        if touches {
            last.end = next.end;
        }
        touches
    });
}
