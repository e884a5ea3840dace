//! The session's job: started in place of the last, continued, and stopped.

use web_time::Instant;

use super::jobs::{self, Context, StartError};
use super::state::Session;
use super::throttle::REPORT_EVERY;
use crate::learn::Trainer;
use crate::protocol::{Event, JobReport, JobRequest};

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn start_job(&mut self, request: &JobRequest) {
        let shown = match self.shown().await {
            Ok(shown) => shown,
            Err(error) => return self.recover(error).await,
        };
        let (trainer, device) = (self.trainer.as_ref(), self.device.as_ref());
        let (codec, shown) = (self.codec.as_ref(), shown.as_ref());
        let context = Context { trainer, codec, device, shown, crew: &self.crew };
        match jobs::start(context, request).await {
            Ok((job, notice)) => {
                if let Some(text) = notice {
                    self.notice(text);
                }
                self.stop_job();
                self.job = Some(job);
                self.last_report = None;
            }
            Err(StartError::Refused(notice)) => {
                self.notice(notice);
                (self.emit)(Event::JobRefused { name: request.name.clone() });
            }
            Err(StartError::Device(error)) => self.recover(error).await,
        }
    }

    /// Does one more piece of the job, if there is one.
    pub(super) async fn continue_job(&mut self) {
        let Some(mut job) = self.job.take() else { return };
        match job.next().await {
            Ok(more) => {
                if !more || self.last_report.is_none_or(|last| last.elapsed() > REPORT_EVERY) {
                    self.report_job(job.report());
                    self.last_report = Some(Instant::now());
                }
                match job.successor() {
                    Some(successor) if !more => self.take_successor(successor).await,
                    _ => self.job = more.then_some(job),
                }
            }
            Err(error) => {
                let notice = job.failure(&error);
                self.job = Some(job); // to be stopped in order
                match notice {
                    Some(notice) => {
                        self.stop_job();
                        self.notice(notice);
                    }
                    None => self.recover(error).await,
                }
            }
        }
    }

    /// Stops the job. One whose results are kept is reported once more.
    pub(super) fn stop_job(&mut self) {
        if let Some(report) = self.job.take().and_then(|job| job.stop()) {
            self.report_job(report);
        }
    }

    fn report_job(&self, report: Result<JobReport, postcard::Error>) {
        match report {
            Ok(report) => (self.emit)(Event::Job(report)),
            Err(error) => self.notice(format!("The job's progress cannot be sent: {error}.")),
        }
    }

    /// Puts the run that a job made in the place of the session's, which Undo brings back.
    async fn take_successor(&mut self, successor: &Trainer) {
        let Some(trainer) = &self.trainer else { return };
        let read = match trainer.checkpoint().await {
            Ok(before) => successor.checkpoint().await.map(|after| (before, after)),
            Err(error) => Err(error),
        };
        let (before, after) = match read {
            Ok(read) => read,
            Err(error) => return self.recover(error).await,
        };
        if !after.is_finite() {
            return self.notice(
                "The loss is no longer a number: the distillation has diverged. Begin it again with \
                 a lower Learning rate.",
            );
        }
        self.running = false;
        self.change_model(before, after, true).await;
    }
}
