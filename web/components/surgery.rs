use confab::protocol::Command;
use confab::surgery::OPERATIONS;
use leptos::prelude::*;

use super::{InputEvent, SelectEvent};
use crate::actions::use_actions;
use crate::state::use_state;

/// An operation on the model, and the way back.
#[component]
pub fn Surgery() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let procedure = RwSignal::new(&OPERATIONS[0]);
    let number = RwSignal::new("0".to_owned());
    let option = |label| format!("<option>{label}</option>");
    let options: String = OPERATIONS.iter().map(|procedure| option(procedure.label)).collect();
    let choose = move |event: SelectEvent| {
        let place = usize::try_from(event.target().selected_index()).unwrap_or(0);
        if let Some(chosen) = OPERATIONS.get(place) {
            procedure.set(chosen);
            number.set(chosen.range.start().to_string());
        }
    };
    let operate = move |_| match procedure.get_untracked().read(&number.get_untracked()) {
        Ok(operation) => actions.operate(Command::Surgery(operation)),
        Err(reason) => state.notify(reason),
    };
    view! {
        <div class="controls lab">
            <label class="asked">
                "Operation"
                <select inner_html=options on:change:target=choose></select>
            </label>
            <label class="asked">
                "Number"
                <input
                    type="text"
                    inputmode="numeric"
                    prop:value=move || number.get()
                    on:input:target=move |event: InputEvent| number.set(event.target().value())
                />
            </label>
            <button class="small" on:click=operate>"Operate"</button>
            <button class="small" on:click=move |_| actions.operate(Command::Undo)>"Undo"</button>
        </div>
        <p class="hint">
            "Number: " {move || procedure.get().takes}
            ". Only dropping changes what the model computes."
        </p>
    }
}
