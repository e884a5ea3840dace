//! Heads that come and go while a run trains.

use burn::tensor::ExecutionError;

use super::state::Session;
use crate::learn::HeadChange;
use crate::protocol::Event;
use crate::run::{AppliedOperation, Operation, OperationKind};
use crate::surgery;
use crate::task::Split;

impl<E: Fn(Event)> Session<E> {
    /// Adds or drops heads, if the run asks for it at this step, and reports what that did to the loss.
    pub(super) async fn adjust_heads(&mut self) -> Result<(), ExecutionError> {
        let (Some(trainer), Some(device)) = (&self.trainer, &self.device) else { return Ok(()) };
        let Some(change) = trainer.check_heads().await? else { return Ok(()) };
        let batches = trainer.config.train.val_batches;
        let loss = trainer.losses(Split::Validation, batches).await?.mean();
        let before = trainer.checkpoint().await?;
        let (changed, kind) = match &change {
            HeadChange::Grow(_) => {
                (surgery::grow_heads(&before, 1, &device.limits), OperationKind::GrowHeads)
            }
            HeadChange::Prune(worth) => {
                (surgery::prune_heads(&before, worth, 1, &device.limits), OperationKind::PruneHeads)
            }
        };
        let mut after = match changed {
            Ok(after) => after,
            Err(error) => {
                self.notice(format!("Heads stay as they are: {error}."));
                return Ok(());
            }
        };
        let operation = Operation { kind, number: 1 };
        after.edits.push(AppliedOperation { operation, step: before.step, loss: None });
        if self.change_model(before, after, true).await.is_none() {
            return Ok(());
        }
        let Some(trainer) = &mut self.trainer else { return Ok(()) };
        let losses = [loss, trainer.losses(Split::Validation, batches).await?.mean()];
        if let Some(done) = trainer.edits.last_mut() {
            done.loss = Some(losses);
        }
        let (step, n_heads, [before, after]) = (trainer.step, trainer.config.model.n_heads, losses);
        self.saved.forget();
        let why = match change {
            HeadChange::Grow(mean) => format!("they contributed {mean:.2} on average"),
            HeadChange::Prune(_) => "the least of each layer was dropped".into(),
        };
        self.notice(format!(
            "Step {step}: {n_heads} heads a layer now, for {why}. Validation loss {before:.4} before, \
             {after:.4} after."
        ));
        Ok(())
    }
}
