use confab::figure::{Axis, Content, Figure, Grid, Pick, needs_white, show};
use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::Clamped;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use super::theme::Dark;
use crate::browser;
use crate::components::controls::live;
use crate::state::{State, use_state};

/// Sizes of a label's letters and of a cell with text, in pixels.
const LETTER: usize = 8;
const HEIGHT: usize = 18;
/// Bounds of the side of a cell of a pattern.
const SMALLEST: usize = 9;
const LARGEST: usize = 30;
/// With more columns than this, their labels stand upright.
const FEW: usize = 12;
/// Pixels of a canvas by one of the page, and the longest side of a canvas.
pub const SHARPNESS: usize = 2;
const LONGEST: usize = 16_000;

/// The row and the column that are looked at; neither stands for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Focus {
    pub row: Option<usize>,
    pub column: Option<usize>,
    /// It stays where it is when the pointer moves.
    pub is_locked: bool,
}

impl Focus {
    /// The cell of `grid` that is read: of a pattern, the last query if there is none.
    fn cell(self, grid: &Grid) -> (usize, usize) {
        let last = grid.rows.len().saturating_sub(1);
        let row = self.row.unwrap_or(if grid.is_pattern { last } else { 0 }).min(last);
        let column = self.column.unwrap_or(0).min(grid.columns.len().saturating_sub(1));
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

/// How a grid lies on its canvases, in pixels of the page.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Layout {
    rows: usize,
    columns: usize,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    is_upright: bool,
    has_texts: bool,
}

impl Layout {
    fn of(grid: &Grid, room: usize) -> Self {
        let longest = |labels: &[String]| labels.iter().map(|label| label.chars().count()).max();
        let (rows, columns) = (grid.rows.len(), grid.columns.len());
        let left = LETTER * longest(&grid.rows.labels).unwrap_or(0) + 8;
        let label = LETTER * longest(&grid.columns.labels).unwrap_or(1) + 4;
        let text = longest(&grid.texts).map_or(0, |length| LETTER * length + 6);
        let is_upright = columns > FEW && label > 2 * LETTER + 4;
        let width = if is_upright { text } else { text.max(label) };
        let width = width.max(if columns > FEW { SMALLEST } else { HEIGHT });
        let side = (room.saturating_sub(left + 2) / columns.max(1)).clamp(SMALLEST, LARGEST);
        let (width, height) = match grid.is_pattern {
            true => (side, side),
            false => (width, if rows > 40 && text == 0 { 12 } else { HEIGHT }),
        };
        let top = if is_upright { label + 4 } else { HEIGHT };
        Self { rows, columns, left, top, width, height, is_upright, has_texts: text > 0 }
    }

    fn size(&self) -> (usize, usize) {
        (self.columns * self.width, self.rows * self.height)
    }

