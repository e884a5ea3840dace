use std::sync::Arc;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

type Items = Box<dyn Fn() -> Vec<&'static str> + Send>;
type Choose = Arc<dyn Fn(&'static str) + Send + Sync>;

/// A button that opens a list of `items`, which are asked for each time. The list closes on a choice, on Escape and on
/// a click elsewhere.
pub fn menu(
    label: &'static str,
    title: &'static str,
    items: impl Fn() -> Vec<&'static str> + Send + 'static,
    choose: impl Fn(&'static str) + Send + Sync + 'static,
) -> AnyView {
    unfold(label, title, Box::new(items), Arc::new(choose))
}

fn unfold(label: &'static str, title: &'static str, items: Items, choose: Choose) -> AnyView {
    let is_open = RwSignal::new(false);
    let holder = NodeRef::<html::Div>::new();
    let opener = NodeRef::<html::Button>::new();
    let close = move || {
        is_open.set(false);
        // Else the focus would go with the list.
        if let Some(opener) = opener.get_untracked() {
            let _ = opener.focus();
        }
    };
    let elsewhere = window_event_listener(ev::click, move |event| {
        let Some(holder) = holder.get_untracked().filter(|_| is_open.get_untracked()) else {
            return;
        };
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        if !holder.contains(target.as_ref()) {
            is_open.set(false);
        }
    });
    on_cleanup(move || elsewhere.remove());
    let press = move |event: ev::KeyboardEvent| {
        if event.key() == "Escape" && is_open.get_untracked() {
            close();
        }
    };
    let item = move |name: &'static str| {
        let choose = choose.clone();
        let act = move |_| {
            close();
            choose(name);
        };
        view! { <button class="small" on:click=act>{name}</button> }
    };
    let list = move || {
        is_open.get().then(|| {
            let items = items().into_iter().map(&item).collect_view();
            view! { <div class="items" role="group" aria-label=label>{items}</div> }
        })
    };
    view! {
        <div class="menu" node_ref=holder on:keydown=press>
            <button
                class="small"
                title=title
                aria-expanded=move || is_open.get().to_string()
                node_ref=opener
                on:click=move |_| is_open.update(|is_open| *is_open = !*is_open)
            >
                {label}
                <span aria-hidden="true">" ▾"</span>
            </button>
            {list}
        </div>
    }
    .into_any()
}
