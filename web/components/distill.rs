use confab::config::MemoryKind;
use confab::report::{DistillReport, LayerError};
use leptos::prelude::*;

use super::SelectEvent;
use super::memory::asked;
use crate::actions::use_actions;
use crate::runs::group_digits;
use crate::state::use_state;
use crate::tables::{escape, headings, row, table};

/// A clone of the model that learns with memories, beside its teacher.
#[component]
pub fn Distill() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let kind = RwSignal::new(MemoryKind::NAMES[1].to_owned());
    let [layers, prompt] = [(); 2].map(|()| RwSignal::new(String::new()));
    let steps = RwSignal::new("150".to_owned());
    let option = |kind: &&str| format!("<option>{kind}</option>");
    let options: String = MemoryKind::NAMES[1..].iter().map(option).collect();
    let begin = move |_| {
        let settings =
            [("model.memory.kind", kind), ("model.memory.layers", layers), ("train.steps", steps)];
        let settings = settings.map(|(key, typed)| (key, typed.get_untracked()));
        actions.distill(&settings, prompt.get_untracked());
    };
    view! {
        <details aria-label="Distillation">
            <summary>"Distil into memories"</summary>
            <p class="hint">
                "A clone keeps the model’s weights, has memories in the place of these layers’ MLPs (of \
                 all, if none are named), and learns to predict what the model does. It then takes its \
                 place; Undo under Surgery takes it back."
            </p>
            <div class="controls lab">
                <label class="asked">
                    "Kind"
                    <select
                        inner_html=options
                        on:change:target=move |event: SelectEvent| kind.set(event.target().value())
                    ></select>
                </label>
                {asked("In layers", "all", layers)} {asked("For steps", "", steps)}
                {asked("Both write after", "an example", prompt)}
                <button class="small" on:click=begin>"Distil"</button>
                <button class="small" on:click=move |_| actions.stop_job()>"Stop"</button>
            </div>
            <div inner_html=move || state.distilled.with(|report| report.as_ref().map(show))></div>
        </details>
    }
}

fn show(report: &DistillReport) -> String {
    let DistillReport { step, steps, kl, first_kl, agreement, layers, sides, .. } = report;
    let mut html = format!(
        "<p class=hint data-testid=distilled>Step {} of {}: KL(teacher ‖ clone) {kl:.4} nats a token, \
         {first_kl:.4} at first; likeliest the same at {:.1}% of tokens.</p>",
        group_digits(*step),
        group_digits(*steps),
        100.0 * agreement,
    );
    let of_layer = |of: &LayerError| {
        let slots = of.slots.map_or("–".into(), group_digits);
        let cells = format!("<td>{:.3}</td><td>{slots}</td>", of.error);
        row(&format!("L{}", of.layer), "", &cells)
    };
    let rows: String = layers.iter().map(of_layer).collect();
    let head = headings("Layer", ["Error", "Slots"].into_iter());
    html += &table("", "Replaced layers", &head, &rows);
    if let Some(sides) = sides {
        for (name, text) in [("Teacher", &sides.teacher), ("Clone", &sides.clone)] {
            let (prompt, text) = (escape(&sides.prompt), escape(text));
            html +=
                &format!("<p class=hint>{name}: <span class=mono>{prompt}<b>{text}</b></span></p>");
        }
    }
    html
}
