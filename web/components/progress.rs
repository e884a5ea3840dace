use confab::protocol::RunState;
use leptos::prelude::*;

use super::controls::live;
use crate::runs::{group_digits, show_duration};
use crate::state::use_state;

/// Progress of the run: steps done, and the time that is left.
#[component]
pub fn Progress() -> impl IntoView {
    let state = use_state();
    let step = move || state.last_point().map_or(0, |point| point.step);
    let steps = Memo::new(move |_| {
        state.model.with(|model| model.as_ref().map_or(0, |model| model.config.train.steps))
    });
    let text = move || {
        let (step, steps) = (step(), steps.get());
        if steps == 0 {
            return String::new();
        }
        let speed = state.speed.get().map_or(0.0, |speed| f64::from(speed.steps_per_s));
        let left = match state.run_state.get() {
            RunState::Running if speed > 0.0 => {
                let seconds = steps.saturating_sub(step) as f64 / speed;
                format!(", {} left", show_duration(seconds))
            }
            _ => String::new(),
        };
        format!("{} of {}{left}", group_digits(step), group_digits(steps))
    };
    view! {
        <div class="progress">
            <progress
                aria-label="Steps trained"
                max=move || steps.get().max(1)
                value=move || step().to_string()
            ></progress>
            <span class="hint">{live(text)}</span>
        </div>
    }
}
