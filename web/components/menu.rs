use std::sync::Arc;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::controls::live;

/// Closes what was opened.
pub type Close = Arc<dyn Fn() + Send + Sync>;
type Content = Box<dyn Fn(Close) -> AnyView + Send>;

/// A button that opens a list of `items`, which are asked for each time. The list closes on a choice.
pub fn menu(
    label: &'static str,
    title: &'static str,
    items: impl Fn() -> Vec<&'static str> + Send + 'static,
    choose: impl Fn(&'static str) + Send + Sync + 'static,
) -> AnyView {
    let choose: Arc<dyn Fn(&'static str) + Send + Sync> = Arc::new(choose);
    popup(
        label,
        title,
        move || label.to_owned(),
        move |close| {
            let item = |name: &'static str| {
                let (close, choose) = (close.clone(), choose.clone());
                let act = move |_| {
                    close();
                    choose(name);
                };
                view! { <button class="small" on:click=act>{name}</button> }
            };
            items().into_iter().map(item).collect_view().into_any()
        },
    )
}

/// A button that opens `content`, made anew each time. It closes on Escape and on a click elsewhere. `name` is what
/// opens; the button tells `label`.
pub fn popup(
    name: &'static str,
    title: &'static str,
    label: impl Fn() -> String + Send + 'static,
    content: impl Fn(Close) -> AnyView + Send + 'static,
) -> AnyView {
    unfold(name, title, live(label), Box::new(content))
}

fn unfold(name: &'static str, title: &'static str, label: AnyView, content: Content) -> AnyView {
    let is_open = RwSignal::new(false);
    let holder = NodeRef::<html::Div>::new();
    let opener = NodeRef::<html::Button>::new();
    let close: Close = Arc::new(move || {
        is_open.set(false);
        // Else the focus would go with what was opened.
        if let Some(opener) = opener.get_untracked() {
            let _ = opener.focus();
        }
    });
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
    let press = {
        let close = close.clone();
        move |event: ev::KeyboardEvent| {
            if event.key() == "Escape" && is_open.get_untracked() {
                close();
            }
        }
    };
    let opened = move || {
        is_open.get().then(|| {
            let content = content(close.clone());
            view! { <div class="items" role="group" aria-label=name>{content}</div> }
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
                <span class="label">{label}</span>
                <span aria-hidden="true">" ▾"</span>
            </button>
            {opened}
        </div>
    }
    .into_any()
}
