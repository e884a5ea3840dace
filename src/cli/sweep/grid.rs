//! The sweep of any settings: each run a session of its own, as many at once as there are cores.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context, Error, Result, anyhow, ensure};
use clap::ArgMatches;
use confab::base::parallel::{Threads, cores};
use confab::codec::CodecRun;
use confab::config::{LearnerKind, MemoryLimits, RunConfig};
use confab::device::OpenDevice;
use confab::learn::{Crew, Trainer};
use confab::report::sweep::{Trained, name};
use confab::run::DeviceChoice;
use indicatif::{ProgressBar, ProgressStyle};

use super::axis::{Axis, Planned, plan};
use super::options::{Files, Shard, path};
use super::outcomes::{self, Outcomes};
use super::table::Table;
use super::training::{Training, is_begun};
use crate::cli::{device, files, stop, terminal};

/// A run that is to be trained, and where it is saved meanwhile.
struct Waiting<'a> {
    number: usize,
    run: &'a Planned,
    link: &'a str,
}

/// A run that has ended.
type Ended<'a> = (&'a Planned, Trained);

/// State that the runs under way share.
struct Sweep<'a> {
    axes: &'a [Axis],
    device: OpenDevice,
    choice: DeviceChoice,
    files: &'a Files,
    is_stopped: &'a AtomicBool,
    bar: &'a ProgressBar,
    next: AtomicUsize,
    waiting: Vec<Waiting<'a>>,
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let shard = Shard::of(matches);
    let axes = Axis::all(matches)?;
    let seeds = matches.get_one("seeds").copied().unwrap_or(1);
    let Some(runs) = shard.part(plan(matches, &axes, seeds)?) else { return Ok(()) };
    let links: Vec<String> = runs
        .iter()
        .map(|run| name(&run.config))
        .collect::<Result<_, _>>()
        .context("naming a run of the sweep")?;

    let files = Files::of(matches, shard);
    let table = path(matches, "table");
    let written = [
        ("--out", Some(files.out.as_path())),
        ("--plot", Some(files.plot.as_path())),
        ("--table", table.as_deref()),
    ];
    outcomes::check::<Trained>(&files.out)?;
    files::check(&[], &written)?;
    Table::check(matches, &axes)?;
    let mut outcomes = Outcomes::<Trained>::open(&files.out)?;
    let is_left = |(number, (run, link)): (usize, (_, _))| Waiting { number, run, link };
    let waiting = runs.iter().zip(links.iter().map(String::as_str)).enumerate().map(is_left);
    let waiting: Vec<Waiting> = waiting.filter(|run| !outcomes.has(run.link)).collect();
    if !waiting.is_empty() {
        train_all(matches, &axes, &files, waiting, &mut outcomes)?;
    }

    let of_run = |(run, link): (&Planned, &String)| {
        let outcome = outcomes.all.iter().find(|outcome| outcome.link == *link)?;
        Some((run.values.clone(), outcome.clone()))
    };
    let rows = Table::new(&axes, runs.iter().zip(&links).filter_map(of_run));
    rows.write(&mut terminal::output())?;
    files::write(&files.plot, rows.plot(matches)?.as_bytes())?;
    if let Some(table) = table {
        files::write(&table, rows.tabbed().as_bytes())?;
    }
    terminal::report(format_args!(
        "Outcomes are in {}, curves in {}",
        files.out.display(),
        files.plot.display()
    ));
    Ok(())
}

