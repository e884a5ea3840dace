//! Check of the knobs: the one that cannot be run with, and why.

use std::collections::BTreeMap;

use confab::config::{ConfigError, RunConfig};
use confab::protocol::TaskFacts;
use leptos::prelude::*;

/// Texts typed into knobs that are no values of theirs, with the reason.
pub type Drafts = BTreeMap<&'static str, (String, String)>;

/// The knob that does not work and why. While the task is not known, nothing is held against it:
/// the session refuses what cannot be run.
pub fn derive_problem(
    knobs: RwSignal<RunConfig>,
    drafts: RwSignal<Drafts>,
    task: RwSignal<Option<Result<TaskFacts, String>>>,
) -> Memo<Option<(&'static str, String)>> {
    Memo::new(move |_| {
        let draft = drafts
            .with(|drafts| drafts.iter().next().map(|(key, (_, reason))| (*key, reason.clone())));
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
        ConfigError::MemoryLayers { .. } => "model.memory.layers",
        ConfigError::KeyWidth { .. } => "model.memory.d_key",
        ConfigError::Context { .. } => "model.context",
        ConfigError::Memory { .. } => "train.batch",
        ConfigError::Parts { key, .. } => key,
        ConfigError::Task(_) => "task.text.text",
        ConfigError::Unknown(_) => "",
    }
}
