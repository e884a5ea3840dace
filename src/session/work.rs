//! Works between commands: a character of a sample, a piece of a job, a training step.

use super::state::Session;
use crate::protocol::Event;

impl<E: Fn(Event)> Session<E> {
    /// Does one piece of what there is to do: a character of a sample, a piece of a job, a step.
    pub(super) async fn work(&mut self) {
        if let (Some(mut sampler), Some(trainer)) = (self.sampler.take(), &self.trainer) {
            match sampler.next(&trainer.task).await {
                Ok(Some(character)) => {
                    (self.emit)(Event::Character(character));
                    self.sampler = Some(sampler);
                }
                Ok(None) => (self.emit)(Event::SampleEnded { text: sampler.text().into() }),
                Err(error) => self.recover(error).await,
            }
        }
        self.continue_job().await;
        self.analyse().await;
        if self.running {
            self.train_steps(self.ahead()).await;
            if self.running && self.trace_throttle.is_due() {
                self.trace().await;
            }
            self.analysis.follow(self.running);
            if self.saved.is_due() {
                self.save().await;
            }
        }
    }

    /// Gives up the work with the model that there was.
    pub(super) fn drop_work(&mut self) {
        self.sampler = None;
        self.stop_job();
    }
}
