//! Rows of tokens that the model predicts, one of which is chosen.

use confab::figure::show_token;
use confab::protocol::{Cost, Trace};
use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::controls::live;
use super::trace::Shown;
use crate::browser;
use crate::place::Inspected;
use crate::state::use_state;
use crate::tab::Tab;
use crate::tables::escape;

/// The cost of a full bar, that of one character in 150.
const TALLEST_NATS: f32 = 5.0;

/// The prompt's tokens. Every panel explains the prediction of the chosen one: that of the next, if none is.
#[component]
pub fn Strip() -> impl IntoView {
    let state = use_state();
    let Shown(trace) = expect_context();
    let count =
        Memo::new(move |_| trace.with(|trace| trace.as_ref().map_or(0, |t| t.tokens.len())));
    let html = move || {
        trace.with(|trace| {
            let tokens = trace.as_ref().map_or(&[][..], |trace| &trace.tokens);
            let first = tokens.first().map(|token| {
                format!("<span class=\"chip first\" aria-hidden=true>{}</span>", show(token))
            });
            let next = tokens.iter().skip(1).map(Some).chain([None]);
            state.expected.with(|expected| {
                let expected = expected.as_deref();
                let chips = next.enumerate().map(|(index, token)| {
                    let cost = expected.and_then(|expected| expected.costs.get(index)).copied();
                    let entropy = expected.and_then(|expected| expected.entropies.get(index));
                    let loss = cost.map(|cost| cost.loss);
                    let doubt = if state.shades_entropy.get() { entropy.copied() } else { loss };
                    draw(index, false, token.map(String::as_str), doubt, cost, has_floor())
                });
                first.into_iter().chain(chips).collect::<String>()
            })
        })
    };
    let told = move || match state.is_codec() {
        true => Some("Choose a token to see its key and its noises.".into()),
        false => trace.with(|trace| explain(trace.as_ref()?, state.position())),
    };
    let is_shown = move || count.get() > 0 && state.tab.get().takes_prompt();
    view! {
        <div
            class="strip"
            class:costly=move || state.tab.get() == Tab::Probabilities
            hidden=move || !is_shown()
        >
            {row("Prompt tokens", count, false, html)}
            <p class="hint" data-testid="position">
                {live(move || told().unwrap_or_default())}
            </p>
        </div>
    }
}

/// `“5” is predicted at position 11, after “3”.`
fn explain(trace: &Trace, position: Option<usize>) -> Option<String> {
    let tokens = &trace.tokens;
    let at = position.unwrap_or(tokens.len().checked_sub(1)?);
    let after = show_token(tokens.get(at)?);
    Some(match tokens.get(at + 1) {
        Some(token) => {
            format!("“{}” is predicted at position {at}, after “{after}”.", show_token(token))
        }
        None => format!("What comes next is predicted at position {at}, after “{after}”."),
    })
}

/// The sample's tokens.
#[component]
pub fn SampleRow(count: Memo<usize>) -> impl IntoView {
    let state = use_state();
    let html = move || {
        state.sample.with(|sample| {
            let chips = sample.characters.iter().enumerate().map(|(index, report)| {
                let loss = Some(report.cost.loss);
                draw(index, true, Some(&report.picked), loss, Some(report.cost), has_floor())
            });
            chips.collect::<String>()
        })
    };
    row("Output tokens", count, true, html)
}

