//! State of the page: what the user has set, and what the session has told.

use std::sync::Arc;

use confab::config::{LearnerKind, RunConfig, TaskKind};
use confab::protocol::{
    Answer, Baseline, CharacterReport, Expected, RunState, SampleOptions, TaskFacts, Then, Trace,
};
use confab::report::{AttentionByType, BenchReport, DistillReport, Evaluated, ProbeReport};
use confab::run::{
    AnalysisRequest, AnalysisResult, Catalogue, DeviceChoice, DeviceReport, FieldLoss, Floor,
    Intervention, Probe, Reference,
};
use gloo_timers::callback::Timeout;
use leptos::prelude::*;

use crate::browser;
use crate::fit;
use crate::fit::Drafts;
use crate::head::Head;
use crate::outcomes::Outcomes;
use crate::place::Inspected;
use crate::runs::{Run, group_digits};
use crate::tab::Tab;
use crate::view::View;

/// Numbers of the questions that every model is asked, under its chart.
pub const FIXED: [u64; 2] = [1_000_000, 1_000_001];

/// Time that a notice stays.
const NOTICE_SHOWN_MS: u32 = 30_000;

#[derive(Clone, Copy)]
pub struct State {
    /// Every knob but the text, which is in `text`.
    pub knobs: RwSignal<RunConfig>,
    pub text: RwSignal<Arc<str>>,
    /// Values that the knobs go back to: the defaults, or the last preset.
    pub defaults: RwSignal<RunConfig>,
    pub drafts: RwSignal<Drafts>,
    pub device_choice: RwSignal<DeviceChoice>,
    /// Cores that train at once on the CPU, if they were chosen.
    pub cores: RwSignal<Option<usize>>,
    pub prompt: RwSignal<String>,
    /// The prompt is the user's own, so a new model's example does not replace it.
    pub prompt_is_own: RwSignal<bool>,
    pub temperature: RwSignal<f64>,
    pub top_k: RwSignal<usize>,
    pub sample_seed: RwSignal<u64>,
    pub tab: RwSignal<Tab>,
    /// Head whose attention is shown large.
    pub head: RwSignal<Head>,
    pub view: RwSignal<View>,
    /// The lesson under way and its step, from 0.
    pub lesson: RwSignal<Option<(usize, usize)>>,

    /// The session takes commands.
    pub is_ready: RwSignal<bool>,
    /// Share of the session's program that has been loaded, if its length is known.
    pub loaded: RwSignal<Option<f64>>,
    /// The settings are those of a link.
    pub is_linked: RwSignal<bool>,
    pub model: RwSignal<Option<Model>>,
    /// A new model was asked for and is not there yet.
    pub building: RwSignal<bool>,
    pub run_state: RwSignal<RunState>,
    pub runs: RwSignal<Vec<Run>>,
    /// Runs in the browser's storage.
    pub kept_runs: RwSignal<Vec<Run>>,
    pub fields: RwSignal<Option<FieldView>>,
    pub speed: RwSignal<Option<Speed>>,
    pub device: RwSignal<Option<DeviceReport>>,
    pub saved_step: RwSignal<Option<usize>>,
    pub sample: RwSignal<SampleView>,
    pub trace: RwSignal<Option<Arc<Trace>>>,
    /// Expectations after each of the traced prompt's tokens.
    pub expected: RwSignal<Option<Arc<Expected>>>,
    /// Number of the question that every model is asked; none while no answer is in sight.
    pub question: RwSignal<Option<u64>>,
    /// Answer to it, for tasks that have some.
    pub answer: RwSignal<Option<Arc<Answer>>>,
    /// Answers to the questions that every model is asked.
    pub fixed_answers: RwSignal<[Option<Arc<Answer>>; 2]>,
    /// Those that the model gave before it was ablated.
    pub answers_before: RwSignal<[Option<Arc<Answer>>; 2]>,
    /// Steps and earlier runs that can be looked into.
    pub kept: RwSignal<(Vec<usize>, Vec<String>)>,
    /// The step that is looked into in place of the newest.
    pub visited: RwSignal<Option<usize>>,
    /// The picture of a film that is being drawn, from 1, and how many there are.
    pub drawing: RwSignal<Option<(usize, usize)>>,
    /// The film is to stop before its next picture.
    pub stops_drawing: RwSignal<bool>,
    pub baseline: RwSignal<Option<Baseline>>,
    /// Interventions on the model that every panel shows.
    pub ablations: RwSignal<Vec<Intervention>>,
    /// Characters are coloured by how unsure the model was, not by how surprised.
    pub shades_entropy: RwSignal<bool>,
    /// Analyses that the session offers; empty until it is ready.
    pub catalogue: RwSignal<Catalogue>,
    /// The request of the open analysis, without the prompt.
    pub request: RwSignal<AnalysisRequest>,
    /// View of attention: an index of the choices there.
    pub pattern_view: RwSignal<usize>,
    pub result: RwSignal<Option<Arc<AnalysisResult>>>,
    pub remembered: RwSignal<Remembered>,
    pub evaluated: RwSignal<Option<Evaluated>>,
    /// Evaluations at one temperature after another.
    pub sweep: RwSignal<Vec<Evaluated>>,
    pub probed: RwSignal<Option<ProbeReport>>,
    pub by_type: RwSignal<Option<AttentionByType>>,
    pub outcomes: Outcomes,
    pub bench: RwSignal<BenchReport>,
    pub distilled: RwSignal<Option<DistillReport>>,
    /// A benchmark is under way.
    pub is_measuring: RwSignal<bool>,
    pub resumable: RwSignal<Option<(String, RunConfig, usize)>>,
    pub notices: RwSignal<Vec<Notice>>,
    notices_so_far: StoredValue<usize>,
    /// The token whose prediction is explained; `None` is the one after the prompt.
    pub inspected: RwSignal<Option<Inspected>>,
    pub keys_shown: RwSignal<bool>,
    /// The settings are no longer those of the weights, and the user is asked how to begin; what is to be done then.
    pub changed: RwSignal<Option<Then>>,