/// Trains runs that have no outcome yet.
fn train_all(
    matches: &ArgMatches,
    axes: &[Axis],
    files: &Files,
    waiting: Vec<Waiting>,
    outcomes: &mut Outcomes<Trained>,
) -> Result<()> {
    let device = device::open_chosen(matches)?;
    for Waiting { number, run, .. } in &waiting {
        is_begun(&files.part(Some(*number)), &run.config)?;
    }
    let at_once = count_at_once(&waiting, &device)?;
    let threads = (cores() / at_once).max(1);

    let is_stopped = stop::flag()?;
    let steps = waiting.iter().map(|waiting| waiting.run.config.train.steps as u64).sum();
    let bar = ProgressBar::new(steps);
    let style = "{bar:30} {pos}/{len} steps  {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
    let (sender, ended) = channel();
    let sweep = Sweep {
        axes,
        device,
        choice: device::choice(matches),
        files,
        is_stopped: &is_stopped,
        bar: &bar,
        next: AtomicUsize::new(0),
        waiting,
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            let (sweep, sender) = (&sweep, sender.clone());
            scope.spawn(move || sweep.work(threads, &sender));
        }
        drop(sender);
        let all = sweep.collect(ended, outcomes);
        // One that failed ends the others, which are saved.
        all.inspect_err(|_| is_stopped.store(true, Ordering::SeqCst))
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// Number of runs to train at once: as many as there are cores and room for, on the CPU; one on a GPU.
///
/// # Errors
/// The first run that does not work, or for which there is no room.
fn count_at_once(waiting: &[Waiting], opened: &OpenDevice) -> Result<usize> {
    let check = |at_once: usize| {
        let total = opened.limits.total / at_once as u64;
        let limits = MemoryLimits { total, ..opened.limits };
        let mut checked: Option<&RunConfig> = None;
        for Waiting { run: Planned { config, values }, .. } in waiting {
            // A run that differs only by its seed needs no further check.
            if checked
                .is_none_or(|other| RunConfig { seed: other.seed, ..config.clone() } != *other)
            {
                let refused = || format!("checking the run with {}", values.join(", "));
                match config.learner {
                    LearnerKind::Gpt => Trainer::check(config, &limits).with_context(refused)?,
                    LearnerKind::Codec => {
                        drop(CodecRun::new(config.clone()).with_context(refused)?)
                    }
                }
            }
            checked = Some(config);
        }
        Ok::<(), Error>(())
    };
    check(1)?;
    if !confab::kernel::is_cpu(&opened.device) {
        return Ok(1);
    }
    Ok((2..=cores().min(waiting.len()))
        .take_while(|count| check(*count).is_ok())
        .last()
        .unwrap_or(1))
}

impl<'a> Sweep<'a> {
    /// Takes in the outcomes of all runs as they come.
    ///
    /// # Errors
    /// If a run failed, its outcome cannot be written, or the sweep was stopped.
    fn collect(
        &self,
        ended: Receiver<Result<Ended<'a>>>,
        outcomes: &mut Outcomes<Trained>,
    ) -> Result<()> {
        let (mut done, total) = (0, self.waiting.len());
        for ended in ended {
            let (run, outcome) = ended?;
            done += 1;
            let line = format!("{done} of {total}: {}: {}", self.name(run), describe(&outcome));
            if self.bar.is_hidden() {
                terminal::report(line)
            } else {
                self.bar.println(line)
            }
            outcomes.add(outcome)?;
        }
        ensure!(done == total, "stopped; the same command goes on from here");
        Ok(())
    }

    /// Names a run by its settings and its seed.
    fn name(&self, run: &Planned) -> String {
        let settings = self.axes.iter().zip(&run.values);
        let settings = settings.map(|(axis, value)| format!("{} {value}, ", axis.name()));
        format!("{}seed {}", settings.collect::<String>(), run.config.seed)
    }

    fn training(&self, waiting: &Waiting<'a>) -> Training<'_> {
        Training {
            config: &waiting.run.config,
            link: waiting.link,
            part: self.files.part(Some(waiting.number)),
            device: &self.device,
            choice: self.choice,
        }
    }

    /// Trains one run after the other, on `threads` threads, until none is left.
    fn work(&self, threads: usize, ended: &Sender<Result<Ended<'a>>>) {
        let work = || {
            let crew: Rc<dyn Crew> = Rc::new(Arc::new(Threads::new(threads)));
            let stops = || self.is_stopped.load(Ordering::SeqCst);
            while let Some(waiting) = self.waiting.get(self.next.fetch_add(1, Ordering::SeqCst)) {
                let trained = match stops() {
                    true => Ok(None),
                    false => {
                        let training = self.training(waiting);
                        training.train(crew.clone(), stops, |steps| self.bar.inc(steps as u64))
                    }
                };
                let trained = trained
                    .with_context(|| format!("training the run {}", self.name(waiting.run)))
                    .map(|trained| trained.map(|trained| (waiting.run, trained)));
                // A receiver that is gone has had an error.
                let Some(trained) = trained.transpose() else { return };
                if ended.send(trained).is_err() {
                    return;
                }
            }
        };
        match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
            Ok(pool) => pool.install(work),
            Err(error) => drop(ended.send(Err(anyhow!(error).context("starting threads")))),
        }
    }
}

/// A run that has ended, in a line.
fn describe(outcome: &Trained) -> String {
    let Trained { steps, train_loss, val_loss, accuracy, .. } = outcome;
    if train_loss.is_none() {
        return format!("diverged at step {steps}");
    }
    let loss = val_loss.map_or(String::new(), |loss| format!(", validation loss {loss:.4}"));
    let accuracy =
        accuracy.map_or(String::new(), |share| format!(", accuracy {:.1}%", 100.0 * share));
    format!("{steps} steps{loss}{accuracy}")
}
