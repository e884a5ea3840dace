//! The crew of the page: this worker, and helpers, which are workers of its own with the same program.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use confab::learn::{Crew, Elsewhere, Errand, PassedShard, Shard, ShardPass};
use confab::protocol::Event;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use web_time::Instant;

use crate::hand::Hand;
use crate::trial::Trial;

/// Those who take the shards of the page's runs, and do its errands.
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
        let ready = self.ready(wanted - 1);
        // A trial takes the time of all of them, or of none.
        let is_whole = ready.len() + 1 == wanted || self.asked.get().is_some();
        if is_whole { ready } else { Vec::new() }
    }

    /// Helpers without work, at most so many.
    fn ready(&self, most: usize) -> Vec<Rc<Hand>> {
        let helpers = self.helpers.borrow();
        helpers.iter().filter(|hand| hand.is_ready()).take(most).cloned().collect()
    }

    /// Starts helpers until there are `wanted` workers.
    fn start(&self, wanted: usize) {
        while self.helpers.borrow().len() + 1 < wanted {
            match Hand::start(self.emit) {
                Ok(hand) => self.helpers.borrow_mut().push(hand),
                Err(reason) => {
                    let text = format!("A helper of the training is missing: {reason}.");
                    (self.emit)(Event::Notice { text });
                    return self.settle();
                }
            }
        }
    }

    /// Forgets helpers that have ended.
    fn bury(&self) {
        let failed = self.helpers.borrow().iter().any(|hand| hand.has_failed());
        self.helpers.borrow_mut().retain(|hand| !hand.is_gone());
        if failed {
            self.settle();
        }
    }

    /// Goes on with the workers that there are.
    fn settle(&self) {
        let left = 1 + self.helpers.borrow().len();
        self.asked.set(Some(left));
        (self.emit)(Event::Workers(left));
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
        let awaited: Vec<_> =
            hands.iter().zip(&groups[1..]).map(|(hand, shards)| hand.pass(&pass, shards)).collect();
        let run = |shards: &[Shard]| shards.iter().map(|shard| pass.run(shard)).collect::<Vec<_>>();
        let mut passed = vec![run(&groups[0]).into_iter()];
        for (awaited, shards) in awaited.into_iter().zip(&groups[1..]) {
            let taken = match awaited {
                Some(awaited) => awaited.passed(pass, shards).await,
                None => None,
            };
            // What a helper did not take is taken here.
            passed.push(taken.unwrap_or_else(|| run(shards)).into_iter());
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

    fn send(&self, errand: &dyn Fn() -> Errand) -> Option<Elsewhere> {
        self.bury();
        self.start(self.asked.get().unwrap_or(self.cores));
        self.ready(1).first()?.send(errand())
    }

    fn set_size(&self, workers: Option<usize>) {
        let workers = workers.map(|workers| workers.clamp(1, self.cores));
        self.asked.set(workers);
        *self.trial.borrow_mut() = Trial::default();
        if let Some(workers) = workers {
            // Helpers that are too many go, and their memory with them.
            let kept = workers.saturating_sub(1).min(self.helpers.borrow().len());
            let gone = self.helpers.borrow_mut().split_off(kept);
            gone.iter().for_each(|hand| hand.let_go());
            self.start(workers);
        }
    }
}
