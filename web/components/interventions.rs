use confab::run::Intervention;
use leptos::html;
use leptos::prelude::*;

use super::controls::{asked, form, live, submit};
use crate::actions::use_actions;
use crate::state::use_state;
use crate::tab::Tab;

/// The ablations of the model that every panel shows, and a form to add more.
#[component]
pub fn Interventions() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let part = RwSignal::new(String::new());
    let factor = RwSignal::new("0".to_owned());
    let add = move || {
        match parse_intervention(&part.get_untracked(), &factor.get_untracked()) {
        Some(one) => {
            let mut ablations = state.ablations.get_untracked();
            ablations.push(one);
            actions.ablate(ablations);
        }
        None => state.notify(
            "The ablation was not added: name a part as L0H3, L1MLP or L2 (the residual stream before \
             layer 2), with @4 or @4-7 for some positions only, and a number to scale it by; or a \
             weight as blocks.0.attn.W_Q[3,5], and what to set it to.",
        ),
    }
    };
    // A weight picked in a figure is the next to set.
    Effect::new(move |before: Option<(usize, usize)>| {
        let (cell, name) = state.request.with(|request| (request.cell, request.parameter.clone()));
        if before.is_some_and(|before| before != cell) {
            let name = if name.is_empty() { "embed.W_E".into() } else { name };
            part.set(format!("{name}[{},{}]", cell.0, cell.1));
        }
        cell
    });
    let list = move || {
        let ablations = state.ablations.get();
        ablations
            .iter()
            .enumerate()
            .map(|(index, intervention)| {
                let name = intervention.to_string();
                view! {
                    <button
                        type="button"
                        class="small"
                        aria-label=format!("Remove {name}")
                        on:click=move |_| {
                            let mut ablations = state.ablations.get_untracked();
                            if index < ablations.len() {
                                ablations.remove(index);
                                actions.ablate(ablations);
                            }
                        }
                    >
                        {name.clone()}" ✕"
                    </button>
                }
            })
            .collect_view()
    };
    // It opens by itself with its tab only, and closes by hand: nothing moves away from under the pointer.
    let details = NodeRef::<html::Details>::new();
    Effect::new(move |_| {
        let is_needed = state.tab.get() == Tab::Change;
        if let Some(details) = details.get().filter(|_| is_needed) {
            details.set_open(true);
        }
    });
    let controls = view! {
        {list}
        {asked("Part", "L0H3, L1MLP, L2@4-7", part)}
        {asked("Scale by, or a weight’s value", "", factor)}
        {submit("Add ablation", "")}
    };
    view! {
        <details class="changes" node_ref=details>
            <summary>
                "Ablations"
                {live(move || state.named_ablations().map_or(String::new(), |all| format!(": {all}")))}
            </summary>
            {form("controls", controls, add)}
        </details>
    }
}

fn parse_intervention(part: &str, number: &str) -> Option<Intervention> {
    let number: f64 = number.trim().parse().ok()?;
    Intervention::parse(part.trim(), number as f32)
}
