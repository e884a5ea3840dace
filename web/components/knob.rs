use confab::config::{Knob, Range, TaskKind};
use leptos::ev;
use leptos::prelude::*;
use web_sys::HtmlTextAreaElement;

use crate::actions::use_actions;
use crate::browser;
use crate::components::controls::{InputEvent, SelectEvent, live};
use crate::state::{State, use_state};

type TextEvent = ev::Targeted<ev::Event, HtmlTextAreaElement>;

/// One knob: its name, its control, a way back to its default, and what is wrong with it.
#[component]
pub fn KnobRow(knob: &'static Knob) -> impl IntoView {
    let state = use_state();
    let id = format!("knob-{}", knob.key.replace('.', "-"));
    let (note, label) = (format!("{id}-note"), format!("{id}-label"));
    let problem = Memo::new(move |_| {
        state.drafts.with(|drafts| drafts.reason(knob.key)).or_else(|| {
            let problem = state.problem.get();
            problem.filter(|(key, _)| *key == knob.key).map(|(_, reason)| reason)
        })
    });
    let default = Memo::new(move |_| state.defaults.with(|defaults| knob.get(defaults)));
    let differs = Memo::new(move |_| state.is_changed(knob));
    let help = move || {
        let range = knob.range.describe();
        state.catalogue.with(|catalogue| match catalogue.help(knob) {
            "" => range,
            help => format!("{help}: {range}"),
        })
    };
    let control = match knob.range {
        Range::Int { .. } | Range::Float { .. } | Range::Layers | Range::List(_) => {
            number(knob, state, &id, &note, problem).into_any()
        }
        Range::Bool => checkbox(knob, state, &id).into_any(),
        Range::Choice(choices) => select(knob, choices, state, &id).into_any(),
        Range::ByLayer(names) => by_layer(knob, names, state, &id, &note, problem).into_any(),
        Range::Text { .. } => return text(knob, id, note, help, problem).into_any(),
    };
    view! {
        <div
            class="knob"
            title=help
            class:changed=differs
            class:wrong=move || problem.get().is_some()
        >
            <label id=label.clone() for=id>{knob.label}</label>
            {control}
            <button
                class="quiet restore"
                aria-label="Back to default"
                aria-describedby=label
                title=move || format!("back to {}", default.get())
                disabled=move || !differs.get()
                on:click=move |_| state.set_knob(knob, &default.get_untracked())
            >
                "↺"
            </button>
            <Problem id=note problem/>
        </div>
    }
    .into_any()
}

#[component]
fn Problem(id: String, problem: Memo<Option<String>>) -> impl IntoView {
    view! { <p class="problem" id=id aria-live="polite">{live(move || problem.get().unwrap_or_default())}</p> }
}

fn number(
    knob: &'static Knob,
    state: State,
    id: &str,
    note: &str,
    problem: Memo<Option<String>>,
) -> impl IntoView {
    // What is being typed and the value that it made: `0.` is a number, and written as one would be another.
    let typed = RwSignal::new(None::<(String, String)>);
    let value = move || state.typed(knob);
    let shown = move || {
        let value = value();
        let own = typed.get().filter(|(_, made)| *made == value);
        own.map_or(value, |(text, _)| text)
    };
    let is_whole = matches!(knob.range, Range::Int { .. });
    view! {
        <input
            id=id.to_owned()
            type="text"
            inputmode=if is_whole { "numeric" } else { "text" }
            autocomplete="off"
            spellcheck="false"
            aria-describedby=note.to_owned()
            aria-invalid=move || problem.get().is_some().to_string()
            prop:value=shown
            on:input:target=move |event: InputEvent| {
                let text = event.target().value();
                state.set_knob(knob, &text);
                typed.set(Some((text, untrack(value))));
            }
            on:change=move |_| typed.set(None)
            on:blur=move |_| typed.set(None)
            on:keydown=move |event| {
                if is_whole && let Some(value) = nudge(knob, &event, &value()) {
                    event.prevent_default();
                    typed.set(None);
                    state.set_knob(knob, &value);
                }
            }
        />
    }
}

