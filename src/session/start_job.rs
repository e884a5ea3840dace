//! Jobs: begun, one in the place of another, and given up.

use super::job::Job;
use super::state::Session;
use crate::bench::Suite;
use crate::config::RunConfig;
use crate::device::OpenDevice;
use crate::eval::{Evaluation, Probing, Sweep};
use crate::interp::analysis::Averaging;
use crate::learn::distill::{DistillError, Distillation};
use crate::protocol::Event;
use crate::report::sweep::Sweeping;
use crate::report::{BenchReport, EvalOptions, MAX_RECORDS};
use crate::run::DeviceChoice;

/// Steps whose median a benchmark takes.
const BENCH_ROUNDS: usize = 7;

impl<E: Fn(Event)> Session<E> {
    fn start_job(&mut self, job: Job) {
        self.stop_job();
        self.job = Some(job);
        self.last_report = None;
    }

    pub(super) fn start_averaging(&mut self, records: usize) {
        match &self.trainer {
            Some(trainer) if trainer.task.is_none() => self.notice(
                "Attention was not averaged: this model is from elsewhere and brought no records.",
            ),
            Some(trainer) => {
                let averaging = Averaging::new(trainer, records.clamp(1, MAX_RECORDS));
                self.start_job(Job::Averaging(Box::new(averaging)));
            }
            None => self.notice("There is no model to look into yet: press Train first."),
        }
    }

    pub(super) fn start_evaluation(&mut self, options: EvalOptions) {
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no model to evaluate yet: press Train first.");
        };
        match Evaluation::new(trainer, options) {
            Ok(evaluation) => self.start_job(Job::Evaluation(Box::new(evaluation))),
            Err(error) => self.notice(format!("The model was not evaluated: {error}.")),
        }
    }

    pub(super) fn start_probing(&mut self, prompt: String, options: EvalOptions) {
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no model to sample from yet: press Train first.");
        };
        match Probing::new(trainer, prompt, options) {
            Ok(probing) => self.start_job(Job::Probing(Box::new(probing))),
            Err(error) => self.notice(format!("The samples were not drawn: {error}.")),
        }
    }

    pub(super) async fn start_sweep(&mut self, runs: Vec<RunConfig>, choice: DeviceChoice) {
        let device = self.find_device(choice).await;
        let sweep = device.and_then(|(OpenDevice { device, limits, .. }, _)| {
            Sweep::new(runs, device, limits).map_err(|error| error.to_string())
        });
        match sweep {
            Ok(sweep) => self.start_job(Job::Sweep(Box::new(sweep))),
            Err(reason) => {
                self.notice(format!("The sweep was not begun: {reason}."));
                (self.emit)(Event::Sweeping(Box::default()));
            }
        }
    }

    pub(super) async fn start_bench(&mut self, runs: Vec<RunConfig>, choice: DeviceChoice) {
        let suite = match self.find_device(choice).await {
            Ok((device, notice)) => {
                if let Some(text) = notice {
                    self.notice(text);
                }
                Suite::new(runs, device, BENCH_ROUNDS).map_err(|error| format!("{error}."))
            }
            Err(reason) => Err(reason),
        };
        match suite {
            Ok(suite) => self.start_job(Job::Bench(Box::new(suite))),
            Err(reason) => {
                self.notice(format!("The benchmark was not begun: {reason}"));
                (self.emit)(Event::Benched(BenchReport::default()));
            }
        }
    }

    pub(super) async fn start_distillation(
        &mut self,
        config: RunConfig,
        text: Option<String>,
        prompt: Option<String>,
    ) {
        let (Some(trainer), Some(device)) = (&self.trainer, self.device.clone()) else {
            return self.notice("There is no model to distil yet: press Train first.");
        };
        let teacher = match trainer.checkpoint().await {
            Ok(teacher) => teacher,
            Err(error) => return self.recover(error).await,
        };
        let OpenDevice { device, limits, .. } = device;
        let text = text.as_deref();
        match Distillation::new(teacher, &config, text, prompt, device, &limits).await {
            Ok(distillation) => self.start_job(Job::Distillation(Box::new(distillation))),
            Err(DistillError::Device(error)) => self.recover(error).await,
            Err(error) => {
                self.notice(format!("The distillation was not begun: {error}."));
                (self.emit)(Event::Distilled(Box::default()));
            }
        }
    }

    /// Puts a finished clone in the place of the model, which is kept to go back to.
    pub(super) async fn take_clone(&mut self, distillation: &Distillation) {
        let Some(trainer) = &self.trainer else { return };
        let read = match trainer.checkpoint().await {
            Ok(before) => distillation.trainer().checkpoint().await.map(|clone| (before, clone)),
            Err(error) => Err(error),
        };
        let (before, clone) = match read {
            Ok(read) => read,
            Err(error) => return self.recover(error).await,
        };
        if !clone.is_finite() {
            return self.notice(
                "The loss is no longer a number: the distillation has diverged. Begin it again with \
                 a lower Learning rate.",
            );
        }
        self.running = false;
        self.change_model(before, clone, true).await;
    }

    /// Gives up the job; the end of a sweep or benchmark is reported, for its results are kept.
    pub(super) fn stop_job(&mut self) {
        match self.job.take() {
            Some(Job::Sweep(sweep)) => {
                let done = sweep.progress().done;
                (self.emit)(Event::Sweeping(Box::new(Sweeping { done, current: None, left: 0 })));
            }
            Some(Job::Bench(suite)) => {
                let rows = suite.progress().rows;
                (self.emit)(Event::Benched(BenchReport::new(rows, None)));
            }
            _ => {}
        }
    }
}
