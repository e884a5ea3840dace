//! The cell of a key: the numbers that are nearer to it than to any other key.

use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::distance::{Cost, Metric};
use super::keys::Keys;
use super::number::{PLACES, WHOLE, digit, unit};

/// Most beginnings of numbers that are undecided at a time.
const MAX_OPEN: usize = 20_000;

/// A part of a cell: one number of a key, while the others stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Numbers that are in the cell, in order.
    pub inside: Vec<Range<u32>>,
    /// Numbers that may be, in order: there are none unless the cell has very many pieces.
    pub open: Vec<Range<u32>>,
}

impl Cell {
    /// The cell of `token`, along number `axis` of the embedding `at`.
    pub fn of(keys: &Keys, token: u32, at: &[u32], axis: usize) -> Self {
        let others = |key: &[u32]| {
            let numbers = key.iter().zip(at).enumerate().filter(|(number, _)| *number != axis);
            numbers.map(|(_, (own, at))| keys.metric.of_numbers(*own, *at)).sum::<Cost>()
        };
        let candidates = (0..keys.len() as u32).map(|token| {
            let key = keys.of(token);
            Candidate { token, number: key[axis], cost: others(key) }
        });
        let candidates: Vec<Candidate> = candidates.collect();
        let Metric::Digits(costs) = &keys.metric else {
            return Self::plain(token, candidates);
        };
        let mut worst = [0; PLACES + 1];
        for place in (0..PLACES).rev() {
            worst[place] = worst[place + 1] + costs[place].iter().max().copied().unwrap_or(0);
        }
        let mut search = Search { token, costs, worst, cell: Self::default() };
        search.run(candidates);
        search.cell
    }

    /// By |Δ|: the numbers between the middles to both sides, or up to the end. With a start of their own, as the others'
    /// numbers give them, costs are still of slope 1 to either side, so the cell is one range.
    fn plain(token: u32, candidates: Vec<Candidate>) -> Self {
        let plain = Metric::Plain;
        let to = |of: &Candidate, number: u32| of.cost + plain.of_numbers(of.number, number);
        let is_inside = |number: u32| {
            let nearest = candidates.iter().min_by_key(|of| (to(of, number), of.token));
            nearest.is_some_and(|of| of.token == token)
        };
        let Some(own) = candidates.iter().find(|of| of.token == token) else {
            return Self::default();
        };
        if !is_inside(own.number) {
            return Self::default();
        }
        let end = partition(own.number, WHOLE, is_inside);
        let below = partition(0, own.number + 1, |down| is_inside(own.number - down));
        let start = own.number + 1 - below;
        Self { inside: std::iter::once(start..end).collect(), open: Vec::new() }
    }

    /// Numbers in the cell and numbers that may be.
    pub fn sizes(&self) -> (u64, u64) {
        let size = |of: &[Range<u32>]| of.iter().map(|range| u64::from(range.end - range.start)).sum();
        (size(&self.inside), size(&self.open))
    }

    /// An even draw; `None` from an empty cell. Where it is `open`, the number may be outside.
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

/// First number from `from` on, up to `to`, that is not `true`, where those that are come first.
fn partition(from: u32, to: u32, is: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if is(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// A key that may be nearest to numbers with the beginning that is looked at.
#[derive(Clone, Copy)]
struct Candidate {
    token: u32,
    number: u32,
    /// Distance, as far as it is known.
    cost: Cost,
}

/// A search by the beginnings of numbers, a digit longer at a time. A key is out as soon as another is nearer whatever the
/// other digits are.
struct Search<'a> {
    token: u32,
    costs: &'a [[Cost; 10]; PLACES],
    /// Most that the digits from a place on cost.
    worst: [Cost; PLACES + 1],
    cell: Cell,
}

impl Search<'_> {
    fn run(&mut self, candidates: Vec<Candidate>) {
        // Beginnings that are not decided, each with its first number.
        let mut open = vec![(0, candidates)];
        for place in 0..PLACES {
            if open.len() > MAX_OPEN {
                let end = |start| start + 10 * unit(place);
                self.cell.open = open.iter().map(|(start, _)| *start..end(*start)).collect();
                break;
            }
            let longer = open.iter().flat_map(|(start, candidates)| {
                (0..10).map(move |next| (start + next as u32 * unit(place), next, candidates))
            });
            open = longer.filter_map(|(start, next, from)| self.go_on(start, place, next, from)).collect();
        }
        self.cell.inside.sort_by_key(|range| range.start);
        for ranges in [&mut self.cell.inside, &mut self.cell.open] {
            join(ranges);
        }
    }

    /// The candidates for numbers from `start` on whose digit at `place` is `digit`; `None` where it is decided.
    fn go_on(
        &mut self,
        start: u32,
        place: usize,
        own: usize,
        from: &[Candidate],
    ) -> Option<(u32, Vec<Candidate>)> {
        let cost = |of: &Candidate| self.costs[place][digit(of.number, place).abs_diff(own)];
        let further = from.iter().map(|of| Candidate { cost: of.cost + cost(of), ..*of });
        let mut candidates: Vec<Candidate> = further.collect();
        let best = candidates.iter().map(|of| of.cost).min().unwrap_or(0);
        candidates.retain(|of| of.cost <= best + self.worst[place + 1]);
        if place + 1 == PLACES {
            candidates.sort_by_key(|of| (of.cost, of.token));
            candidates.truncate(1);
        }
        if !candidates.iter().any(|of| of.token == self.token) {
            return None;
        }
        if candidates.len() == 1 {
            self.cell.inside.push(start..start + unit(place));
            return None;
        }
        Some((start, candidates))
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
