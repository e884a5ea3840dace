use confab::figure::{Axis, Content, Figure, Grid, Pick, Table, needs_white, show};
use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Dark;
use crate::browser;
use crate::state::{State, use_state};

/// Of a picture's letters and cells, in pixels.
const LETTER: usize = 8;
const HEIGHT: usize = 18;
const SMALLEST: usize = 9;
/// With more columns than this, their labels stand upright.
const FEW: usize = 12;
const PLOT_HEIGHT: u32 = 240;
/// Widest plot, and what a narrow page needs beside one, in pixels.
const WIDEST: i32 = 500;
const AROUND: i32 = 60;

/// One figure: what it is called, what it shows and how that is to be read.
#[component]
pub fn FigureView(figure: Memo<Option<Figure>>, pick: fn(State, Pick, usize)) -> impl IntoView {
    let title = move || figure.with(|figure| figure.as_ref().map(|figure| figure.title.clone()));
    let note = move || figure.with(|figure| figure.as_ref().map(|figure| figure.note.clone()));
    let kind = Memo::new(move |_| {
        figure.with(|figure| {
            figure.as_ref().map(|figure| match figure.content {
                Content::Grid(_) => 0,
                Content::Table(_) => 1,
                Content::Plot(_) => 2,
            })
        })
    });
    let is_picture = move || kind.get() != Some(1);
    let content = move || match kind.get() {
        Some(0) => view! { <Cells figure pick/> }.into_any(),
        Some(1) => (move || figure.with(|figure| figure.as_ref().map(show_table))).into_any(),
        Some(_) => view! { <Lines figure/> }.into_any(),
        None => ().into_any(),
    };
    view! {
        <figure class="found">
            <figcaption class="heading">
                <h3>{title}</h3>
                <Show when=is_picture>
                    <Save figure is_png=true/>
                    <Save figure is_png=false/>
                </Show>
            </figcaption>
            {content}
            <p class="hint">{note}</p>
        </figure>
    }
}

#[component]
fn Save(figure: Memo<Option<Figure>>, is_png: bool) -> impl IntoView {
    let state = use_state();
    let Dark(is_dark) = expect_context();
    let save = move |_| {
        let drawn = figure
            .with_untracked(|figure| figure.as_ref().map(|f| f.to_svg(is_dark.get_untracked())));
        spawn_local(async move {
            let saved = match drawn {
                None => Ok(()),
                Some(Err(reason)) => Err(reason),
                Some(Ok(svg)) if is_png => {
                    browser::download_png("figure.png", &svg, size_of(&svg)).await
                }
                Some(Ok(svg)) => browser::download("figure.svg", "image/svg+xml", svg.as_bytes()),
            };
            if let Err(reason) = saved {
                state.notify(format!("The figure could not be saved: {reason}."));
            }
        });
    };
    view! { <button class="small" on:click=save>{if is_png { "PNG" } else { "SVG" }}</button> }
}

/// The width and height that an SVG of ours begins with.
fn size_of(svg: &str) -> (u32, u32) {
    let mut numbers = svg.split('"').filter_map(|part| part.parse().ok());
    (numbers.next().unwrap_or(640), numbers.next().unwrap_or(320))
}

fn show_table(figure: &Figure) -> Option<impl IntoView + use<>> {
    let Content::Table(Table { columns, rows }) = &figure.content else { return None };
    let head: String =
        columns.iter().map(|name| format!("<th scope=col>{}</th>", escape(name))).collect();
    let row = |row: &Vec<String>| {
        let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr>{cells}</tr>")
    };
    let body: String = rows.iter().map(row).collect();
    // As text, for the page would be larger by what makes nodes one by one.
    let html = format!("<thead><tr>{head}</tr></thead><tbody>{body}</tbody>");
    Some(view! { <table class="facts" inner_html=html></table> })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[component]
fn Lines(figure: Memo<Option<Figure>>) -> impl IntoView {
    let Dark(is_dark) = expect_context();
    let svg = move || {
        let body = document().body().map_or(0, |body| body.client_width());
        let width = body.saturating_sub(AROUND).clamp(240, WIDEST) as u32;
        figure.with(|figure| match &figure.as_ref()?.content {
            Content::Plot(plot) => Some(plot.to_svg((width, PLOT_HEIGHT), is_dark.get())),
            _ => None,
        })
    };
    view! { <div inner_html=move || svg().unwrap_or_default()></div> }
}

/// How a grid lies on its canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Layout {
    rows: usize,
    columns: usize,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    is_upright: bool,
}

impl Layout {
    fn of(grid: &Grid) -> Self {
        let longest = |labels: &[String]| labels.iter().map(|label| label.chars().count()).max();
        let (rows, columns) = (grid.rows.len(), grid.columns.len());
        let label = LETTER * longest(&grid.columns.labels).unwrap_or(1) + 4;
        let text = longest(&grid.texts).map_or(0, |length| LETTER * length + 6);
        let is_upright = columns > FEW && label > 2 * LETTER + 4;
        let width = if is_upright { text } else { text.max(label) };
        Self {
            rows,
            columns,
            left: LETTER * longest(&grid.rows.labels).unwrap_or(0) + 8,
            top: if is_upright { label + 4 } else { HEIGHT },
            width: width.max(if columns > FEW { SMALLEST } else { HEIGHT }),
            height: if rows > 40 && text == 0 { 12 } else { HEIGHT },
            is_upright,
        }
    }

    fn size(&self) -> (usize, usize) {
        (self.left + self.columns * self.width, self.top + self.rows * self.height)
    }

    /// The row and column at a place.
    fn cell(&self, x: i32, y: i32) -> Option<(usize, usize)> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        let column = x.checked_sub(self.left)? / self.width;
        let row = y.checked_sub(self.top)? / self.height;
        (row < self.rows && column < self.columns).then_some((row, column))
    }
}

