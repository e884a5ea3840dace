use confab::figure::show_token;
use confab::protocol::Cost;
use leptos::ev;
use leptos::prelude::*;

use super::alternatives::Bars;
use super::controls::{SelectEvent, live};
use crate::components::trace::{NoTrace, Shown};
use crate::state::{Inspected, use_state};

/// The cost of a full bar, that of one character in 150.
const TALLEST_NATS: f32 = 5.0;

/// Every character with what else the model held possible in its place.
#[component]
pub fn Probabilities() -> impl IntoView {
    let state = use_state();
    let Shown(trace) = expect_context();
    let tokens = Memo::new(move |_| {
        trace.with(|trace| trace.as_ref().map(|trace| trace.tokens.clone()).unwrap_or_default())
    });
    let sampled = Memo::new(move |_| state.sample.with(|sample| sample.characters.len()));
    let is_empty = move || tokens.with(Vec::is_empty) && sampled.get() == 0;

    let given = move || {
        let tokens = tokens.get();
        let last = tokens.len();
        (0..last)
            .map(|index| {
                let next = tokens.get(index + 1).cloned();
                view! { <Chip place=Inspected::AfterPrompt(index) character=next/> }
            })
            .collect_view()
    };
    view! {
        <Show when=move || !is_empty() fallback=|| view! { <NoTrace/> }>
            <h3>"Prompt"</h3>
            <ChipRow label="Prompt tokens" count=Memo::new(move |_| tokens.with(Vec::len)) is_sample=false>
                <span class="chip first" aria-hidden="true">
                    {live(move || tokens.with(|tokens| tokens.first().map_or(String::new(), |token| show_token(token))))}
                </span>
                {given}
            </ChipRow>
            <h3>"Output"</h3>
            <Show
                when=move || { sampled.get() > 0 }
                fallback=|| view! { <p class="hint">"Press Generate to continue the prompt."</p> }
            >
                <ChipRow label="Output tokens" count=sampled is_sample=true>
                    <For each=move || 0..sampled.get() key=|index| *index let(index)>
                        <Chip
                            place=Inspected::Sampled(index)
                            character=state.sample.with_untracked(|sample| {
                                sample.characters.get(index).map(|report| report.picked.clone())
                            })
                        />
                    </For>
                </ChipRow>
            </Show>
            <CostKey/>
            <label class="asked">
                "Colour by"
                <select on:change:target=move |event: SelectEvent| {
                    state.shades_entropy.set(event.target().selected_index() == 1);
                }>
                    <option prop:selected=move || !state.shades_entropy.get()>"surprisal"</option>
                    <option prop:selected=move || state.shades_entropy.get()>"entropy"</option>
                </select>
            </label>
            <Bars/>
        </Show>
    }
}

/// A list of characters in which arrow keys move.
#[component]
fn ChipRow(
    label: &'static str,
    count: Memo<usize>,
    is_sample: bool,
    children: ChildrenFn,
) -> impl IntoView {
    let state = use_state();
    let place = move |index: usize| match is_sample {
        true => Inspected::Sampled(index),
        false => Inspected::AfterPrompt(index),
    };
    let press = move |event: ev::KeyboardEvent| {
        let Some(last) = count.get_untracked().checked_sub(1) else { return };
        let index = match state.inspected.get_untracked() {
            Some(Inspected::Sampled(index)) if is_sample => index,
            Some(Inspected::AfterPrompt(index)) if !is_sample => index,
            _ => 0,
        };
        let moved = match event.key().as_str() {
            "ArrowRight" | "ArrowDown" => (index + 1).min(last),
            "ArrowLeft" | "ArrowUp" => index.saturating_sub(1),
            "Home" => 0,
            "End" => last,
            _ => return,
        };
        event.prevent_default();
        state.inspected.set(Some(place(moved)));
    };
    view! {
        <div
            class="chips mono"
            role="listbox"
            tabindex="0"
            aria-label=label
            aria-activedescendant=move || state.inspected.get().map(name_chip)
            on:keydown=press
        >
            {children()}
        </div>
    }
}

