use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::controls::open_while;
use crate::actions::Actions;
use crate::state::use_state;

/// Elements that have a use of their own for the keys.
const BUSY: &str = "input, textarea, select, button, summary, dialog, a[href], \
                    [role=tab], [role=listbox], [role=application], [contenteditable]";

/// Space trains and pauses, `.` steps, `?` shows the keys.
pub fn listen(actions: Actions) {
    let handle = window_event_listener(ev::keydown, move |event| {
        let is_busy = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
            .is_some_and(|element| element.closest(BUSY).ok().flatten().is_some());
        if is_busy || event.ctrl_key() || event.meta_key() || event.alt_key() || event.repeat() {
            return;
        }
        match event.key().as_str() {
            " " => actions.toggle_training(),
            "." => actions.step(),
            "?" => actions.state.keys_shown.set(true),
            _ => return,
        }
        event.prevent_default();
    });
    on_cleanup(move || handle.remove());
}

#[component]
pub fn Keys() -> impl IntoView {
    let state = use_state();
    let dialog = NodeRef::<html::Dialog>::new();
    open_while(dialog, move || state.keys_shown.get());
    view! {
        <dialog
            class="dialog"
            aria-label="Keyboard"
            node_ref=dialog
            on:close=move |_| state.keys_shown.set(false)
        >
            <h2>"Keyboard"</h2>
            <dl>
                <dt><kbd>"Space"</kbd></dt>
                <dd>"train, and pause"</dd>
                <dt><kbd>"."</kbd></dt>
                <dd>"train one step"</dd>
                <dt><kbd>"?"</kbd></dt>
                <dd>"show these keys"</dd>
                <dt><kbd>"←"</kbd><kbd>"→"</kbd><kbd>"↑"</kbd><kbd>"↓"</kbd></dt>
                <dd>"in a tab list, a heat map or a row of characters: move"</dd>
            </dl>
            <button on:click=move |_| state.keys_shown.set(false)>"Close"</button>
        </dialog>
    }
}
