use leptos::prelude::*;

use super::alternatives::Bars;
use super::controls::SelectEvent;
use super::strip::{SampleRow, has_floor};
use super::trace::{NoTrace, Shown};
use crate::state::use_state;

/// Every character with what else the model held possible in its place. The prompt's stand above all panels.
#[component]
pub fn Probabilities() -> impl IntoView {
    let state = use_state();
    let Shown(trace) = expect_context();
    let sampled = Memo::new(move |_| state.sample.with(|sample| sample.characters.len()));
    let is_empty = move || trace.with(Option::is_none) && sampled.get() == 0;
    let colour = move |event: SelectEvent| {
        state.shades_entropy.set(event.target().selected_index() == 1);
    };
    view! {
        <Show when=move || !is_empty() fallback=|| view! { <NoTrace/> }>
            <h3>"Output"</h3>
            <Show
                when=move || { sampled.get() > 0 }
                fallback=|| view! { <p class="hint">"Press Generate to continue the prompt."</p> }
            >
                <SampleRow count=sampled/>
            </Show>
            <CostKey/>
            <label class="asked">
                "Colour by"
                <select on:change:target=colour>
                    <option prop:selected=move || !state.shades_entropy.get()>"surprisal"</option>
                    <option prop:selected=move || state.shades_entropy.get()>"entropy"</option>
                </select>
            </label>
            <Bars/>
        </Show>
    }
}

/// The meaning of the bars under characters.
#[component]
fn CostKey() -> impl IntoView {
    let has_floor = Memo::new(|_| has_floor());
    view! {
        <Show
            when=move || has_floor.get()
            fallback=|| view! { <p class="hint">"Under each character: its surprisal (−log p)."</p> }
        >
            <p class="hint">
                "Under each character: its surprisal (−log p). "<i class="key floor"></i>" Unavoidable, "
                <i class="key excess"></i>" avoidable, "
                <i class="key impossible"></i>" never written here by the task."
            </p>
        </Show>
    }
}
