//! A helper, as the worker that it helps sees it.

use std::cell::RefCell;
use std::rc::Rc;

use confab::learn::{Brought, Elsewhere, Errand, Known, PassedShard, Shard, ShardPass};
use confab::protocol::Event;
use futures::FutureExt;
use futures::channel::oneshot::{self, Receiver, Sender};
use gloo_events::EventListener;
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::helper::{Done, HELPER, Work};
use crate::wire;

pub struct Hand {
    emit: fn(Event),
    worker: Worker,
    known: RefCell<Known>,
    state: RefCell<State>,
}

enum State {
    Starting,
    Ready,
    Busy(Sender<Done>),
    /// Ended, as it was no longer needed.
    Gone,
    Failed,
}

/// Work that a helper is to bring back. Dropping it before it is done ends the helper.
pub struct Awaited {
    hand: Rc<Hand>,
    done: Receiver<Done>,
}

impl Hand {
    /// Starts a helper, whose end is told with `emit`.
    pub fn start(emit: fn(Event)) -> Result<Rc<Self>, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(HELPER);
        let describe = |error: JsValue| format!("it could not be started: {error:?}");
        let worker = Worker::new_with_options("./worker_loader.js", &options).map_err(describe)?;
        worker.post_message(&wasm_bindgen::module()).map_err(describe)?;
        let state = RefCell::new(State::Starting);
        let hand = Rc::new(Self { emit, worker, known: RefCell::default(), state });
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
            listener.die(&message.unwrap_or_else(|| "it could not be loaded".into()));
        };
        EventListener::new(&hand.worker, "error", fail).forget();
        Ok(hand)
    }

    pub fn is_ready(&self) -> bool {
        matches!(*self.state.borrow(), State::Ready)
    }

    pub fn is_gone(&self) -> bool {
        self.has_failed() || matches!(*self.state.borrow(), State::Gone)
    }

    pub fn has_failed(&self) -> bool {
        matches!(*self.state.borrow(), State::Failed)
    }

    /// Asks for `pass` over `shards`; `None` if they cannot be sent.
    pub fn pass(self: &Rc<Self>, pass: &ShardPass, shards: &[Shard]) -> Option<Awaited> {
        let order = self.known.borrow_mut().order(pass, shards)?;
        self.work(&Work::Shards(Box::new(order)))
    }

    /// Sends it on an errand; `None` if that cannot be sent.
    pub fn send(self: &Rc<Self>, errand: Errand) -> Option<Elsewhere> {
        let awaited = self.work(&Work::Errand(errand))?;
        Some(awaited.brought().boxed_local())
    }

    fn work(self: &Rc<Self>, work: &Work) -> Option<Awaited> {
        let sent = wire::encode(work).and_then(|(bytes, buffers)| {
            let sent = self.worker.post_message_with_transfer(&bytes, &buffers);
            sent.map_err(|error| format!("{error:?}"))
        });
        if let Err(reason) = sent {
            self.die(&reason);
            return None;
        }
        let (sender, done) = oneshot::channel();
        *self.state.borrow_mut() = State::Busy(sender);
        Some(Awaited { hand: self.clone(), done })
    }

    fn receive(&self, data: &JsValue) {
        if self.is_gone() {
            return; // what was on its way when it ended
        }
        if let Some(last_words) = data.as_string() {
            return self.die(&last_words);
        }
        if data.as_bool().is_some() {
            *self.state.borrow_mut() = State::Ready;
            return;
        }
        match wire::decode(data) {
            Ok(done) => {
                if let State::Busy(sender) = self.state.replace(State::Ready) {
                    let _ = sender.send(done); // a step that is no longer waited for
                }
            }
            Err(reason) => self.die(&reason),
        }
    }

    /// Ends a helper that failed, and tells so. What is awaited of it never comes: its sender is dropped.
    fn die(&self, reason: &str) {
        if self.is_gone() {
            return;
        }
        self.let_go();
        *self.state.borrow_mut() = State::Failed;
        let text = format!(
            "A helper of the training stopped ({reason}). Nothing is lost: the other cores take its work."
        );
        (self.emit)(Event::Notice { text });
    }

    /// Ends a helper that is not needed.
    pub fn let_go(&self) {
        self.worker.terminate();
        *self.state.borrow_mut() = State::Gone;
    }
}

impl Awaited {
    /// The results of `pass` over `shards`; `None` if the helper has ended.
    pub async fn passed(
        mut self,
        pass: ShardPass<'_>,
        shards: &[Shard],
    ) -> Option<Vec<PassedShard>> {
        match (&mut self.done).await.ok()? {
            Done::Shards(answer) => answer.of(&pass, shards).or_else(|| self.refuse()),
            Done::Errand(_) => self.refuse(),
        }
    }

    /// Waits for the result of the errand; `None` if the helper has ended.
    async fn brought(mut self) -> Option<Brought> {
        match (&mut self.done).await.ok()? {
            Done::Errand(brought) => Some(brought),
            Done::Shards(_) => self.refuse(),
        }
    }

    fn refuse<T>(&self) -> Option<T> {
        self.hand.die("it answered something else than was asked");
        None
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.done.close();
        let is_left =
            matches!(&*self.hand.state.borrow(), State::Busy(sender) if sender.is_canceled());
        if is_left {
            self.hand.let_go();
        }
    }
}
