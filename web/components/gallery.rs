use confab::run::gallery::{Exhibit, GALLERY};
use leptos::prelude::*;

/// Experiments worth a look.
#[component]
pub fn Gallery() -> impl IntoView {
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
