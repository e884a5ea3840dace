//! Snapshots of memories.

use crate::memory::Bank;

/// Most snapshots that are kept.
const MAX_ASIDE: usize = 8;
/// The snapshot that every change leaves.
pub(super) const BEFORE: &str = "before the last change";

/// Snapshots of memories, by name.
#[derive(Default)]
pub(super) struct Aside(pub(super) Vec<(String, Bank)>);

impl Aside {
    pub(super) fn put(&mut self, name: String, bank: Bank) -> Result<(), String> {
        let known = self.0.iter_mut().find(|(known, _)| *known == name);
        if let Some((_, kept)) = known {
            *kept = bank;
        } else if self.0.len() < MAX_ASIDE {
            self.0.push((name, bank));
        } else {
            return Err(format!(
                "{MAX_ASIDE} snapshots are kept already; use the name of one of them"
            ));
        }
        Ok(())
    }

    /// Drops those that a model like that of `bank` cannot read.
    pub(super) fn keep_like(&mut self, bank: &Bank) {
        self.0.retain(|(_, kept)| kept.is_like(bank));
    }
}
