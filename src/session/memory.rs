//! Changes to what a model remembers, while its weights stay.

use crate::memory::{self, Bank};
use crate::protocol::*;

use super::Session;

/// Most memories that are put aside.
const MOST_ASIDE: usize = 8;
/// The first of those put aside, which every change leaves.
const BEFORE: &str = "before the last change";

/// Memories put aside, by name.
#[derive(Default)]
pub(super) struct Aside(Vec<(String, Bank)>);

impl Aside {
    fn put(&mut self, name: String, bank: Bank) -> Result<(), String> {
        let known = self.0.iter_mut().find(|(known, _)| *known == name);
        if let Some((_, kept)) = known {
            *kept = bank;
        } else if self.0.len() < MOST_ASIDE {
            self.0.push((name, bank));
        } else {
            return Err(format!(
                "{MOST_ASIDE} memories are put aside already; use the name of one of them"
            ));
        }
        Ok(())
    }

    /// Drops those that a model like that of `bank` cannot read.
    fn keep_like(&mut self, bank: &Bank) {
        self.0.retain(|(_, kept)| kept.is_like(bank));
    }
}

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn change_memory(&mut self, change: MemoryChange) {
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no memory to change yet: press Train first.");
        };
        if trainer.bank.memories().next().is_none() {
            return self.notice(
                "This model has no memory that is stored: set Memory to featural or associative, and train.",
            );
        }
        let before = trainer.bank.clone();
        let changed = match change {
            MemoryChange::PutAside(name) => {
                let name = name.chars().take(60).collect();
                let put = self.aside.put(name, before);
                self.tell_memory();
                return put.unwrap_or_else(|error| {
                    self.notice(format!("It was not put aside: {error}."))
                });
            }
            MemoryChange::Teach(text) => self.teach(&text).await,
            MemoryChange::Slots(change) => self.alter(&change),
            MemoryChange::Swap(name) => self.swap(&name),
        };
        if let Err(error) = changed {
            return self.notice(format!("The memory was not changed: {error}."));
        }
        // There is always room: it has the first place.
        if self.aside.0.first().is_none_or(|(name, _)| name != BEFORE) {
            self.aside.0.insert(0, (BEFORE.into(), before));
        } else {
            self.aside.0[0].1 = before;
        }
        self.saved.forget();
        self.tell_memory();
        self.sight.forget_model();
        self.trace().await;
        self.save().await;
    }

    fn alter(&mut self, change: &SlotChange) -> Result<(), String> {
        let Some(trainer) = &mut self.trainer else { return Ok(()) };
        let changed =
            memory::change(&mut trainer.bank, change).map_err(|error| error.to_string())?;
        let done = match change {
            SlotChange::Like { .. } | SlotChange::Value { .. } => "changed",
            SlotChange::Remove { .. } | SlotChange::Empty => "deleted",
        };
        self.notice(format!("Slots {done}: {changed}."));
        Ok(())
    }

    fn swap(&mut self, name: &str) -> Result<(), String> {
        let Some(trainer) = &mut self.trainer else { return Ok(()) };
        let found = self.aside.0.iter().find(|(kept, _)| kept == name);
        trainer.bank = found.ok_or(format!("nothing is put aside as “{name}”"))?.1.clone();
        Ok(())
    }

    async fn teach(&mut self, text: &str) -> Result<(), String> {
        let Some(trainer) = &mut self.trainer else { return Ok(()) };
        let loss = trainer.teach(text).await.map_err(|error| error.to_string())?;
        self.notice(format!("The memory now has it at {loss:.2} nats per character."));
        Ok(())
    }

    pub(super) fn tell_memory(&mut self) {
        let Some(trainer) = &self.trainer else { return };
        self.aside.keep_like(&trainer.bank);
        let slots =
            trainer.bank.memories().map(|(layer, memory)| (layer, memory.store.ids().len()));
        let slots = slots.collect();
        let aside = self.aside.0.iter().map(|(name, _)| name.clone()).collect();
        (self.emit)(Event::Remembered { slots, aside });
    }
}
