use confab::figure::{Figure, Pick};
use leptos::html;
use leptos::prelude::*;

use super::controls::button;
use super::grid::{Cells, Focus, with_grid};
use crate::browser;
use crate::state::State;

/// A pattern as a matrix: whole, or with cells of a readable size; in its panel or on the whole screen.
pub fn matrix(
    figure: Memo<Option<Figure>>,
    focus: RwSignal<Focus>,
    pick: fn(State, Pick, usize),
) -> AnyView {
    let is_fitted = RwSignal::new(true);
    let is_full = RwSignal::new(false);
    let opener = NodeRef::<html::Button>::new();
    let dialog = NodeRef::<html::Dialog>::new();
    let sheet = NodeRef::<html::Div>::new();
    // The whole screen or, where the browser keeps that to itself, the whole page.
    let fill = move |_| {
        let (Some(dialog), Some(sheet)) = (dialog.get_untracked(), sheet.get_untracked()) else {
            return;
        };
        if dialog.show_modal().is_ok() {
            is_full.set(true);
            browser::fill_screen(&sheet);
        }
    };
    let leave = move || leave(dialog, opener, is_full);
    let follow = move |_| {
        if document().fullscreen_element().is_none() {
            leave();
        }
    };
    let title = move || figure.with(|figure| figure.as_ref().map(|figure| figure.title.clone()));
    let cells = move |is_full| view! { <Cells figure focus pick is_fitted is_full/> }.into_any();
    let full = move || {
        is_full.get().then(|| {
            view! {
                {bar(figure, is_fitted, button("Close", "", leave))}
                {cells(true)}
            }
            .into_any()
        })
    };
    let open = view! {
        <button type="button" class="small" node_ref=opener on:click=fill>
            "Full screen"
        </button>
    };
    view! {
        {bar(figure, is_fitted, open.into_any())}
        {cells(false)}
        <dialog class="full" aria-label=title node_ref=dialog on:close=move |_| leave()>
            <div class="sheet" node_ref=sheet on:fullscreenchange=follow>
                {full}
            </div>
        </dialog>
    }
    .into_any()
}

/// Ends the dialog, the full screen and the absence of the focus from `opener`, in turn: the end of each is an event,
/// which leads here and to the next.
fn leave(dialog: NodeRef<html::Dialog>, opener: NodeRef<html::Button>, is_full: RwSignal<bool>) {
    if let Some(dialog) = dialog.get_untracked().filter(|dialog| dialog.open()) {
        dialog.close();
    } else if document().fullscreen_element().is_some() {
        document().exit_fullscreen();
    } else {
        is_full.set(false);
        if let Some(opener) = opener.get_untracked() {
            let _ = opener.focus();
        }
    }
}

/// The colour scale, the choice between the whole matrix and cells of a readable size, and the way to another room.
fn bar(figure: Memo<Option<Figure>>, is_fitted: RwSignal<bool>, other_room: AnyView) -> AnyView {
    let size = |label, title, fits| {
        view! {
            <button
                type="button"
                class="small"
                title=title
                aria-pressed=move || if is_fitted.get() == fits { "true" } else { "false" }
                on:click=move |_| is_fitted.set(fits)
            >
                {label}
            </button>
        }
    };
    view! {
        <div class="matrix-bar">
            {scale(figure)}
            {size("Fit", "The whole matrix in sight", true)}
            {size("100 %", "Every cell with its labels, in a box that scrolls", false)}
            {other_room}
        </div>
    }
    .into_any()
}

/// The meaning of a grid's colours.
pub fn scale(figure: Memo<Option<Figure>>) -> AnyView {
    let drawn = move || {
        with_grid(figure, |grid| {
            let [low, high] = grid.range;
            let stops = (0..=16u8).map(|stop| {
                let share = f32::from(stop) / 16.0;
                let [red, green, blue] = grid.color(low + (high - low) * share).unwrap_or_default();
                format!(",rgb({red},{green},{blue})")
            });
            let stops: String = stops.collect();
            let [low, high] = [low, high].map(confab::figure::show);
            format!("{low}<i style=\"background:linear-gradient(90deg{stops})\"></i>{high}")
        })
        .unwrap_or_default()
    };
    view! { <span class="scale" role="img" aria-label="Colour scale" inner_html=drawn></span> }
        .into_any()
}
