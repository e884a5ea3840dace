//! Another device, as the run that it helps sees it: a thread, which orders go to and answers come from.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use super::wire::BEAT;
use crate::learn::{Answer, Helper, Known, Order, PassedShard, Shard, ShardPass};

/// One that takes orders of shards.
pub trait Taker {
    /// # Errors
    /// A sentence, without its full stop, on why it takes no more orders.
    fn take(&mut self, order: Order) -> Result<Answer, String>;

    /// Called from time to time while there are no orders.
    fn wait(&mut self) {}
}

impl Taker for Helper {
    fn take(&mut self, order: Order) -> Result<Answer, String> {
        Self::take(self, order)
    }
}

/// Another device.
pub struct Hand {
    name: String,
    known: Known,
    orders: Sender<Order>,
    answers: Receiver<Result<Answer, String>>,
    failure: Option<String>,
}

impl Hand {
    /// Starts a thread for the device `name`, where `make` makes what takes the orders: a GPU orders its work by threads.
    ///
    /// # Errors
    /// A sentence, if the system gives no thread.
    pub fn start<T: Taker>(
        name: String,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Self, String> {
        let (orders, received) = channel();
        let (answer, answers) = channel();
        let work = move || {
            let mut taker = make();
            loop {
                match received.recv_timeout(BEAT) {
                    Ok(order) => {
                        // A run that has ended waits for none.
                        let _ = answer.send(taker.take(order));
                    }
                    Err(RecvTimeoutError::Timeout) => taker.wait(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let started = thread::Builder::new().spawn(work);
        started.map_err(|error| format!("no thread could be started for {name}: {error}"))?;
        Ok(Self { name, known: Known::default(), orders, answers, failure: None })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reason for which it takes no more shards.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Asks for `pass` over `shards`; false if they cannot be sent.
    pub(super) fn ask(&mut self, pass: &ShardPass, shards: &[Shard]) -> bool {
        let Some(order) = self.known.order(pass, shards) else { return false };
        let is_sent = self.orders.send(order).is_ok();
        if !is_sent {
            self.failure = Some(ENDED.into());
        }
        is_sent
    }

    /// The results of `pass` over `shards`, which it was asked for last; `None` if it failed.
    pub(super) fn answer(&mut self, pass: &ShardPass, shards: &[Shard]) -> Option<Vec<PassedShard>> {
        let answer = self.answers.recv().unwrap_or_else(|_| Err(ENDED.into()));
        let checked = answer.and_then(|answer| {
            answer.check(pass, shards)?;
            answer.of(pass, shards).ok_or_else(|| "it took other shards than it was given".into())
        });
        checked.map_err(|reason| self.failure = Some(reason)).ok()
    }
}

/// The reason of a device whose thread is gone.
const ENDED: &str = "its thread ended by an error that was printed above";
