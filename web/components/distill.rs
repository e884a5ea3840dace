use confab::config::MemoryKind;
use confab::report::{DistillReport, LayerError};
use leptos::prelude::*;

use super::controls::{asked, button, choice, form, options, submit};
use super::save::{Saved, name_saved, save_menu};
use crate::actions::use_actions;
use crate::runs::group_digits;
use crate::state::{State, use_state};
use crate::tables::{escape, headings, row, table};

/// A clone of the model that learns with memories, beside its teacher.
#[component]
pub fn Distill() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let names = MemoryKind::replacing;
    let name = move |place: usize| names().nth(place).unwrap_or_default().to_owned();
    let kind = RwSignal::new(name(0));
    let [layers, prompt] = [(); 2].map(|()| RwSignal::new(String::new()));
    let steps = RwSignal::new("150".to_owned());
    let kinds = move || options(names(), 0);
    let begin = move || {
        let settings =
            [("model.memory.kind", kind), ("model.memory.layers", layers), ("train.steps", steps)];
        let settings = settings.map(|(key, typed)| (key, typed.get_untracked()));
        actions.distill(&settings, prompt.get_untracked());
    };
    let controls = view! {
        {choice("Kind", kinds, move |place| kind.set(name(place)))}
        {asked("In layers", "all", layers)}
        {asked("For steps", "", steps)}
        {asked("Both write after", "an example", prompt)}
        {submit("Distil", "")}
        {button("Stop", "", move || actions.stop_job())}
    };
    view! {
        <details aria-label="Distillation">
            <summary>"Distil into memories"</summary>
            <p class="hint">
                "A clone keeps the model’s weights, has memories in the place of these layers’ MLPs (of \
                 all, if none are named), and learns to predict what the model does. It then takes its \
                 place; Undo under Edit architecture takes it back."
            </p>
            {form("controls lab", controls, begin)}
            {save_menu(move || state.distilled.with(|report| save(state, report.as_ref()?)))}
            <div inner_html=move || state.distilled.with(|report| report.as_ref().map(show))></div>
        </details>
    }
}

fn save(state: State, report: &DistillReport) -> Option<Saved> {
    let rows = report.layers.iter().map(|of| format!("L{}", of.layer)).collect();
    let slots = |of: &LayerError| of.slots.map_or(f32::NAN, |slots| slots as f32);
    let numbers = report.layers.iter().flat_map(|of| [of.error, slots(of)]).collect();
    let name = name_saved(state, report.step, "distillation");
    Some(Saved::table(name, "Replaced layers", rows, &["error", "slots"], numbers))
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
    html += &table("facts", "Replaced layers", &head, &rows);
    if let Some(sides) = sides {
        for (name, text) in [("Teacher", &sides.teacher), ("Clone", &sides.clone)] {
            let (prompt, text) = (escape(&sides.prompt), escape(text));
            html +=
                &format!("<p class=hint>{name}: <span class=mono>{prompt}<b>{text}</b></span></p>");
        }
    }
    html
}
