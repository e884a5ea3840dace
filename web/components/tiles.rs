use std::sync::Arc;

use confab::protocol::Trace;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use crate::browser;
use crate::head::Head;
use crate::heatmap;

/// Most means of layers in a row.
const MEANS: usize = 8;

/// A button a head, in rows of a layer each; or, without `heads` in a layer, one for the mean of each layer. The patterns
/// of a row are on one canvas below its buttons: with a canvas a head the page would stand still under a wide model.
/// Arrow keys choose a head.
pub fn tiles(
    layers: usize,
    heads: Option<usize>,
    chosen: RwSignal<Head>,
    trace: RwSignal<Option<Arc<Trace>>>,
) -> AnyView {
    let count = layers * heads.unwrap_or(1);
    let columns = heads.unwrap_or(layers.min(MEANS)).max(1);
    let frame = NodeRef::<html::Div>::new();
    let size = browser::watch_size(frame);
    Effect::new(move |_| {
        size.track();
        let Some(frame) = frame.get() else { return };
        let room = f64::from(frame.client_width()) * browser::window().device_pixel_ratio();
        let room = room as usize / columns;
        trace.with(|trace| {
            let Some(trace) = trace else { return };
            let mut row = frame.first_element_child();
            for start in (0..count).step_by(columns) {
                let places = start..count.min(start + columns);
                let patterns: Vec<_> =
                    places.filter_map(|place| Head::at(place, heads).pattern(trace)).collect();
                if let Some(canvas) = row.as_ref().and_then(Element::first_element_child) {
                    let (size, is_signed) = (trace.tokens.len(), trace.against.is_some());
                    heatmap::paint(canvas.unchecked_ref(), &patterns, size, room, is_signed);
                }
                row = row.and_then(|row| row.next_element_sibling());
            }
        });
    });
    let find = move |which: &str| frame.get_untracked()?.query_selector(which).ok()?;
    let find_chosen = move || find(&format!("[data-at=\"{}\"]", chosen.get().place(heads)));
    // Of all heads, the chosen one is a stop of the Tab key.
    Effect::new(move |_| {
        frame.track();
        let before = find("[aria-pressed=true]").map(|tile| (tile, "false", "-1"));
        let now = find_chosen().map(|tile| (tile, "true", "0"));
        for (tile, is_pressed, stop) in before.into_iter().chain(now) {
            let _ = tile.set_attribute("aria-pressed", is_pressed);
            let _ = tile.set_attribute("tabindex", stop);
        }
    });
    let click = move |event: ev::MouseEvent| {
        if let Some(place) = browser::place_of(&event) {
            chosen.set(Head::at(place, heads));
        }
    };
    let press = move |event: ev::KeyboardEvent| {
        let at = chosen.get_untracked().place(heads);
        let to = match event.key().as_str() {
            "ArrowRight" => at + 1,
            "ArrowLeft" => at.saturating_sub(1),
            "ArrowDown" => at + columns,
            "ArrowUp" => at.checked_sub(columns).unwrap_or(at),
            "Home" => 0,
            "End" => count.saturating_sub(1),
            _ => return,
        };
        event.prevent_default();
        if to < count {
            chosen.set(Head::at(to, heads));
            let tile = untrack(find_chosen);
            if let Some(tile) = tile.and_then(|tile| tile.dyn_into::<HtmlElement>().ok()) {
                let _ = tile.focus();
            }
        }
    };
    let class = match columns {
        0..=4 => "tiles",
        5..=8 => "tiles many",
        _ => "tiles many crowded",
    };
    let rows = count.div_ceil(columns);
    view! {
        <div
            class=class
            style=format!("--columns:{columns};--rows:{rows}")
            role="group"
            aria-label="Small multiples. Arrow keys choose a head"
            node_ref=frame
            on:click=click
            on:keydown=press
            inner_html=draw(count, columns, heads)
        ></div>
    }
    .into_any()
}

/// As text, so that thousands of heads are one node to make.
fn draw(count: usize, columns: usize, heads: Option<usize>) -> String {
    let mut html = String::new();
    for place in 0..count {
        if place % columns == 0 {
            let end = if place > 0 { "</div>" } else { "" };
            let in_row = columns.min(count - place);
            html += &format!(
                "{end}<div class=row><canvas width=1 height=1 style=\"--heads:{in_row}\"></canvas>"
            );
        }
        let label = Head::at(place, heads).label();
        html += &format!(
            "<button type=button class=tile aria-pressed=false tabindex=-1 aria-label=\"{label}\" \
             title=\"{label}\" data-at=\"{place}\"><span>{label}</span></button>"
        );
    }
    html
}
