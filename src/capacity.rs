//! How many facts a model holds: a grid of runs, and what each of them recalled in the end.

#[cfg(feature = "compute")]
mod jsonl;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

#[cfg(feature = "compute")]
pub use jsonl::{OutcomesError, merge, read, write};

use crate::config::{Preset, RunConfig};
use crate::link::{self, Link, LinkError};
use crate::plot::{self, Axes, Line, Point};
use crate::report::Score;
use crate::task::TaskKind;

/// A run of every size on every number of facts, by every seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    pub facts: Vec<usize>,
    pub presets: Vec<&'static Preset>,
    /// Seeds 1 to this.
    pub seeds: u64,
}

/// Most runs of a grid.
pub const MAX_RUNS: usize = 1000;
/// Most bytes of a file of outcomes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Most sizes, and most numbers of facts, that are drawn of what a file may hold.
pub const MOST_DRAWN: usize = 40;

impl Grid {
    /// The runs, small models and few facts first. `settings` gives each size its run, whose task,
    /// facts and seed are then those of the grid.
    ///
    /// # Errors
    /// What `settings` says.
    pub fn runs<E>(
        &self,
        settings: impl Fn(&'static Preset) -> Result<RunConfig, E>,
    ) -> Result<Vec<RunConfig>, E> {
        let mut out = Vec::new();
        for preset in &self.presets {
            let of_size = settings(preset)?;
            for facts in &self.facts {
                for seed in 1..=self.seeds {
                    let mut run = of_size.clone();
                    run.task.kind = TaskKind::Facts;
                    run.task.facts.facts = *facts;
                    run.seed = seed;
                    out.push(run);
                }
            }
        }
        Ok(out)
    }
}

/// What a run recalled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The run, as the fragment of a link: it can be opened in the page, or trained again.
    pub link: String,
    pub facts: usize,
    pub parameters: usize,
    pub seed: u64,
    /// Steps trained; fewer than the run's if everything was recalled.
    pub steps: usize,
    /// Training records whose fact and answer are written to the letter after their question.
    pub recalled: Score,
    /// The last training loss, in nats per character; `None` if it was no number any more.
    pub train_loss: Option<f32>,
    /// What was at least stored of the answers: see [`stored_bits`].
    pub bits: f64,
}

impl Outcome {
    pub fn bits_per_parameter(&self) -> f64 {
        self.bits / self.parameters.max(1) as f64
    }

    /// The run that it is of, as a link names it.
    ///
    /// # Errors
    /// If the run does not fit in a link.
    pub fn name(run: &RunConfig) -> Result<String, LinkError> {
        link::encode(&Link { config: run.clone(), ..Link::default() })
    }
}

/// Bits that a model must have stored of the answers to `facts` facts to recall the share that it
/// does, by Fano's inequality (Cover and Thomas 2006, theorem 2.10.1): there are `answers`
/// different ones, of `entropy` bits, and recalling one with error probability e tells at least
/// `entropy − h(e) − e·log2(answers − 1)` of it.
pub fn stored_bits(facts: usize, recalled: Score, answers: usize, entropy: f64) -> f64 {
    // Fewer hits than guessing would have are no knowledge.
    let chance = 1.0 / answers.max(1) as f64;
    let error = 1.0 - recalled.share().unwrap_or(0.0).max(chance);
    let part = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    let others = (answers.max(2) - 1) as f64;
    let each = entropy - part(error) - part(1.0 - error) - error * others.log2();
    facts as f64 * each.max(0.0)
}

/// Outcomes of one size and number of facts, over seeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Its first run, as the fragment of a link.
    pub link: String,
    /// Share recalled and bits per parameter, one a seed.
    pub recalled: Vec<f64>,
    pub bits_per_parameter: Vec<f64>,
}

/// By parameters, then facts.
pub fn cells(outcomes: &[Outcome]) -> BTreeMap<(usize, usize), Cell> {
    let mut out: BTreeMap<(usize, usize), Cell> = BTreeMap::new();
    for outcome in outcomes {
        let cell = out
            .entry((outcome.parameters, outcome.facts))
            .or_insert_with(|| Cell { link: outcome.link.clone(), ..Cell::default() });
        cell.recalled.push(outcome.recalled.share().unwrap_or(0.0));
        cell.bits_per_parameter.push(outcome.bits_per_parameter());
    }
    out
}

/// The sizes and the numbers of facts of `cells`, in their order, at most [`MOST_DRAWN`] of each.
pub fn sides(cells: &BTreeMap<(usize, usize), Cell>) -> (Vec<usize>, Vec<usize>) {
    let drawn = |all: BTreeSet<usize>| all.into_iter().take(MOST_DRAWN).collect();
    let sizes = cells.keys().map(|(parameters, _)| *parameters).collect();
    let facts = cells.keys().map(|(_, facts)| *facts).collect();
    (drawn(sizes), drawn(facts))
}

/// Mean, and the standard deviation of a sample; that of one value is 0.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / values.len().saturating_sub(1).max(1) as f64).sqrt())
}

/// Recall, and bits stored per parameter, against facts: a line a size, error bars over seeds.
pub fn plot(outcomes: &[Outcome], size: (u32, u32), is_dark: bool) -> String {
    let cells = cells(outcomes);
    let (sizes, _) = sides(&cells);
    let lines = |values: fn(&Cell) -> &[f64]| -> Vec<Line> {
        let line = |parameters: &usize| {
            let of_size = cells.range((*parameters, 0)..=(*parameters, usize::MAX));
            let points = of_size.map(|((_, facts), cell)| {
                let (y, spread) = mean_and_deviation(values(cell));
                Point { x: *facts as f64, y, spread }
            });
            Line {
                name: format!("{parameters} parameters"),
                points: points.collect(),
                ..Line::default()
            }
        };
        sizes.iter().map(line).collect()
    };
    let axes = |y, y_is_share| Axes { x: "facts", x_is_log: true, y, y_is_share, has_legend: true };
    let recalled = lines(|cell| &cell.recalled);
    let bits = lines(|cell| &cell.bits_per_parameter);
    let charts = [
        (axes("recalled", true), recalled.as_slice()),
        (axes("bits a parameter, at least", false), bits.as_slice()),
    ];
    plot::draw(&charts, size, is_dark)
}

/// Outcomes from more than one place, each once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    pub outcomes: Vec<Outcome>,
    /// The same as JSON lines.
    pub jsonl: String,
    /// Those that a text was found to hold.
    pub read: usize,
}

/// How a sweep stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sweeping {
    /// The runs that have ended.
    pub done: Vec<Outcome>,
    /// The run under way; `None` once all have ended.
    pub current: Option<Current>,
    /// Runs that have still to begin.
    pub left: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Current {
    pub facts: usize,
    pub parameters: usize,
    pub seed: u64,
    pub step: usize,
    pub steps: usize,
}
