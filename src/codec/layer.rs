//! The key layer: noises that were found for like contexts, with their means and variances.

use super::distance::{Cost, Metric};
use super::number::{WHOLE, moved, way};
use super::table::Table;

/// Noises of one token, one after the other: `[noise, number]`.
pub type Noises = Vec<u32>;

/// Noises that map one token to the same output, as they were found for like contexts.
#[derive(Clone, Debug, PartialEq)]
pub struct Mode {
    /// Tokens that are written.
    pub output: Vec<u32>,
    /// Mean of the noises, on the circle of numbers, as far as it writes the output.
    pub mean: Noises,
    /// Variance of each number.
    pub variance: Vec<f64>,
    /// Times that it was wanted.
    pub count: u32,
}

impl Mode {
    pub fn new(output: Vec<u32>, noises: Noises) -> Self {
        let variance = vec![0.0; noises.len()];
        Self { output, mean: noises, variance, count: 0 }
    }

    /// The mean with another noise in it.
    pub fn mean_with(&self, noises: &[u32]) -> Noises {
        let share = |from: u32, to: u32| moved(from, way(from, to) / i64::from(self.count + 1));
        self.mean.iter().zip(noises).map(|(mean, noise)| share(*mean, *noise)).collect()
    }

    /// Counts `noises`, with which the mean becomes `mean` (Welford 1962, "Note on a Method for Calculating Corrected Sums
    /// of Squares and Products").
    pub fn add(&mut self, noises: &[u32], mean: Noises) {
        self.count += 1;
        for (number, variance) in self.variance.iter_mut().enumerate() {
            let before = way(self.mean[number], noises[number]) as f64 / f64::from(WHOLE);
            let after = way(mean[number], noises[number]) as f64 / f64::from(WHOLE);
            *variance += (before * after - *variance) / f64::from(self.count);
        }
        self.mean = mean;
    }
}

/// What is known of a context.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Record that it was first met in, and place of its token there.
    pub origin: (u32, u32),
    /// At least one.
    pub modes: Vec<Mode>,
}

impl Entry {
    /// The mode that was wanted most often: the first of those that are equal.
    pub fn likeliest(&self) -> Option<&Mode> {
        self.modes.iter().rev().max_by_key(|mode| mode.count)
    }

    /// The mode that writes `output`.
    pub fn writing(&self, output: &[u32]) -> Option<&Mode> {
        self.modes.iter().find(|mode| mode.output == output)
    }

    /// Times that its context was met.
    pub fn count(&self) -> u32 {
        self.modes.iter().map(|mode| mode.count).sum()
    }
}

/// Contexts in windows of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Contexts {
    pub table: Table,
    /// One a point of the table.
    pub entries: Vec<Entry>,
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
        let empty = || Contexts { table: Table::new(width), entries: Vec::new() };
        Self { windows: (0..windows).map(|_| empty()).collect(), reach }
    }

    /// The nearest known context in the longest window that has one within reach. `around` are the windows of a token.
    pub fn recall(&self, metric: &Metric, around: &[Vec<u32>]) -> Option<Near<'_>> {
        let pairs = self.windows.iter().zip(around).enumerate().rev();
        let mut pairs = pairs.filter(|(_, (contexts, _))| !contexts.entries.is_empty());
        pairs.find_map(|(window, (contexts, context))| {
            let near = |place: usize, cost| Near { window, place, cost, entry: &contexts.entries[place] };
            if self.reach == 0 {
                return contexts.table.find(context).map(|place| near(place, 0));
            }
            let found = contexts.table.nearest(metric, context)?;
            (found.cost <= self.reach).then(|| near(found.point, found.cost))
        })
    }

    /// The entry of exactly this context in a window.
    pub fn find(&self, window: usize, context: &[u32]) -> Option<usize> {
        self.windows[window].table.find(context)
    }

    /// Number of contexts.
    pub fn len(&self) -> usize {
        self.windows.iter().map(|contexts| contexts.entries.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
