use confab::run::gallery::Exhibit;
use leptos::prelude::*;

use crate::state::use_state;

/// Links to trained models and experiments, as the session lists them.
#[component]
pub fn Gallery() -> impl IntoView {
    let state = use_state();
    let list = |exhibit: &Exhibit| {
        let Exhibit { title, text, .. } = exhibit;
        format!("<li><a href=\"#{}\">{title}</a><p>{text}</p></li>", exhibit.fragment())
    };
    let exhibits = move || {
        state.catalogue.with(|catalogue| match catalogue.gallery.is_empty() {
            true => "<li>Loading…</li>".into(),
            false => catalogue.gallery.iter().map(list).collect::<String>(),
        })
    };
    view! {
        <section class="panel gallery" aria-label="Gallery">
            <h2>"Gallery"</h2>
            <p class="hint">"Trained models, each opened at what there is to see in it."</p>
            <ul inner_html=exhibits></ul>
        </section>
    }
}
