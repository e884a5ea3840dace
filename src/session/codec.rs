//! Runs of the noise codec, which need no device.

use web_time::Instant;

use super::pace::Pace;
use super::saved::Saved;
use super::state::Session;
use super::storage::Kept;
use crate::checkpoint::CheckpointError;
use crate::codec;
use crate::codec::{CodecRun, Said};
use crate::config::RunConfig;
use crate::protocol::{
    Built, CharacterReport, Cost, Event, RunState, SampleOptions, SaveAs, StepReport, Trace,
};
use crate::report::Mapped;
use crate::run::{AnalysisRequest, AnalysisResult, Reference};

impl<E: Fn(Event)> Session<E> {
    /// Makes a new codec; reports a refusal of its settings, and then returns false.
    pub(super) async fn build_codec(&mut self, config: RunConfig) -> bool {
        match CodecRun::new(config) {
            Ok(run) => {
                let name = self.store.new_run();
                self.begin_codec(run, name).await;
                true
            }
            Err(error) => {
                self.refuse(format!("This cannot be run: {error}."));
                false
            }
        }
    }

    pub(super) async fn load_codec(&mut self, bytes: &[u8], name: String) {
        match CodecRun::from_bytes(bytes) {
            Ok(run) => self.begin_codec(run, name).await,
            Err(error) => self.refuse(format!("The checkpoint was not loaded: {error}.")),
        }
    }

    async fn begin_codec(&mut self, run: CodecRun, name: String) {
        self.save().await;
        self.keep_run().await;
        self.run = name;
        self.take_codec(run);
    }

    /// Goes on with the codec; `steps` becomes its last step.
    pub(super) async fn go_on_with_codec(&mut self, mut run: CodecRun, steps: usize) {
        (run.config.train.steps, run.config.train.stop_at) = (steps, 0.0);
        self.take_codec(run);
        self.saved.forget();
        self.save().await;
    }

    /// Puts a codec in the place of the session's run, and reports it.
    fn take_codec(&mut self, run: CodecRun) {
        (self.emit)(Event::Built(Box::new(Built {
            config: run.config.clone(),
            id: self.run.clone(),
            is_remade: false,
            step: run.step,
            parameters: 0,
            vocab_size: run.tokenizer.vocab_size(),
            is_approximate: false,
            training_bytes: run.bytes(),
            history: run.losses.clone(),
            example_prompt: run.example_input(),
            probes: Vec::new(),
            floor: None,
            reference: run.likeliest().and_then(Mapped::accuracy).map(Reference::of_likeliest),
            likeliest: run.likeliest().cloned(),
        })));
        (self.emit)(Event::Codec(run.history.clone()));
        self.drop_work();
        self.running = false;
        self.trainer = None;
        self.logits = None;
        self.pace = Pace::new();
        self.saved = Saved::at(run.step);
        let state = if run.is_finished() { RunState::Finished } else { RunState::Paused };
        self.codec = Some(run);
        self.analysis.forget_model();
        (self.emit)(Event::Kept { steps: Vec::new(), runs: Vec::new() });
        (self.emit)(Event::State(state));
    }

    /// Learns the records of a step, and reports the step.
    pub(super) async fn learn_codec(&mut self) {
        let Some(run) = &mut self.codec else { return };
        if run.is_finished() {
            return (self.emit)(Event::State(RunState::Finished));
        }
        let was_full = run.codec.layer.is_full();
        let tokens = run.learn();
        let is_filled = run.codec.layer.is_full() && !was_full;
        self.pace.count(tokens);
        let Pace { steps_per_s, tokens_per_s, .. } = self.pace;
        if let Some(loss) = run.losses.last().copied() {
            let workers = 1;
            let bits_per_byte = None;
            let report = StepReport { loss, bits_per_byte, steps_per_s, tokens_per_s, workers };
            (self.emit)(Event::Step(report));
        }
        if let Some(point) = run.last_point() {
            (self.emit)(Event::Codec(vec![point.clone()]));
        }
        let is_finished = run.is_finished();
        if is_filled {
            self.notice(
                "The key layer is full: what is still wrong stays so. Train on fewer records, or set a shorter Longest window.",
            );
        }
        if is_finished {
            self.running = false;
            (self.emit)(Event::State(RunState::Finished));
            self.trace_codec();
            self.save().await;
        }
    }

