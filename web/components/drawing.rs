use leptos::prelude::*;

use super::controls::{button, live};
use crate::actions::use_actions;
use crate::state::use_state;

/// Progress of a film, while one is drawn.
#[component]
pub fn Drawing() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let count = move || state.drawing.get().unwrap_or((0, 1));
    let text = move || {
        let (picture, of) = count();
        format!("Drawing step {picture} of {of}")
    };
    view! {
        <div class="notice drawing" hidden=move || state.drawing.get().is_none()>
            <p>{live(text)}</p>
            <progress
                aria-label="Steps drawn"
                max=move || count().1
                value=move || count().0.to_string()
            ></progress>
            {button("Cancel", "Stop drawing", move || actions.cancel_film())}
        </div>
    }
}
