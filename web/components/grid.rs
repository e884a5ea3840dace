use confab::figure::{Axis, Content, Figure, Grid, Pick, show};
use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use super::grid_paint::{Layout, paint_labels, paint_pixels, paint_texts};
use super::theme::Dark;
use crate::browser;
use crate::components::controls::live;
use crate::state::{State, use_state};

/// The row and the column that are looked at; neither stands for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Focus {
    pub row: Option<usize>,
    pub column: Option<usize>,
    /// It stays where it is when the pointer moves.
    pub is_locked: bool,
}

impl Focus {
    /// The cell of `grid` that is read: of a pattern, the last query and what it reads most if there are none.
    fn cell(self, grid: &Grid) -> (usize, usize) {
        let last = grid.rows.len().saturating_sub(1);
        let row = self.row.unwrap_or(if grid.is_pattern { last } else { 0 }).min(last);
        let weight = |column: usize| grid.value(row, column).filter(|value| value.is_finite());
        let most = || {
            (0..grid.columns.len())
                .reduce(|most, column| if weight(column) > weight(most) { column } else { most })
        };
        let column = self.column.or_else(|| most().filter(|_| grid.is_pattern)).unwrap_or(0);
        let column = column.min(grid.columns.len().saturating_sub(1));
        (row, column)
    }
}

/// The grid of a figure, if it is one.
pub fn with_grid<T>(figure: Memo<Option<Figure>>, read: impl FnOnce(&Grid) -> T) -> Option<T> {
    figure.with(|figure| match &figure.as_ref()?.content {
        Content::Grid(grid) => Some(read(grid)),
        _ => None,
    })
}

/// Most pixels that a pattern takes downwards in a panel: style.css has the same.
const TALLEST: usize = 520;

