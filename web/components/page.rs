//! The page itself: its head, its panels and what runs as long as it is open.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::begin::Begin;
use super::bench::Bench;
use super::compare::Compare;
use super::diagram::Diagram;
use super::dropping::Dropping;
use super::embed::Embed;
use super::experiment::Experiment;
use super::gallery::Gallery;
use super::hook::Hook;
use super::inspector::Inspector;
use super::keys::{self, Keys};
use super::lesson::{LessonCard, Lessons};
use super::loss::Loss;
use super::prompt;
use super::samples::Samples;
use super::status::{LinkNote, ResumeBanner, StatusBar};
use super::theme::Dark;
use super::tips::Tips;
use super::toolbar::Toolbar;
use crate::actions::Actions;
use crate::browser;
use crate::events;
use crate::state::State;
use crate::view::View;

/// `first_answer` is the picture of the shipped model's answer, from the page as it was served.
#[component]
pub fn Page(first_answer: String) -> impl IntoView {
    let state = State::new();
    provide_context(state);
    let actions = Actions::new(state, events::receive);
    provide_context(actions);
    provide_context(Dark(browser::watch_dark_theme()));

    actions.follow_link();
    let on_hash = window_event_listener(ev::hashchange, move |_| {
        actions.follow_link();
    });
    on_cleanup(move || on_hash.remove());
    actions.watch_task();
    Effect::new(move |before: Option<View>| {
        let view = state.view.get();
        // Each view begins at its top.
        if before.is_some_and(|before| before != view) {
            browser::window().scroll_to_with_x_and_y(0.0, 0.0);
        }
        view
    });
    let is_bench = browser::query("bench").is_some();
    // A link opens what it is of.
    let has_hook = !browser::has_link();
    if !is_bench {
        keys::listen(actions);
        prompt::inspect_prompt();
    }

    if let Some(name) = browser::query("embed") {
        return view! { <Embed name/> }.into_any();
    }
    view! {
        <a class="skip" href="#main" on:click=skip>"Skip to the model"</a>
        {if is_bench {
            view! { <main><h1>"Confab"</h1><Bench/></main> }.into_any()
        } else {
            view! {
                <Toolbar/>
                <main
                    data-view=move || state.view.get().key()
                    data-lesson=move || state.lesson.get().map(|(lesson, _)| (lesson + 1).to_string())
                >
                    <LessonCard/>
                    <ResumeBanner/>
                    <LinkNote/>
                    {has_hook.then(|| view! { <Hook first_answer/> })}
                    <Lessons/>
                    <Gallery/>
                    <Compare/>
                    <Work/>
                </main>
            }
                .into_any()
        }}
        <StatusBar/>
        <Tips/>
    }
    .into_any()
}

/// Moves the focus past the first look. A change of the address's fragment would be a link to an experiment.
fn skip(event: ev::MouseEvent) {
    event.prevent_default();
    let main = document().get_element_by_id("main");
    if let Some(main) = main.and_then(|main| main.dyn_into::<web_sys::HtmlElement>().ok()) {
        main.scroll_into_view();
        let _ = main.focus();
    }
}

/// The panels to work with a model.
#[component]
fn Work() -> impl IntoView {
    view! {
        <div class="columns" id="main" tabindex="-1">
            <Experiment/>
            <div class="centre">
                <Loss/>
                <Samples/>
                <Diagram/>
            </div>
            <Inspector/>
        </div>
        <Keys/>
        <Begin/>
        <Dropping/>
    }
}
