//! The crew of the page: this worker, and helpers, which are workers of its own with the same program.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use confab::learn::{Answer, Crew, Helper, Known, Order, PassedShard, Shard, ShardPass};
use confab::protocol::Event;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::LocalBoxFuture;
use gloo_events::EventListener;
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};
use web_time::Instant;

use crate::post::{post_last_words, scope};
use crate::trial::Trial;
use crate::wire;

/// The name by which a worker knows that it is a helper.
pub const HELPER: &str = "helper";

/// Those who take the shards of the page's runs.
pub struct Helpers {
    emit: fn(Event),
    /// Cores of the machine, of which this worker takes one.
    cores: usize,
    /// Workers that were asked for; `None` measures how many are fastest.
    asked: Cell<Option<usize>>,
    trial: RefCell<Trial>,
    helpers: RefCell<Vec<Rc<Hand>>>,
    /// Workers that took the last step.
    workers: Cell<usize>,
}

/// A helper, as this worker sees it.
struct Hand {
    worker: Worker,
    known: RefCell<Known>,
    state: RefCell<HandState>,
}

enum HandState {
    Starting,
    Ready,
    Busy(oneshot::Sender<Answer>),
    /// With the reason.
    Dead(String),
}

impl Helpers {
    /// No helpers yet, on a machine with so many `cores`.
    pub fn new(emit: fn(Event), cores: usize) -> Self {
        Self {
            emit,
            cores: cores.max(1),
            asked: Cell::new(None),
            trial: RefCell::default(),
            helpers: RefCell::default(),
            workers: Cell::new(1),
        }
    }

    /// The helpers that take part in the next step.
    fn muster(&self, pass: &ShardPass, shards: &[Shard]) -> Vec<Rc<Hand>> {
        self.bury();
        let most = self.cores.min(shards.len());
        let wanted = match self.asked.get() {
            Some(asked) => asked.min(shards.len()),
            None => self.trial.borrow_mut().size(&pass.model.config, shards, most),
        };
        self.start(wanted);
        let helpers = self.helpers.borrow();
        let is_ready = |hand: &&Rc<Hand>| matches!(*hand.state.borrow(), HandState::Ready);
        let ready: Vec<_> = helpers.iter().filter(is_ready).take(wanted - 1).cloned().collect();
        // A trial takes the time of all of them, or of none.
        let is_whole = ready.len() + 1 == wanted || self.asked.get().is_some();
        if is_whole { ready } else { Vec::new() }
    }

    /// Starts helpers until there are `wanted` workers.
    fn start(&self, wanted: usize) {
        while self.helpers.borrow().len() + 1 < wanted {
            match Hand::start() {
                Ok(hand) => self.helpers.borrow_mut().push(hand),
                Err(reason) => return self.lose(&reason),
            }
        }
    }

    /// Lets go of helpers that died, and says so.
    fn bury(&self) {
        let mut reasons = Vec::new();
        self.helpers.borrow_mut().retain(|hand| match &*hand.state.borrow() {
            HandState::Dead(reason) => {
                reasons.push(reason.clone());
                false
            }
            HandState::Starting | HandState::Ready | HandState::Busy(_) => true,
        });
        reasons.iter().for_each(|reason| self.lose(reason));
    }

    /// Goes on with the workers that there are.
    fn lose(&self, reason: &str) {
        let left = 1 + self.helpers.borrow().len();
        self.asked.set(Some(left));
        let cores = if left == 1 { "one core" } else { &format!("{left} cores") };
        let text = format!(
            "A helper of the training stopped ({reason}). Nothing is lost: training goes on with {cores}."
        );
        (self.emit)(Event::Notice { text });
    }

    async fn take_all(&self, pass: ShardPass<'_>, shards: Vec<Shard>) -> Vec<PassedShard> {
        let start = Instant::now();
        let hands = self.muster(&pass, &shards);
        let workers = hands.len() + 1;
        self.workers.set(workers);
        let count = shards.len();
        let mut groups: Vec<Vec<Shard>> = (0..workers).map(|_| Vec::new()).collect();
        for (index, shard) in shards.into_iter().enumerate() {
            groups[index % workers].push(shard);
        }
        let answers: Vec<_> =
            hands.iter().zip(&groups[1..]).map(|(hand, shards)| hand.ask(&pass, shards)).collect();
        let run = |shards: &[Shard]| shards.iter().map(|shard| pass.run(shard)).collect::<Vec<_>>();
        let mut passed = vec![run(&groups[0]).into_iter()];
        for ((hand, answer), shards) in hands.iter().zip(answers).zip(&groups[1..]) {
            let answer = match answer {
                Some(answer) => answer.await.ok(),
                None => None,
            };
            let taken = answer.map(|answer| answer.of(shards, &pass.model.device()));
            if let Some(None) = taken {
                hand.die("it answered something else than was asked".into());
            }
            // What a helper did not take is taken here; `bury` says so before the next step.
            passed.push(taken.flatten().unwrap_or_else(|| run(shards)).into_iter());
        }
        let in_order = (0..count).filter_map(|index| passed[index % workers].next()).collect();
        self.trial.borrow_mut().note(workers, start.elapsed());
        in_order
    }
}

