//! The program that lends its device to runs of others, one at a time.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread;

use burn::tensor::Device;

use super::wire::{Asked, BEAT, Hello, SHORT, Told, Wire, WireError, plain};
use crate::base::parallel::Threads;
use crate::config::MemoryLimits;
use crate::learn::{Answer, Helper, Order, Plan};

/// Connections at once; all but one wait to be refused.
const MAX_CONNECTIONS: usize = 16;

/// A device that is lent.
#[derive(Clone, Debug)]
pub struct Lender {
    pub device: Device,
    /// `cpu`, `webgpu`, `vulkan` or `cuda`.
    pub kind: String,
    /// Name of the device, as its borrower is told.
    pub name: String,
    pub limits: MemoryLimits,
}

impl Lender {
    /// Serves those who connect, and calls `tell` with what becomes of each. A connection that fails is told of, and the
    /// next is served.
    ///
    /// # Errors
    /// If no more connections are taken.
    pub fn serve(
        &self,
        listener: &TcpListener,
        tell: impl Fn(String) + Send + Sync,
    ) -> io::Result<()> {
        let (borrowed, open, tell) = (Mutex::new(()), AtomicUsize::new(0), &tell);
        let (borrowed, open) = (&borrowed, &open);
        thread::scope(|scope| {
            loop {
                let (stream, from) = listener.accept()?;
                if open.fetch_add(1, Ordering::SeqCst) >= MAX_CONNECTIONS {
                    open.fetch_sub(1, Ordering::SeqCst);
                    tell(format!("{from} was turned away: {MAX_CONNECTIONS} others are connected."));
                    continue;
                }
                scope.spawn(move || {
                    match self.lend(stream, from, borrowed, tell) {
                        Ok(()) => tell(format!("{from} has ended.")),
                        Err(reason) => tell(format!("{from} is served no more: {reason}.")),
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        })
    }

    /// Serves a connection to its end.
    fn lend(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        borrowed: &Mutex<()>,
        tell: &(impl Fn(String) + Send + Sync),
    ) -> Result<(), String> {
        let stranger = |error: WireError| {
            format!("{error}; it should be a `confab train --devices …` of version {VERSION}")
        };
        let mut wire = Wire::open(stream).map_err(stranger)?;
        let hello: Hello = wire.receive(SHORT).map_err(stranger)?;
        if let Some(reason) = self.refusal(&hello) {
            return refuse(&mut wire, reason);
        }
        let held = match borrowed.try_lock() {
            Ok(borrowed) => borrowed,
            Err(TryLockError::Poisoned(borrowed)) => borrowed.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return refuse(&mut wire, "it is lent to another run; name another, or wait for its end".into());
            }
        };
        wire.send(&Told::Welcome(self.name.clone())).map_err(stranger)?;
        tell(format!("{from} borrows {}.", self.name));
        let (orders, received) = channel();
        let (answer, answers) = channel();
        let (device, threads) = (self.device.clone(), Threads::shared());
        let worker = thread::Builder::new()
            .spawn(move || work(Helper::new(device, threads), &received, &answer))
            .map_err(|error| format!("no thread could be started for it: {error}"))?;
        let ended = self.converse(&mut wire, &orders, &answers);
        drop(orders);
        // What became of it has been told.
        let _ = worker.join();
        // Whoever sees the connection closed can borrow the device.
        drop(held);
        drop(wire);
        ended
    }

    fn refusal(&self, Hello { version, kind }: &Hello) -> Option<String> {
        if version != VERSION {
            return Some(format!("it is of version {VERSION}, and the run of {}", plain(version)));
        }
        (*kind != self.kind).then(|| {
            format!(
                "its device is of the kind `{}`, and the run's own of `{}`, which rounds differently; lend one of the \
                 same kind",
                self.kind,
                plain(kind)
            )
        })
    }

    /// Hands orders to the device and answers to the run, until the run ends.
    fn converse(&self, wire: &mut Wire, orders: &Orders, answers: &Answers) -> Result<(), String> {
        let mut plan: Option<Arc<Plan>> = None;
        loop {
            let asked = match wire.receive(SHORT) {
                Err(WireError::Closed) => return Ok(()),
                asked => asked.map_err(|error| error.to_string())?,
            };
            match (asked, &plan) {
                (Asked::Alive, _) => {}
                (Asked::Model(config, vocab_size), _) => match Plan::new(*config, vocab_size, self.limits) {
                    Ok(new) => plan = Some(Arc::new(new)),
                    Err(reason) => return refuse(wire, reason),
                },
                (Asked::Order, None) => return refuse(wire, "an order came before its model".into()),
                (Asked::Order, Some(plan)) => {
                    let order = match wire.receive(plan.longest_order()) {
                        Ok(order) => order,
                        Err(error) => return refuse(wire, error.to_string()),
                    };
                    let answer = orders.send((order, plan.clone())).ok().map(|()| await_answer(wire, answers));
                    match answer.unwrap_or_else(|| Err(FAILED.into())) {
                        Ok(answer) => {
                            let sent = wire.send(&Told::Answer).and_then(|()| wire.send(&answer));
                            sent.map_err(|error| error.to_string())?;
                        }
                        Err(reason) => return refuse(wire, reason),
                    }
                }
            }
        }
    }
}

type Orders = Sender<(Order, Arc<Plan>)>;
type Answers = Receiver<Result<Answer, String>>;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The reason of a device whose thread is gone.
const FAILED: &str = "the device failed, as its program printed";

/// Takes orders until there are no more.
fn work(
    mut helper: Helper,
    orders: &Receiver<(Order, Arc<Plan>)>,
    answers: &Sender<Result<Answer, String>>,
) {
    while let Ok((order, plan)) = orders.recv() {
        let answer = helper.check(&order, &plan).and_then(|()| helper.take(order));
        if answers.send(answer).is_err() {
            return;
        }
    }
}

/// Waits for the device, and tells the run from time to time that it still computes.
fn await_answer(wire: &mut Wire, answers: &Answers) -> Result<Answer, String> {
    loop {
        match answers.recv_timeout(BEAT) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Timeout) => {
                wire.send(&Told::Alive).map_err(|error| error.to_string())?;
            }
            Err(RecvTimeoutError::Disconnected) => return Err(FAILED.into()),
        }
    }
}

/// Tells the other side why its connection ends, as far as it listens.
fn refuse(wire: &mut Wire, reason: String) -> Result<(), String> {
    let _ = wire.send(&Told::Refused(reason.clone()));
    Err(reason)
}
