//! A crew whose workers may end.

use std::cell::Cell;
use std::future::{poll_fn, ready};
use std::mem::replace;
use std::task::Poll;

use confab::eval::run_errand;
use confab::learn::{Crew, Elsewhere, Errand, PassedShard, Shard, ShardPass};
use futures::FutureExt;
use futures::future::LocalBoxFuture;

/// A crew that does errands when it is looked at for the second time, and every third time ends instead.
#[derive(Default)]
pub struct Mortal {
    /// Errands so far.
    pub sent: Cell<usize>,
}

impl Crew for Mortal {
    fn take<'a>(
        &'a self,
        pass: ShardPass<'a>,
        shards: Vec<Shard>,
    ) -> LocalBoxFuture<'a, Vec<PassedShard>> {
        ready(shards.iter().map(|shard| pass.run(shard)).collect()).boxed_local()
    }

    fn workers(&self) -> usize {
        1
    }

    fn send(&self, errand: &dyn Fn() -> Errand) -> Option<Elsewhere> {
        self.sent.set(self.sent.get() + 1);
        // As it travels between workers.
        let sent = postcard::to_allocvec(&errand()).unwrap();
        let errand: Errand = postcard::from_bytes(&sent).unwrap();
        let ends = self.sent.get().is_multiple_of(3);
        let mut is_first = true;
        let second =
            poll_fn(
                move |_| {
                    if replace(&mut is_first, false) { Poll::Pending } else { Poll::Ready(()) }
                },
            );
        let brought = async move {
            second.await;
            if ends { None } else { run_errand(errand).await.ok() }
        };
        Some(brought.boxed_local())
    }
}
