use confab::protocol::Baseline;
use leptos::prelude::*;

use super::controls::{InputEvent, SelectEvent, live};
use crate::actions::use_actions;
use crate::runs::group_digits;
use crate::state::use_state;

/// The checkpoint that the inspector shows, and the baseline that it is compared with.
#[component]
pub fn Steps() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let count = move || state.kept.with(|(steps, _)| steps.len());
    // One beyond the kept ones is the model as it is.
    let place = move || {
        let visited = state.visited.get();
        state.kept.with(|(steps, _)| {
            visited.and_then(|visited| steps.iter().position(|step| *step == visited))
        })
    };
    let scrub = move |event: InputEvent| {
        let place: Option<usize> = event.target().value().parse().ok();
        let step = state.kept.with_untracked(|(steps, _)| steps.get(place?).copied());
        if state.visited.get_untracked() != step {
            state.visited.set(step);
            actions.visit();
        }
    };
    let hold = move |event: SelectEvent| {
        let place = usize::try_from(event.target().selected_index()).unwrap_or(0).checked_sub(1);
        let baseline = state.kept.with_untracked(|(steps, runs)| {
            let place = place?;
            Some(match place.checked_sub(runs.len()) {
                None => Baseline::Run(place),
                Some(place) => Baseline::Step(*steps.get(place)?),
            })
        });
        state.baseline.set(baseline);
        actions.visit();
    };
    let shown = move || match state.visited.get() {
        Some(step) => format!("step {}", group_digits(step)),
        None => "newest".into(),
    };
    // As text: a hundred options are one node to make.
    let options = move || {
        let option = |name: &str, is_chosen: bool| {
            let selected = if is_chosen { " selected" } else { "" };
            format!("<option{selected}>{name}</option>")
        };
        let baseline = state.baseline.get();
        let mut html = option("nothing", baseline.is_none());
        state.kept.with(|(steps, runs)| {
            for (index, name) in runs.iter().enumerate() {
                html += &option(name, baseline == Some(Baseline::Run(index)));
            }
            for step in steps {
                html += &option(&format!("step {step}"), baseline == Some(Baseline::Step(*step)));
            }
        });
        html
    };
    view! {
        <Show when=move || { count() > 1 || state.kept.with(|(_, runs)| !runs.is_empty()) }>
            <div class="controls steps">
                <label class="asked">
                    "Checkpoint"
                    <input
                        type="range"
                        aria-valuetext=shown
                        min="0"
                        max=count
                        prop:value=move || place().unwrap_or_else(count).to_string()
                        on:input:target=scrub
                    />
                    <output data-testid="visited">{live(shown)}</output>
                </label>
                <label class="asked">
                    "Compare with"
                    <select inner_html=options on:change:target=hold></select>
                </label>
            </div>
        </Show>
    }
}
