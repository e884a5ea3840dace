use confab::config::{MemoryKind, MlpKind, ModelConfig, layers};
use leptos::prelude::*;

use crate::head::{Head, MANY_HEADS};
use crate::runs::group_digits;
use crate::state::{State, use_state};
use crate::tab::Tab;

/// The model's parts from its input to its output, as wide as they are; each opens where it is looked into. Without a
/// model it is the one that the settings ask for.
#[component]
pub fn Diagram() -> impl IntoView {
    let state = use_state();
    let model = Memo::new(move |_| {
        let held = state.model.with(|model| model.as_ref().map(|model| model.config.model.clone()));
        held.unwrap_or_else(|| state.knobs.with(|knobs| knobs.model.clone()))
    });
    let parts = move || model.with(|model| draw(state, model));
    view! {
        <section class="panel diagram" aria-label="Model" hidden=move || state.is_codec()>
            <div class="heading">
                <h2>"Model"</h2>
                <span class="hint">"widths to scale; each part opens"</span>
            </div>
            <div class="parts">{parts}</div>
        </section>
    }
}

fn draw(state: State, model: &ModelConfig) -> impl IntoView + use<> {
    let heads = model.n_heads * model.d_head();
    let widest = model.d_model.max(heads).max(model.d_mlp()).max(1);
    let share = move |width: usize| 100.0 * width as f64 / widest as f64;
    let memories = layers(&model.memory.layers).unwrap_or_default();
    let has_memory = |layer: usize| {
        model.memory.kind != MemoryKind::None && (memories.is_empty() || memories.contains(&layer))
    };
    let bar = move |name: String, class, width, title, open: Box<dyn Fn()>| {
        let style = format!("width:{:.1}%", share(width));
        view! {
            <button class=class style=style title=title on:click=move |_| open()>{name}</button>
        }
        .into_any()
    };
    let residual = |name: &str| {
        let title = format!("{} numbers per token", group_digits(model.d_model));
        let open = move || state.show_tab(Tab::Outputs);
        bar(name.into(), "part residual", model.d_model, title, Box::new(open))
    };
    let is_crowded = model.n_layers * model.n_heads > MANY_HEADS;
    let layer = |layer: usize| {
        let all = is_crowded.then(|| {
            let open = move || {
                state.head.set(Head { layer, head: Some(0) });
                state.show_tab(Tab::Attention);
            };
            let name = format!("L{layer}: {} heads", model.n_heads);
            bar(name, "part", heads, String::new(), Box::new(open))
        });
        let head = |head: usize| {
            let name = format!("Head L{layer}H{head}");
            let open = move |_| {
                state.head.set(Head { layer, head: Some(head) });
                state.show_tab(Tab::Attention);
            };
            let is_chosen = move || {
                let is_shown = state.head.get() == Head { layer, head: Some(head) };
                (is_shown && state.tab.get() == Tab::Attention).to_string()
            };
            view! {
                <button class="part" aria-label=name.clone() title=name aria-pressed=is_chosen on:click=open></button>
            }
        };
        let style = format!("width:{:.1}%", share(heads));
        let memory = has_memory(layer).then(|| {
            let title = format!("memory of {} slots at most", group_digits(model.memory.slots));
            let open = move || {
                state.request.update(|request| request.layer = layer);
                state.show_tab(Tab::Memory);
            };
            bar(format!("L{layer} memory"), "part memory", model.d_model, title, Box::new(open))
        });
        let has_mlp =
            model.mlp != MlpKind::None && !(has_memory(layer) && model.memory.kind.replaces_mlp());
        let mlp = has_mlp.then(|| {
            let title = format!("{} hidden numbers", group_digits(model.d_mlp()));
            let open = move || state.show_tab(Tab::Change);
            bar(format!("L{layer} MLP"), "part mlp", model.d_mlp(), title, Box::new(open))
        });
        let each = (!is_crowded).then(|| {
            let label = format!("Heads of layer {layer}");
            let heads = (0..model.n_heads).map(head).collect_view();
            view! { <div class="heads" style=style role="group" aria-label=label>{heads}</div> }
        });
        view! {
            {all}
            {each}
            {memory}
            {mlp}
        }
    };
    view! {
        {residual("Embed")}
        {(0..model.n_layers).map(layer).collect_view()}
        {residual("Unembed")}
    }
}
