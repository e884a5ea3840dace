use std::borrow::Cow;
use std::sync::Arc;

use confab::protocol::Trace;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use crate::browser;
use crate::components::Dark;
use crate::components::inspector::Shown;
use crate::heatmap;
use confab::figure::show_character;

/// Width of an axis, and bounds of a cell's side, in pixels.
const AXIS: usize = 20;
const SMALLEST_CELL: usize = 11;
const LARGEST_CELL: usize = 30;

/// One head, or the mean of a layer's heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub layer: usize,
    pub head: Option<usize>,
}

impl Head {
    /// `L0H3`, or `L0` for a layer's mean.
    pub fn label(self) -> String {
        match self.head {
            Some(head) => format!("L{}H{head}", self.layer),
            None => format!("L{} mean", self.layer),
        }
    }

    /// Its pattern, `[query, key]`; `None` if the traced model has no such head.
    pub fn pattern(self, trace: &Trace) -> Option<Cow<'_, [f32]>> {
        if self.layer >= trace.n_layers || self.head.is_some_and(|head| head >= trace.n_heads) {
            return None;
        }
        Some(match self.head {
            Some(head) => Cow::Borrowed(trace.pattern(self.layer, head)),
            None => Cow::Owned(trace.layer_mean(self.layer)),
        })
    }
}

/// The query and key looked at. No query stands for the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Focus {
    query: Option<usize>,
    key: Option<usize>,
}

/// One head's pattern with its characters along both axes, and the focused row in numbers.
#[component]
pub fn HeadView(head: RwSignal<Head>) -> impl IntoView {
    let Shown(trace) = expect_context();
    let focus = RwSignal::new(Focus::default());
    let tokens = Memo::new(move |_| {
        trace.with(|trace| trace.as_ref().map(|trace| trace.tokens.clone()).unwrap_or_default())
    });
    let frame = NodeRef::<html::Div>::new();
    let cell = Memo::new(move |_| {
        let width = frame.get().map_or(0, |frame| frame.client_width() as usize);
        let count = tokens.with(Vec::len).max(1);
        (width.saturating_sub(AXIS + 2) / count).clamp(SMALLEST_CELL, LARGEST_CELL)
    });
    let side = move || tokens.with(Vec::len) * cell.get();
    let row =
        Memo::new(move |_| trace.with(|trace| read_row(trace.as_ref()?, head.get(), focus.get())));

    let canvas = NodeRef::<html::Canvas>::new();
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        trace.with(|trace| {
            let Some(trace) = trace else { return };
            if let Some(pattern) = head.get().pattern(trace) {
                heatmap::paint(&canvas, &pattern, trace.tokens.len(), false);
            }
        });
    });
    let point = move |event: ev::PointerEvent| {
        let cell = cell.get_untracked() as i32;
        let (key, query) = ((event.offset_x() / cell) as usize, (event.offset_y() / cell) as usize);
        let count = tokens.with_untracked(Vec::len);
        if query < count && key < count {
            focus.set(Focus { query: Some(query), key: Some(key) });
        }
    };
    let press = move |event: ev::KeyboardEvent| {
        let count = tokens.with_untracked(Vec::len);
        if let Some(moved) = move_focus(focus.get_untracked(), count, &event.key()) {
            event.prevent_default();
            focus.set(moved);
            if let Some(frame) = frame.get_untracked() {
                scroll_to(&frame, moved, cell.get_untracked());
            }
        }
    };
    let band = move |is_row: bool| {
        let focus = focus.get();
        let at = if is_row { row.with(|row| row.as_ref().map(|row| row.query)) } else { focus.key };
        at.map(|at| {
            let (from, length) = (AXIS + at * cell.get(), AXIS + side());
            let cell = cell.get();
            match is_row {
                true => format!("left:0;top:{from}px;width:{length}px;height:{cell}px"),
                false => format!("top:0;left:{from}px;height:{length}px;width:{cell}px"),
            }
        })
        .unwrap_or_else(|| "display:none".into())
    };

    view! {
        <div class="head">
            <h3>
                {move || head.get().label()}
                <span class="hint">"queries down, keys across"</span>
            </h3>
            <div class="matrix-frame" node_ref=frame>
                <div
                    class="matrix"
                    style=move || format!("--axis:{AXIS}px;--side:{}px", side())
                >
                    <div class="corner"></div>
                    <Axis tokens cell is_row=false focus/>
                    <Axis tokens cell is_row=true focus/>
                    <canvas
                        class="cells"
                        node_ref=canvas
                        width="1"
                        height="1"
                        tabindex="0"
                        role="application"
                        aria-label=move || {
                            format!("Pattern of {}. Arrow keys choose query and key", head.get().label())
                        }
                        on:pointermove=point
                        on:pointerdown=point
                        on:keydown=press
                    ></canvas>
                    <div class="band" style=move || band(true)></div>
                    <div class="band" style=move || band(false)></div>
                </div>
            </div>
            <RowReadout row head focus/>
        </div>
    }
}

