use confab::figure::{Figure, Grid};
use leptos::ev;
use leptos::prelude::*;

use super::controls::live;
use super::grid::{Focus, with_grid};
use crate::browser;
use crate::tables::escape;

/// The text, coloured by what the token under the pointer reads, or by what reads it; a click keeps
/// the token.
#[component]
pub fn Tokens(
    figure: Memo<Option<Figure>>,
    focus: RwSignal<Focus>,
    /// The pointer is on the query, not on the key.
    is_source: bool,
) -> impl IntoView {
    let chosen = move |grid: &Grid| {
        let focus = focus.get();
        // The chosen token of the prompt is a row.
        let at = if is_source { focus.row } else { focus.column.or(focus.row) };
        at.unwrap_or(if is_source { usize::MAX } else { 0 }).min(grid.rows.len().saturating_sub(1))
    };
    let look_at = move |at: usize, is_locked: bool| {
        focus.set(Focus {
            row: is_source.then_some(at),
            column: (!is_source).then_some(at),
            is_locked,
        });
    };
    let point = move |event: ev::PointerEvent| {
        if let Some(at) = browser::place_of(&event).filter(|_| !focus.get_untracked().is_locked) {
            look_at(at, false);
        }
    };
    let lock = move |event: ev::PointerEvent| {
        if let Some(at) = browser::place_of(&event) {
            look_at(at, !focus.get_untracked().is_locked);
        }
    };
    let press = move |event: ev::KeyboardEvent| {
        let (Some(at), Some(count)) =
            untrack(|| (with_grid(figure, chosen), with_grid(figure, |grid| grid.rows.len())))
        else {
            return;
        };
        let moved = match event.key().as_str() {
            "ArrowLeft" | "ArrowUp" => at.saturating_sub(1),
            "ArrowRight" | "ArrowDown" => (at + 1).min(count.saturating_sub(1)),
            _ => return,
        };
        event.prevent_default();
        look_at(moved, true);
    };
    let html = move || with_grid(figure, |grid| draw(grid, chosen(grid), is_source));
    let heading = move || {
        with_grid(figure, |grid| {
            let at = chosen(grid);
            let does = if is_source { "reads" } else { "is read by" };
            format!(
                "“{}” at {at} {does} the coloured ones",
                grid.rows.labels.get(at).map_or("", String::as_str)
            )
        })
    };
    view! {
        <div
            class="chips mono"
            tabindex="0"
            role="application"
            aria-label="Tokens. Arrow keys choose one"
            inner_html=html
            on:pointerover=point
            on:pointerdown=lock
            on:keydown=press
        ></div>
        <output class="hint">{live(move || heading().unwrap_or_default())}</output>
    }
}

/// As text, so that a thousand tokens are one node to make.
fn draw(grid: &Grid, chosen: usize, is_source: bool) -> String {
    let mut html = String::new();
    for (at, label) in grid.columns.labels.iter().enumerate() {
        let value = if is_source { grid.value(chosen, at) } else { grid.value(at, chosen) };
        let value = value.unwrap_or(f32::NAN);
        let color =
            grid.color(value).map(|[r, g, b]| format!("rgb({r},{g},{b})")).unwrap_or_default();
        let (class, shown) = (if at == chosen { "weight chosen" } else { "weight" }, escape(label));
        let title = if value.is_finite() { format!("{value:.4}") } else { String::new() };
        html += &format!(
            "<span class=\"{class}\" data-at={at} title=\"{title}\" style=\"--heat:{color}\">{shown}</span>"
        );
    }
    html
}
