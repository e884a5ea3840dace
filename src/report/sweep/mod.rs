//! Factual capacity of models: a grid of runs, and the final recall of each.

#[cfg(feature = "compute")]
mod jsonl;
#[cfg(feature = "compute")]
mod trained;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(feature = "compute")]
pub use jsonl::{Line as OutcomeLine, OutcomesError, merge, read, write};
#[cfg(feature = "compute")]
pub use trained::Trained;

use super::{Score, order};
use crate::base::plot;
use crate::base::plot::{Axes, Line, Point};
use crate::config::TaskKind;
use crate::config::{Preset, RunConfig};
use crate::figure;
use crate::run::link;
use crate::run::link::{Link, LinkError};

/// Grid of runs: one for each size, number of facts and seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    pub facts: Vec<usize>,
    pub presets: Vec<&'static Preset>,
    /// Number of seeds, which count from 1.
    pub seeds: u64,
}

/// Most runs of a grid.
pub const MAX_RUNS: usize = 1000;
/// Most bytes of a file of outcomes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Most sizes, and most numbers of facts, to draw from a file.
pub const MAX_DRAWN: usize = 40;

impl Grid {
    /// Runs of the grid, small models and few facts first. `settings` gives the run of each size; the grid sets
    /// its task, facts and seed.
    ///
    /// # Errors
    /// As of `settings`.
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

/// Recall of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The run as the fragment of a link, to open in the page or to train again.
    pub link: String,
    pub facts: usize,
    pub parameters: usize,
    pub seed: u64,
    /// Steps trained; fewer than the run's if it recalled everything.
    pub steps: usize,
    /// Training records whose fact and answer are written exactly after their question.
    pub recalled: Score,
    /// Last training loss, in nats per character; `None` if it was not finite.
    pub train_loss: Option<f32>,
    /// Lower bound on the bits stored of the answers: see [`stored_bits`].
    pub bits: f64,
}

impl Outcome {
    pub fn bits_per_parameter(&self) -> f64 {
        self.bits / self.parameters.max(1) as f64
    }
}

/// Name of a run: the fragment of its link.
///
/// # Errors
/// If the run does not fit in a link.
pub fn name(run: &RunConfig) -> Result<String, LinkError> {
    link::encode(&Link { config: run.clone(), ..Link::default() })
}

/// Lower bound on the bits that a model stores of the answers to `facts` facts, from the share recalled, by Fano's
/// inequality (Cover and Thomas 2006, theorem 2.10.1). There are `answers` distinct answers, with an entropy of
/// `entropy` bits. Recall of one with error probability e gives at least `entropy − h(e) − e·log2(answers − 1)`
/// bits.
pub fn stored_bits(facts: usize, recalled: Score, answers: usize, entropy: f64) -> f64 {
    // Fewer hits than by chance are no knowledge.
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
    /// First run, as the fragment of a link.
    pub link: String,
    /// Share recalled and bits per parameter, one per seed.
    pub recalled: Vec<f64>,
    pub bits_per_parameter: Vec<f64>,
}

/// Outcomes by parameters, then facts.
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

/// Sizes and numbers of facts in `cells`, in order, at most [`MAX_DRAWN`] of each.
pub fn sides(cells: &BTreeMap<(usize, usize), Cell>) -> (Vec<usize>, Vec<usize>) {
    let side = |of: fn(&(usize, usize)) -> usize| {
        let all: Vec<usize> = cells.keys().map(of).collect();
        let places = order(all.len(), &|a, b| all[a].cmp(&all[b]));
        let mut side: Vec<usize> = places.into_iter().map(|place| all[place]).collect();
        side.dedup();
        side.truncate(MAX_DRAWN);
        side
    };
    (side(|(parameters, _)| *parameters), side(|(_, facts)| *facts))
}

/// Mean and sample standard deviation; a single value has deviation 0.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / values.len().saturating_sub(1).max(1) as f64).sqrt())
}

/// Lines of recall, and of bits stored per parameter, against facts: one per size, with deviations over seeds.
fn lines(outcomes: &[Outcome]) -> [Vec<Line>; 2] {
    let cells = cells(outcomes);
    let (sizes, _) = sides(&cells);
    let of: [fn(&Cell) -> &[f64]; 2] = [|cell| &cell.recalled, |cell| &cell.bits_per_parameter];
    of.map(|values| {
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
    })
}

/// Means of recall and of bits stored per parameter against facts: two series per size.
pub fn series(outcomes: &[Outcome]) -> figure::Plot {
    let mut series = Vec::new();
    for (of, lines) in ["recalled", "bits"].into_iter().zip(lines(outcomes)) {
        series.extend(
            lines
                .iter()
                .map(|line| figure::Series { name: format!("{}, {of}", line.name), ..line.into() }),
        );
    }
    figure::Plot { x: "facts".into(), y: "share, or bits per parameter".into(), series }
}

/// Plots recall, and bits stored per parameter, against facts: one line per size, with error bars over seeds.
pub fn plot(outcomes: &[Outcome], size: (u32, u32), is_dark: bool) -> String {
    let axes = |y, y_is_share| Axes { x: "facts", x_is_log: true, y, y_is_share, has_legend: true };
    let [recalled, bits] = lines(outcomes);
    let charts = [
        (axes("recalled", true), recalled.as_slice()),
        (axes("bits a parameter, at least", false), bits.as_slice()),
    ];
    plot::draw(&charts, size, is_dark)
}

/// Outcomes from several sources, without duplicates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    pub outcomes: Vec<Outcome>,
    /// The same as JSON lines.
    pub jsonl: String,
    /// Number of outcomes found in the text.
    pub read: usize,
}

/// State of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sweeping {
    /// Runs that have ended.
    pub done: Vec<Outcome>,
    /// Current run; `None` once all have ended, or others train the last.
    pub current: Option<Current>,
    /// Runs that other workers train at the same time.
    pub elsewhere: usize,
    /// Runs that have not begun.
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