impl Crew for Helpers {
    fn take<'a>(
        &'a self,
        pass: ShardPass<'a>,
        shards: Vec<Shard>,
    ) -> LocalBoxFuture<'a, Vec<PassedShard>> {
        self.take_all(pass, shards).boxed_local()
    }

    fn workers(&self) -> usize {
        self.workers.get()
    }

    fn set_size(&self, workers: Option<usize>) {
        let workers = workers.map(|workers| workers.clamp(1, self.cores));
        self.asked.set(workers);
        *self.trial.borrow_mut() = Trial::default();
        if let Some(workers) = workers {
            // Helpers that are too many go, and their memory with them.
            let kept = workers.saturating_sub(1).min(self.helpers.borrow().len());
            let gone = self.helpers.borrow_mut().split_off(kept);
            gone.iter().for_each(|hand| hand.worker.terminate());
            self.start(workers);
        }
    }
}

impl Hand {
    fn start() -> Result<Rc<Self>, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(HELPER);
        let describe = |error: JsValue| format!("it could not be started: {error:?}");
        let worker = Worker::new_with_options("./worker_loader.js", &options).map_err(describe)?;
        worker.post_message(&wasm_bindgen::module()).map_err(describe)?;
        let state = RefCell::new(HandState::Starting);
        let hand = Rc::new(Self { worker, known: RefCell::default(), state });
        // The listeners are left to the worker's lifetime: there are few, and one must not be dropped while it runs.
        let listener = hand.clone();
        let receive = move |event: &web_sys::Event| {
            listener.receive(&event.unchecked_ref::<MessageEvent>().data());
        };
        EventListener::new(&hand.worker, "message", receive).forget();
        let listener = hand.clone();
        let fail = move |event: &web_sys::Event| {
            let message = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message);
            let message = message.filter(|message| !message.is_empty());
            listener.die(message.unwrap_or_else(|| "it could not be loaded".into()));
        };
        EventListener::new(&hand.worker, "error", fail).forget();
        Ok(hand)
    }

    /// Sends an order; `None` if it cannot be sent.
    fn ask(&self, pass: &ShardPass, shards: &[Shard]) -> Option<oneshot::Receiver<Answer>> {
        let order = self.known.borrow_mut().order(pass, shards)?;
        let sent = wire::encode(&order).and_then(|(bytes, buffers)| {
            let sent = self.worker.post_message_with_transfer(&bytes, &buffers);
            sent.map_err(|error| format!("{error:?}"))
        });
        if let Err(reason) = sent {
            self.die(reason);
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        *self.state.borrow_mut() = HandState::Busy(sender);
        Some(receiver)
    }

    fn receive(&self, data: &JsValue) {
        if let Some(last_words) = data.as_string() {
            return self.die(last_words);
        }
        if data.as_bool().is_some() {
            *self.state.borrow_mut() = HandState::Ready;
            return;
        }
        match wire::decode::<Answer>(data) {
            Ok(answer) => {
                if let HandState::Busy(sender) = self.state.replace(HandState::Ready) {
                    let _ = sender.send(answer); // a step that is no longer waited for
                }
            }
            Err(reason) => self.die(reason),
        }
    }

    /// The answer that is waited for never comes: its sender is dropped.
    fn die(&self, reason: String) {
        self.worker.terminate();
        *self.state.borrow_mut() = HandState::Dead(reason);
    }
}

/// Takes orders as a helper, until it is terminated.
pub fn help() {
    let helper = RefCell::new(Helper::default());
    let receive = move |event: &web_sys::Event| {
        let message: &MessageEvent = event.unchecked_ref();
        let taken = wire::decode::<Order>(&message.data())
            .and_then(|order| helper.borrow_mut().take(order))
            .and_then(|answer| wire::encode(&answer));
        let sent = taken.and_then(|(bytes, buffers)| {
            let sent = scope().post_message_with_transfer(&bytes, &buffers);
            sent.map_err(|error| format!("{error:?}"))
        });
        if let Err(reason) = sent {
            post_last_words(&reason);
        }
    };
    EventListener::new(&scope(), "message", receive).forget();
    let _ = scope().post_message(&JsValue::TRUE);
}
