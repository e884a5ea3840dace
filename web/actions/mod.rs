//! Actions of the user, as commands to the session.

mod ask;
mod film;
mod load;
mod task;

use std::collections::VecDeque;

use confab::config::{Knob, RunConfig};
use confab::protocol::{Command, Event, RunState, Then};
use confab::run::link;
use confab::run::{DeviceChoice, Packed};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::bridge::{Bridge, Report};
use crate::browser;
use crate::lessons::{LESSONS, Open};
use crate::runs::{Run, group_digits, show_duration};
use crate::state::State;
use crate::view::View;

pub use film::{Look, Seen, Wish};

/// The kind of command that a `Built` or `Refused` will answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Build,
    File,
    Storage,
    Example,
    /// A model of the gallery, under settings that its link has put on the knobs.
    Exhibit,
    /// The run goes on with what was made of its model.
    Surgery,
    /// The worker died; the run goes on from what was saved.
    Rescue,
}

/// A run asked for: what is trained, and where.
type Wanted = (RunConfig, DeviceChoice);

#[derive(Clone, Copy)]
pub struct Actions {
    pub state: State,
    bridge: StoredValue<Option<Bridge>, LocalStorage>,
    /// The answers that are still to come, in their order.
    pending: StoredValue<VecDeque<Origin>>,
    wanted: StoredValue<Option<Wanted>>,
    /// Descriptions of the task asked for so far.
    descriptions: StoredValue<usize>,
    /// The temperatures that a sweep has still to evaluate.
    sweeping: StoredValue<Vec<f64>>,
}

/// The page's actions, from anywhere in it.
pub fn use_actions() -> Actions {
    expect_context()
}

impl Actions {
    /// Opens the session; `receive` takes in its events.
    pub fn new(state: State, receive: fn(Actions, Event)) -> Self {
        let actions = Self {
            state,
            bridge: StoredValue::new_local(None),
            pending: StoredValue::new(VecDeque::new()),
            wanted: StoredValue::new(None),
            descriptions: StoredValue::new(0),
            sweeping: StoredValue::new(Vec::new()),
        };
        let bridge = Bridge::open(move |report| match report {
            Report::Event(event) => receive(actions, *event),
            Report::Loading(share) => state.loaded.set(Some(share)),
            Report::Malformed(reason) => {
                state.notify(format!("A message of the worker was not understood: {reason}."));
            }
            Report::Died { reason, replaced } => actions.rescue(&reason, replaced),
        });
        actions.bridge.set_value(Some(bridge));
        actions
    }

    /// Trains on, or builds what the knobs ask for and trains that. On a phone shows what comes of it.
    pub fn train(&self) {
        if self.state.view.get_untracked() == View::Settings {
            self.state.view.set(View::Answer);
        }
        let is_finished = self.state.run_state.get_untracked() == RunState::Finished;
        // The session says why a model from elsewhere is not trained.
        let is_unknown = self.state.model.with_untracked(|model| {
            model.as_ref().is_some_and(|model| model.config.task.is_unknown())
        });
        if is_finished && !is_unknown && !self.needs_build() {
            let done = "This run has done its last step. With more Steps it goes on; New run starts it again.";
            return self.state.notify(done);
        }
        self.go(Then::Train);
    }

    /// Trains with so many cores from now on; `None` measures how many are fastest.
    pub fn set_cores(&self, cores: Option<usize>) {
        self.state.cores.set(cores);
        self.send(Command::Workers(cores));
    }

    pub fn pause(&self) {
        self.send(Command::Pause);
    }

    pub fn toggle_training(&self) {
        match self.state.run_state.get_untracked() {
            RunState::Running => self.pause(),
            _ => self.train(),
        }
    }

    pub fn step(&self) {
        self.go(Then::Step);
    }

    /// Begins the run that the knobs ask for with the weights and memories that there are.
    pub fn continue_with(&self, then: Then) {
        let Some((config, device)) = self.asked() else { return };
        if self.state.model.with_untracked(Option::is_none) {
            return self.state.notify("There is no model to go on from yet: press Train first.");
        }
        self.wanted.set_value(Some((config.clone(), device)));
        self.request(Origin::Build, Command::Continue { config: Box::new(config), then });
    }

    /// Goes on with a run of the browser's storage.
    pub fn open_run(&self, id: String) {
        let device = self.state.device_choice.get_untracked();
        self.request(Origin::Storage, Command::OpenRun { id, device });
    }

    /// Deletes a run from the browser's storage, and its curve.
    pub fn delete_run(&self, run: &Run) {
        let (id, number) = (run.id.clone(), run.number);
        self.state.runs.update(|runs| runs.retain(|run| run.number != number));
        if self.state.runs.with_untracked(|runs| runs.iter().all(|run| run.id != id)) {
            self.send(Command::DeleteRun { id });
        }
    }

