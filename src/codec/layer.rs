//! The key layer: noises that were found for like contexts, with their means and variances.

use super::between::Between;
use super::distance::{Cost, Metric};
use super::number::{WHOLE, moved, way};
use super::table::Table;

/// Noises of one token, one after the other: `[noise, number]`.
pub type Noises = Vec<u32>;

/// Number of a training record, and place of a token in its input.
pub type Origin = (u32, u32);

/// Noises that map one token to the same output, as they were found for like contexts.
#[derive(Clone, Debug, PartialEq)]
pub struct Mode {
    /// Tokens that are written.
    pub output: Vec<u32>,
    /// Mean of the noises on the circle of numbers. Noises that would move it to where it no longer writes the output
    /// leave it as it is.
    pub mean: Noises,
    /// Variance of each number.
    pub variance: Vec<f64>,
    /// Times that it was wanted.
    pub count: u32,
    /// Record in which it was first wanted, and place of the token there.
    pub origin: Origin,
}

impl Mode {
    pub fn new(output: Vec<u32>, noises: Noises, origin: Origin) -> Self {
        let variance = vec![0.0; noises.len()];
        Self { output, mean: noises, variance, count: 0, origin }
    }

    /// The mean if `noises` are counted, too.
    pub fn mean_with(&self, noises: &[u32]) -> Noises {
        let share = |from: u32, to: u32| moved(from, way(from, to) / i64::from(self.count + 1));
        self.mean.iter().zip(noises).map(|(mean, noise)| share(*mean, *noise)).collect()
    }

    /// Counts `noises`, sets the mean to `mean`, and updates the variance (Welford 1962, "Note on a Method for
    /// Calculating Corrected Sums of Squares and Products").
    pub fn add(&mut self, noises: &[u32], mean: Noises) {
        self.count = self.count.saturating_add(1);
        for (number, variance) in self.variance.iter_mut().enumerate() {
            let before = way(self.mean[number], noises[number]) as f64 / f64::from(WHOLE);
            let after = way(mean[number], noises[number]) as f64 / f64::from(WHOLE);
            *variance += (before * after - *variance) / f64::from(self.count);
        }
        self.mean = mean;
    }
}

/// Most contexts of a layer, which take about 700 MB.
pub const FULL: usize = 1 << 21;
/// Largest count that [`Entry::blame`] sets.
const MOST: u32 = 1 << 30;
/// Times that an entry may mislead before its share shrinks.
const PATIENCE: u32 = 8;

/// Modes of a known context.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Modes, at least one, in the order in which they were first wanted.
    pub modes: Vec<Mode>,
    /// Times that it misled a choice that would have been right without it.
    pub misled: u32,
}

impl Entry {
    /// The mode that was wanted most often: the first of those that are equal.
    pub fn likeliest(&self) -> Option<&Mode> {
        self.modes.iter().rev().max_by_key(|mode| mode.count)
    }

    /// Share of one of its modes, 0 to 1. It halves each time that the entry misled beyond the first [`PATIENCE`].
    pub fn share(&self, mode: &Mode) -> f64 {
        let halvings = self.misled.saturating_sub(PATIENCE).min(1000) as i32;
        f64::from(mode.count) / f64::from(self.count().max(1)) * 0.5_f64.powi(halvings)
    }

    /// The mode that writes `output`.
    pub fn writing(&self, output: &[u32]) -> Option<&Mode> {
        self.modes.iter().find(|mode| mode.output == output)
    }

    /// Times that its context was met.
    pub fn count(&self) -> u32 {
        self.modes.iter().fold(0, |sum, mode| sum.saturating_add(mode.count))
    }

    /// Notes that the entry misled a choice where `output` was wanted. Adds the sum of all counts to that of `output`,
    /// which then has half at least. An entry that goes on to mislead loses its share, as experts do (Littlestone and
    /// Warmuth 1994, "The Weighted Majority Algorithm").
    pub fn blame(&mut self, output: &[u32]) {
        let all = self.count();
        self.misled = self.misled.saturating_add(1);
        if let Some(mode) = self.modes.iter_mut().find(|mode| mode.output == output) {
            mode.count = mode.count.saturating_add(all).min(MOST);
        }
    }
}

/// Contexts in windows of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Contexts {
    pub table: Table,
    /// Entries of the table's points, in their order.
    pub entries: Vec<Entry>,
}

impl Contexts {
    /// An empty table of contexts with `width` numbers.
    pub fn new(width: usize) -> Self {
        Self { table: Table::new(width), entries: Vec::new() }
    }

    /// Place of the known context nearest to `context`, and its distance; `None` if that is more than `reach`.
    pub fn nearest(&self, metric: &Metric, context: &[u32], reach: Cost) -> Option<(usize, Cost)> {
        if reach == 0 {
            return self.table.find(context).map(|place| (place, 0));
        }
        let found = self.table.nearest(metric, context)?;
        (found.cost <= reach).then_some((found.point, found.cost))
    }

