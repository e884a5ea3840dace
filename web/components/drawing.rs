use leptos::prelude::*;

use super::controls::{button, live};
use crate::actions::use_actions;
use crate::state::use_state;

/// How far a film is drawn, while one is.
#[component]
pub fn Drawing() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let count = move || state.drawing.get().map_or((0, 1), |of| (of.picture, of.of));
    let text = move || {
        let (picture, of) = count();
        format!("Drawing step {picture} of {of}")
    };
    view! {
        <Show when=move || state.drawing.with(Option::is_some)>
            <div class="notice drawing">
                <p>{live(text)}</p>
                <progress
                    aria-label="Steps drawn"
                    max=move || count().1
                    value=move || count().0.to_string()
                ></progress>
                {button("Cancel", "Stop drawing", move || actions.cancel_film())}
            </div>
        </Show>
    }
}