    /// Builds anew what the knobs ask for. `false`, with a notice, if that cannot be run.
    pub fn build(&self, then: Then) -> bool {
        let Some((config, device)) = self.asked() else { return false };
        self.wanted.set_value(Some((config.clone(), device)));
        self.request(Origin::Build, Command::Build { config: Box::new(config), device, then });
        true
    }

    /// Copies a link to what is on screen, without weights.
    pub fn share(self) {
        let is_trained = untrack(|| self.state.last_point()).is_some_and(|point| point.step > 0);
        let config = untrack(|| self.state.config());
        let time = self.state.speed.get_untracked().map_or(String::new(), |speed| {
            let seconds = config.train.steps as f64 / f64::from(speed.steps_per_s);
            format!(", in about {} on a machine like this", show_duration(seconds))
        });
        let about = match is_trained {
            true => format!(
                " It carries the settings, not the weights: who opens it trains them anew{time}. Files has the \
                 model as a file, and links with the weights of small ones."
            ),
            false => String::new(),
        };
        self.copy_link(&self.state.link(), &about);
    }

    /// Asks for the weights, to copy a link with them.
    pub fn share_weights(&self) {
        self.send(Command::Pack);
    }

    /// Copies a link with these weights.
    pub fn copy_weights(self, packed: Result<Box<(RunConfig, Packed)>, String>) {
        let (config, weights) = match packed {
            Ok(packed) => *packed,
            Err(reason) => {
                return self.state.notify(format!(
                    "The weights do not fit a link: {reason}. Save model makes a file of them."
                ));
            }
        };
        let length = group_digits(weights.numbers.len());
        let about = format!(
            " It carries the weights, rounded to 16 bits, in {length} characters. Chats may cut so long a link: \
             mail it or put it on a page, or send the file that Save model makes."
        );
        let link = link::Link { config, weights: Some(weights), ..self.state.link() };
        self.copy_link(&link, &about);
    }

    /// Puts a link into the address and the clipboard, and tells so with what it is `about`.
    fn copy_link(self, link: &link::Link, about: &str) {
        let fragment = match link::encode(link) {
            Ok(fragment) => fragment,
            Err(error) => {
                let text = format!("This experiment does not fit in a link: {error}.");
                return self.state.notify(text);
            }
        };
        let url = browser::write_fragment(&fragment);
        let about = about.to_owned();
        spawn_local(async move {
            self.state.notify(match browser::copy(&url).await {
                true => format!("Link copied.{about}"),
                false => format!("Copy this link: {url}{about}"),
            });
        });
    }

    /// Follows the address's fragment; one that cannot be followed gives a notice and the
    /// defaults. `false` if there is none.
    pub fn follow_link(&self) -> bool {
        let fragment = browser::read_fragment();
        let view = View::of_fragment(&fragment);
        if view.is_some() || fragment.len() < 2 {
            self.state.view.set(view.unwrap_or_default());
        }
        if let Some(lesson) = fragment.strip_prefix("#lesson=") {
            self.begin_lesson(lesson.parse::<usize>().unwrap_or_default());
            return true;
        }
        if !browser::has_link() {
            return false;
        }
        self.state.lesson.set(None);
        self.open(&fragment);
        true
    }

    /// Begins a lesson by its number, from 1: opens what it is about, at its first step.
    pub fn begin_lesson(&self, number: usize) {
        let Some((at, lesson)) = LESSONS.iter().enumerate().nth(number.wrapping_sub(1)) else {
            self.state.view.set(View::Learn);
            let text =
                format!("There is no such lesson: they are numbered 1 to {}.", LESSONS.len());
            return self.state.notify(text);
        };
        match lesson.open {
            Open::Link(fragment) => self.open(fragment),
            Open::New(kind) => {
                let knob = Knob::find("task.kind").expect("a run has a task");
                self.state.set_knob(knob, kind.name());
                self.state.tune();
                self.build(Then::Wait);
            }
        }
        self.state.is_linked.set(false);
        self.ablate(Vec::new());
        self.state.lesson.set(Some((at, 0)));
        self.state.question.set(Some(0));
        self.question();
    }

    /// Shows what a link is of; one that cannot be followed gives a notice and the defaults.
    fn open(&self, fragment: &str) {
        let mut link = link::decode(fragment).unwrap_or_else(|error| {
            self.state.notify(format!("The link was not followed: {error}."));
            link::Link::default()
        });
        let trained = std::mem::take(&mut link.trained);
        if let Some(weights) = link.weights.take() {
            let (config, device) =
                (Box::new(link.config.clone()), self.state.device_choice.get_untracked());
            self.state.show_link(link);
            self.state.is_linked.set(false);
            return self.request(Origin::File, Command::Unpack { config, weights, device });
        }
        let has_settings = link.config != RunConfig::default();
        self.state.show_link(link);
        self.state.is_linked.set(trained.is_empty());
        if !trained.is_empty() {
            self.load_trained(trained, if has_settings { Origin::Exhibit } else { Origin::File });
        }
    }

