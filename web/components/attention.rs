use std::sync::Arc;

use leptos::prelude::*;

use crate::actions::Seen;
use crate::components::ablate::{ablate, before_after};
use crate::components::by_type::ByType;
use crate::components::controls::switch;
use crate::components::export_trace::ExportTrace;
use crate::components::figure::FigureView;
use crate::components::tiles::tiles;
use crate::components::trace::{NoTrace, Shown};
use crate::head::Head;
use crate::state::{State, use_state};

/// Every head's pattern small, and one of them large.
#[component]
pub fn Attention() -> impl IntoView {
    let Shown(trace) = expect_context();
    let state = use_state();
    let chosen = state.head;
    let is_averaged = Memo::new(move |_| chosen.get().head.is_none());
    let shape = Memo::new(move |_| {
        let shape = trace.with(|trace| trace.as_ref().map(|trace| (trace.n_layers, trace.n_heads)));
        shape.filter(|(layers, _)| *layers > 0)
    });
    // What is chosen may be of a model with more.
    Effect::new(move |_| {
        let (Some((layers, heads)), Head { layer, head }) = (shape.get(), chosen.get()) else {
            return;
        };
        let layer = layer.min(layers.saturating_sub(1));
        let within = Head { layer, head: head.map(|head| head.min(heads.saturating_sub(1))) };
        if within != chosen.get_untracked() {
            chosen.set(within);
        }
    });
    let average = move |is_on: bool| {
        chosen.update(|chosen| chosen.head = (!is_on).then_some(0));
    };
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
        Some(tiles(layers, (!is_averaged.get()).then_some(heads), chosen, trace))
    };
    view! {
        <Show when=move || shape.get().is_some() fallback=|| view! { <NoTrace/> }>
            <div class="attention-options">
                {switch("Mean over heads", move || is_averaged.get(), average)}
            </div>
            {tiles}
            <FigureView figure look=Arc::new(look) pick=State::choose above=before_after()>
                {ablate(chosen)}
                <ExportTrace/>
            </FigureView>
            <ByType chosen/>
        </Show>
    }
}
