//! The way back from operations.

use crate::checkpoint::Checkpoint;
use crate::run::Moments;

/// Most states kept to go back to, and most bytes of them.
const MAX_STATES: usize = 16;
const MAX_BYTES: usize = 128 << 20;

/// The run before each operation that can be taken back, oldest first.
#[derive(Default)]
pub(super) struct Undo {
    pub(super) before: Vec<Checkpoint>,
}

impl Undo {
    /// Keeps a state, in place of the oldest ones if there is no room; `false` if there is none for it
    /// alone.
    pub(super) fn keep(&mut self, state: Checkpoint) -> bool {
        self.before.push(state);
        let bytes = |of: &[Checkpoint]| of.iter().map(size).sum::<usize>();
        while self.before.len() > MAX_STATES || bytes(&self.before) > MAX_BYTES {
            self.before.remove(0);
        }
        !self.before.is_empty()
    }
}

fn size(state: &Checkpoint) -> usize {
    let vectors = 1 + state.moments.iter().flat_map(Moments::vectors).count();
    let adapted: usize = state.adapters.iter().map(|adapter| adapter.values.len()).sum();
    4 * vectors * (state.parameters.len() + adapted) + state.bank.bytes()
}
