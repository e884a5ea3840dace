//! The page. It computes nothing: it shows [`state::State`], sends the session commands through
//! [`actions::Actions`], and takes in its events.

mod actions;
mod bridge;
mod browser;
mod chart;
mod choice;
mod components;
mod events;
mod fit;
mod head;
mod heatmap;
mod knobs;
mod lessons;
mod link;
mod notes;
mod outcomes;
mod place;
mod run_list;
mod runs;
mod state;
mod tab;
mod tables;
mod view;
mod wire;

fn main() {
    console_error_panic_hook::set_once();
    let mut first_answer = String::new();
    if let Some(shell) = leptos::prelude::document().get_element_by_id("shell") {
        let answer = shell.query_selector(".answer").ok().flatten();
        first_answer = answer.map_or(first_answer, |answer| answer.inner_html());
        shell.remove();
    }
    leptos::mount::mount_to_body(move || leptos::view! { <components::Page first_answer/> });
}