/// The characters along one side, on a canvas of their own so that they stay while cells scroll.
#[component]
fn Axis(
    tokens: Memo<Vec<char>>,
    cell: Memo<usize>,
    is_row: bool,
    focus: RwSignal<Focus>,
) -> impl IntoView {
    const SHARPNESS: usize = 2;
    let Dark(is_dark) = expect_context();
    let canvas = NodeRef::<html::Canvas>::new();
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        let (length, cell) = (tokens.with(Vec::len) * cell.get(), cell.get());
        let (width, height) = if is_row { (AXIS, length) } else { (length, AXIS) };
        canvas.set_width((width * SHARPNESS) as u32);
        canvas.set_height((height * SHARPNESS) as u32);
        let Some(context) = browser::context_2d(&canvas) else { return };
        let _ = context.scale(SHARPNESS as f64, SHARPNESS as f64);
        context.set_font(&format!("{}px ui-monospace, monospace", cell.min(13)));
        context.set_text_align("center");
        context.set_text_baseline("middle");
        context.set_fill_style_str(if is_dark.get() { "#c9cfdb" } else { "#3a4150" });
        tokens.with(|tokens| {
            for (index, token) in tokens.iter().enumerate() {
                let along = (index * cell) as f64 + cell as f64 / 2.0;
                let across = AXIS as f64 / 2.0;
                let (x, y) = if is_row { (across, along) } else { (along, across) };
                let _ = context.fill_text(&show_character(*token).to_string(), x, y);
            }
        });
    });
    let point = move |event: ev::PointerEvent| {
        let offset = if is_row { event.offset_y() } else { event.offset_x() };
        let at = (offset.max(0) as usize) / cell.get_untracked();
        if at < tokens.with_untracked(Vec::len) {
            focus.update(|focus| match is_row {
                true => focus.query = Some(at),
                false => focus.key = Some(at),
            });
        }
    };
    view! {
        <canvas
            class=if is_row { "axis queries" } else { "axis keys" }
            node_ref=canvas
            width="1"
            height="1"
            aria-hidden="true"
            on:pointermove=point
        ></canvas>
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    query: usize,
    character: char,
    /// Keys up to the query, each with its weight.
    weights: Vec<(char, f32)>,
    sum: f32,
}

fn read_row(trace: &Arc<Trace>, head: Head, focus: Focus) -> Option<Row> {
    let count = trace.tokens.len();
    let query = focus.query.unwrap_or(usize::MAX).min(count.checked_sub(1)?);
    let pattern = head.pattern(trace)?;
    let row = &pattern[query * count..(query + 1) * count];
    let weights = trace.tokens.iter().copied().zip(row.iter().copied()).take(query + 1).collect();
    Some(Row { query, character: trace.tokens[query], weights, sum: row.iter().sum() })
}

/// The focused row's weights as text.
#[component]
fn RowReadout(
    row: Memo<Option<Row>>,
    head: RwSignal<Head>,
    focus: RwSignal<Focus>,
) -> impl IntoView {
    let heading = move || {
        row.get().map(|row| {
            let character = show_character(row.character);
            let at_key = focus.get().key.and_then(|key| Some((key, *row.weights.get(key)?)));
            let at_key = at_key.map_or(String::new(), |(key, (character, weight))| {
                format!(" → key {key} “{}” {weight:.4}", show_character(character))
            });
            format!("{} query {} “{character}”{at_key}", head.get().label(), row.query)
        })
    };
    let sum = move || row.with(|row| row.as_ref().map(|row| format!("sum {:.3}", row.sum)));
    let weights = move || {
        let row = row.get()?;
        let key = focus.get().key;
        Some(
            row.weights
                .into_iter()
                .enumerate()
                .map(|(index, (character, weight))| {
                    view! {
                        <span
                            class="weight"
                            class:focused=key == Some(index)
                            class:faint=weight < 0.005
                            style=format!("--heat:{}", heatmap::css_color(weight))
                        >
                            <b>{show_character(character).to_string()}</b>
                            " "
                            <span class="number">{format!("{weight:.4}")}</span>
                            " "
                        </span>
                    }
                })
                .collect_view(),
        )
    };
    view! {
        <output class="row" data-testid="attention-row" aria-label="Focused row">
            <span class="row-heading">{heading} " " <strong>{sum}</strong></span>
            <span class="weights">{weights}</span>
        </output>
    }
}

fn move_focus(focus: Focus, count: usize, key: &str) -> Option<Focus> {
    let last = count.checked_sub(1)?;
    let query = focus.query.unwrap_or(last).min(last);
    let at = focus.key.unwrap_or(query).min(last);
    let (query, at) = match key {
        "ArrowUp" => (query.saturating_sub(1), at),
        "ArrowDown" => ((query + 1).min(last), at),
        "ArrowLeft" => (query, at.saturating_sub(1)),
        "ArrowRight" => (query, (at + 1).min(last)),
        "Home" => (0, at),
        "End" => (last, at),
        _ => return None,
    };
    Some(Focus { query: Some(query), key: Some(at) })
}

/// Keeps the focused cell in view.
fn scroll_to(frame: &web_sys::HtmlElement, focus: Focus, cell: usize) {
    let place = |at: Option<usize>, shown: i32| (at.unwrap_or(0) * cell) as i32 - shown / 2;
    frame.set_scroll_top(place(focus.query, frame.client_height()));
    frame.set_scroll_left(place(focus.key, frame.client_width()));
}
