//! The sweep of facts by size: how many facts models of each size recall.

use std::cell::Cell;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ArgMatches;
use confab::checkpoint::Checkpoint;
use confab::config::TaskKind;
use confab::config::{Preset, RunConfig};
use confab::device::OpenDevice;
use confab::eval::{Sweep, SweepRun};
use confab::report::sweep;
use confab::report::sweep::{Grid, MAX_RUNS, Outcome, mean_and_deviation};
use futures::executor::block_on;
use indicatif::{ProgressBar, ProgressStyle};

use super::options::{Files, PLOT_SIZE, Shard, path};
use super::outcomes::{self, Outcomes};
use super::queue::Queue;
use crate::cli::{files, knobs, stop, terminal};

/// Longest that the run under way goes without being saved.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Time between looks at a queue that has no run to take.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

pub fn run(matches: &ArgMatches) -> Result<()> {
    let shard = Shard::of(matches);
    let Some(runs) = shard.part(runs(matches)?) else { return Ok(()) };
    match matches.get_one::<String>("queue") {
        Some(url) => run_queue(matches, &runs, url),
        None => run_alone(matches, &runs, shard),
    }
}

/// Trains the runs that have no outcome in the file yet.
fn run_alone(matches: &ArgMatches, runs: &[RunConfig], shard: Shard) -> Result<()> {
    let files = Files::of(matches, shard);
    let part = files.part(None);
    let Files { out, plot } = files;
    let written = [
        ("--out", Some(out.as_path())),
        ("the run under way", Some(part.as_path())),
        ("--plot", Some(plot.as_path())),
    ];
    outcomes::check::<Outcome>(&out)?;
    saved(&part)?;
    files::check(&[], &written)?;
    let device = crate::cli::device::open_chosen(matches)?;
    // Finds out what cannot be run before anything is.
    Sweep::check(runs, &device.limits)?;
    let mut outcomes = Outcomes::open(&out)?;

    let is_stopped = stop::flag()?;
    let stops = || is_stopped.load(Ordering::SeqCst);
    let sweep_bar = SweepBar::new(runs);
    for run in runs {
        let name = sweep::name(run)?;
        if !outcomes.has(&name) {
            let Some(outcome) = train(run, &device, Some(&part), &stops, &sweep_bar)? else {
                bail!("stopped; the same command goes on from here");
            };
            sweep_bar.report(&outcome);
            outcomes.add(outcome)?;
            let _ = std::fs::remove_file(&part);
        }
        sweep_bar.pass(run);
    }
    sweep_bar.bar.finish_and_clear();

    let names: Vec<String> = runs.iter().filter_map(|run| sweep::name(run).ok()).collect();
    let mut outcomes = outcomes.all;
    outcomes.retain(|outcome| names.contains(&outcome.link));
    draw(&plot, &outcomes)?;
    write_table(&mut terminal::output(), &outcomes)?;
    terminal::report(format_args!(
        "Outcomes are in {}, curves in {}",
        out.display(),
        plot.display()
    ));
    Ok(())
}

/// Trains runs as the queue gives them, until all have an outcome, and writes these where files are named for them.
fn run_queue(matches: &ArgMatches, runs: &[RunConfig], url: &str) -> Result<()> {
    let (out, plot) = (path(matches, "out"), path(matches, "plot"));
    out.as_deref().map(outcomes::check::<Outcome>).transpose()?;
    files::check(&[], &[("--out", out.as_deref()), ("--plot", plot.as_deref())])?;
    let device = crate::cli::device::open_chosen(matches)?;
    Sweep::check(runs, &device.limits)?;
    let lease = Duration::from_secs(matches.get_one("lease").copied().unwrap_or(60));
    let names = runs.iter().map(sweep::name).collect::<Result<Vec<String>, _>>()?;
    let queue = Queue::open(url, names.clone(), lease)?;

    let is_stopped = stop::flag()?;
    let is_stopped = || is_stopped.load(Ordering::SeqCst);
    let sweep_bar = SweepBar::new(runs);
    while !queue.is_done()? {
        let Some(lease) = queue.take()? else {
            // Others train what is left, or have left it.
            ensure!(!is_stopped(), "stopped while other programs train what is left");
            std::thread::sleep(BETWEEN_LOOKS);
            continue;
        };
        let run = names.iter().position(|name| *name == lease.link).map(|at| &runs[at]);
        let run = run.context("the queue gave a run that was not entered")?;
        let stops = || is_stopped() || lease.is_lost();
        match train(run, &device, None, &stops, &sweep_bar)? {
            Some(outcome) if lease.finish(&outcome)? => sweep_bar.report(&outcome),
            None if is_stopped() => bail!("stopped; the run under way is left to other programs"),
            _ => terminal::report(
                "A run was given up: its lease could not be renewed, and another program may have it",
            ),
        }
        sweep_bar.pass(run);
    }
    sweep_bar.bar.finish_and_clear();

    let outcomes = queue.outcomes()?;
    if let Some(out) = out {
        let mut kept = Outcomes::open(&out)?;
        for outcome in &outcomes {
            if !kept.has(&outcome.link) {
                kept.add(outcome.clone())?;
            }
        }
    }
    if let Some(plot) = plot {
        draw(&plot, &outcomes)?;
    }
    write_table(&mut terminal::output(), &outcomes)
}

