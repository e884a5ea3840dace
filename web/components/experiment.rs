use confab::config::{KNOBS, Knob, LearnerKind, PRESETS, Preset, Range, TUNED};
use leptos::html;
use leptos::prelude::*;

use crate::browser;
use crate::components::controls::{SelectEvent, asked, live, switch};
use crate::components::device::{choose_cores, choose_device};
use crate::components::knob::KnobRow;
use crate::runs::{format_bytes, group_digits, list_changes};
use crate::state::{State, use_state};

/// Knobs that are always in sight, besides the preset and the device.
const LEAD: [&str; 4] = ["task.kind", "train.steps", "train.lr", "seed"];

/// Groups of all other knobs, by the beginnings of their keys.
const GROUPS: [(&str, &str); 7] = [
    ("Learner", "learner"),
    ("Data", "task."),
    ("Architecture", "model."),
    ("Optimizer", "train."),
    ("Memory", MEMORY),
    ("Noise", "noise."),
    ("Noise codec", "codec."),
];
const MEMORY: &str = "model.memory.";

#[component]
pub fn Experiment() -> impl IntoView {
    let state = use_state();
    let [task, rest @ ..] = LEAD;
    let text = Memo::new(move |_| {
        state.knobs.with(|knobs| knobs.task.kind.text_knob()).map(|knob| knob.key)
    });
    let text_row = move || text.get().and_then(Knob::find).map(|knob| view! { <KnobRow knob/> });
    view! {
        <section class="panel experiment" aria-label="Experiment">
            <h2>"Experiment"</h2>
            <div class="knobs lead">
                {Knob::find(task).map(|knob| view! { <KnobRow knob/> })}
                {text_row}
                {choose_preset(state)}
                {rest.map(|key| Knob::find(key).map(|knob| lead(state, knob))).collect_view()}
                {choose_device(state)}
            </div>
            <Summary/>
            <Settings/>
        </section>
    }
}

/// A knob that is always in sight, if it has an effect.
fn lead(state: State, knob: &'static Knob) -> impl IntoView {
    let has_effect = Memo::new(move |_| state.knobs.with(|knobs| knob.has_effect(knobs)));
    view! { <div hidden=move || !has_effect.get()><KnobRow knob/></div> }
}

/// Every other knob that has an effect, in groups, to be searched.
#[component]
fn Settings() -> impl IntoView {
    let state = use_state();
    let search = RwSignal::new(String::new());
    let changed_only = RwSignal::new(false);
    let is_shown = move |knob: &Knob| {
        let search = browser::lower_case(search.get().trim());
        let help = state.catalogue.with(|catalogue| browser::lower_case(catalogue.help(knob)));
        let is_found = browser::lower_case(knob.label).contains(&search) || help.contains(&search);
        is_found
            && state.knobs.with(|knobs| knob.has_effect(knobs))
            && (!changed_only.get() || state.is_changed(knob))
    };
    let group = move |(name, beginning): (&'static str, &'static str)| {
        let knobs = list_knobs(beginning);
        let shown: Vec<(&Knob, Memo<bool>)> =
            knobs.into_iter().map(|knob| (knob, Memo::new(move |_| is_shown(knob)))).collect();
        let row = |(knob, shown): &(&'static Knob, Memo<bool>)| {
            let (knob, shown) = (*knob, *shown);
            view! { <div hidden=move || !shown.get()><KnobRow knob/></div> }
        };
        let rows = shown.iter().map(row).collect_view();
        let any = move || shown.iter().any(|(_, shown)| shown.get());
        view! {
            <fieldset class="knobs" hidden=move || !any()>
                <legend>{name}</legend>
                {rows}
                {(name == "Noise").then(|| view! { <Preview/> })}
            </fieldset>
        }
    };
    let has_cores = move || {
        let is_found = "cores".contains(&browser::lower_case(search.get().trim()));
        is_found && (!changed_only.get() || state.cores.with(Option::is_some))
    };
    let changed = move || {
        let count =
            KNOBS.iter().filter(|knob| !LEAD.contains(&knob.key) && state.is_changed(knob)).count();
        if count == 0 { String::new() } else { format!(" ({count} changed)") }
    };
    // What cannot be run is in sight.
    let details = NodeRef::<html::Details>::new();
    Effect::new(move |_| {
        let is_wrong =
            state.problem.with(Option::is_some) || state.drafts.with(|drafts| !drafts.is_empty());
        if let Some(details) = details.get().filter(|_| is_wrong) {
            details.set_open(true);
            search.set(String::new());
            changed_only.set(false);
        }
    });
    view! {
        <details class="settings" node_ref=details>
            <summary>"All settings"{live(changed)}</summary>
            <div class="controls">
                {asked("Search settings", "a name, or what it does", search)}
                {switch("Changed only", move || changed_only.get(), move |is_on| changed_only.set(is_on))}
            </div>
            {GROUPS.map(group).collect_view()}
            <fieldset class="knobs" hidden=move || !has_cores()>
                <legend>"Computation"</legend>
                {choose_cores(state)}
            </fieldset>
        </details>
    }
}

/// The knobs of the group whose keys have this beginning.
fn list_knobs(beginning: &str) -> Vec<&'static Knob> {
    let is_own = |knob: &&Knob| {
        let is_memory = knob.key.starts_with(MEMORY);
        knob.key.starts_with(beginning) && is_memory == (beginning == MEMORY)
    };
    let has_place =
        |knob: &&Knob| LEAD.contains(&knob.key) || matches!(knob.range, Range::Text { .. });
    KNOBS.iter().filter(is_own).filter(|knob| !has_place(knob)).collect()
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
        let is_codec = state.knobs.with(|knobs| knobs.learner == LearnerKind::Codec);
        if is_codec || state.problem.with(Option::is_some) {
            return None;
        }
        let characters = state.task.get()?.ok()?.characters;
        state.knobs.with(|knobs| {
            let vocab_size = knobs.model.vocab_size(characters);
            let bytes = knobs.training_bytes(vocab_size, knobs.train.batch, 1);
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