    /// The session's answer about the task on the knobs: its facts, or why it cannot be made.
    /// `None` until it has come.
    pub task: RwSignal<Option<Result<TaskFacts, String>>>,
    /// The knob that does not work and why, if one does not.
    pub problem: Memo<Option<(&'static str, String)>>,
}

/// The model that the session holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub name: String,
    pub config: RunConfig,
    pub device: DeviceChoice,
    pub parameters: usize,
    pub training_bytes: u64,
    /// Text becomes other tokens here than it may at the terminal.
    pub is_approximate: bool,
    /// Prompts that ask for more than was trained.
    pub probes: Vec<Probe>,
    /// The least loss that any model could reach, where it is known.
    pub floor: Option<Arc<Floor>>,
    /// A loss to compare with where no floor is known.
    pub reference: Option<Reference>,
    /// Accuracy of the likeliest outputs, where records map something and their source is known.
    pub likeliest: Option<f64>,
    /// It is the one shipped with the page.
    pub is_example: bool,
}

/// Slots by layer, and the names of snapshots.
pub type Remembered = (Vec<(usize, usize)>, Vec<String>);

/// The losses by field after a step.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldView {
    pub step: usize,
    pub fields: Vec<FieldLoss>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    pub steps_per_s: f32,
    pub tokens_per_s: f32,
    /// Workers that train at once.
    pub workers: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleView {
    /// Options of the sample; `None` before the first.
    pub options: Option<SampleOptions>,
    /// Model that it is drawn from, if that is not the newest.
    pub model: Option<String>,
    pub characters: Vec<CharacterReport>,
    pub is_running: bool,
}