fn name_chip(place: Inspected) -> String {
    match place {
        Inspected::AfterPrompt(index) => format!("chip-given-{index}"),
        Inspected::Sampled(index) => format!("chip-written-{index}"),
    }
}

/// One token, shaded by how unlikely the model held it or by how unsure it was; `None` is the one to
/// come.
#[component]
fn Chip(place: Inspected, character: Option<String>) -> impl IntoView {
    let state = use_state();
    let is_selected = move || state.inspected.get() == Some(place);
    let cost = use_cost(place);
    let shade = move || {
        let nats = match (state.shades_entropy.get(), place) {
            (true, Inspected::AfterPrompt(index)) => {
                state.expected.with(|expected| expected.as_ref()?.entropies.get(index).copied())
            }
            _ => cost().map(|cost| cost.loss),
        };
        // A cost of 0 is clear, that of a uniform guess is full.
        format!("--doubt:{:.2}", 1.0 - (-nats.unwrap_or(0.0)).exp())
    };
    let choose = move || state.inspected.set(Some(place));
    let has_floor = use_floor();
    let is_coming = character.is_none();
    view! {
        <span
            class="chip"
            title=move || cost().map(|cost| describe_cost(cost, has_floor.get()))
            id=name_chip(place)
            role="option"
            aria-selected=move || is_selected().to_string()
            class:coming=is_coming
            style=shade
            on:click=move |_| choose()
            on:pointerenter=move |_| choose()
        >
            {character.map_or("next".to_owned(), |token| show_token(&token))}
            {move || cost().map(|cost| show_cost(cost, has_floor.get()))}
        </span>
    }
}

/// The meaning of the bars under characters.
#[component]
fn CostKey() -> impl IntoView {
    let has_floor = use_floor();
    view! {
        <Show
            when=move || has_floor.get()
            fallback=|| view! { <p class="hint">"Under each character: its surprisal (−log p)."</p> }
        >
            <p class="hint">
                "Under each character: its surprisal (−log p). "<i class="key floor"></i>" Unavoidable, "
                <i class="key excess"></i>" avoidable, "
                <i class="key impossible"></i>" never written here by the task."
            </p>
        </Show>
    }
}

/// The cost of the character at `place`; `None` for the one to come.
fn use_cost(place: Inspected) -> impl Fn() -> Option<Cost> + Copy + Send + Sync + 'static {
    let state = use_state();
    move || match place {
        Inspected::AfterPrompt(index) => {
            state.expected.with(|expected| expected.as_ref()?.costs.get(index).copied())
        }
        Inspected::Sampled(index) => {
            state.sample.with(|sample| sample.characters.get(index).map(|report| report.cost))
        }
    }
}

/// A bar under the character: its unavoidable surprisal, and the avoidable one.
fn show_cost(Cost { loss, floor }: Cost, has_floor: bool) -> impl IntoView {
    let share = |nats: f32| 100.0 * (nats / TALLEST_NATS).clamp(0.0, 1.0);
    let style = format!("--floor:{:.0}%;--loss:{:.0}%", share(floor.unwrap_or(0.0)), share(loss));
    view! { <i class="cost" class:impossible=has_floor && floor.is_none() style=style aria-hidden="true"></i> }
}

fn describe_cost(Cost { loss, floor }: Cost, has_floor: bool) -> String {
    match floor {
        Some(floor) => format!("surprisal {loss:.2} nats; {floor:.2} unavoidable"),
        None if has_floor => format!("surprisal {loss:.2} nats; never written here by the task"),
        None => format!("surprisal {loss:.2} nats"),
    }
}

/// Tells if the least cost of characters is known: it is not of a plain text.
fn use_floor() -> Memo<bool> {
    let state = use_state();
    Memo::new(move |_| {
        state.model.with(|model| model.as_ref().is_some_and(|model| model.floor.is_some()))
    })
}
