//! The table of a sweep: a row for each combination of settings, with means and standard deviations over seeds.

use std::fmt::Write as _;
use std::io::Write;

use anyhow::{Context, Result, ensure};
use clap::ArgMatches;
use confab::base::plot;
use confab::base::plot::{Axes, Line, Point};
use confab::report::sweep::{Trained, mean_and_deviation};

use super::axis::Axis;
use super::options::PLOT_SIZE;
use super::outcomes::OF_SWEEP;

/// A figure of a run, and its decimals.
type Figure = (&'static str, fn(&Trained) -> Option<f64>, usize);

const FIGURES: [Figure; 7] = [
    ("parameters", |of| (of.parameters > 0).then_some(of.parameters as f64), 0),
    ("state bytes", |of| of.state_bytes.map(|bytes| bytes as f64), 0),
    ("steps", |of| Some(of.steps as f64), 0),
    ("seconds", |of| of.seconds.map(f64::from), 1),
    ("training loss", |of| of.train_loss.map(f64::from), 4),
    ("validation loss", |of| of.val_loss.map(f64::from), 4),
    (ACCURACY, |of| of.accuracy.map(f64::from), 4),
];
const ACCURACY: &str = "accuracy";
const DIVERGED: &str = "diverged";

/// Runs that differ by their seeds.
struct Row {
    values: Vec<String>,
    runs: Vec<Trained>,
}

pub struct Table {
    axes: Vec<&'static str>,
    rows: Vec<Row>,
}

impl Table {
    /// The table of runs, each with its value of each axis.
    pub fn new(axes: &[Axis], runs: impl Iterator<Item = (Vec<String>, Trained)>) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        for (values, run) in runs {
            match rows.iter_mut().find(|row| row.values == values) {
                Some(row) => row.runs.push(run),
                None => rows.push(Row { values, runs: vec![run] }),
            }
        }
        Self { axes: axes.iter().map(Axis::name).collect(), rows }
    }

    /// Checks the columns that the command line names, before anything is trained.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn check(matches: &ArgMatches, axes: &[Axis]) -> Result<()> {
        let of_axes: Vec<&str> = axes.iter().map(Axis::name).collect();
        let columns: Vec<&str> =
            of_axes.iter().copied().chain(FIGURES.map(|(name, ..)| name)).collect();
        for flag in ["x", "y"] {
            let Some(name) = matches.get_one::<String>(flag) else { continue };
            let known = if flag == "x" { &columns[..] } else { &columns[of_axes.len()..] };
            ensure!(
                known.contains(&name.as_str()),
                "there is no column {name} for --{flag}; there is: {}",
                known.join(", ")
            );
        }
        Ok(())
    }

    /// Headings and cells.
    fn cells(&self) -> Vec<Vec<String>> {
        let shown: Vec<Figure> = FIGURES
            .into_iter()
            .filter(|(_, of, _)| self.runs().any(|run| of(run).is_some()))
            .collect();
        let has_diverged = self.runs().any(is_diverged);
        let headings = self.axes.iter().copied().chain(shown.iter().map(|(name, ..)| *name));
        let headings = headings.chain(has_diverged.then_some(DIVERGED)).map(str::to_owned);
        let row = |row: &Row| {
            let figure = |(_, of, decimals): &Figure| match row.figure(*of) {
                Some((mean, 0.0)) => format!("{mean:.decimals$}"),
                Some((mean, spread)) => format!("{mean:.decimals$} ± {spread:.decimals$}"),
                None => "–".into(),
            };
            let diverged = row.runs.iter().filter(|run| is_diverged(run)).count();
            let figures =
                shown.iter().map(figure).chain(has_diverged.then(|| diverged.to_string()));
            row.values.iter().cloned().chain(figures).collect()
        };
        std::iter::once(headings.collect()).chain(self.rows.iter().map(row)).collect()
    }

    fn runs(&self) -> impl Iterator<Item = &Trained> {
        self.rows.iter().flat_map(|row| &row.runs)
    }

    /// Writes it in columns.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        let cells = self.cells();
        let width =
            |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..cells[0].len()).map(width).collect();
        for row in &cells {
            let columns = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
            writeln!(out, "{}", columns.collect::<Vec<_>>().join("  "))?;
        }
        Ok(())
    }

    /// The table with tabs between columns.
    pub fn tabbed(&self) -> String {
        self.cells().iter().map(|row| row.join("\t") + "\n").collect()
    }

    /// Curves of one column against another: a line for each combination of the other settings. Without `--y` that is the
    /// accuracy, or the validation loss where there is none; without `--x` the first setting with numbers for values, or the
    /// parameters.
    ///
    /// # Errors
    /// If a column has no numbers.
    pub fn plot(&self, matches: &ArgMatches) -> Result<String> {
        let named = |flag: &str| matches.get_one::<String>(flag).map(String::as_str);
        let has_accuracy = self.runs().any(|run| run.accuracy.is_some());
        let y_name = named("y").unwrap_or(if has_accuracy { ACCURACY } else { "validation loss" });
        let x_name = named("x").unwrap_or_else(|| {
            let is_number =
                |place: &usize| self.rows.iter().all(|row| row.number(*place).is_some());
            (0..self.axes.len()).find(is_number).map_or("parameters", |place| self.axes[place])
        });
        let x_axis = self.axes.iter().position(|name| *name == x_name);
        let of_y = find(y_name).with_context(|| format!("there is no column {y_name} for --y"))?;
        let mut lines: Vec<Line> = Vec::new();
        for row in &self.rows {
            let x = match x_axis {
                Some(place) => Some(row.number(place).with_context(|| {
                    format!(
                        "--x {x_name}: {} is no number; choose another column",
                        row.values[place]
                    )
                })?),
                None => find(x_name).and_then(|of| row.figure(of)).map(|(mean, _)| mean),
            };
            let Some((x, (y, spread))) = x.zip(row.figure(of_y)) else { continue };
            let named = self
                .axes
                .iter()
                .zip(&row.values)
                .enumerate()
                .filter(|(place, _)| Some(*place) != x_axis);
            // Against a figure, settings with numbers make a line's points.
            let named = named.filter(|(place, _)| x_axis.is_some() || row.number(*place).is_none());
            let name: Vec<String> =
                named.map(|(_, (axis, value))| format!("{} {value}", short(axis))).collect();
            let name = name.join(", ");
            let point = Point { x, y, spread };
            match lines.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { name, points: vec![point], labels: Vec::new() }),
            }
        }
        for line in &mut lines {
            line.points.sort_by(|a, b| a.x.total_cmp(&b.x));
        }
        let all = || lines.iter().flat_map(|line| &line.points).map(|point| point.x);
        let [least, most] = [all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max)];
        let axes = Axes {
            x: x_name,
            x_is_log: least > 0.0 && most / least >= 8.0,
            y: y_name,
            y_is_share: y_name == ACCURACY,
            has_legend: lines.iter().any(|line| !line.name.is_empty()),
        };
        let mut svg = plot::draw(&[(axes, &lines)], PLOT_SIZE, false);
        write!(svg, "{OF_SWEEP}")?;
        Ok(svg)
    }
}

impl Row {
    /// Mean and standard deviation of a figure over the runs that have it; `None` if none has.
    fn figure(&self, of: fn(&Trained) -> Option<f64>) -> Option<(f64, f64)> {
        let values: Vec<f64> = self.runs.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| mean_and_deviation(&values))
    }

    /// Its value of an axis, if it is a number.
    fn number(&self, axis: usize) -> Option<f64> {
        self.values[axis].parse().ok().filter(|number: &f64| number.is_finite())
    }
}

fn find(name: &str) -> Option<fn(&Trained) -> Option<f64>> {
    FIGURES.into_iter().find(|(other, ..)| *other == name).map(|(_, of, _)| of)
}

/// True if a run's loss became no number.
fn is_diverged(run: &Trained) -> bool {
    run.train_loss.is_none()
}

/// `d_model` of `model.d_model`.
fn short(axis: &str) -> &str {
    axis.rsplit('.').next().unwrap_or(axis)
}
