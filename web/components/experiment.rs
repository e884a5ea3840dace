use confab::config::{KNOBS, Knob, MemoryConfig, NoiseConfig, PRESETS, Preset, TUNED};
use confab::run::DeviceChoice;
use leptos::prelude::*;

use crate::components::controls::{SelectEvent, live};
use crate::components::knob::KnobRow;
use crate::runs::{format_bytes, group_digits, list_changes, name_device};
use crate::state::{State, use_state};

#[component]
pub fn Experiment() -> impl IntoView {
    let state = use_state();
    let kind = Memo::new(move |_| state.knobs.with(|knobs| knobs.task.kind));
    let task_options = move || {
        KNOBS
            .iter()
            .filter(|knob| knob.task() == Some(kind.get()))
            .map(|knob| view! { <KnobRow knob/> })
            .collect_view()
    };
    view! {
        <section class="panel experiment" aria-label="Experiment">
            <h2>"Experiment"</h2>
            <div class="knobs lead">
                {Knob::find("task.kind").map(|knob| view! { <KnobRow knob/> })}
                {choose_preset(state)}
                {choose_device(state)}
            </div>
            <Summary/>
            <details open=true>
                <summary>"Task options"</summary>
                <div class="knobs">{task_options}</div>
            </details>
            <details open=true>
                <summary>"Model"</summary>
                <div class="knobs">{list_knobs("model.")}</div>
            </details>
            <details open=state.knobs.with_untracked(|knobs| knobs.model.memory != MemoryConfig::default())>
                <summary>"External memory"</summary>
                <div class="knobs">{list_knobs("model.memory.")}</div>
            </details>
            <details open=true>
                <summary>"Training"</summary>
                <div class="knobs">
                    {list_knobs("train.")} {list_knobs("train.lora.")} {list_knobs("train.heads.")}
                    {list_knobs("seed")}
                </div>
            </details>
            <details open=state.knobs.with_untracked(|knobs| knobs.noise != NoiseConfig::default())>
                <summary>"Input noise"</summary>
                <div class="knobs">{list_knobs("noise.")}</div>
                <Preview/>
            </details>
        </section>
    }
}

fn list_knobs(prefix: &'static str) -> impl IntoView {
    KNOBS
        .iter()
        .filter(|knob| knob.key.rfind('.').map_or(knob.key, |dot| &knob.key[..=dot]) == prefix)
        .map(|knob| view! { <KnobRow knob/> })
        .collect_view()
}

fn choose_preset(state: State) -> impl IntoView {
    let chosen = Memo::new(move |_| {
        state.knobs.with(|knobs| match Preset::of(&knobs.model) {
            Some(preset) => preset.name,
            None if knobs.has_tuned_model() => TUNED,
            None => "",
        })
    });
    let options = std::iter::once(TUNED)
        .chain(PRESETS.iter().map(|preset| preset.name))
        .map(|name| {
            let is_chosen = move || chosen.get() == name;
            view! { <option value=name prop:selected=is_chosen>{name}</option> }
        })
        .collect_view();
    let apply = move |event: SelectEvent| match Preset::find(&event.target().value()) {
        Some(preset) => state.apply_preset(preset),
        None => state.tune(),
    };
    view! {
        <div class="knob">
            <label for="preset" title="sizes and training settings that go together">"Preset"</label>
            <select id="preset" on:change:target=apply>
                {options}
                <option value="" disabled prop:selected=move || chosen.get().is_empty()>
                    "custom"
                </option>
            </select>
        </div>
    }
}

pub(super) fn choose_device(state: State) -> impl IntoView {
    let options = DeviceChoice::BROWSER
        .iter()
        .map(|name| {
            let is_chosen = move || name_device(state.device_choice.get()) == *name;
            view! { <option value=*name prop:selected=is_chosen>{*name}</option> }
        })
        .collect_view();
    let choose = move |event: SelectEvent| {
        if let Some(device) = DeviceChoice::parse(&event.target().value()) {
            state.device_choice.set(device);
        }
    };
    view! {
        <div class="knob">
            <label for="device" title="where the next run computes">"Device"</label>
            <select id="device" on:change:target=choose>{options}</select>
        </div>
    }
}

/// A training record as the noise has the model read it.
#[component]
fn Preview() -> impl IntoView {
    let state = use_state();
    let shown = move || {
        let facts = state.task.get().and_then(Result::ok);
        let runs = facts.map_or(Vec::new(), |facts| facts.reading);
        let show = |(is_noise, text): (bool, String)| match is_noise {
            true => view! { <mark>{text}</mark> }.into_any(),
            false => text.into_any(),
        };
        (!runs.is_empty()).then(|| {
            view! {
                <p class="hint">"A training record as it is read; · is forgotten:"</p>
                <pre class="preview" aria-label="Noise preview">
                    {runs.into_iter().map(show).collect_view()}
                </pre>
            }
        })
    };
    view! { {shown} }
}

/// The size that the knobs amount to, once the task is known, and the changes that they make.
#[component]
fn Summary() -> impl IntoView {
    let state = use_state();
    let size = Memo::new(move |_| {
        if state.problem.with(Option::is_some) {
            return None;
        }
        let characters = state.task.get()?.ok()?.characters;
        state.knobs.with(|knobs| {
            let vocab_size = knobs.model.vocab_size(characters);
            let bytes = knobs.model.training_bytes(vocab_size, knobs.train.batch);
            Some((knobs.model.parameters(vocab_size), bytes))
        })
    });
    let parameters = move || size.get().map_or("—".into(), |(count, _)| group_digits(count));
    let memory = move || size.get().map_or("—".into(), |(_, bytes)| format_bytes(bytes));
    view! {
        <dl class="summary">
            <div>
                <dt>"Parameters"</dt>
                <dd><output data-testid="parameters">{live(parameters)}</output></dd>
            </div>
            <div title="estimated, while training">
                <dt>"Memory"</dt>
                <dd><output data-testid="estimated-memory">{live(memory)}</output></dd>
            </div>
        </dl>
        <Changes/>
    }
}

/// Changes from the last run to the next, or to the one on screen if the knobs are its.
#[component]
fn Changes() -> impl IntoView {
    let state = use_state();
    let line = Memo::new(move |_| {
        let next = (state.config(), state.device_choice.get());
        state.runs.with(|runs| {
            let mut own = runs.iter().rev().filter(|run| run.number > 0);
            let last = own.next()?;
            let pending = list_changes((&last.config, last.device), (&next.0, next.1));
            if !pending.is_empty() {
                return Some(("Next run".to_owned(), pending));
            }
            let before = own.next()?;
            let made = list_changes((&before.config, before.device), (&last.config, last.device));
            let heading = format!("#{} after #{}", last.number, before.number);
            Some((heading, if made.is_empty() { vec!["nothing changed".into()] } else { made }))
        })
    });
    view! {
        <p class="changes" data-testid="run-diff">
            {move || {
                line.get().map(|(heading, changes)| {
                    view! { <strong>{heading}": "</strong> {changes.join(" · ")} }
                })
            }}
        </p>
    }
}