    /// Adds `context` without a mode, and returns its place. The caller adds the first mode at once, by
    /// [`Contexts::collect`].
    pub fn push(&mut self, context: &[u32]) -> usize {
        self.entries.push(Entry { modes: Vec::new(), misled: 0 });
        self.table.push(context)
    }

    /// Counts `noises`, which map `token` to `wanted` at `origin`, in the entry at `place`.
    pub fn collect(
        &mut self,
        place: usize,
        between: Between,
        (token, wanted): (u32, &[u32]),
        (noises, origin): (&[u32], Origin),
    ) {
        let modes = &mut self.entries[place].modes;
        let known = modes.iter().position(|mode| mode.output == wanted);
        let index = known.unwrap_or_else(|| {
            modes.push(Mode::new(wanted.to_vec(), noises.to_vec(), origin));
            modes.len() - 1
        });
        let mode = &mut modes[index];
        let mean = mode.mean_with(noises);
        let is_right = between.writes(token, &mean, wanted);
        let mean = if is_right { mean } else { mode.mean.clone() };
        mode.add(noises, mean);
    }
}

/// An entry, and the distance of its context from the one that was looked for.
#[derive(Clone, Copy, Debug)]
pub struct Near<'a> {
    /// Place of the window among the codec's.
    pub window: usize,
    pub place: usize,
    pub cost: Cost,
    pub entry: &'a Entry,
}

/// Contexts by the length of their windows.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyLayer {
    /// The shortest windows first.
    pub windows: Vec<Contexts>,
    /// Largest distance of a context that stands for another.
    pub reach: Cost,
}

impl KeyLayer {
    /// A layer that knows nothing, of contexts with `width` numbers in `windows` lengths.
    pub fn new(windows: usize, width: usize, reach: Cost) -> Self {
        Self { windows: (0..windows).map(|_| Contexts::new(width)).collect(), reach }
    }

    /// The nearest known context in the longest window that has one within reach. `around` are the windows of a token.
    pub fn recall(&self, metric: &Metric, around: &[Vec<u32>]) -> Option<Near<'_>> {
        let pairs = self.windows.iter().zip(around).enumerate().rev();
        let mut pairs = pairs.filter(|(_, (contexts, _))| !contexts.entries.is_empty());
        pairs.find_map(|(window, (contexts, context))| {
            let (place, cost) = contexts.nearest(metric, context, self.reach)?;
            Some(Near { window, place, cost, entry: &contexts.entries[place] })
        })
    }

    /// Place of exactly this context among those of a window; `None` if it is not known.
    pub fn find(&self, window: usize, context: &[u32]) -> Option<usize> {
        self.windows[window].table.find(context)
    }

    /// Known noises that map a token to `wanted`: those of the shortest of the windows `around` it that has some.
    pub fn known(&self, around: &[Vec<u32>], wanted: &[u32]) -> Option<&Noises> {
        let mut windows = around.iter().enumerate();
        windows.find_map(|(window, context)| {
            let place = self.find(window, context)?;
            Some(&self.windows[window].entries[place].writing(wanted)?.mean)
        })
    }

    /// Counts `noises`, which map `token` to `wanted` at `origin`, in the known ones of the windows `around` it: in all
    /// of them if `in_all`, else in those that have no mode that writes `wanted`.
    pub fn collect(
        &mut self,
        between: Between,
        around: &[Vec<u32>],
        (token, wanted): (u32, &[u32]),
        (noises, origin): (&[u32], Origin),
        in_all: bool,
    ) {
        for (window, context) in around.iter().enumerate() {
            let Some(place) = self.find(window, context) else { continue };
            let contexts = &mut self.windows[window];
            if in_all || contexts.entries[place].writing(wanted).is_none() {
                contexts.collect(place, between, (token, wanted), (noises, origin));
            }
        }
    }

    /// Adds a context for `token` at `origin`: the shortest unknown one of the windows `around` it that is longer than
    /// the one that was wrong, or as long if only a like context was known. `wrong` is the place of that window and the
    /// distance of its context; `None` if none was known. False if there is none to add, or the layer is full.
    pub fn add(
        &mut self,
        between: Between,
        around: &[Vec<u32>],
        (token, wanted): (u32, &[u32]),
        (noises, origin): (&[u32], Origin),
        wrong: Option<(usize, Cost)>,
    ) -> bool {
        if self.is_full() {
            return false;
        }
        let from = wrong.map_or(0, |(window, cost)| window + usize::from(cost == 0));
        let is_new = |window: &usize| self.find(*window, &around[*window]).is_none();
        let Some(window) = (from..around.len()).find(is_new) else { return false };
        let contexts = &mut self.windows[window];
        let place = contexts.push(&around[window]);
        contexts.collect(place, between, (token, wanted), (noises, origin));
        true
    }

    /// Number of contexts.
    pub fn len(&self) -> usize {
        self.windows.iter().map(|contexts| contexts.entries.len()).sum()
    }

    /// True if no context can be added.
    pub fn is_full(&self) -> bool {
        self.len() >= FULL
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
