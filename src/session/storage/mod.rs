//! The place where a session keeps its run: a file at the terminal, the browser's storage in the page.

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod wasm;

/// Outcome of saving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Runs that had to make room.
    pub removed: Vec<String>,
}

#[cfg(not(target_family = "wasm"))]
pub use native::RunStorage;
#[cfg(target_family = "wasm")]
pub use wasm::RunStorage;
