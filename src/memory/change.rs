//! Changes by hand to what is remembered.

use super::{Bank, Exact, Slot, Store, StoreError};
use crate::protocol::SlotChange;

/// Why a memory was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("layer {layer} has no memory; {has} have")]
    NoMemory { layer: usize, has: String },
    #[error("no slot was named, and no text to search for")]
    Nothing,
    #[error("there is no such slot in layer {layer}")]
    None { layer: usize },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Does it, and tells how many slots were changed.
///
/// # Errors
/// If there is nothing that it is of; the bank is then as it was.
pub fn change(bank: &mut Bank, change: &SlotChange) -> Result<usize, ChangeError> {
    match change {
        SlotChange::Remove { layer, slots, written_by } => {
            let store = store(bank, *layer)?;
            let ids = match (slots.is_empty(), written_by.is_empty()) {
                (true, true) => return Err(ChangeError::Nothing),
                (true, false) => matching(store, written_by).iter().map(|slot| slot.id).collect(),
                (false, _) => slots.clone(),
            };
            match store.remove(&ids)? {
                0 => Err(ChangeError::None { layer: *layer }),
                gone => Ok(gone),
            }
        }
        SlotChange::Like { layer, slot, other } => {
            let store = store(bank, *layer)?;
            let found = store.get(&[*other])?.pop().ok_or(StoreError::Unknown(*other))?;
            store.edit(*slot, None, Some(&found.new.value))?;
            Ok(1)
        }
        SlotChange::Value { layer, slot, value } => {
            store(bank, *layer)?.edit(*slot, None, Some(value))?;
            Ok(1)
        }
        SlotChange::Empty => {
            let layers: Vec<usize> = bank.memories().map(|(layer, _)| layer).collect();
            let mut gone = 0;
            for layer in layers {
                let store = store(bank, layer)?;
                gone += store.evict(0)?.len();
            }
            Ok(gone)
        }
    }
}

/// Slots that were written by a text with `search` in it, the most often found first.
pub fn matching(store: &Exact, search: &str) -> Vec<Slot> {
    let is_meant = |slot: &Slot| slot.new.origin.text.contains(search);
    let mut slots: Vec<Slot> = store.slots().filter(is_meant).collect();
    slots.sort_by_key(|slot| std::cmp::Reverse(slot.hits));
    slots
}

fn store(bank: &mut Bank, layer: usize) -> Result<&mut Exact, ChangeError> {
    let layers = bank.memories().map(|(layer, _)| layer.to_string()).collect::<Vec<_>>();
    let none = || ChangeError::NoMemory { layer, has: layers.join(", ") };
    bank.store(layer).ok_or_else(none)
}
