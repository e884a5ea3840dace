use std::sync::Arc;

use confab::protocol::Then;
use leptos::prelude::*;

use super::controls::button;
use super::menu::{Close, popup};
use crate::actions::{Actions, use_actions};
use crate::runs::group_digits;
use crate::state::{State, use_state};

/// The model that every panel shows: its name, its step, and what is changed in it. It opens what can be done with it.
#[component]
pub fn ModelChip() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let label = Memo::new(move |_| describe(state));
    view! {
        <div class="chip-holder">
            {popup(
                "Model",
                "The model that is shown, and what can be done with it",
                move || label.get(),
                move |close| list_acts(state, actions, &close),
            )}
        </div>
    }
}

/// `example: phone 113k, step 3,000, with L0H3 × 0, compared`.
fn describe(state: State) -> String {
    if state.building.get() {
        return "making a new model…".into();
    }
    let Some(mut text) = state.model.with(|model| model.as_ref().map(|model| model.name.clone()))
    else {
        return "no model yet".into();
    };
    text += &format!(", step {}", group_digits(state.shown_step()));
    if let Some(ablations) = state.named_ablations() {
        text += &format!(", with {ablations}");
    }
    if state.baseline.get().is_some() {
        text += ", compared";
    }
    text
}

fn list_acts(state: State, actions: Actions, close: &Close) -> AnyView {
    let act = |label, title, act: fn(State, Actions)| {
        let close = Arc::clone(close);
        button(label, title, move || {
            close();
            act(state, actions);
        })
    };
    let (has_ablations, is_compared) =
        untrack(|| (state.named_ablations().is_some(), state.baseline.get().is_some()));
    let is_example = untrack(|| state.is_example());
    view! {
        {is_example.then(|| view! { <p class="hint">"An example. Train starts your own run."</p> })}
        {act("Copy these settings", "Puts this model’s settings on the controls", |state, _| {
            let config = state.model.with_untracked(|model| Some(model.as_ref()?.config.clone()));
            if let Some(config) = config {
                state.show_config(config);
            }
        })}
        {act(
            "Train from these weights",
            "Starts a new run with the settings on the controls and this model’s weights and memories",
            |_, actions| actions.continue_with(Then::Train),
        )}
        {state.visited.get_untracked().map(|_| {
            act("Show the newest step", "", |state, actions| {
                state.visited.set(None);
                actions.visit();
            })
        })}
        {is_compared.then(|| {
            act("Stop comparing", "", |state, actions| {
                state.baseline.set(None);
                actions.visit();
            })
        })}
        {has_ablations.then(|| act("Remove all ablations", "", |_, actions| actions.ablate(Vec::new())))}
    }
    .into_any()
}
