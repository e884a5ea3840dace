use std::borrow::Cow;
use std::sync::Arc;

use confab::figure::{Axis, Content, Figure, Grid, show_token};
use confab::protocol::Trace;
use leptos::html;
use leptos::prelude::*;

use crate::components::by_type::ByType;
use crate::components::controls::switch;
use crate::components::figure::FigureView;
use crate::components::inspector::{NoTrace, Shown};
use crate::heatmap;

/// One head, or the mean of a layer's heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub layer: usize,
    pub head: Option<usize>,
}

impl Head {
    /// `L0H3`, or `L0 mean`.
    pub fn label(self) -> String {
        match self.head {
            Some(head) => format!("L{}H{head}", self.layer),
            None => format!("L{} mean", self.layer),
        }
    }

    /// Its pattern, `[query, key]`; `None` if the traced model has no such head.
    fn pattern(self, trace: &Trace) -> Option<Cow<'_, [f32]>> {
        if self.layer >= trace.n_layers || self.head.is_some_and(|head| head >= trace.n_heads) {
            return None;
        }
        Some(match self.head {
            Some(head) => Cow::Borrowed(trace.pattern(self.layer, head)),
            None => Cow::Owned(trace.layer_mean(self.layer)),
        })
    }

    fn figure(self, trace: &Trace) -> Option<Figure> {
        let labels: Vec<String> = trace.tokens.iter().map(|token| show_token(token)).collect();
        let axis = |name| Axis::new(name, labels.clone());
        let values = self.pattern(trace)?.into_owned();
        let grid = Grid::pattern(axis("query"), axis("key"), values);
        let grid = if trace.against.is_none() { grid.within([0.0, 1.0]) } else { grid };
        Some(Figure {
            title: format!("Pattern of {}", self.label()),
            note: match trace.against {
                Some(step) => {
                    format!("What each query (row) reads, less what it read at step {step}.")
                }
                None => "What each query (row) reads of the keys up to it; a row sums to 1.".into(),
            },
            content: Content::Grid(grid),
        })
    }
}

/// Every head's pattern small, and one of them large.
#[component]
pub fn Attention() -> impl IntoView {
    let Shown(trace) = expect_context();
    let is_averaged = RwSignal::new(false);
    let chosen = RwSignal::new(Head { layer: 0, head: Some(0) });
    let shape = Memo::new(move |_| {
        trace.with(|trace| trace.as_ref().map(|trace| (trace.n_layers, trace.n_heads)))
    });
    Effect::new(move |_| {
        let Some((layers, heads)) = shape.get() else { return };
        let averaged = is_averaged.get();
        chosen.update(|chosen| {
            chosen.layer = chosen.layer.min(layers.saturating_sub(1));
            let head = chosen.head.unwrap_or(0).min(heads.saturating_sub(1));
            chosen.head = (!averaged).then_some(head);
        });
    });
    let figure = Memo::new(move |_| trace.with(|trace| chosen.get().figure(trace.as_ref()?)));
    let tiles = move || {
        let (layers, heads) = shape.get()?;
        let is_averaged = is_averaged.get();
        let columns = if is_averaged { layers.min(8) } else { heads };
        let heads: Vec<Option<usize>> =
            if is_averaged { vec![None] } else { (0..heads).map(Some).collect() };
        let tiles = (0..layers)
            .flat_map(|layer| heads.iter().map(move |head| Head { layer, head: *head }))
            .map(|head| view! { <Tile head chosen trace/> })
            .collect_view();
        Some(view! {
            <div
                class="tiles"
                class:many=move || { columns > 4 }
                style=format!("--columns:{columns}")
                role="group"
                aria-label="Small multiples"
            >
                {tiles}
            </div>
        })
    };
    view! {
        <Show when=move || shape.get().is_some() fallback=|| view! { <NoTrace/> }>
            <div class="attention-options">
                {switch("Average by layer", move || is_averaged.get(), move |is_on| is_averaged.set(is_on))}
                <Scale/>
            </div>
            <div class="tiles-box">{tiles}</div>
            <FigureView figure pick=|_, _, _| {}/>
            <ByType chosen/>
        </Show>
    }
}

#[component]
fn Tile(head: Head, chosen: RwSignal<Head>, trace: RwSignal<Option<Arc<Trace>>>) -> impl IntoView {
    let canvas = NodeRef::<html::Canvas>::new();
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        trace.with(|trace| {
            if let Some((trace, pattern)) =
                trace.as_ref().and_then(|trace| Some((trace, head.pattern(trace)?)))
            {
                heatmap::paint(&canvas, &pattern, trace.tokens.len(), trace.against.is_some());
            }
        });
    });
    view! {
        <button
            class="tile"
            aria-pressed=move || (chosen.get() == head).to_string()
            aria-label=head.label()
            on:click=move |_| chosen.set(head)
        >
            <canvas node_ref=canvas width="1" height="1"></canvas>
            <span>{head.label()}</span>
        </button>
    }
}

/// What the colours mean.
#[component]
fn Scale() -> impl IntoView {
    let stops: Vec<String> =
        (0..=8u8).map(|stop| heatmap::css_color((f32::from(stop) / 8.0).powi(2))).collect();
    view! {
        <span class="scale" aria-hidden="true" title="colours go by the square root of the weight">
            "0"<i style=format!("background:linear-gradient(90deg,{})", stops.join(","))></i>"1"
        </span>
    }
}
