use confab::protocol::Trace;
use confab::run::Group;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::components::attention::Attention;
use crate::components::capacity::Capacity;
use crate::components::controls::live;
use crate::components::interventions::Interventions;
use crate::components::lab::Lab;
use crate::components::memory::Memory;
use crate::components::probabilities::Probabilities;
use crate::components::retrieval::Retrieval;
use crate::components::steps::Steps;
use crate::components::strip::Strip;
use crate::components::surgery::Surgery;
use crate::components::trace::{Shown, follow_frames};
use crate::runs::group_digits;
use crate::state::use_state;
use crate::tab::Tab;

#[component]
pub fn Inspector() -> impl IntoView {
    let state = use_state();
    let shown = RwSignal::new(None);
    provide_context(Shown(shown));
    follow_frames(state.trace, shown);

    let tabs = Tab::ALL
        .into_iter()
        .map(|tab| {
            let is_open = move || state.tab.get() == tab;
            let group = tab.group_name().map(|name| {
                view! { <span class="group-name" role="presentation">{name}</span> }
            });
            view! {
                {group}
                <button
                    role="tab"
                    id=format!("tab-{}", tab.key())
                    aria-controls=format!("panel-{}", tab.key())
                    aria-selected=move || is_open().to_string()
                    tabindex=move || if is_open() { "0" } else { "-1" }
                    on:click=move |_| state.tab.set(tab)
                >
                    {tab.label()}
                </button>
            }
        })
        .collect_view();
    let move_focus = move |event: leptos::ev::KeyboardEvent| {
        let index = Tab::ALL.iter().position(|tab| *tab == state.tab.get_untracked()).unwrap_or(0);
        let next = match event.key().as_str() {
            "ArrowRight" | "ArrowDown" => (index + 1) % Tab::ALL.len(),
            "ArrowLeft" | "ArrowUp" => (index + Tab::ALL.len() - 1) % Tab::ALL.len(),
            "Home" => 0,
            "End" => Tab::ALL.len() - 1,
            _ => return,
        };
        event.prevent_default();
        state.tab.set(Tab::ALL[next]);
        let id = format!("tab-{}", Tab::ALL[next].key());
        if let Some(tab) = document().get_element_by_id(&id) {
            let _ = tab.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    };
    // In a row that is longer than the panel the open tab is in sight.
    Effect::new(move |_| {
        let id = format!("tab-{}", state.tab.get().key());
        let tab = document().get_element_by_id(&id);
        let tab = tab.and_then(|tab| tab.dyn_into::<web_sys::HtmlElement>().ok());
        if let Some((tab, row)) = tab.and_then(|tab| Some((tab.clone(), tab.parent_element()?))) {
            row.set_scroll_left(tab.offset_left() - row.client_width() / 3);
        }
    });
    // Without one, no analysis of it could be shown.
    let has_memory = move || state.remembered.with(|(slots, _)| !slots.is_empty());
    let step = move || {
        let shown = shown.with(|trace| trace.as_deref().map(describe))?;
        Some(match state.named_ablations() {
            Some(ablations) => format!("{shown} · with {ablations}"),
            None => shown,
        })
    };

    view! {
        <section class="panel inspector" aria-label="Inspector">
            <h2 class="visually-hidden">"Inspector"</h2>
            <div class="heading">
                <div class="tabs" role="tablist" aria-label="Inspector" on:keydown=move_focus>
                    {tabs}
                </div>
                <span class="hint">{live(move || step().unwrap_or_default())}</span>
            </div>
            <Strip/>
            <Steps/>
            <Interventions/>
            {Tab::ALL
                .into_iter()
                .map(|tab| {
                    let is_open = move || state.tab.get() == tab;
                    view! {
                        <div
                            role="tabpanel"
                            id=format!("panel-{}", tab.key())
                            aria-labelledby=format!("tab-{}", tab.key())
                            hidden=move || !is_open()
                        >
                            <Show when=is_open>
                                {match tab {
                                    Tab::Attention => view! { <Attention/> }.into_any(),
                                    Tab::Probabilities => view! { <Probabilities/> }.into_any(),
                                    Tab::Retrieval => view! { <Retrieval/> }.into_any(),
                                    Tab::Capacity => view! { <Capacity/> }.into_any(),
                                    Tab::Memory => {
                                        view! {
                                            <Show when=has_memory>
                                                <Lab group=Group::Memory/>
                                            </Show>
                                            <Memory/>
                                        }
                                            .into_any()
                                    }
                                    Tab::Surgery => {
                                        view! { <Surgery/> <Lab group=Group::Architecture/> }.into_any()
                                    }
                                    _ => tab.group().map(|group| view! { <Lab group/> }).into_any(),
                                }}
                            </Show>
                        </div>
                    }
                })
                .collect_view()}
        </section>
    }
}

/// `step 1,200`, and how much of the prompt is shown if not all of it.
fn describe(trace: &Trace) -> String {
    let step = format!("step {}", group_digits(trace.step));
    let shown = trace.tokens.len();
    match shown < trace.prompt_len {
        true => format!("{step} · the prompt's first {shown} of {} characters", trace.prompt_len),
        false => step,
    }
}
