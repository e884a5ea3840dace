//! Shards of a batch: losses do not hang on who takes them.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use confab::base::parallel::Threads;
use confab::config::TrainConfig;
use confab::learn::{
    Answer, Crew, Helper, Known, Likelihood, Order, PassedShard, Shard, ShardPass, Trainer,
};
use confab::memory::{Bank, NewSlot, Origin, Store};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{LocalBoxFuture, ready};

use common::{CROSSING, Changes, bits, losses, numbers, small, trainer};

const SHARDS: (&str, &str) = ("train.shards", "8");
/// A model whose batch is worth several shards by itself.
const LARGE: Changes = &[("model.d_model", "64"), ("train.batch", "16")];

fn by_threads(mut run: Trainer, threads: usize) -> Trainer {
    run.crew = Rc::new(Arc::new(Threads::new(threads)));
    run
}

#[test]
fn losses_are_the_same_on_any_number_of_threads() {
    for changes in [
        CROSSING,
        &[SHARDS, ("train.batch", "3"), ("train.accumulation", "5")],
        &[SHARDS, ("train.batch", "16")],
        LARGE,
    ] {
        let one = bits(by_threads(trainer(small(changes)), 1), 12);
        for threads in [2, 3, 8] {
            let more = bits(by_threads(trainer(small(changes)), threads), 12);
            assert!(one == more, "{threads} threads give other numbers than one with {changes:?}");
        }
    }
}

/// Shards change only the order of sums: the gradient, what is dropped and what memories write are those of the batch.
#[test]
fn shards_train_as_the_whole_batch_does() {
    let losses = |shards: &'static str| {
        let changes: Vec<_> = CROSSING.iter().copied().chain([("train.shards", shards)]).collect();
        let mut run = trainer(small(&changes));
        let losses = losses(&mut run, 6);
        (
            losses,
            run.model().bank.memories().map(|(_, memory)| memory.store.ids().len()).sum::<usize>(),
        )
    };
    let (whole, slots) = losses("1");
    assert!(slots > 0, "the memory is written");
    for shards in ["2", "8", "64"] {
        let (sharded, as_many) = losses(shards);
        assert_eq!(slots, as_many, "slots with {shards} shards");
        for (a, b) in whole.iter().zip(&sharded) {
            assert!((a - b).abs() < 2e-5, "{whole:?} in one, {sharded:?} in {shards} shards");
        }
    }
}

/// Helpers that take every second shard, over messages, beside a crew that takes the others.
#[derive(Default)]
struct Helped {
    helper: RefCell<(Known, Helper)>,
    /// Orders so far.
    sent: Rc<Cell<usize>>,
}

impl Crew for Helped {
    fn take<'a>(
        &'a self,
        pass: ShardPass<'a>,
        shards: Vec<Shard>,
    ) -> LocalBoxFuture<'a, Vec<PassedShard>> {
        let (mut own, mut theirs) = (Vec::new(), Vec::new());
        for (index, shard) in shards.into_iter().enumerate() {
            if index % 2 == 0 { own.push(shard) } else { theirs.push(shard) }
        }
        let (known, helper) = &mut *self.helper.borrow_mut();
        let order = postcard::to_allocvec(&known.order(&pass, &theirs).unwrap()).unwrap();
        self.sent.set(self.sent.get() + 1);
        let answer = helper.take(postcard::from_bytes::<Order>(&order).unwrap()).unwrap();
        let answer = postcard::to_allocvec(&answer).unwrap();
        let answer = postcard::from_bytes::<Answer>(&answer).unwrap();
        let mut theirs = answer.of(&pass, &theirs).unwrap().into_iter();
        let own = own.iter().map(|shard| pass.run(shard));
        let all = own.flat_map(|own| [Some(own), theirs.next()]).flatten().collect();
        ready(all).boxed_local()
    }

    fn workers(&self) -> usize {
        2
    }
}

#[test]
fn helpers_give_the_same_numbers_over_messages() {
    for changes in [
        CROSSING,
        &[SHARDS, ("model.memory.kind", "featural"), ("model.memory.layers", "1")],
        &[SHARDS],
    ] {
        let one = bits(by_threads(trainer(small(changes)), 1), 12);
        let sent = Rc::new(Cell::new(0));
        let mut run = trainer(small(changes));
        run.crew = Rc::new(Helped { sent: sent.clone(), ..Helped::default() });
        assert!(one == bits(run, 12), "a helper gives other numbers with {changes:?}");
        assert_eq!(sent.get(), 12, "every step is helped with");
    }
}

#[test]
fn a_copy_of_a_bank_is_brought_up_to_date_by_the_slots_that_changed() {
    let config = small(CROSSING).model;
    let (mut bank, mut copy) = (Bank::new(&config), Bank::new(&config));
    let (layer, width) =
        bank.memories().map(|(layer, of)| (layer, of.store.shape().d_key)).next().unwrap();
    let slot = |seed| NewSlot {
        key: numbers(width, seed),
        value: numbers(width, seed + 1000),
        origin: Origin::default(),
    };
    for round in 0..40 {
        let before = bank.stamps();
        let store = bank.store(layer).unwrap();
        let ids: Vec<u64> = store.ids().collect();
        match round % 4 {
            0 => drop(store.insert(&[slot(round), slot(round + 100), slot(round + 200)]).unwrap()),
            1 => store.edit(ids[0], None, Some(&numbers(width, round))).unwrap(),
            2 => drop(store.remove(&ids[..1]).unwrap()),
            _ => store.merge(ids[0], ids[1]).unwrap(),
        }
        let changes = bank.changes_since(&before);
        let bytes = postcard::to_allocvec(&changes).unwrap().len();
        assert!(bytes < 4 * (2 * width * 4 + 16), "{bytes} bytes for at most three slots");
        copy.apply(changes).unwrap();
        let parts = |bank: &Bank| {
            let store = &bank.layer(layer).unwrap().store;
            (store.ids().collect::<Vec<_>>(), store.keys().to_vec(), store.values().to_vec())
        };
        assert_eq!(parts(&bank), parts(&copy));
        let query = numbers(width, round + 7);
        let found = |bank: &Bank| bank.layer(layer).unwrap().store.search(&query, 4).unwrap();
        assert_eq!(found(&bank), found(&copy));
        assert!(bank.changes_since(&bank.stamps()).is_empty());
    }
}

#[test]
fn an_order_for_another_model_is_refused() {
    let mut known = Known::default();
    let run = trainer(small(&[]));
    let objective = Likelihood::default();
    let pass =
        ShardPass { model: run.model(), objective: &objective, is_frozen: false, share: 1.0 };
    known.order(&pass, &[]).unwrap();
    let second = known.order(&pass, &[]).unwrap();
    let reason = Helper::default().take(second).unwrap_err();
    assert!(reason.contains("no model"), "{reason}");
}

#[test]
fn a_checkpoint_that_tells_no_shards_was_trained_on_whole_batches() {
    let old: TrainConfig = serde_json::from_str(r#"{"steps": 10}"#).unwrap();
    assert_eq!(old.shards, 1);
    assert_eq!(TrainConfig::default().shards, 0, "new runs go by their size");
}

#[test]
fn heads_are_added_as_in_one_thread() {
    let grow = |threads| {
        let mut run = by_threads(trainer(small(CROSSING)), threads);
        let mut changes = Vec::new();
        for _ in 0..10 {
            block_on(run.step()).unwrap();
            changes.extend(block_on(run.check_heads()).unwrap());
        }
        changes
    };
    let one = grow(1);
    assert!(!one.is_empty(), "a change is due");
    assert_eq!(one, grow(3));
}