/// A grid as coloured cells, which are read with the pointer or arrow keys and chosen with a click or
/// Enter. A pattern `is_fitted` into its frame, or has cells of a readable size, which scroll; the frame `is_full`
/// when it has a window of its own.
#[component]
pub fn Cells(
    figure: Memo<Option<Figure>>,
    focus: RwSignal<Focus>,
    pick: fn(State, Pick, usize),
    is_fitted: RwSignal<bool>,
    is_full: bool,
) -> impl IntoView {
    let state = use_state();
    let Dark(is_dark) = expect_context();
    let frame = NodeRef::<html::Div>::new();
    let [across, down, cells] = [(); 3].map(|()| NodeRef::<html::Canvas>::new());
    let size = browser::watch_size(frame);
    let layout = Memo::new(move |_| {
        size.track();
        let frame = frame.get()?;
        let (width, height) = (frame.client_width() as usize, frame.client_height() as usize);
        if width == 0 {
            return None; // it has not been laid out, or is not in sight
        }
        let height = if is_full { height } else { TALLEST };
        let room = is_fitted.get().then_some((width, height));
        with_grid(figure, |grid| Layout::of(grid, room))
    });
    Effect::new(move |_| {
        let (Some(across), Some(down), Some(cells)) = (across.get(), down.get(), cells.get())
        else {
            return;
        };
        let (Some(layout), is_dark) = (layout.get(), is_dark.get()) else { return };
        with_grid(figure, |grid| {
            paint_labels(&across, &grid.columns, layout, false, is_dark);
            paint_labels(&down, &grid.rows, layout, true, is_dark);
            match layout.has_texts {
                true => paint_texts(&cells, grid, layout),
                false => paint_pixels(&cells, grid),
            }
        });
    });
    let cell = move || with_grid(figure, |grid| focus.get().cell(grid)).unwrap_or_default();
    let look_at = move |(row, column): (usize, usize)| {
        focus.set(Focus { row: Some(row), column: Some(column), is_locked: false });
    };
    let point = move |event: ev::PointerEvent| {
        let layout = layout.get_untracked();
        if let Some(cell) = layout.and_then(|l| l.cell(event.offset_x(), event.offset_y())) {
            look_at(cell);
        }
    };
    let choose = move || {
        let (row, column) = untrack(cell);
        let picks = untrack(|| {
            with_grid(figure, |grid| [(grid.rows.picks, row), (grid.columns.picks, column)])
        });
        for (axis, number) in picks.into_iter().flatten() {
            if let Some(axis) = axis {
                pick(state, axis, number);
            }
        }
    };
    let press = move |event: ev::KeyboardEvent| {
        let Some(layout) = layout.get_untracked() else { return };
        let (last_row, last_column) =
            (layout.rows.saturating_sub(1), layout.columns.saturating_sub(1));
        let (row, column) = untrack(cell);
        let moved = match event.key().as_str() {
            "ArrowUp" => (row.saturating_sub(1), column),
            "ArrowDown" => ((row + 1).min(last_row), column),
            "ArrowLeft" => (row, column.saturating_sub(1)),
            "ArrowRight" => (row, (column + 1).min(last_column)),
            "Home" => (0, column),
            "End" => (last_row, column),
            "Enter" => {
                choose();
                (row, column)
            }
            _ => return,
        };
        event.prevent_default();
        look_at(moved);
    };
    // A cell that is chosen comes into sight. New numbers move nothing.
    Effect::new(move |_| {
        let (Some(frame), Some(layout), focus) = (frame.get(), layout.get(), focus.get()) else {
            return;
        };
        if focus == Focus::default() {
            return;
        }
        let (row, column) = untrack(cell);
        let Layout { left, top, width, height, .. } = layout;
        let (wide, high) = (frame.client_width(), frame.client_height());
        frame.set_scroll_top(reveal(row, height, high - top as i32, frame.scroll_top()));
        frame.set_scroll_left(reveal(column, width, wide - left as i32, frame.scroll_left()));
    });
    let band = move |is_row: bool| {
        let Some(layout) = layout.get() else { return String::new() };
        let (row, column) = cell();
        let Layout { left, top, width, height, .. } = layout;
        let (all_across, all_down) = layout.size();
        let (x, y) = (left as f64 + column as f64 * width, top as f64 + row as f64 * height);
        match is_row {
            true => format!("left:0;top:{y}px;width:{}px;height:{height}px", left + all_across),
            false => format!("top:0;left:{x}px;height:{}px;width:{width}px", top + all_down),
        }
    };
    let style = move || {
        layout.get().map(|layout| {
            let (width, height) = layout.size();
            let Layout { left, top, .. } = layout;
            format!("--left:{left}px;--top:{top}px;--width:{width}px;--height:{height}px")
        })
    };
    let label = move || {
        let title = figure.with(|figure| figure.as_ref().map(|figure| figure.title.clone()));
        format!("{}. Arrow keys read its cells, Enter chooses", title.unwrap_or_default())
    };
    view! {
        <div class="matrix-frame" node_ref=frame>
            <div class="matrix" style=style>
                <div class="corner"></div>
                <canvas class="axis across" node_ref=across aria-hidden="true"></canvas>
                <canvas class="axis down" node_ref=down aria-hidden="true"></canvas>
                <canvas
                    class="cells"
                    node_ref=cells
                    tabindex="0"
                    role="application"
                    aria-label=label
                    on:pointermove=point
                    on:click=move |_| choose()
                    on:keydown=press
                ></canvas>
                <div class="band" style=move || band(true)></div>
                <div class="band" style=move || band(false)></div>
            </div>
        </div>
        <output class="hint">{live(move || with_grid(figure, |grid| describe(grid, cell())).unwrap_or_default())}</output>
    }
}

/// Where to scroll a box that shows so many pixels, so that a cell of this `side` is in it: to `now`, if it is.
fn reveal(at: usize, side: f64, shown: i32, now: i32) -> i32 {
    let start = (at as f64 * side) as i32;
    let is_there = start + side as i32 > now && start < now + shown;
    if is_there { now } else { start - shown / 2 }
}

/// `query 3 “a”, key 1 “b”: 0.2500`
pub fn describe(grid: &Grid, (row, column): (usize, usize)) -> String {
    let name = |axis: &Axis, at: usize| match axis.labels.get(at) {
        Some(label) if *label == at.to_string() => format!("{} {at}", axis.name),
        Some(label) if grid.is_pattern || label.chars().count() == 1 => {
            format!("{} {at} “{label}”", axis.name)
        }
        label => label.cloned().unwrap_or_default(),
    };
    let value = grid.value(row, column).filter(|value| value.is_finite());
    let text = grid.text(row, column);
    let value = match value {
        Some(value) if text == show(value) => format!("{value:.4}"),
        Some(value) => format!("{value:.4} {text}"),
        None => "nothing".into(),
    };
    format!("{}, {}: {value}", name(&grid.rows, row), name(&grid.columns, column))
}
