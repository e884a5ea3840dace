//! What the user can ask of a model: samples, evaluations, probes, averages.

use confab::protocol::{Command, Evaluated, SampleOptions};
use confab::report::EvalOptions;
use leptos::prelude::*;

use super::Actions;

const SAMPLE_CHARS: usize = 256;
const PROBE_SAMPLES: usize = 20;
const AVERAGED_RECORDS: usize = 200;
/// Temperatures of a sweep.
const SWEEP: [f64; 7] = [0.01, 0.2, 0.5, 0.8, 1.0, 1.2, 1.5];

impl Actions {
    pub fn sample(&self) {
        if !self.has_model_or_builds() {
            return;
        }
        let state = self.state;
        self.send(Command::Sample(SampleOptions {
            prompt: state.prompt.get_untracked(),
            temperature: state.temperature.get_untracked(),
            top_k: state.top_k.get_untracked(),
            seed: state.sample_seed.get_untracked(),
            max_chars: SAMPLE_CHARS,
        }));
    }

    /// Evaluates at one temperature after another.
    pub fn sweep(&self) {
        self.state.sweep.set(Vec::new());
        self.sweeping.set_value(SWEEP.to_vec());
        self.sweep_next();
    }

    /// Keeps a finished evaluation of the sweep and starts the next.
    pub fn go_on_sweeping(&self, evaluated: &Evaluated) {
        let is_next = self.sweeping.with_value(|left| {
            left.first().is_some_and(|temperature| *temperature == evaluated.options.temperature)
        });
        if is_next && evaluated.done == evaluated.options.records {
            self.state.sweep.update(|sweep| sweep.push(evaluated.clone()));
            self.sweeping.update_value(|left| {
                left.remove(0);
            });
            self.sweep_next();
        }
    }

    fn sweep_next(&self) {
        let next = self.sweeping.with_value(|left| left.first().copied());
        if let Some(temperature) = next {
            self.start_evaluation(EvalOptions { temperature, ..EvalOptions::default() });
        }
    }

    /// Has the model answer; one that is still to be built is built first.
    pub fn evaluate(&self, options: EvalOptions) {
        self.sweeping.set_value(Vec::new());
        self.start_evaluation(options);
    }

    fn start_evaluation(&self, options: EvalOptions) {
        if self.has_model_or_builds() {
            self.send(Command::Evaluate(options));
        }
    }

    /// Whether there is a model, or one to come; one that is not asked for yet is built.
    fn has_model_or_builds(&self) -> bool {
        let has_model = self.state.model.with_untracked(Option::is_some);
        has_model || self.state.building.get_untracked() || self.build()
    }

    pub fn average_attention(&self) {
        self.send(Command::AverageAttention { records: AVERAGED_RECORDS });
    }

    /// Draws many samples after the prompt.
    pub fn probe(&self) {
        let state = self.state;
        let options = EvalOptions {
            records: PROBE_SAMPLES,
            temperature: state.temperature.get_untracked(),
            seed: state.sample_seed.get_untracked(),
        };
        self.send(Command::Probe { prompt: state.prompt.get_untracked(), options });
    }

    pub fn inspect(&self, prompt: String) {
        self.send(Command::Inspect { prompt });
    }
}
