//! Controls that stand in many places. Each is made in one function, for every type of closure would bring a copy
//! of all that makes a node.

use std::sync::atomic::{AtomicUsize, Ordering};

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

pub type InputEvent = ev::Targeted<ev::Event, web_sys::HtmlInputElement>;
pub type SelectEvent = ev::Targeted<ev::Event, web_sys::HtmlSelectElement>;

type Act<T> = Box<dyn Fn(T) + Send>;

/// Text that follows what it is made of.
pub fn live<T: Into<String>>(text: impl Fn() -> T + Send + 'static) -> AnyView {
    let text: Box<dyn Fn() -> String + Send> = Box::new(move || text().into());
    (move || text()).into_any()
}

/// A small button, and what it is told to do.
pub fn button(
    label: &'static str,
    title: &'static str,
    act: impl Fn() + Send + 'static,
) -> AnyView {
    press(label, title, Box::new(move |()| act()))
}

fn press(label: &'static str, title: &'static str, act: Act<()>) -> AnyView {
    let title = (!title.is_empty()).then_some(title);
    view! {
        <button type="button" class="small" title=title on:click=move |_| act(())>{label}</button>
    }
    .into_any()
}

/// Controls in a row, whose button or Enter in a box of theirs does what they are for.
pub fn form<V: IntoView + 'static>(
    class: &'static str,
    controls: V,
    act: impl Fn() + Send + 'static,
) -> AnyView {
    enter(class, controls.into_any(), Box::new(move |()| act()))
}

fn enter(class: &'static str, controls: AnyView, act: Act<()>) -> AnyView {
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        act(());
    };
    view! { <form class=class novalidate on:submit=submit>{controls}</form> }.into_any()
}

/// The button of a [`form`].
pub fn submit(label: &'static str, title: &'static str) -> AnyView {
    let title = (!title.is_empty()).then_some(title);
    view! { <button class="small" title=title>{label}</button> }.into_any()
}

/// A box for text.
pub fn asked(label: &'static str, placeholder: &'static str, typed: RwSignal<String>) -> AnyView {
    view! {
        <label class="asked">
            {label}
            <input
                type="text"
                autocomplete="off"
                placeholder=placeholder
                prop:value=move || typed.get()
                on:input:target=move |event: InputEvent| typed.set(event.target().value())
            />
        </label>
    }
    .into_any()
}

/// Opens a dialog while `is_open`, and closes it after.
pub fn open_while(dialog: NodeRef<html::Dialog>, is_open: impl Fn() -> bool + 'static) {
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        match is_open() {
            true if !dialog.open() => drop(dialog.show_modal()),
            false => dialog.close(),
            true => {}
        }
    });
}

/// Something that is on or off.
pub fn switch(
    label: &'static str,
    is_on: impl Fn() -> bool + Send + 'static,
    set: impl Fn(bool) + Send + 'static,
) -> AnyView {
    toggle(label, Box::new(is_on), Box::new(set))
}

fn toggle(label: &'static str, is_on: Box<dyn Fn() -> bool + Send>, set: Act<bool>) -> AnyView {
    view! {
        <label class="switch">
            <input
                type="checkbox"
                prop:checked=is_on
                on:change:target=move |event: InputEvent| set(event.target().checked())
            />
            {label}
        </label>
    }
    .into_any()
}

/// One of several, `options` in HTML; `choose` is given its place.
pub fn choice(
    label: &'static str,
    options: impl Fn() -> String + Send + 'static,
    choose: impl Fn(usize) + Send + 'static,
) -> AnyView {
    pick(label, Box::new(options), Box::new(choose))
}

fn pick(
    label: &'static str,
    options: Box<dyn Fn() -> String + Send>,
    choose: Act<usize>,
) -> AnyView {
    // The label does not hold the options, which would be part of its text.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let id = format!("choice-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    view! {
        <span class="asked">
            <label for=id.clone()>{label}</label>
            <select
                id=id
                inner_html=options
                on:change:target=move |event: SelectEvent| {
                    choose(usize::try_from(event.target().selected_index()).unwrap_or(0));
                }
            ></select>
        </span>
    }
    .into_any()
}

/// `<option>`s of these names, the one at `chosen` chosen.
pub fn options<'a>(names: impl Iterator<Item = &'a str>, chosen: usize) -> String {
    let option = |(index, name): (usize, &str)| {
        let selected = if index == chosen { " selected" } else { "" };
        format!("<option{selected}>{}</option>", crate::tables::escape(name))
    };
    names.enumerate().map(option).collect()
}