fn draw(plot: &Path, outcomes: &[Outcome]) -> Result<()> {
    let svg = sweep::plot(outcomes, PLOT_SIZE, false);
    files::write(plot, svg.as_bytes())
}

fn runs(matches: &ArgMatches) -> Result<Vec<RunConfig>> {
    let names = matches.get_many::<String>("preset").into_iter().flatten();
    let presets = names.map(|name| {
        Preset::find(name)
            .with_context(|| format!("--preset {name} is no size; add --sweep, or name another"))
    });
    let presets = presets.collect::<Result<Vec<_>>>()?;
    let grid = Grid {
        facts: matches
            .get_many::<u64>("facts")
            .into_iter()
            .flatten()
            .map(|n| *n as usize)
            .collect(),
        presets,
        seeds: matches.get_one("seeds").copied().unwrap_or(1),
    };
    let count = grid.facts.len() * grid.presets.len() * grid.seeds as usize;
    ensure!(count <= MAX_RUNS, "that would be {count} runs; at most {MAX_RUNS} are swept");
    let mut flags = RunConfig::default();
    flags.task.kind = TaskKind::Facts;
    knobs::apply(matches, &mut flags)?;
    ensure!(flags.task.kind == TaskKind::Facts, "only the task facts is swept; add --task facts");
    grid.runs(|preset| {
        let mut config = RunConfig::default();
        preset.apply(&mut config);
        knobs::apply(matches, &mut config).map(|()| config)
    })
}

/// The run under way, if one was saved.
///
/// # Errors
/// If something else than a run is in its file.
fn saved(part: &Path) -> Result<Option<Checkpoint>> {
    match part.symlink_metadata() {
        Ok(_) => files::load_checkpoint(part).map(Some).with_context(|| {
            format!("the run under way is saved to {}; name another --out", part.display())
        }),
        Err(_) => Ok(None),
    }
}

/// Trains `run`, from what was saved of it in `part` if there is any; `None` if it was stopped.
fn train(
    run: &RunConfig,
    device: &OpenDevice,
    part: Option<&Path>,
    stops: &dyn Fn() -> bool,
    sweep_bar: &SweepBar,
) -> Result<Option<Outcome>> {
    let begun = part.map(saved).transpose()?.flatten();
    let mut training = match begun.filter(|saved| saved.config == *run) {
        Some(saved) => SweepRun::resume(saved, device.device.clone(), &device.limits)?,
        None => SweepRun::new(run.clone(), device.device.clone(), &device.limits)?,
    };
    let mut saved = Instant::now();
    loop {
        let stops = stops();
        if let Some(part) = part.filter(|_| stops || saved.elapsed() > SAVE_EVERY) {
            let checkpoint = block_on(training.trainer().checkpoint())?;
            // A run that has diverged ends at its next step.
            if checkpoint.is_finite() {
                files::save(&checkpoint, part)?;
            }
            saved = Instant::now();
        }
        if stops {
            return Ok(None);
        }
        if let Some(outcome) = block_on(training.next())? {
            return Ok(Some(outcome));
        }
        sweep_bar.step(training.trainer().step, run);
    }
}

/// The progress bar, whose unit is a parameter trained for a step.
struct SweepBar {
    bar: ProgressBar,
    /// Work of the runs that have ended.
    ended: Cell<u64>,
}

impl SweepBar {
    fn new(runs: &[RunConfig]) -> Self {
        let bar = ProgressBar::new(runs.iter().map(work).sum());
        let style = "{bar:30} {percent}%  {msg}  {eta} left";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
        Self { bar, ended: Cell::new(0) }
    }

    fn step(&self, step: usize, run: &RunConfig) {
        let size = Preset::of(&run.model).map_or("custom", |preset| preset.name);
        let (facts, seed, steps) = (run.task.facts.facts, run.seed, run.train.steps);
        self.bar.set_message(format!("{size}, {facts} facts, seed {seed}: step {step} of {steps}"));
        let share = step as f64 / steps as f64;
        self.bar.set_position(self.ended.get() + (share * work(run) as f64) as u64);
    }

    /// Counts a run that has ended.
    fn pass(&self, run: &RunConfig) {
        self.ended.update(|ended| ended + work(run));
        self.bar.set_position(self.ended.get());
    }

    fn report(&self, outcome: &Outcome) {
        let Outcome { facts, parameters, seed, steps, recalled, .. } = outcome;
        let line = format!(
            "{parameters} parameters, {facts} facts, seed {seed}: {} of {} recalled after {steps} steps",
            recalled.right, recalled.of
        );
        if self.bar.is_hidden() { terminal::report(line) } else { self.bar.println(line) }
    }
}

fn work(run: &RunConfig) -> u64 {
    (run.model.parameters(75) * run.train.steps) as u64
}

/// Recall by size and number of facts, with its deviation over seeds.
fn write_table(out: &mut impl Write, outcomes: &[Outcome]) -> Result<()> {
    writeln!(out, "parameters   facts      recalled   bits a parameter, at least")?;
    for ((parameters, facts), cell) in sweep::cells(outcomes) {
        let (recalled, deviation) = mean_and_deviation(&cell.recalled);
        let (bits, bits_deviation) = mean_and_deviation(&cell.bits_per_parameter);
        writeln!(
            out,
            "{parameters:>10} {facts:>7} {:>6.1}% ± {:<4.1} {bits:>8.4} ± {bits_deviation:.4}",
            100.0 * recalled,
            100.0 * deviation
        )?;
    }
    Ok(())
}
