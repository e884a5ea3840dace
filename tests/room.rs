//! Memory: what training and saving allocate, beside what is estimated.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use confab::base::parallel::Threads;
use futures::executor::block_on;

use common::{Changes, small, trainer};

/// Bytes that are allocated, and the most that were at once.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(live, Relaxed);
        // SAFETY: the caller's own promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's own promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Bytes of a run: estimated for its training, and the most allocated in its third step and while it is saved.
fn bytes(changes: Changes) -> (usize, usize) {
    let before = LIVE.load(Relaxed);
    // As long as the records, so that the estimate is of these very tokens.
    let mut run = trainer(small(&[&[("model.context", "80")], changes].concat()));
    assert_eq!(run.task.longest(), 80);
    run.crew = Rc::new(Arc::new(Threads::new(2)));
    for _ in 0..2 {
        block_on(run.step()).unwrap();
    }
    MOST.store(0, Relaxed);
    block_on(run.step()).unwrap();
    block_on(run.checkpoint()).unwrap().to_bytes().unwrap();
    (run.training_bytes() as usize, MOST.load(Relaxed) - before)
}

/// Checks runs of few tokens and many parameters, and the other way round.
#[test]
fn a_run_allocates_what_is_estimated() {
    let many: Changes = &[("model.d_model", "256"), ("model.n_layers", "4"), ("train.shards", "1")];
    let long: Changes = &[("model.d_model", "32"), ("train.batch", "64"), ("train.shards", "1")];
    let cases: [(Changes, Changes); 16] = [
        (many, &[]),
        (many, &[("train.batch", "2"), ("train.accumulation", "3")]),
        (many, &[("train.shards", "4")]),
        (long, &[("model.n_layers", "1")]),
        (long, &[("model.n_layers", "8")]),
        (long, &[("model.n_layers", "4"), ("model.n_heads", "8"), ("model.dropout", "0.1")]),
        (long, &[("model.n_layers", "4"), ("model.mlp", "swiglu")]),
        (
            long,
            &[("model.n_layers", "4"), ("model.positions", "rotary"), ("model.qk_norm", "true")],
        ),
        (long, &[("model.n_layers", "4"), ("model.mixer", "linear")]),
        (long, &[("model.n_layers", "4"), ("model.mixer", "delta")]),
        (long, &[("model.n_layers", "4"), ("model.mixer", "mesa")]),
        (long, &[("model.n_layers", "4"), ("model.mixer", "conv")]),
        (long, &[("model.n_layers", "4"), ("model.feedback", "true")]),
        (long, &[("model.memory.kind", "featural")]),
        (long, &[("model.memory.kind", "memorizing")]),
        (long, &[("model.memory.kind", "product-key")]),
    ];
    for (base, changes) in cases {
        let (estimated, allocated) = bytes(&[base, changes].concat());
        let share = allocated as f64 / estimated as f64;
        assert!((0.4..=1.0).contains(&share), "{share:.2} of {estimated} bytes with {changes:?}");
    }
}
