//! Snapshots of memories.

use crate::memory::Bank;
use crate::tokenizer::Tokenizer;

/// Most snapshots that are kept.
const MAX_ASIDE: usize = 8;
/// The snapshot that every change leaves.
pub(super) const BEFORE: &str = "before the last change";

/// Snapshots of memories, by name, and the tokenizer of the model that wrote them.
#[derive(Default)]
pub(super) struct Aside(pub(super) Vec<(String, Bank)>, Option<Tokenizer>);

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

    /// Drops those that a model with `bank` and `tokenizer` cannot read.
    pub(super) fn keep_like(&mut self, bank: &Bank, tokenizer: &Tokenizer) {
        if self.1.as_ref() != Some(tokenizer) {
            *self = Self(Vec::new(), Some(tokenizer.clone()));
        }
        self.0.retain(|(_, kept)| kept.is_like(bank));
    }
}
