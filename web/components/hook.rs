use confab::config::{Knob, TaskKind};
use confab::protocol::{RunState, Then};
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::answer::AnswerView;
use super::controls::live;
use crate::actions::{Actions, use_actions};
use crate::runs::group_digits;
use crate::state::{State, use_state};
use crate::view::View;

/// First view of the page: a question, the model's answer, and the tasks to train on.
///
/// `first_answer` stands for the shipped model's answer until that has come.
#[component]
pub fn Hook(first_answer: String) -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    state.question.set(Some(0));
    let ask_another = move |_| {
        let number = state.question.get_untracked().map_or(0, |number| number + 1);
        state.question.set(Some(number));
        actions.question();
    };
    let kind = Memo::new(move |_| {
        state.model.with(|model| model.as_ref().map_or(TaskKind::Phone, |of| of.config.task.kind))
    });
    view! {
        <section
            class="hook"
            aria-label="First look"
            data-answered=move || state.answer.with(Option::is_some).then_some("true")
        >
            <div class="pitch">
                <p class="sentence">{live(move || sentence(kind.get()))}</p>
                <div class="group">
                    <button on:click=ask_another>"Ask another question"</button>
                    <button class="primary" on:click=move |_| train(state, actions)>
                        "Train it from scratch"
                    </button>
                </div>
                <p class="hint" role="status">{live(move || progress(state))}</p>
            </div>
            <AnswerView placeholder=first_answer/>
            <div class="cards" role="group" aria-label="Tasks">
                {CARDS.iter().map(|card| view! { <TaskCard card/> }).collect_view()}
            </div>
        </section>
    }
}

fn sentence(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Phone => {
            "This tiny transformer should copy a phone number. Sometimes it makes one up."
        }
        TaskKind::Facts => {
            "This tiny transformer should know facts by heart. Early on, it makes them up."
        }
        TaskKind::Induction => {
            "This tiny transformer should repeat a sequence that it has read only once."
        }
        TaskKind::Modular => {
            "This tiny transformer should add two numbers, and begin at 0 again like a clock."
        }
        TaskKind::Text => "This tiny transformer should write on as your text does.",
        TaskKind::Grammar => {
            "This tiny transformer should write records as your grammar draws them."
        }
        TaskKind::Copy => "This tiny transformer should write a sequence again.",
        TaskKind::Reverse => "This tiny transformer should write a sequence backwards.",
        TaskKind::Spacing => {
            "This tiny transformer should put the spaces back between words of a made-up language."
        }
        TaskKind::Tagging => {
            "This tiny transformer should tell the class of each word of a made-up language."
        }
        TaskKind::Mqar => {
            "This tiny transformer should recall the value of each key that it has read before."
        }
        TaskKind::Brackets => "This tiny transformer should close every bracket that it opens.",
    }
}

/// Where the run stands: `training: step 120 of 1,300`.
fn progress(state: State) -> String {
    if state.building.get() {
        return "Making a new model…".into();
    }
    let Some(steps) = state.model.with(|model| model.as_ref().map(|of| of.config.train.steps))
    else {
        return "An example that is already trained.".into();
    };
    let step = state.last_point().map_or(0, |point| point.step);
    let of = format!("step {} of {}", group_digits(step), group_digits(steps));
    if let Some(ablations) = state.named_ablations() {
        return format!("Answered with {ablations}.");
    }
    match state.run_state.get() {
        RunState::Running => format!("Training: {of}."),
        _ if state.is_example() => "An example that is already trained.".into(),
        RunState::Finished => format!("Trained: {of}."),
        RunState::Paused => format!("Paused: {of}."),
    }
}

/// Trains a new model with the settings that are tuned to the task.
fn train(state: State, actions: Actions) {
    state.tune();
    actions.build(Then::Train);
}

/// A task to train on.
struct Card {
    kind: TaskKind,
    sample: &'static str,
    /// Result of a run with the tuned settings, and the time that it takes: see docs/training.md.
    promise: &'static str,
}

const CARDS: [Card; 11] = [
    Card {
        kind: TaskKind::Phone,
        sample: "Ada Moss: 212-345-6789\nAda Moss: 212-34…",
        promise: "copies every digit; under a minute",
    },
    Card {
        kind: TaskKind::Facts,
        sample: "What is the name of\nCaptain Ahab's ship? P…",
        promise: "knows 50 facts; half a minute",
    },
    Card {
        kind: TaskKind::Induction,
        sample: "TVOzBFscNEHc|\nTVOzBFs…",
        promise: "forms induction heads; under a minute",
    },
    Card {
        kind: TaskKind::Modular,
        sample: "27+31=15\n13+41=…",
        promise: "learns the table by heart, then groks; a minute",
    },
    Card {
        kind: TaskKind::Copy,
        sample: "kfjjvcqh=\nkfjj…",
        promise: "copies every letter; a minute",
    },
    Card {
        kind: TaskKind::Reverse,
        sample: "kfjjvcqh=\nhqcv…",
        promise: "reverses every sequence; a minute",
    },
    Card {
        kind: TaskKind::Spacing,
        sample: "kiredaruvo=\nkire da…",
        promise: "puts the spaces back; a few minutes",
    },
    Card {
        kind: TaskKind::Tagging,
        sample: "kire daru vo=\nsv…",
        promise: "tells nouns from verbs; a few minutes",
    },
    Card {
        kind: TaskKind::Brackets,
        sample: "[[()[]]()\n[()()]…",
        promise: "closes what it opens; under a minute",
    },
    Card {
        kind: TaskKind::Mqar,
        sample: "22 53 30 63 41 9\n22 → …",
        promise: "recalls every value; a minute",
    },
    Card {
        kind: TaskKind::Text,
        sample: "paste or drop\nany text",
        promise: "writes on in its manner; half a minute",
    },
];

#[component]
fn TaskCard(card: &'static Card) -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let choose = move |_| {
        let knob = Knob::find("task.kind").expect("a run has a task");
        state.set_knob(knob, card.kind.name());
        match card.kind == TaskKind::Text && state.text.with_untracked(|text| text.is_empty()) {
            false => train(state, actions),
            true => {
                state.view.set(View::Settings);
                Timeout::new(50, show_text).forget();
            }
        }
    };
    view! {
        <button class="card" on:click=choose>
            <strong>{card.kind.title()}</strong>
            <code>{card.sample}</code>
            <span class="hint">{card.promise}</span>
        </button>
    }
}

/// Shows the field for the user's text, which is there once the task is chosen.
fn show_text() {
    let field = document().query_selector(".experiment textarea").ok().flatten();
    if let Some(field) = field.and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok()) {
        field.scroll_into_view();
        let _ = field.focus();
    }
}
