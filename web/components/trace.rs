//! The trace that the panels show.

use std::sync::Arc;

use confab::protocol::Trace;
use leptos::prelude::*;

use super::controls::live;
use crate::state::use_state;

/// The newest trace, at most one per frame of the screen.
#[derive(Clone, Copy)]
pub struct Shown(pub RwSignal<Option<Arc<Trace>>>);

/// Puts the newest trace into `shown` with the next frame.
pub fn follow_frames(trace: RwSignal<Option<Arc<Trace>>>, shown: RwSignal<Option<Arc<Trace>>>) {
    let is_due = StoredValue::new(false);
    Effect::new(move |_| {
        trace.track();
        if is_due.get_value() {
            return;
        }
        is_due.set_value(true);
        request_animation_frame(move || {
            is_due.set_value(false);
            shown.set(trace.get_untracked());
        });
    });
}

/// The text of a panel while there is no trace.
#[component]
pub fn NoTrace() -> impl IntoView {
    let state = use_state();
    let text = move || match state.model.with(Option::is_some) {
        true if state.is_codec() => {
            "A noise codec has no layers: the tab Noise codec shows what it does."
        }
        true => {
            "Type a prompt of characters that this model knows, and its passage through the \
                 model shows here."
        }
        false => "Press Train or Step: from the first step on, this shows what the model computes.",
    };
    view! { <p class="nothing">{live(text)}</p> }
}
