use leptos::ev;
use leptos::prelude::*;

use crate::browser;
use crate::state::use_state;
use crate::view::View;

/// Links to the views, for wide screens and, but for those of the bar below, for phones.
#[component]
pub fn Views() -> impl IntoView {
    view! {
        <nav class="views" aria-label="Views">
            {link("Learn", View::Learn, |view| view == View::Learn)}
            <span class="wide">
                {link("Train", View::Answer, View::is_train)}
                {link("Inspect", View::Inspect, |view| view == View::Inspect)}
            </span>
            {link("Compare", View::Compare, |view| view == View::Compare)}
        </nav>
    }
}

/// Links to the panels, at the bottom of a phone's screen.
#[component]
pub fn Panels() -> impl IntoView {
    view! {
        <nav class="panels" aria-label="Panels">
            {link("Answer", View::Answer, |view| view == View::Answer)}
            {link("Loss", View::Loss, |view| view == View::Loss)}
            {link("Attention", View::Inspect, |view| view == View::Inspect)}
            {link("Settings", View::Settings, |view| view == View::Settings)}
        </nav>
    }
}

fn link(name: &'static str, to: View, is_current: fn(View) -> bool) -> AnyView {
    let state = use_state();
    let current = move || is_current(state.view.get()).then_some("page");
    let go = move |event: ev::MouseEvent| {
        if event.ctrl_key() || event.meta_key() || event.shift_key() {
            return;
        }
        state.view.set(to);
        // An address that is of an experiment stays so.
        if browser::has_link() {
            event.prevent_default();
        }
    };
    view! { <a href=format!("#{}", to.key()) aria-current=current on:click=go>{name}</a> }
        .into_any()
}
