//! What is on the page, one component a file.

mod attention;
mod bench;
mod by_type;
mod capacity;
mod controls;
mod distill;
mod experiment;
mod fields;
mod figure;
mod grid;
mod inspector;
mod keys;
mod knob;
mod lab;
mod lines;
mod loss;
mod memory;
mod probabilities;
mod probes;
mod retrieval;
mod samples;
mod sizes;
mod status;
mod steps;
mod surgery;
mod sweep;
mod tokens;
mod toolbar;

use std::time::Duration;

use confab::gallery::{Exhibit, GALLERY};
use leptos::ev;
use leptos::prelude::*;

use crate::actions::{Actions, use_actions};
use crate::browser;
use crate::state::{State, use_state};

type InputEvent = ev::Targeted<ev::Event, web_sys::HtmlInputElement>;
type SelectEvent = ev::Targeted<ev::Event, web_sys::HtmlSelectElement>;

const INSPECT_DELAY: Duration = Duration::from_millis(250);

/// Whether the theme is dark, from anywhere in the page.
#[derive(Clone, Copy)]
pub struct Dark(pub RwSignal<bool>);

#[component]
pub fn Page() -> impl IntoView {
    let state = State::new();
    provide_context(state);
    let actions = Actions::new(state);
    provide_context(actions);
    provide_context(Dark(browser::watch_dark_theme()));

    actions.follow_link();
    let on_hash = window_event_listener(ev::hashchange, move |_| {
        actions.follow_link();
    });
    on_cleanup(move || on_hash.remove());
    actions.watch_task();
    let is_bench = browser::has_query("bench");
    if !is_bench {
        keys::listen(actions);
        inspect_prompt();
    }

    view! {
        <header class="top">
            <h1>"Confab"</h1>
            <p class="intro">
                "Train a small transformer on a memory task, here in your browser, and watch it "
                "remember, forget and make things up."
            </p>
        </header>
        <Gallery/>
        {if is_bench {
            view! { <bench::Bench/> }.into_any()
        } else {
            view! { <Work/> }.into_any()
        }}
        <status::StatusBar/>
    }
}

/// Experiments worth a look.
#[component]
fn Gallery() -> impl IntoView {
    let list = |exhibit: &Exhibit| {
        let Exhibit { title, text, .. } = exhibit;
        format!("<li><a href=\"#{}\">{title}</a><p>{text}</p></li>", exhibit.fragment())
    };
    let exhibits: String = GALLERY.iter().map(list).collect();
    view! {
        <details class="gallery">
            <summary>"Gallery"</summary>
            <ul inner_html=exhibits></ul>
        </details>
    }
}

#[component]
fn Work() -> impl IntoView {
    view! {
        <toolbar::Toolbar/>
        <status::ResumeBanner/>
        <main class="columns">
            <experiment::Experiment/>
            <div class="centre">
                <loss::Loss/>
                <samples::Samples/>
            </div>
            <inspector::Inspector/>
        </main>
        <keys::Keys/>
    }
}

/// Has the prompt traced whenever it or the model changes, once typing rests.
fn inspect_prompt() {
    let (state, actions) = (use_state(), use_actions());
    let mut inspect = leptos::prelude::debounce(INSPECT_DELAY, move |prompt: String| {
        actions.inspect(prompt);
    });
    let mut last_model = None;
    Effect::new(move |_| {
        let prompt = state.prompt.get();
        let model = state.model.with(|model| model.as_ref().map(|model| model.name.clone()));
        if model.is_none() {
            return;
        }
        if prompt.is_empty() {
            state.trace.set(None);
        }
        if model == last_model {
            inspect(prompt);
        } else {
            last_model = model;
            actions.inspect(prompt);
        }
    });
    Effect::new(move |before: Option<()>| {
        state.temperature.track();
        state.top_k.track();
        state.sample_seed.track();
        if before.is_some() {
            actions.inspect(state.prompt.get_untracked());
        }
    });
}
