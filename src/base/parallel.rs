//! Loops over the CPU's cores.

use std::sync::Arc;
#[cfg(not(target_family = "wasm"))]
use std::sync::{Mutex, OnceLock, PoisonError};

#[cfg(not(target_family = "wasm"))]
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

/// Calls `work` with the index and value of every item, on all cores.
#[cfg(not(target_family = "wasm"))]
pub fn for_each<T: Send>(items: Vec<T>, work: impl Fn(usize, T) + Send + Sync) {
    if items.len() < 2 || rayon::current_num_threads() == 1 {
        // Waking another thread costs more than it saves.
        return items.into_iter().enumerate().for_each(|(index, item)| work(index, item));
    }
    items.into_par_iter().enumerate().for_each(|(index, item)| work(index, item));
}

/// Runs `work` on a thread of [`for_each`], whose loops then begin at once: from another thread, each waits for one of these
/// to wake up.
#[cfg(feature = "cli")]
pub fn on_core<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match cores() {
        1 => work(),
        _ => rayon::scope(|_| work()),
    }
}

/// Number of cores that [`for_each`] shares items out to.
#[cfg(feature = "cli")]
pub fn cores() -> usize {
    rayon::current_num_threads()
}

/// Calls `work` with the index and value of every item, in order: the page has no threads of its own.
#[cfg(target_family = "wasm")]
pub fn for_each<T: Send>(items: Vec<T>, work: impl Fn(usize, T) + Send + Sync) {
    items.into_iter().enumerate().for_each(|(index, item)| work(index, item));
}

/// Threads that each take whole items: loops within an item stay on its thread, so that none waits for another before
/// the end, and a result does not hang on the number of threads. The page has none, and takes one item after the other.
#[derive(Debug)]
pub struct Threads {
    /// A pool of one thread each, which is all that loops within an item then see.
    #[cfg(not(target_family = "wasm"))]
    pools: Vec<rayon::ThreadPool>,
}

#[cfg(not(target_family = "wasm"))]
impl Threads {
    /// # Panics
    /// If the system gives no thread.
    pub fn new(count: usize) -> Self {
        let pool = |_| rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pools: Result<Vec<_>, _> = (0..count).map(pool).collect();
        Self { pools: pools.unwrap_or_else(|error| panic!("starting threads: {error}")) }
    }

    /// As many threads as loops have.
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Threads>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(Self::new(rayon::current_num_threads()))).clone()
    }

    pub fn count(&self) -> usize {
        self.pools.len()
    }

    /// The results of `work` with every item, in their order.
    pub fn map<T: Send, R: Send>(&self, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
        let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
        let left = Mutex::new(items.into_iter().zip(&mut results));
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        on_each(&self.pools, &|| {
            while let Some((item, result)) = next() {
                *result = Some(work(item));
            }
        });
        drop(left);
        results.into_iter().flatten().collect()
    }
}

/// Calls `work` on each of `pools` at once.
#[cfg(not(target_family = "wasm"))]
fn on_each(pools: &[rayon::ThreadPool], work: &(impl Fn() + Sync)) {
    if let [first, rest @ ..] = pools {
        first.in_place_scope(|scope| {
            scope.spawn(|_| work());
            on_each(rest, work);
        });
    }
}

#[cfg(target_family = "wasm")]
impl Threads {
    pub fn shared() -> Arc<Self> {
        Arc::new(Self {})
    }

    pub fn count(&self) -> usize {
        1
    }

    /// The results of `work` with every item, in their order.
    pub fn map<T: Send, R: Send>(&self, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
        items.into_iter().map(work).collect()
    }
}
