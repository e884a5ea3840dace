//! Whether what the knobs ask for can be run.

use std::collections::BTreeMap;
use std::sync::Arc;

use confab::config::{ConfigError, RunConfig};
use confab::task::{Split, Task, TaskKind, record_rng};
use confab::tokenizer::Tokenizer;
use leptos::prelude::*;

/// What was typed into knobs and is not a value of theirs, with the reason.
pub type Drafts = BTreeMap<&'static str, (String, String)>;

/// Characters shown of a training record.
const EXAMPLE_CHARS: usize = 160;

/// What of the chosen task decides whether a model fits it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskFacts {
    pub tokenizer: Tokenizer,
    pub longest: usize,
    /// The beginning of a training record.
    pub example: String,
    pub error: Option<String>,
}

pub fn derive_task_facts(knobs: RwSignal<RunConfig>, text: RwSignal<Arc<str>>) -> Memo<TaskFacts> {
    let task = Memo::new(move |_| knobs.with(|knobs| knobs.task.clone()));
    Memo::new(move |_| {
        let mut config = task.get();
        if config.kind == TaskKind::Text {
            config.text.text = text.get().to_string();
        }
        match Task::new(&config) {
            Ok(task) => TaskFacts {
                tokenizer: task.tokenizer(),
                longest: task.longest(),
                example: draw_example(&task),
                error: None,
            },
            Err(error) => TaskFacts {
                tokenizer: Tokenizer::new(""),
                longest: 0,
                example: String::new(),
                error: Some(error.to_string()),
            },
        }
    })
}

fn draw_example(task: &Task) -> String {
    let record = task.draw(Split::Train, EXAMPLE_CHARS, &mut record_rng(0, 0));
    record.text.chars().take(EXAMPLE_CHARS).collect()
}

pub fn derive_problem(
    knobs: RwSignal<RunConfig>,
    drafts: RwSignal<Drafts>,
    task_facts: Memo<TaskFacts>,
) -> Memo<Option<(&'static str, String)>> {
    Memo::new(move |_| {
        let draft = drafts
            .with(|drafts| drafts.iter().next().map(|(key, (_, reason))| (*key, reason.clone())));
        if draft.is_some() {
            return draft;
        }
        let facts = task_facts.get();
        if let Some(error) = facts.error {
            return Some(("task.text.text", error));
        }
        knobs.with(|knobs| {
            knobs
                .validate()
                .and_then(|()| knobs.validate_context(facts.longest))
                .err()
                .map(|error| (find_knob(&error), error.to_string()))
        })
    })
}

/// The key of the knob that `error` is about.
fn find_knob(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Range { key, .. } => key,
        ConfigError::Heads { .. } => "model.n_heads",
        ConfigError::KeyHeads { .. } => "model.kv_heads",
        ConfigError::HeadWidth { .. } | ConfigError::Rotary { .. } => "model.d_head",
        ConfigError::Context { .. } => "model.context",
        ConfigError::Memory { .. } => "train.batch",
        ConfigError::Task(_) => "task.text.text",
        ConfigError::Unknown(_) => "",
    }
}
