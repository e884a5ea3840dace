//! The loop of a session: takes commands as they come, and works between them.

use std::pin::pin;
use std::rc::Rc;

use futures::future::{Either, select};
use futures::{FutureExt, Stream, StreamExt};
use web_time::{Duration, Instant};

use super::catalogue::catalogue;
use super::state::Session;
use super::storage::RunStorage;
use crate::device;
#[cfg(feature = "cli")]
use crate::device::OpenDevice;
use crate::learn::Crew;
use crate::protocol::{Command, Event};

/// Longest that the loop computes before it looks at commands.
const YIELD_EVERY: Duration = Duration::from_millis(40);

/// Runs a session until `commands` end. `emit` is called with each event as it happens, and `crew` trains.
pub async fn run(
    commands: impl Stream<Item = Command> + Unpin,
    emit: impl Fn(Event),
    store: RunStorage,
    crew: Rc<dyn Crew>,
) {
    go_on(Session::new(emit, store, crew), commands).await;
}

/// The same on a device that has been opened, which runs that ask for its kind take.
#[cfg(feature = "cli")]
pub async fn run_on(
    device: OpenDevice,
    commands: impl Stream<Item = Command> + Unpin,
    emit: impl Fn(Event),
    store: RunStorage,
    crew: Rc<dyn Crew>,
) {
    let session = Session::new(emit, store, crew);
    go_on(Session { device: Some(device), ..session }, commands).await;
}

async fn go_on<E: Fn(Event)>(
    mut session: Session<E>,
    mut commands: impl Stream<Item = Command> + Unpin,
) {
    (session.emit)(Event::Ready(catalogue()));
    session.offer_resume().await;
    session.report_runs().await;
    let mut yielded = Instant::now();
    loop {
        let idle = session.is_idle();
        let command = match idle {
            true if session.saved.waits => {
                let rest = pin!(session.store.wait(session.saved.rest()));
                match select(commands.next(), rest).await {
                    Either::Left((command, _)) => Some(command),
                    Either::Right(_) => None,
                }
            }
            true => Some(commands.next().await),
            false => commands.next().now_or_never(),
        };
        match command {
            Some(Some(command)) => device::attend(session.handle(command)).await,
            Some(None) => break,
            None if idle => device::attend(session.save()).await,
            None => device::attend(session.work()).await,
        }
        if yielded.elapsed() > YIELD_EVERY {
            device::yield_now().await;
            yielded = Instant::now();
        }
    }
    device::attend(session.save()).await;
}