    /// Reports the answers to the questions, and the tokens of the inspected prompt.
    pub(super) fn trace_codec(&mut self) {
        let Some(run) = &self.codec else { return };
        for number in &self.questions {
            if let Some(answer) = run.answer(*number) {
                (self.emit)(Event::Answered { number: *number, answer: Box::new(answer) });
            }
        }
        if self.inspected.prompt.is_empty() {
            return;
        }
        match run.tokenizer.encode(&self.inspected.prompt) {
            Ok(ids) => (self.emit)(Event::Trace(Trace {
                step: run.step,
                against: None,
                tokens: ids.iter().map(|id| run.tokenizer.decode(&[*id])).collect(),
                prompt_len: ids.len(),
                n_layers: 0,
                n_heads: 0,
                patterns: Vec::new(),
            })),
            Err(error) => {
                self.inspected.prompt.clear(); // said once, not at every trace
                (self.emit)(Event::Untraced);
                self.notice_sentence(&error);
            }
        }
    }

    /// Writes the output that the codec maps a prompt to. The loss of a token is −ln of its share in its context, in
    /// nats.
    pub(super) fn sample_codec(&self, run: &CodecRun, options: SampleOptions) {
        let traced = run.trace(&options.prompt);
        (self.emit)(Event::SampleStarted(options));
        match traced {
            Ok(steps) => {
                for Said { token, share, .. } in run.codec.said(&steps) {
                    let text = run.tokenizer.decode(&[token]);
                    let (picked, alternatives) = (text.clone(), Vec::new());
                    let cost = Cost { loss: -share.ln(), floor: None };
                    let report = CharacterReport { picked, text, alternatives, cost };
                    (self.emit)(Event::Character(report));
                }
                let text = run.tokenizer.decode(&run.codec.written(&steps));
                (self.emit)(Event::SampleEnded { text });
            }
            Err(error) => {
                (self.emit)(Event::SampleEnded { text: String::new() });
                self.notice_sentence(&error);
            }
        }
    }

    pub(super) fn analyse_codec(&self, run: &CodecRun, request: &AnalysisRequest) {
        // The page names a token by the position at which a transformer would predict it.
        let position = request.position.map(|position| position + 1);
        let figures = codec::analyse(run, &AnalysisRequest { position, ..request.clone() });
        let (analysis, other) = (request.analysis.clone(), String::new());
        let (step, baseline, is_done) = (run.step, None, true);
        let result = AnalysisResult { analysis, other, step, baseline, is_done, figures };
        (self.emit)(Event::Analysed(Box::new(result)));
    }

    /// Keeps the codec in the store, unless it was kept at this step already.
    pub(super) async fn save_codec(&mut self) {
        let Some(run) = &self.codec else { return };
        if self.saved.step == Some(run.step) {
            return;
        }
        let (start, step) = (Instant::now(), run.step);
        let bytes = run.to_bytes().map_err(|error| error.to_string());
        let kept = match bytes {
            Ok(bytes) => self.store.save(&self.run, step, &bytes).await,
            Err(error) => Err(error),
        };
        match kept {
            Ok(Some(Kept { removed })) => (self.emit)(Event::Saved { step, removed }),
            Ok(None) => {}
            Err(error) => self.notice(format!("The run was not saved: {error}.")),
        }
        (self.saved.at, self.saved.took, self.saved.step) =
            (Instant::now(), start.elapsed(), Some(step));
        self.saved.is_new = false;
    }

    pub(super) fn export_codec(&self, run: &CodecRun, form: SaveAs) {
        let written = match form {
            SaveAs::Checkpoint => {
                run.to_bytes().map_err(|error: CheckpointError| error.to_string())
            }
            _ => Err("only transformers are saved in that form, and this is a noise codec".into()),
        };
        match written {
            Ok(bytes) => (self.emit)(Event::CheckpointFile { name: run.file_name(), bytes }),
            Err(why) => self.notice(format!("The file was not written: {why}.")),
        }
    }
}
