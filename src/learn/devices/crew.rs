//! The crew of a run on several devices.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use burn::tensor::Device;
use futures::FutureExt;
use futures::future::{LocalBoxFuture, ready};

use super::hand::Hand;
use crate::base::parallel::Threads;
use crate::learn::{Crew, PassedShard, Shard, ShardPass};

/// A run's own device, and others that take their part of its shards.
pub struct Devices {
    /// Those who take the own device's shards, if it is the CPU.
    threads: Arc<Threads>,
    others: RefCell<Vec<Hand>>,
    /// Devices that took the last shards.
    workers: Cell<usize>,
    /// Called with what the user should know: once, that fewer shards than devices are there, and that a device is lost.
    tell: Box<dyn Fn(String)>,
    has_told: Cell<bool>,
}

impl Devices {
    pub fn new(threads: Arc<Threads>, others: Vec<Hand>, tell: impl Fn(String) + 'static) -> Self {
        Self {
            threads,
            others: RefCell::new(others),
            workers: Cell::new(1),
            tell: Box::new(tell),
            has_told: Cell::new(false),
        }
    }

    fn take_all(&self, pass: ShardPass, shards: Vec<Shard>) -> Vec<PassedShard> {
        let mut others = self.others.borrow_mut();
        let count = shards.len();
        if count < 1 + others.len() && !self.has_told.replace(true) {
            (self.tell)(format!(
                "A step has fewer shards ({count}) than there are devices ({}), so some have nothing to do; --shards sets \
                 how many there are.",
                1 + others.len()
            ));
        }
        let workers = (1 + others.len()).min(count).max(1);
        self.workers.set(workers);
        let mut groups: Vec<Vec<Shard>> = (0..workers).map(|_| Vec::new()).collect();
        for (index, shard) in shards.into_iter().enumerate() {
            groups[index % workers].push(shard);
        }
        let mut groups = groups.into_iter();
        let own = groups.next().unwrap_or_default();
        let theirs: Vec<Vec<Shard>> = groups.collect();
        let are_asked: Vec<bool> =
            others.iter_mut().zip(&theirs).map(|(hand, shards)| hand.ask(&pass, shards)).collect();
        let mut passed = vec![pass.run_all(own, &self.threads).into_iter()];
        for ((hand, shards), is_asked) in others.iter_mut().zip(theirs).zip(are_asked) {
            let taken = if is_asked { hand.answer(&pass, &shards) } else { None };
            // What another did not take is taken here.
            let taken = taken.unwrap_or_else(|| pass.run_all(shards, &self.threads));
            passed.push(taken.into_iter());
        }
        others.retain(|hand| {
            let Some(reason) = hand.failure() else { return true };
            (self.tell)(format!(
                "{} is lost to this run: {reason}. The run's own device took its shards of this step, and those that are \
                 left share them from now on; losses stay the same.",
                hand.name()
            ));
            false
        });
        (0..count).filter_map(|index| passed[index % workers].next()).collect()
    }
}

impl Crew for Devices {
    fn take<'a>(
        &'a self,
        pass: ShardPass<'a>,
        shards: Vec<Shard>,
    ) -> LocalBoxFuture<'a, Vec<PassedShard>> {
        ready(self.take_all(pass, shards)).boxed_local()
    }

    fn workers(&self) -> usize {
        self.workers.get()
    }

    fn splits(&self, _: &Device) -> bool {
        true
    }
}