    /// The answer to the oldest pending request has come: which one it was, and whether another
    /// request has overtaken it.
    pub fn settle(&self) -> (Option<Origin>, bool) {
        let mut origin = None;
        self.pending.update_value(|pending| origin = pending.pop_front());
        let is_overtaken = self.pending.with_value(|pending| !pending.is_empty());
        self.state.building.set(is_overtaken);
        (origin, is_overtaken)
    }

    /// Remembers what the session now holds; `None` for what Train does not go on with.
    pub fn remember(&self, wanted: Option<Wanted>) {
        self.wanted.set_value(wanted);
    }

    /// Trains on. Builds what the knobs ask for first, if that is another run; asks what becomes of weights that were
    /// trained.
    fn go(&self, then: Then) {
        if !self.needs_build() {
            self.send(if then == Then::Step { Command::Step } else { Command::Train });
        } else if self.is_same_run() {
            self.go_on(then);
        } else if self.has_trained() && self.asked().is_some() {
            self.state.changed.set(Some(then));
        } else {
            self.build(then);
        }
    }

    /// True if the run on screen has weights that steps were spent on. The shipped models are not the user's.
    fn has_trained(&self) -> bool {
        let is_own = self.wanted.with_value(Option::is_some);
        is_own && untrack(|| self.state.last_point()).is_some_and(|point| point.step > 0)
    }

    /// Settings and device that the knobs ask for; `None`, with a notice, if they cannot be run.
    fn asked(&self) -> Option<Wanted> {
        if let Some((_, reason)) = self.state.problem.get_untracked() {
            self.state.notify(format!("This cannot be run: {reason}."));
            return None;
        }
        Some((untrack(|| self.state.config()), self.state.device_choice.get_untracked()))
    }

    /// Goes on with the run to the last step, and on the device, that the knobs ask for.
    fn go_on(&self, then: Then) {
        let Some((config, device)) = self.asked() else { return };
        let steps = config.train.steps;
        self.wanted.set_value(Some((config, device)));
        self.request(Origin::Surgery, Command::GoOn { steps, device, then });
    }

    /// True if the knobs ask for the run that there is, but for its last step and its device.
    fn is_same_run(&self) -> bool {
        let config = untrack(|| self.state.config());
        self.wanted.with_value(|wanted| {
            wanted.as_ref().is_some_and(|(of, _)| {
                let mut of = of.clone();
                of.train.steps = config.train.steps;
                of == config
            })
        })
    }

    fn needs_build(&self) -> bool {
        let config = untrack(|| self.state.config());
        let device = self.state.device_choice.get_untracked();
        self.wanted.with_value(|wanted| wanted.as_ref() != Some(&(config, device)))
    }

    fn request(&self, origin: Origin, command: Command) {
        self.pending.update_value(|pending| pending.push_back(origin));
        self.state.building.set(origin != Origin::Example);
        self.send(command);
    }

    fn send(&self, command: Command) {
        self.bridge.with_value(|bridge| {
            if let Some(bridge) = bridge {
                bridge.send(command);
            }
        });
    }

    /// Goes on after the worker's death: on the CPU, from what was saved last.
    fn rescue(&self, reason: &str, replaced: bool) {
        let state = self.state;
        self.pending.update_value(VecDeque::clear);
        state.building.set(false);
        state.run_state.set(RunState::Paused);
        state.speed.set(None);
        self.cancel_film();
        state.sample.update(|sample| sample.is_running = false);
        state.outcomes.sweeping.set(None);
        state.is_measuring.set(false);
        let reason = reason.lines().rfind(|line| !line.is_empty()).unwrap_or_default();
        // Should it have been the prompt, it must not be sent again.
        state.prompt_is_own.set(false);
        if !replaced {
            let text = format!("The worker stopped again ({reason}). Reload the page to go on.");
            return state.notify(text);
        }
        // The answer may have died with the worker.
        self.describe_task();
        let model = state.model.get_untracked();
        if model.as_ref().is_some_and(|model| model.is_example) {
            state.model.set(None);
        }
        match self.wanted.get_value() {
            Some((config, _)) => {
                state.notify(format!(
                    "The worker stopped ({reason}). It was started again, on the CPU."
                ));
                let device = DeviceChoice::Cpu;
                state.device_choice.set(device);
                self.wanted.set_value(Some((config.clone(), device)));
                let saved = state.saved_step.get_untracked().and_then(|_| {
                    state.runs.with_untracked(|runs| runs.last().map(|run| run.id.clone()))
                });
                let command = match saved {
                    Some(id) => Command::OpenRun { id, device },
                    None => Command::Build { config: Box::new(config), device, then: Then::Wait },
                };
                self.request(Origin::Rescue, command);
            }
            None => state.notify(format!("The worker stopped ({reason}). It was started again.")),
        }
    }
}
