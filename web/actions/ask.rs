//! Questions of the user to a model: samples, evaluations, probes, averages.

use confab::config::TaskKind;
use confab::config::{Knob, Preset, RunConfig, TextConfig};
use confab::protocol::{
    AverageAttention, Bench, Command, Distill, DistillOptions, Evaluate, JobKind, JobRequest,
    MemoryChange, Probe, ProbeOptions, RunsOptions, SampleOptions, Sweep, Then,
};
use confab::report::sweep::{Grid, MAX_FILE_BYTES, MAX_RUNS, Sweeping, name};
use confab::report::{BenchReport, DistillReport, EvalOptions, Evaluated};
use confab::run::{AnalysisRequest, Intervention};
use gloo_file::File;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{Actions, Origin};
use crate::browser;
use crate::state::FIXED;

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
        self.send(Command::Sample(self.sample_options(self.state.prompt.get_untracked())));
    }

    /// Asks the model what was said, as the task puts a question; it always answers with the likeliest.
    pub fn ask(&self, said: String) {
        let is_question = said.starts_with('{')
            || self.state.model.with_untracked(|model| {
                model.as_ref().is_none_or(|model| model.config.task.kind != TaskKind::Facts)
            });
        let prompt = if is_question { said } else { format!("{{B}}{said} (") };
        let greedy = SampleOptions { temperature: 0.0, ..self.sample_options(prompt) };
        self.send(Command::Sample(greedy));
    }

    /// Changes what the model remembers.
    pub fn change_memory(&self, change: MemoryChange) {
        self.send(Command::ChangeMemory(change));
    }

    fn sample_options(&self, prompt: String) -> SampleOptions {
        let state = self.state;
        SampleOptions {
            prompt,
            temperature: state.temperature.get_untracked(),
            top_k: state.top_k.get_untracked(),
            seed: state.sample_seed.get_untracked(),
            max_chars: SAMPLE_CHARS,
        }
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

    /// Evaluates the model; one that is still to be built is built first.
    pub fn evaluate(&self, options: EvalOptions) {
        self.sweeping.set_value(Vec::new());
        self.start_evaluation(options);
    }

    fn start_evaluation(&self, options: EvalOptions) {
        if self.has_model_or_builds() {
            self.start_job::<Evaluate>(&options);
        }
    }

    /// Tells if there is a model, or one to come; one that is not asked for yet is built.
    fn has_model_or_builds(&self) -> bool {
        let has_model = self.state.model.with_untracked(Option::is_some);
        has_model || self.state.building.get_untracked() || self.build(Then::Wait)
    }

    pub fn average_attention(&self) {
        self.start_job::<AverageAttention>(&AVERAGED_RECORDS);
    }

    /// Sweeps the runs of `grid` that have no outcome yet, each of `steps` steps.
    pub fn sweep_capacity(&self, grid: &Grid, steps: &str) {
        let state = self.state;
        let knob = Knob::find("train.steps").expect("a run has steps");
        let settings = |preset: &'static Preset| {
            let mut config = untrack(|| state.config());
            preset.apply(&mut config);
            config.task.text = TextConfig::default(); // another task's, too long for a link
            knob.set(&mut config, steps).map(|()| config)
        };
        let mut runs = match grid.runs(settings) {
            Ok(runs) => runs,
            Err(error) => return state.notify(format!("The sweep was not begun: {error}.")),
        };
        let is_done = |run: &RunConfig| {
            let name = name(run).ok();
            state
                .outcomes
                .list
                .with_untracked(|list| list.iter().any(|o| Some(&o.link) == name.as_ref()))
        };
        runs.retain(|run| !is_done(run));
        if runs.is_empty() {
            return state.notify("All these runs have outcomes already.");
        }
        if runs.len() > MAX_RUNS {
            return state.notify(format!(
                "That would be {} runs; at most {MAX_RUNS} are swept.",
                runs.len()
            ));
        }
        let device = state.device_choice.get_untracked();
        state.outcomes.sweeping.set(Some(Sweeping { left: runs.len(), ..Sweeping::default() }));
        self.start_job::<Sweep>(&RunsOptions { runs, device });
    }

    /// Measures the presets of these names; any other name is the size on the knobs.
    pub fn run_bench(&self, sizes: &[&str]) {
        let state = self.state;
        if sizes.is_empty() {
            return state.notify("A benchmark needs a size.");
        }
        let runs = sizes.iter().map(|name| match Preset::find(name) {
            Some(preset) => {
                let mut config = RunConfig::default();
                preset.apply(&mut config);
                config
            }
            None => untrack(|| state.config()),
        });
        let device = state.device_choice.get_untracked();
        state.bench.set(BenchReport::default());
        state.is_measuring.set(true);
        self.start_job::<Bench>(&RunsOptions { runs: runs.collect(), device });
    }

    /// Trains a clone of the model, with these settings beside those of the knobs; both write on from
    /// `prompt`, if there is one.
    pub fn distill(&self, settings: &[(&str, String)], prompt: String) {
        let mut config = untrack(|| self.state.config());
        for (key, typed) in settings {
            let knob = Knob::find(key).expect("it is a setting");
            if let Err(error) = knob.set(&mut config, typed) {
                return self.state.notify(format!("The distillation was not begun: {error}."));
            }
        }
        self.state.distilled.set(Some(DistillReport::default()));
        let prompt = Some(prompt).filter(|prompt| !prompt.is_empty());
        self.start_job::<Distill>(&DistillOptions { config, text: None, prompt });
    }

    fn start_job<J: JobKind>(&self, options: &J::Options) {
        match JobRequest::new::<J>(options) {
            Ok(request) => self.send(Command::StartJob(request)),
            Err(error) => self.state.notify(format!("The job was not sent: {error}.")),
        }
    }

    pub fn stop_job(&self) {
        self.send(Command::StopJob);
    }

    /// Keeps the outcomes that are there with those kept before.
    pub fn keep_outcomes(&self) {
        self.send(self.state.outcomes.merge());
    }

    pub fn load_outcomes(self, file: File) {
        let (state, name) = (self.state, file.name());
        if file.size() > MAX_FILE_BYTES {
            return state.notify(format!(
                "{name} is larger than the {} MiB that outcomes may be.",
                MAX_FILE_BYTES >> 20
            ));
        }
        spawn_local(async move {
            let text = match browser::read_text(&file).await {
                Ok(read) => read.text,
                Err(reason) => return state.notify(format!("{name} could not be read: {reason}.")),
            };
            let outcomes = state.outcomes.list.get_untracked();
            self.send(Command::MergeOutcomes { outcomes, text, file: Some(name) });
        });
    }

    /// Draws many samples after the prompt.
    pub fn probe(&self) {
        let state = self.state;
        let options = EvalOptions {
            records: PROBE_SAMPLES,
            temperature: state.temperature.get_untracked(),
            seed: state.sample_seed.get_untracked(),
        };
        let prompt = state.prompt.get_untracked();
        self.start_job::<Probe>(&ProbeOptions { prompt, options });
    }

    pub fn analyse(&self, request: Option<AnalysisRequest>) {
        self.send(Command::Analyse(request.map(Box::new)));
    }

    /// Asks for a trace of the prompt, and for what follows as samples are drawn.
    pub fn inspect(&self, prompt: String) {
        self.send(Command::Inspect(self.sample_options(prompt)));
    }

    /// Changes the model as `command` says, or takes the change back.
    pub fn operate(&self, command: Command) {
        self.request(Origin::Surgery, command);
    }

    /// Asks the question of the first look or the lesson, if there is one, and those that are always asked.
    pub fn question(&self) {
        let number = self.state.question.get_untracked();
        self.send(Command::Ask(number.into_iter().chain(FIXED).collect()));
    }

    /// Sets the ablations of the model that every panel shows.
    pub fn ablate(&self, ablations: Vec<Intervention>) {
        if self.state.ablations.with_untracked(Vec::is_empty) {
            self.state.answers_before.set(self.state.fixed_answers.get_untracked());
        }
        self.send(Command::Ablate(ablations));
    }

    /// Shows another checkpoint of the run, or compares it with another model.
    pub fn visit(&self) {
        let step = self.state.visited.get_untracked();
        let baseline = self.state.baseline.get_untracked();
        self.send(Command::Visit { step, baseline });
    }
}
