use std::sync::Arc;

use confab::protocol::Trace;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlCanvasElement, HtmlElement};

use crate::browser;
use crate::head::Head;
use crate::heatmap;

/// Most means of layers in a row.
const MEANS: usize = 8;

/// A button a head, in rows of a layer each; or one for the mean of each layer. The patterns of a row are on one canvas
/// below its buttons: with a canvas a head the page would stand still under a wide model. Arrow keys choose a head.
pub fn tiles(
    (layers, heads): (usize, usize),
    is_averaged: bool,
    chosen: RwSignal<Head>,
    trace: RwSignal<Option<Arc<Trace>>>,
) -> AnyView {
    let all = StoredValue::new(Head::all(layers, heads, is_averaged));
    let columns = if is_averaged { layers.min(MEANS) } else { heads }.max(1);
    let frame = NodeRef::<html::Div>::new();
    let room = browser::watch_room(frame);
    Effect::new(move |_| {
        let Some(frame) = frame.get() else { return };
        let room = room.get().0 as f64 * browser::window().device_pixel_ratio();
        let room = room as usize / columns;
        trace.with(|trace| {
            let Some(trace) = trace else { return };
            let mut row = frame.first_element_child();
            all.with_value(|all| {
                for heads in all.chunks(columns) {
                    if let Some(canvas) = row.as_ref().and_then(Element::first_element_child) {
                        let patterns: Vec<_> =
                            heads.iter().filter_map(|head| head.pattern(trace)).collect();
                        let canvas: &HtmlCanvasElement = canvas.unchecked_ref();
                        let (size, is_signed) = (trace.tokens.len(), trace.against.is_some());
                        heatmap::paint(canvas, &patterns, size, room, is_signed);
                    }
                    row = row.and_then(|row| row.next_element_sibling());
                }
            });
        });
    });
    let find = move |at: usize| {
        frame.get_untracked()?.query_selector(&format!("[data-at=\"{at}\"]")).ok()?
    };
    // Of all heads, the chosen one is a stop of the Tab key.
    Effect::new(move |before: Option<Option<usize>>| {
        frame.track();
        let mark = |at: Option<usize>, is_chosen: bool| {
            if let Some(tile) = at.and_then(find) {
                let _ =
                    tile.set_attribute("aria-pressed", if is_chosen { "true" } else { "false" });
                let _ = tile.set_attribute("tabindex", if is_chosen { "0" } else { "-1" });
            }
        };
        let at = all.with_value(|all| all.iter().position(|head| *head == chosen.get()));
        mark(before.flatten(), false);
        mark(at, true);
        at
    });
    let choose = move |at: usize| {
        if let Some(head) = all.with_value(|all| all.get(at).copied()) {
            chosen.set(head);
        }
    };
    let click = move |event: ev::MouseEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let tile = target.and_then(|target| target.closest("[data-at]").ok().flatten());
        if let Some(at) = tile.and_then(|tile| tile.get_attribute("data-at")?.parse().ok()) {
            choose(at);
        }
    };
    let press = move |event: ev::KeyboardEvent| {
        let is_chosen = |head: &Head| *head == chosen.get_untracked();
        let Some((at, last)) =
            all.with_value(|all| Some((all.iter().position(is_chosen)?, all.len() - 1)))
        else {
            return;
        };
        let to = match event.key().as_str() {
            "ArrowRight" => at + 1,
            "ArrowLeft" => at.saturating_sub(1),
            "ArrowDown" => at + columns,
            "ArrowUp" => at.checked_sub(columns).unwrap_or(at),
            "Home" => 0,
            "End" => last,
            _ => return,
        };
        event.prevent_default();
        choose(to);
        if let Some(tile) = find(to).and_then(|tile| tile.dyn_into::<HtmlElement>().ok()) {
            let _ = tile.focus();
        }
    };
    let class = match columns {
        0..=4 => "tiles",
        5..=8 => "tiles many",
        _ => "tiles many crowded",
    };
    let rows = layers.div_ceil(if is_averaged { columns } else { 1 });
    view! {
        <div
            class=class
            style=format!("--columns:{columns};--rows:{rows}")
            role="group"
            aria-label="Small multiples. Arrow keys choose a head"
            node_ref=frame
            on:click=click
            on:keydown=press
            inner_html=all.with_value(|all| draw(all, columns))
        ></div>
    }
    .into_any()
}

/// As text, so that thousands of heads are one node to make.
fn draw(all: &[Head], columns: usize) -> String {
    let mut html = String::new();
    for (row, heads) in all.chunks(columns).enumerate() {
        html += &format!(
            "<div class=row><canvas width=1 height=1 style=\"--heads:{}\"></canvas>",
            heads.len()
        );
        for (column, head) in heads.iter().enumerate() {
            let (at, label) = (row * columns + column, head.label());
            html += &format!(
                "<button type=button class=tile aria-pressed=false tabindex=-1 aria-label=\"{label}\" \
                 title=\"{label}\" data-at=\"{at}\"><span>{label}</span></button>"
            );
        }
        html += "</div>";
    }
    html
}
