use confab::protocol::Command;
use confab::run::OPERATIONS;
use leptos::prelude::*;

use super::controls::{asked, button, choice, form, live, options, submit};
use crate::actions::use_actions;
use crate::state::use_state;

/// An operation on the model, and the way back.
#[component]
pub fn Surgery() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let procedure = RwSignal::new(&OPERATIONS[0]);
    let number = RwSignal::new("0".to_owned());
    let names = || options(OPERATIONS.iter().map(|procedure| procedure.label), 0);
    let choose = move |place: usize| {
        if let Some(chosen) = OPERATIONS.get(place) {
            procedure.set(chosen);
            number.set(chosen.range.start().to_string());
        }
    };
    let takes = move || {
        let place = procedure.get().kind as usize;
        state.catalogue.with(|of| of.operations.get(place).cloned().unwrap_or_default())
    };
    let operate = move || match procedure.get_untracked().read(&number.get_untracked()) {
        Ok(operation) => actions.operate(Command::Surgery(operation)),
        Err(reason) => state.notify(format!("{reason}: {}", takes())),
    };
    let controls = view! {
        {choice("Operation", names, choose)}
        {asked("Number", "", number)}
        {submit("Apply", "")}
        {button("Undo", "", move || actions.operate(Command::Undo))}
    };
    view! {
        {form("controls lab", controls, operate)}
        <p class="hint">
            "Number: " {live(takes)} ". Adding and widening leave what the model computes as it is."
        </p>
    }
}
