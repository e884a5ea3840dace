use confab::figure::{Figure, Grid};
use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use web_sys::HtmlCanvasElement;

use super::controls::live;
use super::grid::{Focus, with_grid};
use super::grid_paint::prepare;
use super::theme::Dark;

/// Sizes of the picture, of the room for tokens on either side, and of a token's row, in pixels.
const WIDTH: usize = 420;
const SIDE: usize = 110;
const ROW: usize = 15;
/// With all tokens shown at once, lines fainter than this are left out.
const FAINTEST: f32 = 0.03;

/// A pattern as lines from each query, on the left, to the keys it reads, on the right. The token
/// under the pointer is shown alone; a click keeps it.
#[component]
pub fn Lines(figure: Memo<Option<Figure>>, focus: RwSignal<Focus>) -> impl IntoView {
    let Dark(is_dark) = expect_context();
    let canvas = NodeRef::<html::Canvas>::new();
    let count = move || with_grid(figure, |grid| grid.rows.len()).unwrap_or(0);
    Effect::new(move |_| {
        let (Some(canvas), focus, is_dark) = (canvas.get(), focus.get(), is_dark.get()) else {
            return;
        };
        with_grid(figure, |grid| paint(&canvas, grid, focus, is_dark));
    });
    let token_at = move |event: &ev::PointerEvent| {
        let at = usize::try_from(event.offset_y()).ok()? / ROW;
        let is_query = (event.offset_x() as usize) < WIDTH / 2;
        (at < untrack(count)).then_some(Focus {
            row: is_query.then_some(at),
            column: (!is_query).then_some(at),
            is_locked: false,
        })
    };
    let point = move |event: ev::PointerEvent| {
        if let Some(found) = token_at(&event).filter(|_| !focus.get_untracked().is_locked) {
            focus.set(found);
        }
    };
    let lock = move |event: ev::PointerEvent| {
        if let Some(found) = token_at(&event) {
            let is_locked = !focus.get_untracked().is_locked;
            focus.set(Focus { is_locked, ..found });
        }
    };
    let leave = move |_| {
        if !focus.get_untracked().is_locked {
            focus.set(Focus::default());
        }
    };
    let press = move |event: ev::KeyboardEvent| {
        let Some(last) = untrack(count).checked_sub(1) else { return };
        let row = focus.get_untracked().row;
        let row = match event.key().as_str() {
            "ArrowUp" => Some(row.map_or(last, |row| row.saturating_sub(1))),
            "ArrowDown" => Some(row.map_or(0, |row| (row + 1).min(last))),
            "Escape" => None,
            _ => return,
        };
        event.prevent_default();
        focus.set(Focus { row, column: None, is_locked: row.is_some() });
    };
    let label = move || {
        let title = figure.with(|figure| figure.as_ref().map(|figure| figure.title.clone()));
        format!("{}, as lines. Arrow keys choose a query, Escape all", title.unwrap_or_default())
    };
    view! {
        <div class="matrix-frame">
            <canvas
                node_ref=canvas
                style=move || format!("width:{WIDTH}px;height:{}px", ROW * count())
                tabindex="0"
                role="application"
                aria-label=label
                on:pointermove=point
                on:pointerdown=lock
                on:pointerleave=leave
                on:keydown=press
            ></canvas>
        </div>
        <output class="hint">{live(move || with_grid(figure, |grid| describe(grid, focus.get())).unwrap_or_default())}</output>
    }
}

/// The tokens that the focused one reads most, or that read it most.
fn describe(grid: &Grid, focus: Focus) -> String {
    let (rows, columns) = (&grid.rows, &grid.columns);
    let (name, at, others) = match (focus.row, focus.column) {
        (Some(row), _) => ("reads", row, columns),
        (None, Some(column)) => ("is read by", column, rows),
        (None, None) => return "Left: queries. Right: keys.".into(),
    };
    let of = |other: usize| {
        if focus.row.is_some() { grid.value(at, other) } else { grid.value(other, at) }
    };
    let mut found: Vec<(f32, usize)> =
        (0..others.len()).filter_map(|other| Some((of(other)?, other))).collect();
    found.retain(|(value, _)| value.is_finite());
    let order =
        confab::report::order(found.len(), &|a, b| found[b].0.abs().total_cmp(&found[a].0.abs()));
    let mut text = format!("“{}” at {at} {name}", rows.labels.get(at).map_or("", String::as_str));
    for index in order.into_iter().take(5) {
        let (value, other) = found[index];
        text += &format!(" “{}” at {other} {value:.3},", others.labels[other]);
    }
    text.pop();
    text
}

fn paint(canvas: &HtmlCanvasElement, grid: &Grid, focus: Focus, is_dark: bool) {
    let count = grid.rows.len();
    let Some(context) = prepare(canvas, (WIDTH, ROW * count), is_dark) else { return };
    let y = |at: usize| (at * ROW) as f64 + ROW as f64 / 2.0;
    let (from, to) = (SIDE as f64, (WIDTH - SIDE) as f64);
    let pen = if is_dark { "#7db4ff" } else { "#1f5fd0" };
    let is_all = focus.row.is_none() && focus.column.is_none();
    for row in 0..count {
        for column in 0..grid.columns.len() {
            let is_shown = is_all || focus.row == Some(row) || focus.column == Some(column);
            let value = grid.value(row, column).filter(|value| is_shown && value.is_finite());
            let shade = value.map_or(0.0, |value| grid.shade(value));
            if shade.abs() <= if is_all { FAINTEST } else { 0.0 } {
                continue;
            }
            // Negative values of a difference have another colour.
            context.set_stroke_style_str(if shade < 0.0 { "#dc5000" } else { pen });
            context.set_global_alpha(f64::from(shade.abs()));
            context.begin_path();
            context.move_to(from, y(row));
            context.line_to(to, y(column));
            context.stroke();
        }
    }
    for (labels, x, align, chosen) in [
        (&grid.rows.labels, from - 6.0, "right", focus.row),
        (&grid.columns.labels, to + 6.0, "left", focus.column),
    ] {
        context.set_text_align(align);
        for (at, label) in labels.iter().enumerate() {
            context.set_global_alpha(if chosen.is_none_or(|chosen| chosen == at) {
                1.0
            } else {
                0.4
            });
            let _ = context.fill_text(label, x, y(at));
        }
    }
}
