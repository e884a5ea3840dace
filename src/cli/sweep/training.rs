//! A run of a sweep, trained as a session of its own.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use confab::checkpoint::Summary;
use confab::config::{LearnerKind, RunConfig};
use confab::device::OpenDevice;
use confab::learn::Crew;
use confab::protocol::{Command as Order, Event, NamedFile, RunState, Then};
use confab::report::sweep::Trained;
use confab::run::{DeviceChoice, LossPoint, last_accuracy};
use confab::session;
use confab::session::RunStorage;
use futures::channel::mpsc::unbounded;
use futures::executor::block_on;

use crate::cli::{files, terminal};

/// A run to be trained.
pub struct Training<'a> {
    pub config: &'a RunConfig,
    /// The run as the fragment of a link.
    pub link: &'a str,
    /// File that it is saved to meanwhile.
    pub part: PathBuf,
    pub device: &'a OpenDevice,
    pub choice: DeviceChoice,
}

/// True if a run under way with `config` was saved in `part`, of which only the header is read.
///
/// # Errors
/// If something else than a run is in its file.
pub fn is_begun(part: &Path, config: &RunConfig) -> Result<bool> {
    if part.symlink_metadata().is_err() {
        return Ok(false);
    }
    let header = files::read_header(part).unwrap_or_default(); // nothing is no run's header
    let summary = Summary::from_header(&header).with_context(|| {
        format!("a run under way is saved to {}; name another --out", part.display())
    })?;
    Ok(summary.config == *config)
}

impl Training<'_> {
    /// Trains the run, from what was saved of it if there is any; `None` if `stops` told to stop. `advance` is told of the
    /// steps done.
    ///
    /// # Errors
    /// If the run cannot be trained, or its file holds something else.
    pub fn train(
        &self,
        crew: Rc<dyn Crew>,
        stops: impl Fn() -> bool,
        advance: impl Fn(usize),
    ) -> Result<Option<Trained>> {
        let Self { config, link, part, device: opened, choice } = self;
        let device = *choice;
        let first = match is_begun(part, config)? {
            true => {
                let (name, bytes) = (part.display().to_string(), files::read_bytes(part)?);
                Order::LoadCheckpoint { files: vec![NamedFile { name, bytes }], device }
            }
            false => {
                let config = Box::new((*config).clone());
                Order::Build { config, device, then: Then::Wait }
            }
        };
        let (orders, received) = unbounded();
        orders.unbounded_send(first)?;
        orders.unbounded_send(Order::Train)?;
        let progress = RefCell::new(Progress::default());
        let emit = |event| {
            let mut progress = progress.borrow_mut();
            let before = progress.step;
            let is_over = progress.note(event);
            advance(progress.step.saturating_sub(before));
            if stops() {
                drop(orders.unbounded_send(Order::Pause));
                orders.close_channel();
            } else if is_over {
                orders.close_channel();
            }
        };
        let store = RunStorage::file(part.clone());
        block_on(session::run_on((*opened).clone(), received, emit, store, crew));
        let Progress { parameters, history, refused, step, diverged } = progress.into_inner();
        if let Some(reason) = refused.filter(|_| diverged.is_none()) {
            bail!("{reason}");
        }
        if !config.train.is_over(step, last_accuracy(&history)) && diverged.is_none() {
            return Ok(None);
        }
        let _ = std::fs::remove_file(part);
        advance(config.train.steps.saturating_sub(step));
        let last = |of: fn(&LossPoint) -> Option<f32>| match diverged {
            None => history.iter().rev().find_map(of),
            Some(_) => None,
        };
        Ok(Some(Trained {
            link: (*link).to_owned(),
            parameters,
            state_bytes: (config.learner == LearnerKind::Gpt)
                .then(|| config.model.state_bytes(config.model.context)),
            seed: config.seed,
            steps: diverged.unwrap_or(step),
            seconds: history.last().and_then(|point| point.seconds),
            train_loss: last(|point| Some(point.train_loss)),
            val_loss: last(|point| point.val_loss),
            accuracy: last(|point| point.accuracy),
        }))
    }
}

/// Progress of a run.
#[derive(Default)]
struct Progress {
    parameters: usize,
    step: usize,
    history: Vec<LossPoint>,
    refused: Option<String>,
    /// The step after which its loss was no number.
    diverged: Option<usize>,
}

impl Progress {
    /// Takes in an event; true if it ends the session.
    fn note(&mut self, event: Event) -> bool {
        match event {
            Event::Built(built) => {
                (self.parameters, self.step) = (built.parameters, built.step);
                self.history = built.history;
                false
            }
            Event::Step(report) => {
                self.step = report.loss.step;
                self.history.push(report.loss);
                if !report.loss.train_loss.is_finite() {
                    self.diverged = Some(self.step);
                }
                self.diverged.is_some()
            }
            Event::Notice { text } => {
                terminal::report(text);
                false
            }
            Event::Refused { reason } => {
                self.refused = Some(reason);
                true
            }
            Event::State(RunState::Finished) => true,
            _ => false,
        }
    }
}
