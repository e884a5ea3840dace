use confab::figure::Pick;
use confab::run::Intervention;
use confab::run::{ANALYSES, Asks, Group, Look};
use leptos::prelude::*;

use super::controls::{InputEvent, SelectEvent, asked, button, live, switch};
use super::figure::FigureView;
use super::prompt::INSPECT_DELAY;
use crate::actions::use_actions;
use crate::runs::group_digits;
use crate::state::{State, use_state};

/// A group of analyses: one is chosen, told what it asks for, and drawn.
#[component]
pub fn Lab(group: Group) -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    state.look.update(|look| {
        if look.what.analysis().group != group {
            let first = ANALYSES.iter().find(|analysis| analysis.group == group);
            look.what = first.map_or(look.what, |analysis| analysis.what);
        }
    });
    let look = Memo::new(move |_| {
        // A model that has come in the meantime is looked at in the same way.
        state.model.with(|model| model.as_ref().map(|model| model.name.clone()))?;
        Some(Look { prompt: state.prompt.get(), ..state.look.get() })
    });
    let mut send = debounce(INSPECT_DELAY, move |look| actions.look(Some(look)));
    Effect::new(move |before: Option<Option<Look>>| {
        let look = look.get();
        match (&look, before.flatten()) {
            // What is typed is waited for, what is chosen is not.
            (Some(look), Some(before))
                if before.prompt != look.prompt || before.other != look.other =>
            {
                send(look.clone());
            }
            (Some(look), _) => actions.look(Some(look.clone())),
            (None, _) => {}
        }
        look
    });
    on_cleanup(move || actions.look(None));

    let what = Memo::new(move |_| state.look.with(|look| look.what as usize));
    let asks = move |asked: Asks| ANALYSES[what.get()].asks.contains(&asked);
    let choose = move |event: SelectEvent| {
        let name = event.target().value();
        if let Some(analysis) = ANALYSES.iter().find(|analysis| analysis.name == name) {
            state.look.update(|look| look.what = analysis.what);
        }
    };
    let options = ANALYSES.iter().filter(|analysis| analysis.group == group).map(|analysis| {
        let is_chosen = move || state.look.with(|look| look.what == analysis.what);
        view! {
            <option value=analysis.name prop:selected=is_chosen>{analysis.label}</option>
        }
    });
    let asked = move || {
        let asked = QUESTIONS.iter().filter(|question| question.of.iter().any(|of| asks(*of)));
        asked.map(|question| view! { <Ask question/> }).collect_view()
    };
    view! {
        <div class="controls lab">
            <label class="asked">
                "Analysis"
                <select on:change:target=choose>{options.collect_view()}</select>
            </label>
            {asked}
            <Show when=move || asks(Asks::Folding)>
                {switch(
                    "Fold the norms in",
                    move || state.look.with(|look| look.is_folded),
                    move |is_on| state.look.update(|look| look.is_folded = is_on),
                )}
            </Show>
        </div>
        <p class="hint">
            {live(move || if asks(Asks::Prompt) { PROMPT } else { "" })}
        </p>
        <Changes/>
        <Found/>
    }
}

const PROMPT: &str = "The prompt is the one under Samples. Empty boxes stand for the prompt’s last place, the \
     character that follows or is likeliest, and the mean.";

/// A box for something that analyses ask for.
struct Question {
    of: &'static [Asks],
    label: &'static str,
    show: fn(&Look) -> String,
    take: fn(&mut Look, &str),
}

const QUESTIONS: &[Question] = &[
    Question {
        of: &[Asks::Other],
        label: "Second prompt",
        show: |look| look.other.replace('\n', "⏎"),
        take: |look, typed| look.other = typed.replace('⏎', "\n"),
    },
    Question {
        of: &[Asks::Position],
        label: "Position",
        show: |look| look.position.map_or(String::new(), |at| at.to_string()),
        take: |look, typed| look.position = typed.trim().parse().ok(),
    },
    Question {
        of: &[Asks::Characters],
        label: "Character",
        show: |look| look.character.clone().unwrap_or_default(),
        take: |look, typed| look.character = Some(typed.to_owned()).filter(|text| !text.is_empty()),
    },
    Question {
        of: &[Asks::Characters],
        label: "Against",
        show: |look| look.against.clone().unwrap_or_default(),
        take: |look, typed| look.against = Some(typed.to_owned()).filter(|text| !text.is_empty()),
    },
    Question {
        of: &[Asks::Head, Asks::Slots],
        label: "Layer",
        show: |look| look.layer.to_string(),
        take: |look, typed| look.layer = typed.trim().parse().unwrap_or(0),
    },
    Question {
        of: &[Asks::Head],
        label: "Head",
        show: |look| look.head.to_string(),
        take: |look, typed| look.head = typed.trim().parse().unwrap_or(0),
    },
    Question {
        of: &[Asks::Parameter],
        label: "Parameter",
        show: |look| look.parameter.clone(),
        take: |look, typed| look.parameter = typed.trim().to_owned(),
    },
    Question {
        of: &[Asks::Slots],
        label: "Search",
        show: |look| look.search.clone(),
        take: |look, typed| look.search = typed.to_owned(),
    },
    Question {
        of: &[Asks::Component],
        label: "Component",
        show: |look| look.component.to_string(),
        take: |look, typed| look.component = typed.trim().parse().unwrap_or(0),
    },
];

