//! Samples that the page asks for.

use super::state::Session;
use crate::generate::{Decoder, Sampler};
use crate::protocol::{Event, SampleOptions};

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn start_sample(&mut self, options: SampleOptions) {
        if let Some(run) = &self.codec {
            return self.sample_codec(run, options);
        }
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no model to sample from yet: press Train first.");
        };
        let shown = match self.shown().await {
            Ok(shown) => shown,
            Err(error) => return self.recover(error).await,
        };
        let decoder = Decoder::of(trainer.model(), shown);
        match Sampler::with(decoder, &trainer.tokenizer, &trainer.task, options.clone()) {
            Ok(sampler) => {
                self.sampler = Some(sampler);
                (self.emit)(Event::SampleStarted(options));
            }
            Err(error) => {
                // The last sample was of another prompt.
                let text = options.prompt.clone();
                (self.emit)(Event::SampleStarted(options));
                (self.emit)(Event::SampleEnded { text });
                self.notice_sentence(&error);
            }
        }
    }
}
