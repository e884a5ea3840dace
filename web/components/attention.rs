use std::sync::Arc;

use confab::protocol::Trace;
use leptos::html;
use leptos::prelude::*;

use crate::actions::Seen;
use crate::components::by_type::ByType;
use crate::components::controls::switch;
use crate::components::export_trace::ExportTrace;
use crate::components::figure::FigureView;
use crate::components::trace::{NoTrace, Shown};
use crate::head::Head;
use crate::heatmap;
use crate::state::use_state;

/// Every head's pattern small, and one of them large.
#[component]
pub fn Attention() -> impl IntoView {
    let Shown(trace) = expect_context();
    let state = use_state();
    let chosen = state.head;
    let is_averaged = RwSignal::new(chosen.with_untracked(|chosen| chosen.head.is_none()));
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
    // A film looks on, even if the figure goes.
    let look = move || {
        let figure = figure.try_get_untracked()??;
        let trace = trace.get_untracked()?;
        let what = chosen.get_untracked().name(&trace);
        Some(Seen { figure, step: trace.step, is_done: true, what })
    };
    let tiles = move || {
        let (layers, heads) = shape.get()?;
        let is_averaged = is_averaged.get();
        let columns = if is_averaged { layers.min(8) } else { heads };
        let rows = if is_averaged { layers.div_ceil(columns.max(1)) } else { layers };
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
                class:crowded=move || { columns > 8 }
                style=format!("--columns:{columns};--rows:{rows}")
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
                {switch("Mean over heads", move || is_averaged.get(), move |is_on| is_averaged.set(is_on))}
                <Scale/>
            </div>
            {tiles}
            <FigureView figure look=Arc::new(look) pick=|_, _, _| {}>
                <ExportTrace/>
            </FigureView>
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
            title=head.label()
            on:click=move |_| chosen.set(head)
        >
            <canvas node_ref=canvas width="1" height="1"></canvas>
            <span>{head.label()}</span>
        </button>
    }
}

/// The meaning of the colours.
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