#[component]
fn Ask(question: &'static Question) -> impl IntoView {
    let state = use_state();
    view! {
        <label class="asked">
            {question.label}
            <input
                type="text"
                autocomplete="off"
                spellcheck="false"
                prop:value=move || state.look.with(question.show)
                on:change:target=move |event: InputEvent| {
                    state.look.update(|look| (question.take)(look, &event.target().value()));
                }
            />
        </label>
    }
}

/// The parts that are scaled in every forward pass looked at, and a form to add more.
#[component]
fn Changes() -> impl IntoView {
    let state = use_state();
    let part = RwSignal::new(String::new());
    let factor = RwSignal::new("0".to_owned());
    let add = move || {
        match parse_change(&part.get_untracked(), &factor.get_untracked()) {
        Some(change) => state.look.update(|look| look.changes.push(change)),
        None => state.notify(
            "The change was not added: name a part as L0H3, L1MLP or L2 (the residual stream before \
             layer 2), with @4 or @4-7 for some places only, and a number to scale it by; or a \
             weight as blocks.0.attn.W_Q[3,5], and what to set it to.",
        ),
    }
    };
    // A weight that is picked is the one to change next.
    Effect::new(move |before: Option<(usize, usize)>| {
        let (cell, name) = state.look.with(|look| (look.cell, look.parameter.clone()));
        if before.is_some_and(|before| before != cell) {
            let name = if name.is_empty() { "embed.W_E".into() } else { name };
            part.set(format!("{name}[{},{}]", cell.0, cell.1));
        }
        cell
    });
    let list = move || {
        let changes = state.look.with(|look| look.changes.clone());
        changes
            .iter()
            .enumerate()
            .map(|(index, change)| {
                let name = change.to_string();
                view! {
                    <button
                        class="small"
                        aria-label=format!("Take back {name}")
                        on:click=move |_| {
                            state.look.update(|look| {
                                if index < look.changes.len() {
                                    look.changes.remove(index);
                                }
                            });
                        }
                    >
                        {name.clone()}" ✕"
                    </button>
                }
            })
            .collect_view()
    };
    let is_open = state.look.with_untracked(|look| {
        look.what.analysis().group == Group::Change || !look.changes.is_empty()
    });
    view! {
        <details class="changes" open=is_open>
            <summary>"Changes to the model"</summary>
            <div class="controls">
                {list}
                {asked("Part", "L0H3, L1MLP, L2@4-7", part)}
                {asked("Times, or a weight’s value", "", factor)} {button("Add change", "", add)}
            </div>
        </details>
    }
}

fn parse_change(part: &str, number: &str) -> Option<Intervention> {
    let number: f64 = number.trim().parse().ok()?;
    Intervention::parse(part.trim(), number as f32)
}

/// The figures that the analysis has found.
#[component]
fn Found() -> impl IntoView {
    let state = use_state();
    let looked = Memo::new(move |_| {
        let what = state.look.with(|look| look.what);
        state.looked.get().filter(|looked| looked.what == what)
    });
    let places = move || {
        let looked = looked.get()?;
        let count = looked.figures.as_ref().map_or(0, Vec::len);
        Some((0..count).map(|place| (looked.what as usize, place)).collect::<Vec<_>>())
    };
    let reason = move || {
        let looked = looked.get()?;
        looked.figures.as_ref().err().map(|reason| format!("This cannot be shown: {reason}."))
    };
    let standing = move || {
        looked.with(|looked| match looked {
            Some(looked) => {
                let more = if looked.is_done { "" } else { " · going on…" };
                let beside = looked.beside.as_ref().map(|name| format!(", beside {name}"));
                format!("step {}{}{more}", group_digits(looked.step), beside.unwrap_or_default())
            }
            None if state.model.with(Option::is_some) => "looking…".into(),
            None => "Press Train or Step: from the first step on, this shows the model.".into(),
        })
    };
    view! {
        <p class="hint" data-testid="look-step">{live(standing)}</p>
        <p class="problem" data-testid="look-problem">{live(move || reason().unwrap_or_default())}</p>
        <For each=move || places().unwrap_or_default() key=|key| *key let((_, place))>
            <FigureView
                figure=Memo::new(move |_| {
                    looked.with(|looked| looked.as_ref()?.figures.as_ref().ok()?.get(place).cloned())
                })
                pick=choose
            />
        </For>
    }
}

/// Turns to what was picked in a figure.
fn choose(state: State, pick: Pick, number: usize) {
    let heads = state
        .model
        .with_untracked(|model| model.as_ref().map_or(1, |model| model.config.model.n_heads));
    state.look.update(|look| match pick {
        Pick::Layer => look.layer = number,
        Pick::Head if number < heads => look.head = number,
        Pick::Head => {}
        Pick::AnyHead => (look.layer, look.head) = (number / heads, number % heads),
        Pick::Position => look.position = Some(number),
        Pick::Row => look.cell.0 = number,
        Pick::Column => look.cell.1 = number,
    });
}