/// A list of `count` tokens in which arrow keys move.
fn row(
    label: &'static str,
    count: Memo<usize>,
    is_sample: bool,
    html: impl Fn() -> String + Send + 'static,
) -> AnyView {
    let state = use_state();
    let list = NodeRef::<html::Div>::new();
    let chosen = Memo::new(move |_| match state.inspected.get() {
        Some(inspected) => inspected.index(is_sample),
        None => count.get().checked_sub(1).filter(|_| !is_sample),
    });
    let find = move |which: &str| list.get()?.query_selector(which).ok()?;
    let find_chosen = move || find(&format!("[data-at=\"{}\"]", chosen.get()?));
    let mark = move || {
        let before = find("[aria-selected=true]").map(|chip| (chip, "false"));
        let now = find_chosen();
        for (chip, is_selected) in before.into_iter().chain(now.map(|chip| (chip, "true"))) {
            let _ = chip.set_attribute("aria-selected", is_selected);
        }
    };
    // As text: a thousand tokens are slow as a thousand nodes of ours.
    Effect::new(move |_| {
        if let Some(list) = list.get() {
            list.set_inner_html(&html());
            untrack(mark);
        }
    });
    Effect::new(move |_| {
        mark();
        let chip = find_chosen().and_then(|chip| chip.dyn_into::<HtmlElement>().ok());
        if let (Some(chip), Some(list)) = (chip, list.get()) {
            let (top, shown) = (chip.offset_top() - list.scroll_top(), list.client_height());
            // One at the edge stays where the pointer is on it.
            if top + chip.offset_height() <= 0 || top >= shown {
                list.set_scroll_top(chip.offset_top() - shown / 2);
            }
        }
    });
    let choose = move |event: &ev::PointerEvent| {
        if let Some(at) = browser::place_of(event) {
            let inspected = Some(Inspected::at(at, is_sample));
            if state.inspected.get_untracked() != inspected {
                state.inspected.set(inspected);
            }
        }
    };
    let press = move |event: ev::KeyboardEvent| {
        let Some(last) = count.get_untracked().checked_sub(1) else { return };
        let index = chosen.get_untracked().unwrap_or(0);
        let moved = match event.key().as_str() {
            "ArrowRight" | "ArrowDown" => (index + 1).min(last),
            "ArrowLeft" | "ArrowUp" => index.saturating_sub(1),
            "Home" => 0,
            "End" => last,
            _ => return,
        };
        event.prevent_default();
        state.inspected.set(Some(Inspected::at(moved, is_sample)));
    };
    view! {
        <div
            class="chips mono"
            role="listbox"
            tabindex="0"
            aria-label=label
            aria-activedescendant=move || chosen.get().map(|at| name(at, is_sample))
            node_ref=list
            on:keydown=press
            on:pointerdown=move |event| choose(&event)
            on:pointerover=move |event| {
                // Elsewhere a choice may be an analysis to compute.
                if state.tab.get_untracked() == Tab::Probabilities {
                    choose(&event);
                }
            }
        ></div>
    }
    .into_any()
}

fn name(index: usize, is_sample: bool) -> String {
    format!("chip-{}-{index}", if is_sample { "written" } else { "given" })
}

/// One token, shaded by `doubt`, with a bar of its cost; `None` is the one to come.
fn draw(
    index: usize,
    is_sample: bool,
    token: Option<&str>,
    doubt: Option<f32>,
    cost: Option<Cost>,
    has_floor: bool,
) -> String {
    // A cost of 0 is clear, that of a uniform guess is full.
    let doubt = 1.0 - (-doubt.unwrap_or(0.0)).exp();
    let title =
        cost.map_or(String::new(), |cost| format!(" title=\"{}\"", describe_cost(cost, has_floor)));
    let bar = cost.map_or(String::new(), |cost| show_cost(cost, has_floor));
    format!(
        "<span class=\"chip{}\" id={} role=option aria-selected=false data-at={index}{title} \
         style=\"--doubt:{doubt:.2}\">{}{bar}</span>",
        if token.is_none() { " coming" } else { "" },
        name(index, is_sample),
        token.map_or("next".to_owned(), show),
    )
}

fn show(token: &str) -> String {
    escape(&show_token(token))
}

/// A bar under the token: its unavoidable surprisal, and the avoidable one.
fn show_cost(Cost { loss, floor }: Cost, has_floor: bool) -> String {
    let share = |nats: f32| 100.0 * (nats / TALLEST_NATS).clamp(0.0, 1.0);
    let class = if has_floor && floor.is_none() { "cost impossible" } else { "cost" };
    let (floor, loss) = (share(floor.unwrap_or(0.0)), share(loss));
    format!(
        "<i class=\"{class}\" style=\"--floor:{floor:.0}%;--loss:{loss:.0}%\" aria-hidden=true></i>"
    )
}

fn describe_cost(Cost { loss, floor }: Cost, has_floor: bool) -> String {
    match floor {
        Some(floor) => format!("surprisal {loss:.2} nats; {floor:.2} unavoidable"),
        None if has_floor => format!("surprisal {loss:.2} nats; never written here by the task"),
        None => format!("surprisal {loss:.2} nats"),
    }
}

/// Tells if the least cost of characters is known: it is not of a plain text.
pub fn has_floor() -> bool {
    use_state().model.with(|model| model.as_ref().is_some_and(|model| model.floor.is_some()))
}
