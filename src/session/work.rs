//! Works between commands: a character of a sample, a piece of a job, a training step.

use web_time::Instant;

use super::job::Job;
use super::state::Session;
use super::throttle::REPORT_EVERY;
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
        if let Some(mut job) = self.job.take() {
            match job.next().await {
                Ok(more) => {
                    if !more || self.last_report.is_none_or(|last| last.elapsed() > REPORT_EVERY) {
                        (self.emit)(job.progress());
                        self.last_report = Some(Instant::now());
                    }
                    match job {
                        Job::Distillation(done) if !more => self.take_clone(&done).await,
                        job => self.job = more.then_some(job),
                    }
                }
                Err(error) => {
                    // The run may be on another device than the one that was measured.
                    let is_bench = matches!(job, Job::Bench(_));
                    self.job = Some(job); // to be given up in order
                    if is_bench {
                        self.stop_job();
                        self.notice(format!(
                            "The benchmark ended early: {error}. Choose a smaller size or `cpu`."
                        ));
                    } else {
                        self.recover(error).await;
                    }
                }
            }
        }
        self.look().await;
        if self.running {
            self.train_step().await;
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