    /// The row and column at a place of the cells.
    fn cell(&self, x: i32, y: i32) -> Option<(usize, usize)> {
        let column = usize::try_from(x).ok()? / self.width;
        let row = usize::try_from(y).ok()? / self.height;
        (row < self.rows && column < self.columns).then_some((row, column))
    }
}

/// A grid as coloured cells, which are read with the pointer or arrow keys and chosen with a click or
/// Enter.
#[component]
pub fn Cells(
    figure: Memo<Option<Figure>>,
    focus: RwSignal<Focus>,
    pick: fn(State, Pick, usize),
) -> impl IntoView {
    let state = use_state();
    let Dark(is_dark) = expect_context();
    let frame = NodeRef::<html::Div>::new();
    let [across, down, cells] = [(); 3].map(|()| NodeRef::<html::Canvas>::new());
    let layout = Memo::new(move |_| {
        let room = frame.get().map_or(0, |frame| frame.client_width() as usize);
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
        if let Some(frame) = frame.get_untracked() {
            let place = |at: usize, side: usize, shown: i32| (at * side) as i32 - shown / 2;
            frame.set_scroll_top(place(moved.0, layout.height, frame.client_height()));
            frame.set_scroll_left(place(moved.1, layout.width, frame.client_width()));
        }
    };
    let band = move |is_row: bool| {
        let Some(layout) = layout.get() else { return String::new() };
        let (row, column) = cell();
        let Layout { left, top, width, height, .. } = layout;
        let (all_across, all_down) = layout.size();
        let (x, y) = (left + column * width, top + row * height);
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

/// Gives a canvas this size, in pixels of the page, and a pen with which to write on it.
pub fn prepare(
    canvas: &HtmlCanvasElement,
    (width, height): (usize, usize),
    is_dark: bool,
) -> Option<CanvasRenderingContext2d> {
    let sharpness = if width.max(height) * SHARPNESS > LONGEST { 1 } else { SHARPNESS };
    canvas.set_width((width * sharpness) as u32);
    canvas.set_height((height * sharpness) as u32);
    let context = browser::context_2d(canvas)?;
    let _ = context.scale(sharpness as f64, sharpness as f64);
    context.set_font("12px ui-monospace, monospace");
    context.set_text_baseline("middle");
    context.set_fill_style_str(if is_dark { "#c9cfdb" } else { "#3a4150" });
    Some(context)
}

/// Labels along one side, on a canvas of their own so that they stay while cells scroll.
fn paint_labels(
    canvas: &HtmlCanvasElement,
    axis: &Axis,
    layout: Layout,
    is_down: bool,
    is_dark: bool,
) {
    let (width, height) = layout.size();
    let Layout { left, top, .. } = layout;
    let size = if is_down { (left, height) } else { (width, top) };
    let Some(context) = prepare(canvas, size, is_dark) else { return };
    let is_centred = !is_down && !layout.is_upright;
    context.set_text_align(if is_centred {
        "center"
    } else if is_down {
        "right"
    } else {
        "left"
    });
    let side = if is_down { layout.height } else { layout.width };
    let size = if layout.is_upright && !is_down { 12 } else { (side + 1).min(12) };
    context.set_font(&format!("{size}px ui-monospace, monospace"));
    for (place, label) in axis.labels.iter().enumerate() {
        let along = (place * side) as f64 + side as f64 / 2.0;
        context.save();
        let (x, y) = if is_down { (left as f64 - 4.0, along) } else { (along, top as f64 - 6.0) };
        let _ = context.translate(x, y);
        if !is_down && layout.is_upright {
            let _ = context.rotate(-std::f64::consts::FRAC_PI_2);
        }
        let _ = context.fill_text(label, 0.0, 0.0);
        context.restore();
    }
}

fn css(color: [u8; 3]) -> String {
    let [red, green, blue] = color;
    format!("rgb({red},{green},{blue})")
}

fn paint_texts(canvas: &HtmlCanvasElement, grid: &Grid, layout: Layout) {
    let Some(context) = prepare(canvas, layout.size(), false) else { return };
    context.set_text_align("center");
    let (w, h) = (layout.width as f64, layout.height as f64);
    for row in 0..layout.rows {
        for column in 0..layout.columns {
            let value = grid.value(row, column).unwrap_or(f32::NAN);
            let Some(color) = grid.color(value) else { continue };
            let (x, y) = (column as f64 * w, row as f64 * h);
            context.set_fill_style_str(&css(color));
            context.fill_rect(x, y, w, h);
            context.set_fill_style_str(if needs_white(color) { "#fff" } else { "#000" });
            let _ = context.fill_text(grid.text(row, column), x + w / 2.0, y + h / 2.0);
        }
    }
}

/// A pixel a cell, which the style sheet scales.
pub fn paint_pixels(canvas: &HtmlCanvasElement, grid: &Grid) {
    let (width, height) = (grid.columns.len(), grid.rows.len());
    let mut pixels = vec![0; 4 * width * height];
    for (pixel, value) in pixels.chunks_exact_mut(4).zip(&grid.values) {
        if let Some([red, green, blue]) = grid.color(*value) {
            pixel.copy_from_slice(&[red, green, blue, 255]);
        }
    }
    canvas.set_width(width as u32);
    canvas.set_height(height as u32);
    let image = ImageData::new_with_u8_clamped_array(Clamped(&pixels), width as u32);
    if let (Some(context), Ok(image)) = (browser::context_2d(canvas), image) {
        let _ = context.put_image_data(&image, 0.0, 0.0);
    }
}
