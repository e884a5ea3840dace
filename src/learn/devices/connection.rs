//! A connection to a program that lends its device.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::hand::Taker;
use super::wire::{Asked, Hello, SHORT, Told, Wire, WireError, plain};
use crate::learn::{Answer, Order, Plan};

/// Time after which nobody is taken to listen.
const CONNECTING: Duration = Duration::from_secs(10);

/// A lent device.
pub struct Connection {
    wire: Wire,
    plan: Option<Plan>,
    /// The error that ended it.
    lost: Option<String>,
}

impl Connection {
    /// Connects to `address`, as `127.0.0.1:4747`, for a run whose own device is of `kind`; also the name of what is lent.
    ///
    /// # Errors
    /// A sentence, without its full stop, on why nothing is lent there.
    pub fn open(address: &str, kind: &str) -> Result<(Self, String), String> {
        let stream = connect(address).map_err(|error| {
            format!("nobody answers ({error}); start `confab lend --listen {address}` there first")
        })?;
        let describe = |error: WireError| {
            format!("{error}; it must be a `confab lend` of version {}", env!("CARGO_PKG_VERSION"))
        };
        let mut wire = Wire::open(stream).map_err(describe)?;
        let hello = Hello { version: env!("CARGO_PKG_VERSION").into(), kind: kind.into() };
        wire.send(&hello).map_err(describe)?;
        match wire.receive(SHORT).map_err(describe)? {
            Told::Welcome(name) => Ok((Self { wire, plan: None, lost: None }, plain(&name))),
            Told::Refused(reason) => Err(plain(&reason)),
            Told::Alive | Told::Answer => Err(describe(WireError::Stranger)),
        }
    }

    fn order(&mut self, order: &Order) -> Result<Answer, String> {
        let describe = |error: WireError| error.to_string();
        if let Some((config, vocab_size)) = order.model() {
            let plan = Plan::of(config, *vocab_size);
            let asked = Asked::Model(Box::new(config.clone()), *vocab_size);
            self.plan = Some(plan);
            self.wire.send(&asked).map_err(describe)?;
        }
        let (shards, tokens) = order.size();
        let plan = self.plan.as_ref().ok_or("no model was announced")?;
        self.wire.send(&Asked::Order).map_err(describe)?;
        self.wire.send(order).map_err(describe)?;
        loop {
            match self.wire.receive(SHORT).map_err(describe)? {
                Told::Alive => {}
                Told::Answer => {
                    let most = plan.longest_answer(shards, tokens);
                    return self.wire.receive(most).map_err(describe);
                }
                Told::Refused(reason) => return Err(format!("it refused ({})", plain(&reason))),
                Told::Welcome(_) => return Err(describe(WireError::Stranger)),
            }
        }
    }
}

impl Taker for Connection {
    fn take(&mut self, order: Order) -> Result<Answer, String> {
        match &self.lost {
            Some(reason) => Err(reason.clone()),
            None => self.order(&order),
        }
    }

    fn wait(&mut self) {
        if self.lost.is_none()
            && let Err(error) = self.wire.send(&Asked::Alive)
        {
            self.lost = Some(error.to_string());
        }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("it is no address, as 127.0.0.1:4747");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECTING) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
