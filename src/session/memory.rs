//! Changes to what a model remembers, while its weights stay.

use super::aside::BEFORE;
use super::state::Session;
use crate::memory;
use crate::protocol::{Event, MemoryChange, SlotChange};

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn change_memory(&mut self, change: MemoryChange) {
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no memory to change yet: press Train first.");
        };
        if trainer.model().bank.memories().next().is_none() {
            return self.notice(
                "This model has no memory that is stored: set Memory to featural or associative, and train.",
            );
        }
        let before = trainer.model().bank.clone();
        let changed = match change {
            MemoryChange::PutAside(name) => {
                let name = name.chars().take(60).collect();
                let put = self.aside.put(name, before);
                self.report_memory();
                return put.unwrap_or_else(|error| {
                    self.notice(format!("No snapshot was saved: {error}."))
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
        self.report_memory();
        self.analysis.forget_model();
        self.trace().await;
        self.save().await;
    }

    fn alter(&mut self, change: &SlotChange) -> Result<(), String> {
        let Some(trainer) = &mut self.trainer else { return Ok(()) };
        let changed = memory::change(&mut trainer.learner.model.bank, change)
            .map_err(|error| error.to_string())?;
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
        trainer.learner.model.bank =
            found.ok_or(format!("there is no snapshot “{name}”"))?.1.clone();
        Ok(())
    }

    async fn teach(&mut self, text: &str) -> Result<(), String> {
        let Some(trainer) = &mut self.trainer else { return Ok(()) };
        let loss = trainer.teach(text).await.map_err(|error| error.to_string())?;
        self.notice(format!("The memory now has it at {loss:.2} nats per character."));
        Ok(())
    }

    pub(super) fn report_memory(&mut self) {
        let Some(trainer) = &self.trainer else { return };
        self.aside.keep_like(&trainer.model().bank, &trainer.tokenizer);
        let slots = trainer
            .model()
            .bank
            .memories()
            .map(|(layer, memory)| (layer, memory.store.ids().len()));
        let slots = slots.collect();
        let aside = self.aside.0.iter().map(|(name, _)| name.clone()).collect();
        (self.emit)(Event::Remembered { slots, aside });
    }
}
