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
            Err(error) => {
                // The last sample was of another prompt.
                (self.emit)(Event::SampleStarted { prompt: prompt.clone() });
                (self.emit)(Event::SampleEnded { text: prompt });
                self.notice_sentence(&error);
            }
        }
    }
}
