use std::sync::Arc;

use confab::figure::Pick;
use confab::run::{AnalysisEntry, AnalysisRequest, AnalysisResult, Group, Input};
use leptos::prelude::*;

use super::controls::{InputEvent, SelectEvent, live, switch};
use super::figure::FigureView;
use super::prompt::INSPECT_DELAY;
use crate::actions::{Seen, use_actions};
use crate::runs::group_digits;
use crate::state::{State, use_state};

/// A group of analyses: one is chosen, gets its inputs, and is drawn.
#[component]
pub fn Lab(group: Group) -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    // Index in the catalogue, which the session sends when it is ready: until then there is none to choose.
    let chosen = Memo::new(move |_| state.analysis_of(group));
    let request = Memo::new(move |_| {
        let analysis = state.analysis_id(chosen.get()?)?;
        // A model that has come in the meantime is analysed in the same way.
        state.model.with(|model| model.as_ref().map(|model| model.name.clone()))?;
        Some(AnalysisRequest { analysis, prompt: state.prompt.get(), ..state.request.get() })
    });
    // What is asked by then: another analysis may have been chosen, or none be on show.
    let mut send = debounce(INSPECT_DELAY, move |()| {
        if let Some(request) = request.try_get_untracked().flatten() {
            actions.analyse(Some(request));
        }
    });
    Effect::new(move |before: Option<Option<AnalysisRequest>>| {
        let request = request.get();
        match (&request, before.flatten()) {
            // Typing is waited for, a choice is not.
            (Some(request), Some(before))
                if before.prompt != request.prompt || before.other != request.other =>
            {
                send(());
            }
            (Some(request), _) => actions.analyse(Some(request.clone())),
            (None, _) => {}
        }
        request
    });
    on_cleanup(move || actions.analyse(None));

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
        <Found chosen/>
    }
}

const PROMPT: &str = "The prompt is the one under Try the model. Empty boxes stand for the last position, the \
     next or likeliest token, and the mean.";

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
        of: &[Input::Position],
        label: "Position",
        show: |request| request.position.map_or(String::new(), |at| at.to_string()),
        take: |request, typed| request.position = typed.trim().parse().ok(),
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

/// The figures that the analysis has found.
#[component]
fn Found(chosen: Memo<Option<usize>>) -> impl IntoView {
    let state = use_state();
    let result = Memo::new(move |_| {
        let id = state.analysis_id(chosen.get()?)?;
        state.result.get().filter(|result| result.analysis == id)
    });
    // A figure of another analysis is another one, though it has the same number.
    let figures = move || {
        let (result, analysis) = (result.get()?, chosen.get()?);
        let count = result.figures.as_ref().map_or(0, Vec::len);
        Some((0..count).map(|index| (analysis, index)).collect::<Vec<_>>())
    };
    let reason = move || {
        let result = result.get()?;
        result.figures.as_ref().err().map(|reason| format!("This cannot be shown: {reason}."))
    };
    let progress = move || {
        result.with(|result| match result {
            Some(result) => {
                let more = if result.is_done { "" } else { " · going on…" };
                let baseline = result.baseline.as_ref();
                let baseline = baseline.map(|name| format!(", compared with {name}"));
                format!("step {}{}{more}", group_digits(result.step), baseline.unwrap_or_default())
            }
            None if state.model.with(Option::is_some) => "computing…".into(),
            None => "Press Train or Step: from the first step on, this shows the model.".into(),
        })
    };
    view! {
        <p class="hint" data-testid="look-step">{live(progress)}</p>
        <p class="problem" data-testid="look-problem">{live(move || reason().unwrap_or_default())}</p>
        <For each=move || figures().unwrap_or_default() key=|key| *key let((_, index))>
            <Nth result index/>
        </For>
    }
}

/// The figure of this index.
#[component]
fn Nth(result: Memo<Option<Arc<AnalysisResult>>>, index: usize) -> impl IntoView {
    let figure = Memo::new(move |_| {
        result.with(|result| result.as_ref()?.figures.as_ref().ok()?.get(index).cloned())
    });
    // A film looks on, even if the figure goes.
    let look = move || {
        let figure = figure.try_get_untracked()??;
        let result = result.try_get_untracked()??;
        let what = format!("{} {}", result.analysis, figure.title);
        Some(Seen { figure, step: result.step, is_done: result.is_done, what })
    };
    view! { <FigureView figure look=Arc::new(look) pick=choose/> }
}

/// Requests what was picked in a figure.
fn choose(state: State, pick: Pick, number: usize) {
    let heads = state
        .model
        .with_untracked(|model| model.as_ref().map_or(1, |model| model.config.model.n_heads));
    state.request.update(|request| match pick {
        Pick::Layer => request.layer = number,
        Pick::Head if number < heads => request.head = number,
        Pick::Head => {}
        Pick::AnyHead => (request.layer, request.head) = (number / heads, number % heads),
        Pick::Position => request.position = Some(number),
        Pick::Row => request.cell.0 = number,
        Pick::Column => request.cell.1 = number,
    });
}
