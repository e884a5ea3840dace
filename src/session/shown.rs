//! The model that every panel shows: the newest or an earlier step, with or without ablations.

use burn::tensor::ExecutionError;

use super::state::Session;
use crate::generate::{Shown, read_back};
use crate::interp::lab::{RequestError, Snapshot, check_fit};
use crate::learn::Trainer;
use crate::protocol::Event;
use crate::run::Intervention;

impl<E: Fn(Event)> Session<E> {
    /// The model that is shown in place of the run's newest, if there is one.
    pub(super) async fn shown(&self) -> Result<Option<Shown>, ExecutionError> {
        let Some(trainer) = &self.trainer else { return Ok(None) };
        if self.steps.visited().is_none() && self.ablations.is_empty() {
            return Ok(None);
        }
        let model = self.read_shown(trainer).await?;
        let host = model.ablated(&self.ablations).expect("ablations are checked when they are set");
        Ok(Some((model.step, host)))
    }

    /// The newest step or the one that is shown in its place, without ablations.
    pub(super) async fn read_shown(&self, trainer: &Trainer) -> Result<Snapshot, ExecutionError> {
        match self.steps.visited() {
            Some((step, flat)) => Ok(Snapshot::new(trainer, step, flat.clone())),
            None => Snapshot::read(trainer).await,
        }
    }

    /// The model that is shown, on the host.
    pub(super) async fn shown_on_host(&self, trainer: &Trainer) -> Result<Shown, ExecutionError> {
        match self.shown().await? {
            Some(shown) => Ok(shown),
            None => Ok((trainer.step, read_back(trainer.model()).await?)),
        }
    }

    /// Shows the model with these ablations, if they fit it.
    pub(super) async fn ablate(&mut self, ablations: Vec<Intervention>) {
        match self.check_fit(&ablations) {
            Ok(()) => {
                self.ablations = ablations;
                if self.job.as_ref().is_some_and(|job| job.is_of_shown()) {
                    self.stop_job();
                }
                self.trace().await;
                self.analysis.forget_model();
            }
            Err(reason) => self.notice(format!("The ablation was not set: {reason}.")),
        }
        (self.emit)(Event::Ablated(self.ablations.clone()));
    }

    /// Drops the ablations, and says so, if a new model lacks what they are on.
    pub(super) fn check_ablations(&mut self) {
        if let Err(reason) = self.check_fit(&self.ablations) {
            self.ablations.clear();
            self.notice(format!("The new model has no ablations: {reason}."));
        }
        (self.emit)(Event::Ablated(self.ablations.clone()));
    }

    fn check_fit(&self, ablations: &[Intervention]) -> Result<(), RequestError> {
        let Some(trainer) = &self.trainer else { return Ok(()) };
        check_fit(&trainer.config.model, &trainer.model().layout, ablations)
    }
}
