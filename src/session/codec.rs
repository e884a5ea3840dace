//! Runs of the noise codec, which need no device.

use web_time::Instant;

use super::pace::Pace;
use super::saved::Saved;
use super::state::Session;
use super::storage::Kept;
use crate::checkpoint::CheckpointError;
use crate::codec::CodecRun;
use crate::config::RunConfig;
use crate::protocol::{CodecBuilt, CodecStep, Event, RunState, SaveAs};

impl<E: Fn(Event)> Session<E> {
    /// Makes a new codec; `false` if it was refused, which has been said.
    pub(super) async fn build_codec(&mut self, config: RunConfig) -> bool {
        self.save().await;
        match CodecRun::new(config) {
            Ok(run) => {
                self.keep_run().await;
                self.run = self.store.new_run();
                self.take_codec(run);
                true
            }
            Err(error) => {
                self.refuse(format!("This cannot be run: {error}."));
                false
            }
        }
    }

    /// Goes on with the codec to a last step.
    pub(super) fn go_on_with_codec(&mut self, mut run: CodecRun, steps: usize) {
        run.config.train.steps = steps;
        self.take_codec(run);
        self.saved.forget();
    }

    pub(super) async fn load_codec(&mut self, bytes: &[u8], run: String) {
        match CodecRun::from_bytes(bytes) {
            Ok(codec) => {
                self.save().await;
                self.keep_run().await;
                self.run = run;
                self.take_codec(codec);
            }
            Err(error) => self.refuse(format!("The checkpoint was not loaded: {error}.")),
        }
    }

    /// Puts a codec in the place of the session's run, and reports it.
    fn take_codec(&mut self, run: CodecRun) {
        (self.emit)(Event::CodecBuilt(Box::new(CodecBuilt {
            config: run.config.clone(),
            id: self.run.clone(),
            step: run.step,
            vocab_size: run.tokenizer.vocab_size(),
            history: run.history.clone(),
            example_prompt: run.example_input(),
        })));
        self.drop_work();
        self.running = false;
        self.trainer = None;
        self.logits = None;
        self.pace = Pace::new();
        self.saved = Saved::at(run.step);
        let state = if run.is_finished() { RunState::Finished } else { RunState::Paused };
        self.codec = Some(run);
        self.analysis.forget_model();
        (self.emit)(Event::State(state));
    }

    /// Learns the records of a step, and reports it.
    pub(super) async fn learn_codec(&mut self) {
        let Some(run) = &mut self.codec else { return };
        if run.is_finished() {
            return (self.emit)(Event::State(RunState::Finished));
        }
        let tokens = run.learn();
        let point = run.is_due().then(|| Box::new(run.validate().clone()));
        let (step, is_finished) = (run.step, run.is_finished());
        self.pace.count(tokens);
        let Pace { steps_per_s, tokens_per_s, .. } = self.pace;
        (self.emit)(Event::CodecStep(CodecStep { step, steps_per_s, tokens_per_s, point }));
        if is_finished {
            self.running = false;
            (self.emit)(Event::State(RunState::Finished));
            self.save().await;
        }
    }

    /// Keeps the codec in the store, unless nothing has happened since it was kept.
    pub(super) async fn save_codec(&mut self) {
        let Some(run) = &self.codec else { return };
        if self.saved.step == Some(run.step) {
            return;
        }
        let (start, step) = (Instant::now(), run.step);
        match run.to_bytes() {
            Ok(bytes) => match self.store.save(&self.run, step, &bytes).await {
                Ok(Some(Kept { removed })) => (self.emit)(Event::Saved { step, removed }),
                Ok(None) => {}
                Err(error) => self.notice(format!("The run was not saved: {error}.")),
            },
            Err(error) => self.notice(format!("The run was not saved: {error}.")),
        }
        (self.saved.at, self.saved.took, self.saved.step) =
            (Instant::now(), start.elapsed(), Some(step));
        self.saved.is_new = false;
    }

    pub(super) fn export_codec(&self, run: &CodecRun, form: SaveAs) {
        let written = match form {
            SaveAs::Checkpoint => run.to_bytes().map_err(|error: CheckpointError| error.to_string()),
            _ => Err("only transformers are saved in that form, and this is a noise codec".into()),
        };
        match written {
            Ok(bytes) => (self.emit)(Event::CheckpointFile { name: run.file_name(), bytes }),
            Err(why) => self.notice(format!("The file was not written: {why}.")),
        }
    }
}
