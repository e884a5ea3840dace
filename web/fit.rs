//! Check of the knobs: the one that cannot be run with, and why.

use confab::config::{ConfigError, RunConfig};
use confab::protocol::TaskFacts;
use leptos::prelude::*;

/// Texts typed into knobs that are no values of theirs, with the reason.
#[derive(Clone, Debug, Default)]
pub struct Drafts(Vec<Draft>);

#[derive(Clone, Debug)]
struct Draft {
    key: &'static str,
    typed: String,
    reason: String,
}

impl Drafts {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text typed into a knob.
    pub fn typed(&self, key: &str) -> Option<String> {
        self.of(key).map(|draft| draft.typed.clone())
    }

    /// The reason why it is no value.
    pub fn reason(&self, key: &str) -> Option<String> {
        self.of(key).map(|draft| draft.reason.clone())
    }

    /// Takes what was typed into a knob in the place of what was before.
    pub fn put(&mut self, key: &'static str, typed: String, reason: String) {
        self.remove(key);
        self.0.push(Draft { key, typed, reason });
    }

    pub fn remove(&mut self, key: &str) {
        self.0.retain(|draft| draft.key != key);
    }

    fn of(&self, key: &str) -> Option<&Draft> {
        self.0.iter().find(|draft| draft.key == key)
    }
}

/// The knob that does not work and why. While the task is not known, nothing is held against it:
/// the session refuses what cannot be run.
pub fn derive_problem(
    knobs: RwSignal<RunConfig>,
    drafts: RwSignal<Drafts>,
    task: RwSignal<Option<Result<TaskFacts, String>>>,
) -> Memo<Option<(&'static str, String)>> {
    Memo::new(move |_| {
        let draft =
            drafts.with(|drafts| drafts.0.first().map(|draft| (draft.key, draft.reason.clone())));
        if draft.is_some() {
            return draft;
        }
        let longest = match task.get() {
            Some(Err(error)) => return Some((find_text(knobs), error)),
            Some(Ok(facts)) => facts.longest,
            None => 0,
        };
        knobs.with(|knobs| {
            knobs
                .validate()
                .and_then(|()| knobs.validate_context(longest))
                .err()
                .map(|error| (find_knob(&error), error.to_string()))
        })
    })
}

/// The key of the knob for the user's text that the task is made of; a supplement has none.
fn find_text(knobs: RwSignal<RunConfig>) -> &'static str {
    let knob = knobs.with(|knobs| knobs.task.kind.text_knob());
    knob.map_or("task.kind", |knob| knob.key)
}

/// The key of the knob that `error` is about.
fn find_knob(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Range { key, .. } => key,
        ConfigError::Heads { .. } => "model.n_heads",
        ConfigError::KeyHeads { .. } => "model.kv_heads",
        ConfigError::HeadWidth { .. } | ConfigError::Rotary { .. } => "model.d_head",
        ConfigError::HeadGates => "train.heads.every",
        ConfigError::MixerLayer { .. } => "model.mixer",
        ConfigError::MemoryLayers { .. } => "model.memory.layers",
        ConfigError::KeyWidth { .. } => "model.memory.d_key",
        ConfigError::Context { .. } => "model.context",
        ConfigError::Memory { .. } => "train.batch",
        ConfigError::Parts { key, .. } => key,
        ConfigError::Task(_) => "task.text.text",
        ConfigError::Unknown(_) => "",
    }
}