/// A grid on a canvas, whose cells are read with the pointer or arrow keys and chosen with a click
/// or Enter.
#[component]
fn Cells(figure: Memo<Option<Figure>>, pick: fn(State, Pick, usize)) -> impl IntoView {
    let state = use_state();
    let Dark(is_dark) = expect_context();
    let canvas = NodeRef::<html::Canvas>::new();
    let focus = RwSignal::new((0, 0));
    let layout = Memo::new(move |_| with_grid(figure, Layout::of));
    Effect::new(move |_| {
        let (Some(canvas), Some(layout)) = (canvas.get(), layout.get()) else { return };
        with_grid(figure, |grid| paint(&canvas, grid, layout, focus.get(), is_dark.get()));
    });
    let point = move |event: ev::PointerEvent| {
        let layout = layout.get_untracked();
        if let Some(cell) = layout.and_then(|l| l.cell(event.offset_x(), event.offset_y())) {
            focus.set(cell);
        }
    };
    let choose = move || {
        let (row, column) = focus.get_untracked();
        let picks =
            with_grid(figure, |grid| [(grid.rows.picks, row), (grid.columns.picks, column)]);
        for (axis, number) in picks.into_iter().flatten() {
            if let Some(axis) = axis {
                pick(state, axis, number);
            }
        }
    };
    let press = move |event: ev::KeyboardEvent| {
        let Some(Layout { rows, columns, .. }) = layout.get_untracked() else { return };
        let (row, column) = focus.get_untracked();
        let moved = match event.key().as_str() {
            "ArrowUp" => (row.saturating_sub(1), column),
            "ArrowDown" => (row + 1, column),
            "ArrowLeft" => (row, column.saturating_sub(1)),
            "ArrowRight" => (row, column + 1),
            "Enter" => {
                choose();
                (row, column)
            }
            _ => return,
        };
        event.prevent_default();
        focus.set((moved.0.min(rows.saturating_sub(1)), moved.1.min(columns.saturating_sub(1))));
    };
    let readout = move || {
        let (row, column) = focus.get();
        with_grid(figure, |grid| {
            let name = |axis: &Axis, at: usize| match axis.labels.get(at) {
                Some(label) if label.chars().count() == 1 => {
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
        })
    };
    let label = move || {
        let title = figure.with(|figure| figure.as_ref().map(|figure| figure.title.clone()));
        format!("{}. Arrow keys read its cells, Enter chooses", title.unwrap_or_default())
    };
    view! {
        <div class="grid-frame">
            <canvas
                node_ref=canvas
                width="1"
                height="1"
                tabindex="0"
                role="application"
                aria-label=label
                on:pointermove=point
                on:click=move |_| choose()
                on:keydown=press
            ></canvas>
        </div>
        <output class="hint">{readout}</output>
    }
}

fn with_grid<T>(figure: Memo<Option<Figure>>, read: impl FnOnce(&Grid) -> T) -> Option<T> {
    figure.with(|figure| match &figure.as_ref()?.content {
        Content::Grid(grid) => Some(read(grid)),
        _ => None,
    })
}

fn paint(
    canvas: &web_sys::HtmlCanvasElement,
    grid: &Grid,
    layout: Layout,
    focus: (usize, usize),
    is_dark: bool,
) {
    const SHARPNESS: usize = 2;
    let (width, height) = layout.size();
    canvas.set_width((SHARPNESS * width) as u32);
    canvas.set_height((SHARPNESS * height) as u32);
    let _ = canvas.set_attribute("style", &format!("width:{width}px;height:{height}px"));
    let Some(context) = browser::context_2d(canvas) else { return };
    let _ = context.scale(SHARPNESS as f64, SHARPNESS as f64);
    context.set_font("12px ui-monospace, monospace");
    context.set_text_baseline("middle");
    let ink = if is_dark { "#c9cfdb" } else { "#3a4150" };
    let (w, h) = (layout.width as f64, layout.height as f64);
    let x = |column: usize| (layout.left + column * layout.width) as f64;
    let y = |row: usize| (layout.top + row * layout.height) as f64;
    context.set_fill_style_str(ink);
    context.set_text_align("right");
    for (row, label) in grid.rows.labels.iter().enumerate() {
        let _ = context.fill_text(label, layout.left as f64 - 6.0, y(row) + h / 2.0);
    }
    context.set_text_align(if layout.is_upright { "left" } else { "center" });
    for (column, label) in grid.columns.labels.iter().enumerate() {
        context.save();
        let _ = context.translate(x(column) + w / 2.0, layout.top as f64 - 6.0);
        if layout.is_upright {
            let _ = context.rotate(-std::f64::consts::FRAC_PI_2);
        }
        let _ = context.fill_text(label, 0.0, 0.0);
        context.restore();
    }
    context.set_text_align("center");
    for row in 0..layout.rows {
        for column in 0..layout.columns {
            let value = grid.value(row, column).unwrap_or(f32::NAN);
            let Some(color) = grid.color(value) else { continue };
            let [red, green, blue] = color;
            context.set_fill_style_str(&format!("rgb({red},{green},{blue})"));
            context.fill_rect(x(column), y(row), w, h);
            let text = grid.text(row, column);
            if !text.is_empty() {
                context.set_fill_style_str(if needs_white(color) { "#fff" } else { "#000" });
                let _ = context.fill_text(text, x(column) + w / 2.0, y(row) + h / 2.0);
            }
        }
    }
    context.set_stroke_style_str(ink);
    context.stroke_rect(x(focus.1) + 0.5, y(focus.0) + 0.5, w - 1.0, h - 1.0);
}
