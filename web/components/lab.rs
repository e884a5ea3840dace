use confab::run::{AnalysisEntry, AnalysisRequest, Group, Input};
use leptos::prelude::*;

use super::analysed::Analysed;
use super::controls::{InputEvent, SelectEvent, live, switch};
use crate::state::use_state;

/// A group of analyses: one is chosen, gets its inputs, and is drawn.
#[component]
pub fn Lab(group: Group) -> impl IntoView {
    let state = use_state();
    // Index in the catalogue, which the session sends when it is ready: until then there is none to choose.
    let chosen = Memo::new(move |_| state.analysis_of(group));
    let takes = move |input: Input| {
        let index = chosen.get();
        state.catalogue.with(|catalogue| {
            index.and_then(|at| catalogue.analyses.get(at)).is_some_and(|entry| entry.takes(input))
        })
    };
    let choose = move |event: SelectEvent| {
        let id = event.target().value();
        state.request.update(|request| request.analysis = id);
    };
    // As text: the options are one node to make.
    let options = move || {
        let index = chosen.get();
        state.catalogue.with(|catalogue| {
            let own = catalogue.analyses.iter().enumerate();
            let own = own.filter(|(_, entry)| entry.group == group);
            let option = |(at, entry): (usize, &AnalysisEntry)| {
                let selected = if index == Some(at) { " selected" } else { "" };
                format!("<option value={}{selected}>{}</option>", entry.id, entry.label)
            };
            own.map(option).collect::<String>()
        })
    };
    let asked = move || {
        let asked = QUESTIONS.iter().filter(|question| question.of.iter().any(|of| takes(*of)));
        asked.map(|question| view! { <Ask question/> }).collect_view()
    };
    view! {
        <div class="controls lab">
            <label class="asked">
                "Analysis"
                <select inner_html=options on:change:target=choose></select>
            </label>
            {asked}
            <Show when=move || takes(Input::Folding)>
                {switch(
                    "Fold LayerNorm",
                    move || state.request.with(|request| request.is_folded),
                    move |is_on| state.request.update(|request| request.is_folded = is_on),
                )}
            </Show>
        </div>
        <p class="hint">
            {live(move || if takes(Input::Prompt) { PROMPT } else { "" })}
            {live(move || if takes(Input::SecondPrompt) { SECOND_PROMPT } else { "" })}
        </p>
        <Analysed chosen/>
    }
}

const PROMPT: &str = "The prompt is the one under Try the model. Empty boxes stand for the chosen token (or the \
     likeliest, for the one to come) and the mean.";

const SECOND_PROMPT: &str =
    " The second prompt is the first with one token changed, until you type another.";

/// A box for something that analyses ask for.
struct Question {
    of: &'static [Input],
    label: &'static str,
    show: fn(&AnalysisRequest) -> String,
    take: fn(&mut AnalysisRequest, &str),
}

const QUESTIONS: &[Question] = &[
    Question {
        of: &[Input::SecondPrompt],
        label: "Second prompt",
        show: |request| request.other.replace('\n', "⏎"),
        take: |request, typed| request.other = typed.replace('⏎', "\n"),
    },
    Question {
        of: &[Input::Tokens],
        label: "Target token",
        show: |request| request.target.clone().unwrap_or_default(),
        take: |request, typed| {
            request.target = Some(typed.to_owned()).filter(|text| !text.is_empty())
        },
    },
    Question {
        of: &[Input::Tokens],
        label: "Contrast token",
        show: |request| request.contrast.clone().unwrap_or_default(),
        take: |request, typed| {
            request.contrast = Some(typed.to_owned()).filter(|text| !text.is_empty())
        },
    },
    Question {
        of: &[Input::Head, Input::Slots],
        label: "Layer",
        show: |request| request.layer.to_string(),
        take: |request, typed| request.layer = typed.trim().parse().unwrap_or(0),
    },
    Question {
        of: &[Input::Head],
        label: "Head",
        show: |request| request.head.to_string(),
        take: |request, typed| request.head = typed.trim().parse().unwrap_or(0),
    },
    Question {
        of: &[Input::Parameter],
        label: "Parameter",
        show: |request| request.parameter.clone(),
        take: |request, typed| request.parameter = typed.trim().to_owned(),
    },
    Question {
        of: &[Input::Slots],
        label: "Search",
        show: |request| request.search.clone(),
        take: |request, typed| request.search = typed.to_owned(),
    },
    Question {
        of: &[Input::Component],
        label: "Component",
        show: |request| request.component.to_string(),
        take: |request, typed| request.component = typed.trim().parse().unwrap_or(0),
    },
];

#[component]
fn Ask(question: &'static Question) -> impl IntoView {
    let state = use_state();
    let is_second_prompt = question.of.contains(&Input::SecondPrompt);
    let shown = move || {
        let typed = state.request.with(question.show);
        let proposed = || state.result.get().map(|result| result.other.replace('\n', "⏎"));
        Some(typed).filter(|typed| !is_second_prompt || !typed.is_empty()).or_else(proposed)
    };
    view! {
        <label class="asked">
            {question.label}
            <input
                type="text"
                autocomplete="off"
                spellcheck="false"
                prop:value=move || shown().unwrap_or_default()
                on:change:target=move |event: InputEvent| {
                    state.request.update(|request| (question.take)(request, &event.target().value()));
                }
            />
        </label>
    }
}