impl SampleView {
    pub fn prompt(&self) -> &str {
        self.options.as_ref().map_or("", |options| &options.prompt)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub id: usize,
    pub text: String,
}

impl State {
    pub fn new() -> Self {
        let tuned = RunConfig::tuned(TaskKind::default());
        let knobs = RwSignal::new(tuned.clone());
        let text = RwSignal::new(Arc::from(""));
        let drafts = RwSignal::new(Drafts::default());
        let task = RwSignal::new(None);
        Self {
            knobs,
            text,
            defaults: RwSignal::new(tuned),
            drafts,
            device_choice: RwSignal::new(DeviceChoice::Auto),
            cores: RwSignal::new(None),
            prompt: RwSignal::new(String::new()),
            prompt_is_own: RwSignal::new(false),
            temperature: RwSignal::new(SampleOptions::default().temperature),
            top_k: RwSignal::new(SampleOptions::default().top_k),
            sample_seed: RwSignal::new(SampleOptions::default().seed),
            tab: RwSignal::new(Tab::default()),
            head: RwSignal::new(Head { layer: 0, head: Some(0) }),
            view: RwSignal::new(View::default()),
            lesson: RwSignal::new(None),
            is_ready: RwSignal::new(false),
            loaded: RwSignal::new(None),
            is_linked: RwSignal::new(false),
            model: RwSignal::new(None),
            building: RwSignal::new(false),
            run_state: RwSignal::new(RunState::Paused),
            runs: RwSignal::new(Vec::new()),
            kept_runs: RwSignal::new(Vec::new()),
            fields: RwSignal::new(None),
            speed: RwSignal::new(None),
            device: RwSignal::new(None),
            saved_step: RwSignal::new(None),
            sample: RwSignal::new(SampleView::default()),
            trace: RwSignal::new(None),
            expected: RwSignal::new(None),
            question: RwSignal::new(None),
            answer: RwSignal::new(None),
            fixed_answers: RwSignal::new(Default::default()),
            answers_before: RwSignal::new(Default::default()),
            kept: RwSignal::new(Default::default()),
            visited: RwSignal::new(None),
            drawing: RwSignal::new(None),
            stops_drawing: RwSignal::new(false),
            baseline: RwSignal::new(None),
            ablations: RwSignal::new(Vec::new()),
            shades_entropy: RwSignal::new(false),
            catalogue: RwSignal::new(Catalogue::default()),
            request: RwSignal::new(AnalysisRequest::default()),
            pattern_view: RwSignal::new(0),
            result: RwSignal::new(None),
            remembered: RwSignal::new(Default::default()),
            evaluated: RwSignal::new(None),
            sweep: RwSignal::new(Vec::new()),
            probed: RwSignal::new(None),
            by_type: RwSignal::new(None),
            outcomes: Outcomes::new(),
            bench: RwSignal::new(BenchReport::default()),
            distilled: RwSignal::new(None),
            is_measuring: RwSignal::new(false),
            resumable: RwSignal::new(None),
            notices: RwSignal::new(Vec::new()),
            notices_so_far: StoredValue::new(0),
            inspected: RwSignal::new(None),
            keys_shown: RwSignal::new(false),
            changed: RwSignal::new(None),
            task,
            problem: fit::derive_problem(knobs, drafts, task),
        }
    }

    /// Shows a notice; only the last few are kept.
    pub fn notify(&self, text: impl Into<String>) {
        const MAX: usize = 3;
        let text = text.into();
        let id = self.notices_so_far.get_value() + 1;
        self.notices_so_far.set_value(id);
        self.notices.update(|notices| {
            notices.retain(|notice| notice.text != text);
            notices.push(Notice { id, text });
            let extra = notices.len().saturating_sub(MAX);
            notices.drain(..extra);
        });
        let notices = self.notices;
        let expire = move || {
            notices.try_update(|notices| notices.retain(|notice| notice.id != id));
        };
        Timeout::new(NOTICE_SHOWN_MS, expire).forget();
    }

    /// Shows a tab of the inspector, in its view where that is not beside the others.
    /// True if the run on screen is of the noise codec.
    pub fn is_codec(&self) -> bool {
        self.model.with(|model| {
            model.as_ref().is_some_and(|model| model.config.learner == LearnerKind::Codec)
        })
    }

    pub fn show_tab(&self, tab: Tab) {
        self.tab.set(tab);
        if !browser::is_wide() {
            self.view.set(View::Inspect);
        }
    }

    pub fn is_running(&self) -> bool {
        self.run_state.get() == RunState::Running
    }

    /// True if the model is the one shipped with the page.
    pub fn is_example(&self) -> bool {
        self.model.with(|model| model.as_ref().is_some_and(|model| model.is_example))
    }

    /// Model that the panels show, if it is not the newest: `step 300, with L0H3 × 0`.
    pub fn shown_model(&self) -> Option<String> {
        let step = self.visited.get().map(|step| format!("step {}", group_digits(step)));
        match (step, self.named_ablations()) {
            (None, None) => None,
            (Some(step), None) => Some(step),
            (step, Some(ablations)) => {
                Some(format!("{}, with {ablations}", step.as_deref().unwrap_or("newest step")))
            }
        }
    }

    /// `L0H3 × 0, L1MLP × 0.5`; `None` without ablations.
    pub fn named_ablations(&self) -> Option<String> {
        let names =
            self.ablations.with(|all| all.iter().map(|of| of.to_string()).collect::<Vec<_>>());
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// The page's state, from anywhere in it.
pub fn use_state() -> State {
    expect_context()
}
