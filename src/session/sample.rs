//! Samples that the page asks for.

use super::state::Session;
use crate::generate::Sampler;
use crate::protocol::{Event, SampleOptions};

impl<E: Fn(Event)> Session<E> {
    pub(super) fn start_sample(&mut self, options: SampleOptions) {
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no model to sample from yet: press Train first.");
        };
        let prompt = options.prompt.clone();
        match Sampler::new(trainer.model(), &trainer.tokenizer, &trainer.task, options) {
            Ok(sampler) => {
                self.sampler = Some(sampler);
                (self.emit)(Event::SampleStarted { prompt });
            }
            Err(error) => self.notice(format!("The sample was not drawn: {error}.")),
        }
    }
}