/// The whole number after an arrow key: one more or less, kept in range.
fn nudge(knob: &Knob, event: &ev::KeyboardEvent, shown: &str) -> Option<String> {
    let Range::Int { min, max } = knob.range else { return None };
    let value: u64 = shown.trim().parse().ok()?;
    let value = match event.key().as_str() {
        "ArrowUp" => value.saturating_add(1),
        "ArrowDown" => value.saturating_sub(1),
        _ => return None,
    };
    Some(value.clamp(min, max).to_string())
}

fn checkbox(knob: &'static Knob, state: State, id: &str) -> impl IntoView {
    view! {
        <input
            id=id.to_owned()
            type="checkbox"
            prop:checked=move || state.knobs.with(|knobs| knob.get(knobs)) == "true"
            on:change:target=move |event: InputEvent| {
                state.set_knob(knob, &event.target().checked().to_string());
            }
        />
    }
}

fn select(
    knob: &'static Knob,
    choices: &'static [&'static str],
    state: State,
    id: &str,
) -> impl IntoView {
    let options = choices
        .iter()
        .map(|choice| {
            let is_chosen = move || state.knobs.with(|knobs| knob.get(knobs)) == *choice;
            let title = TaskKind::parse(choice).filter(|_| knob.key == "task.kind");
            let title = title.map_or_else(|| choice.replace('_', " "), |kind| kind.title().into());
            view! { <option value=*choice prop:selected=is_chosen>{title}</option> }
        })
        .collect_view();
    view! {
        <select
            id=id.to_owned()
            on:change:target=move |event: SelectEvent| {
                state.set_knob(knob, &event.target().value());
            }
        >
            {options}
        </select>
    }
}

/// A choice for all layers, or a text that names layers.
fn by_layer(
    knob: &'static Knob,
    names: &'static [&'static str],
    state: State,
    id: &str,
    note: &str,
    problem: Memo<Option<String>>,
) -> impl IntoView {
    let is_by_layer = Memo::new(move |_| !names.contains(&&*state.typed(knob)));
    let options = names.iter().map(|name| {
        let is_chosen = move || state.typed(knob) == *name;
        view! { <option value=*name prop:selected=is_chosen>{*name}</option> }
    });
    let choose = move |event: SelectEvent| {
        let chosen = event.target().value();
        if !chosen.is_empty() {
            return state.set_knob(knob, &chosen);
        }
        // Each layer is named, to be changed.
        let (layers, name) = (
            state.knobs.with_untracked(|knobs| knobs.model.n_layers),
            untrack(|| state.typed(knob)),
        );
        let all = (0..layers).map(|layer| format!("{layer}:{name}"));
        state.set_knob(knob, &all.collect::<Vec<_>>().join(","));
    };
    let own_id = format!("{id}-by-layer");
    let typed = number(knob, state, &own_id, note, problem).into_any();
    view! {
        <select id=id.to_owned() on:change:target=choose>
            {options.collect_view()}
            <option value="" prop:selected=is_by_layer>"by layer"</option>
        </select>
        <label class="by-layer" hidden=move || !is_by_layer.get()>{format!("{} by layer", knob.label)}{typed}</label>
    }
}

fn text(
    knob: &'static Knob,
    id: String,
    note: String,
    help: impl Fn() -> String + Send + 'static,
    problem: Memo<Option<String>>,
) -> impl IntoView {
    let actions = use_actions();
    let open = move |event: InputEvent| {
        if let Some(file) = browser::list_files(event.target().files()).pop() {
            actions.load_text(knob, file);
        }
    };
    let placeholder = match knob.task() {
        Some(TaskKind::Grammar) => "Write rules, or open a file of them…",
        Some(TaskKind::Spacing) => "Paste sentences, or leave it empty for made-up ones…",
        _ => "Paste a text, or records in JSON…",
    };
    view! {
        <div class="knob text" title=help class:wrong=move || problem.get().is_some()>
            <label for=id.clone()>{knob.label}</label>
            <textarea
                id=id
                rows="5"
                spellcheck="false"
                placeholder=placeholder
                aria-describedby=note.clone()
                prop:value=move || actions.state.typed_text(knob)
                on:input:target=move |event: TextEvent| {
                    actions.take_text(knob, event.target().value());
                }
            />
            <input
                type="file"
                accept=".txt,.md,.csv,.json,.jsonl,text/plain"
                aria-label="Text file"
                on:change:target=open
            />
            <Problem id=note problem/>
        </div>
    }
}
