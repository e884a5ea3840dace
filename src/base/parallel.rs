//! Loops over the CPU's cores.

#[cfg(not(target_family = "wasm"))]
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

/// Calls `work` with the index and value of every item, on all cores.
#[cfg(not(target_family = "wasm"))]
pub fn for_each<T: Send>(items: Vec<T>, work: impl Fn(usize, T) + Send + Sync) {
    if items.len() < 2 {
        // Waking another thread costs more than it saves.
        return items.into_iter().for_each(|item| work(0, item));
    }
    items.into_par_iter().enumerate().for_each(|(index, item)| work(index, item));
}

/// Calls `work` with the index and value of every item, in order: the page has no threads of its own.
#[cfg(target_family = "wasm")]
pub fn for_each<T: Send>(items: Vec<T>, work: impl Fn(usize, T) + Send + Sync) {
    items.into_iter().enumerate().for_each(|(index, item)| work(index, item));
}
