use leptos::prelude::*;

use crate::actions::use_actions;
use crate::components::controls::live;
use crate::components::drawing::Drawing;
use crate::components::nav::Panels;
use crate::components::progress::Progress;
use crate::notes::Note;
use crate::runs::{abbreviate, format_bytes, group_digits, name_experiment};
use crate::state::use_state;

/// Offers to go on with a run of an earlier visit.
#[component]
pub fn ResumeBanner() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    move || {
        state.resumable.get().map(|(id, config, step)| {
            // The vocabulary is the task's; the count is a name here, and needs no more.
            let usual = || name_experiment(&config, config.model.parameters(81));
            let name = Note::of(&id).name.unwrap_or_else(usual);
            view! {
                <section class="banner" aria-label="Earlier run">
                    <p>
                        "A run of your last visit was kept: "<strong>{name}</strong>
                        {format!(" at step {} of {}.", group_digits(step), group_digits(config.train.steps))}
                    </p>
                    <button class="primary" on:click=move |_| actions.resume()>"Resume"</button>
                    <button on:click=move |_| actions.decline_resumable()>"Not now"</button>
                </section>
            }
        })
    }
}

/// Says what a link brings and what it does not, until there is a model.
#[component]
pub fn LinkNote() -> impl IntoView {
    let state = use_state();
    let steps = move || {
        let is_linked = state.is_linked.get() && state.model.with(Option::is_none);
        (is_linked && !state.building.get()).then(|| state.knobs.with(|knobs| knobs.train.steps))
    };
    move || {
        steps().map(|steps| {
            view! {
                <section class="banner" aria-label="Link">
                    <p>
                        {format!(
                            "The settings of a link are set. This link carries no weights: Train makes the \
                             model anew, in {} steps. A model’s file is opened with Open model.",
                            group_digits(steps),
                        )}
                    </p>
                </section>
            }
        })
    }
}

#[component]
pub fn StatusBar() -> impl IntoView {
    let state = use_state();
    let device = move || match state.device.get() {
        Some(device) => match state.speed.get().map_or(1, |speed| speed.workers) {
            1 => device.name,
            workers => format!("{}, {workers} cores", device.name),
        },
        None if state.is_ready.get() => "ready".into(),
        None if state.building.get() => "starting… your run begins as soon as this is done".into(),
        None => state
            .loaded
            .get()
            .map_or("starting…".into(), |share| format!("loading… {:.0}%", 100.0 * share)),
    };
    let speed = move || match state.speed.get() {
        Some(speed) => format!("{:.1} steps/s", speed.steps_per_s),
        None => "— steps/s".into(),
    };
    let tokens = move || match state.speed.get() {
        Some(speed) => format!("{} tokens/s", abbreviate(f64::from(speed.tokens_per_s))),
        None => "— tokens/s".into(),
    };
    let memory = move || {
        let bytes = state.model.with(|model| model.as_ref().map(|model| model.training_bytes));
        bytes.map_or("—".to_owned(), |bytes| format!("≈ {}", format_bytes(bytes)))
    };
    let saved = move || {
        state.saved_step.get().map(|step| format!("autosaved at step {}", group_digits(step)))
    };
    view! {
        <footer class="status" aria-label="Status">
            <Drawing/>
            <Notice/>
            <div class="items">
            <Progress/>
            <span class="item device">
                <span class="dot" class:live=move || state.is_ready.get()></span>
                <output data-testid="device">{live(device)}</output>
            </span>
            <output class="item" data-testid="steps-per-s">{live(speed)}</output>
            <output class="item" data-testid="tokens-per-s">{live(tokens)}</output>
            <output class="item" data-testid="memory" title="estimated memory while training">
                {live(memory)}
            </output>
            <span class="item saved">{live(move || saved().unwrap_or_default())}</span>
            </div>
            <Panels/>
        </footer>
    }
}

/// The newest notice. With it go those that it hid.
#[component]
fn Notice() -> impl IntoView {
    let state = use_state();
    let dismiss = move |id: usize| {
        state.notices.update(|notices| notices.retain(|notice| notice.id > id));
    };
    let newest = move || {
        let newest = state.notices.with(|notices| notices.last().cloned());
        newest.map(|notice| {
            view! {
                <div class="notice">
                    <p>{notice.text}</p>
                    <button
                        class="small"
                        aria-label="Dismiss"
                        on:click=move |_| dismiss(notice.id)
                    >
                        "×"
                    </button>
                </div>
            }
        })
    };
    view! {
        <div class="notices" role="status" aria-live="polite" data-testid="notice">{newest}</div>
    }
}
