//! The page's end of the worker: starts it, sends it commands, hands on its events, and replaces
//! it when it dies.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use confab::protocol::{Command, Event};
use gloo_events::EventListener;
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::browser::describe;
use crate::wire;

/// Loads the worker's program; relative, so that the page may lie under any path.
const WORKER: &str = "./worker_loader.js";
const MAX_REPLACEMENTS: usize = 3;

/// A report of the worker to the page.
pub enum Report {
    Event(Box<Event>),
    /// Share of the worker's program that has been loaded.
    Loading(f64),
    /// A message that could not be read or sent.
    Malformed(String),
    /// The worker is dead. `replaced` says whether another one has been started.
    Died {
        reason: String,
        replaced: bool,
    },
}

#[derive(Clone)]
pub struct Bridge {
    line: Rc<Line>,
}

struct Line {
    state: RefCell<LineState>,
    report: Box<dyn Fn(Report)>,
}

#[derive(Default)]
struct LineState {
    worker: Option<Worker>,
    ready: bool,
    waiting: VecDeque<Command>,
    /// Workers started so far; messages of all but the last are ignored.
    started: usize,
}

impl Bridge {
    /// Starts a worker whose reports go to `report`.
    pub fn open(report: impl Fn(Report) + 'static) -> Self {
        let line = Line { state: RefCell::default(), report: Box::new(report) };
        let bridge = Self { line: Rc::new(line) };
        bridge.start();
        bridge
    }

    /// Sends `command`, or keeps it until the worker is ready.
    pub fn send(&self, command: Command) {
        let worker = {
            let mut state = self.line.state.borrow_mut();
            if !state.ready {
                state.waiting.push_back(command);
                return;
            }
            state.worker.clone()
        };
        if let Some(worker) = worker {
            self.post(&worker, &command);
        }
    }

    fn post(&self, worker: &Worker, command: &Command) {
        let sent = wire::encode(command).and_then(|(bytes, buffers)| {
            worker.post_message_with_transfer(&bytes, &buffers).map_err(describe)
        });
        if let Err(reason) = sent {
            (self.line.report)(Report::Malformed(reason));
        }
    }

    fn start(&self) {
        let number = {
            let mut state = self.line.state.borrow_mut();
            state.started += 1;
            state.ready = false;
            state.started
        };
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        match Worker::new_with_options(WORKER, &options) {
            Ok(worker) => {
                self.listen(&worker, number);
                self.line.state.borrow_mut().worker = Some(worker);
            }
            Err(error) => (self.line.report)(Report::Died {
                reason: format!("it could not be started: {}", describe(error)),
                replaced: false,
            }),
        }
    }

    /// The listeners are left to the page's lifetime: there are at most a handful, and one must
    /// not be dropped while it runs.
    fn listen(&self, worker: &Worker, number: usize) {
        let bridge = self.clone();
        let receive = move |event: &web_sys::Event| {
            if bridge.is_current(number) {
                bridge.receive(&event.unchecked_ref::<MessageEvent>().data());
            }
        };
        EventListener::new(worker, "message", receive).forget();

        let bridge = self.clone();
        let replace = move |event: &web_sys::Event| {
            if bridge.is_current(number) {
                let reason = event
                    .dyn_ref::<ErrorEvent>()
                    .map(ErrorEvent::message)
                    .filter(|message| !message.is_empty())
                    .unwrap_or_else(|| "it could not be loaded".into());
                bridge.replace(reason);
            }
        };
        EventListener::new(worker, "error", replace).forget();
    }

    fn is_current(&self, number: usize) -> bool {
        self.line.state.borrow().started == number
    }

    fn receive(&self, data: &JsValue) {
        if let Some(last_words) = data.as_string() {
            return self.replace(last_words);
        }
        if let Some(share) = data.as_f64() {
            return (self.line.report)(Report::Loading(share));
        }
        match wire::decode::<Event>(data) {
            Ok(event) => {
                if matches!(event, Event::Ready(_)) {
                    self.flush();
                }
                (self.line.report)(Report::Event(Box::new(event)));
            }
            Err(reason) => (self.line.report)(Report::Malformed(reason)),
        }
    }

    fn flush(&self) {
        let (worker, waiting) = {
            let mut state = self.line.state.borrow_mut();
            state.ready = true;
            (state.worker.clone(), std::mem::take(&mut state.waiting))
        };
        if let Some(worker) = worker {
            for command in waiting {
                self.post(&worker, &command);
            }
        }
    }

    fn replace(&self, reason: String) {
        let replaced = {
            let mut state = self.line.state.borrow_mut();
            state.waiting.clear();
            state.ready = false;
            if let Some(worker) = state.worker.take() {
                worker.terminate();
            }
            state.started <= MAX_REPLACEMENTS
        };
        if replaced {
            self.start();
        } else {
            self.line.state.borrow_mut().started += 1;
        }
        (self.line.report)(Report::Died { reason, replaced });
    }
}
