use confab::config::LearnerKind;
use confab::protocol::Then;
use leptos::html;
use leptos::prelude::*;

use super::controls::{live, open_while};
use crate::actions::use_actions;
use crate::runs::list_changes;
use crate::state::{State, use_state};

/// Most changes that are named.
const NAMED: usize = 5;

/// Question what becomes of the weights that were trained, once the settings are no longer theirs.
#[component]
pub fn Begin() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let dialog = NodeRef::<html::Dialog>::new();
    open_while(dialog, move || state.changed.with(Option::is_some));
    let answer = move |act: fn(crate::actions::Actions, Then)| {
        let then = state.changed.get_untracked();
        state.changed.set(None);
        if let Some(then) = then {
            act(actions, then);
        }
    };
    let takes_weights = move || {
        let old = state.model.with(|model| model.as_ref().map(|model| model.config.clone()));
        old.is_some_and(|old| {
            let new = state.config();
            let is_gpt = [&old, &new].iter().all(|of| of.learner == LearnerKind::Gpt);
            is_gpt && new.model.takes_weights_of(&old.model) && new.task.kind == old.task.kind
        })
    };
    let about = move || match takes_weights() {
        true => {
            "Go on trains these weights with the new settings, from step 0. A new run begins with new weights."
        }
        false => "What was learnt does not fit the new settings, so a new run begins.",
    };
    view! {
        <dialog
            class="dialog"
            aria-labelledby="begin-title"
            node_ref=dialog
            on:close=move |_| state.changed.set(None)
        >
            <h2 id="begin-title">"The settings have changed"</h2>
            <ul>
                <For each=move || describe_changes(state) key=String::clone let(change)>
                    <li>{change}</li>
                </For>
            </ul>
            <p>{live(about)}" The run that you have stays under Compare."</p>
            <div class="buttons">
                <button
                    hidden=move || !takes_weights()
                    on:click=move |_| answer(|actions, then| actions.continue_with(then))
                >
                    "Go on with these weights"
                </button>
                <button class="primary" on:click=move |_| answer(|actions, then| {
                    actions.build(then);
                })>
                    "New run"
                </button>
                <button on:click=move |_| state.changed.set(None)>"Cancel"</button>
            </div>
        </dialog>
    }
}

/// Lists the differences of the knobs from the run on screen; empty while the dialog is closed.
fn describe_changes(state: State) -> Vec<String> {
    if state.changed.with(Option::is_none) {
        return Vec::new();
    }
    let run = state.runs.with(|runs| runs.last().map(|run| (run.config.clone(), run.device)));
    let Some((config, device)) = run else { return Vec::new() };
    let asked = (&state.config(), state.device_choice.get());
    let mut changes = list_changes((&config, device), asked);
    if changes.len() > NAMED {
        let rest = changes.split_off(NAMED).len();
        changes.push(format!("and {rest} more"));
    }
    changes
}
