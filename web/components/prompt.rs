//! Requests to trace the prompt, sent once typing rests.

use std::time::Duration;

use leptos::prelude::*;

use crate::actions::use_actions;
use crate::state::use_state;

/// Rest of typing before the prompt is traced.
pub const INSPECT_DELAY: Duration = Duration::from_millis(250);

/// Asks for a trace of the prompt whenever it or the model changes, once typing rests.
pub fn inspect_prompt() {
    let (state, actions) = (use_state(), use_actions());
    let mut inspect = debounce(INSPECT_DELAY, move |prompt: String| {
        actions.inspect(prompt);
    });
    let mut last_model = None;
    Effect::new(move |_| {
        let prompt = state.prompt.get();
        let model = state.model.with(|model| model.as_ref().map(|model| model.name.clone()));
        if model.is_none() {
            return;
        }
        if prompt.is_empty() {
            state.trace.set(None);
        }
        if model == last_model {
            inspect(prompt);
        } else {
            last_model = model;
            actions.inspect(prompt);
        }
    });
    Effect::new(move |before: Option<()>| {
        state.temperature.track();
        state.top_k.track();
        state.sample_seed.track();
        if before.is_some() {
            actions.inspect(state.prompt.get_untracked());
        }
    });
}
