use leptos::ev;
use leptos::prelude::*;
use web_sys::HtmlTextAreaElement;

use crate::actions::use_actions;
use crate::components::controls::{InputEvent, live};
use crate::components::probes::Probes;
use crate::place::Inspected;
use crate::state::use_state;
use crate::tab::Tab;

#[component]
pub fn Samples() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let edit_prompt = move |event: ev::Targeted<ev::Event, HtmlTextAreaElement>| {
        let prompt = event.target().value();
        state.prompt_is_own.set(!prompt.is_empty());
        state.show_prompt(prompt);
    };
    view! {
        <section class="panel samples" aria-label="Try the model">
            <div class="heading">
                <h2>"Try the model"</h2>
            </div>
            <label class="field-label" for="prompt">"Prompt"</label>
            <textarea
                id="prompt"
                class="mono"
                rows="4"
                spellcheck="false"
                autocomplete="off"
                title="text for the model to continue and for the inspector to show"
                prop:value=move || state.prompt.get()
                on:input:target=edit_prompt
            />
            <p
                class="hint"
                hidden=move || !state.model.with(|model| {
                    model.as_ref().is_some_and(|model| model.is_approximate)
                })
            >
                "Tokens are approximate here: " <a href="docs/importing.md">"why"</a>
            </p>
            <div class="controls">
                <div class="field wide">
                    <label for="temperature">"Temperature"</label>
                    <input
                        id="temperature"
                        type="range"
                        min="0"
                        max="2"
                        step="0.01"
                        title="0 takes the likeliest character; 2 is the most random"
                        prop:value=move || state.temperature.get().to_string()
                        on:input:target=move |event: InputEvent| {
                            take(&event, |value: f64| state.temperature.set(value.clamp(0.0, 2.0)));
                        }
                    />
                    <span class="value">
                        {live(move || match state.temperature.get() {
                            0.0 => "greedy".to_owned(),
                            value => format!("{value:.2}"),
                        })}
                    </span>
                </div>
                <div class="field">
                    <label for="top-k">"Top-k"</label>
                    <input
                        id="top-k"
                        type="number"
                        min="0"
                        max="1000"
                        title="draw from this many likeliest characters; 0 draws from all"
                        prop:value=move || state.top_k.get().to_string()
                        on:input:target=move |event: InputEvent| {
                            take(&event, |value: usize| state.top_k.set(value));
                        }
                        on:change:target=move |event: InputEvent| {
                            event.target().set_value(&state.top_k.get_untracked().to_string());
                        }
                    />
                </div>
                <div class="field">
                    <label for="sample-seed">"Seed for samples"</label>
                    <input
                        id="sample-seed"
                        type="number"
                        min="0"
                        prop:value=move || state.sample_seed.get().to_string()
                        on:input:target=move |event: InputEvent| {
                            take(&event, |value: u64| state.sample_seed.set(value));
                        }
                        on:change:target=move |event: InputEvent| {
                            let seed = state.sample_seed.get_untracked();
                            event.target().set_value(&seed.to_string());
                        }
                    />
                </div>
                <button class="primary" on:click=move |_| actions.sample()>"Generate"</button>
            </div>
            <Output/>
            <Probes/>
        </section>
    }
}

fn take<T: std::str::FromStr>(event: &InputEvent, set: impl FnOnce(T)) {
    if let Ok(value) = event.target().value().trim().parse() {
        set(value);
    }
}

/// The sample as it comes, each character shaded by how unlikely it was.
#[component]
fn Output() -> impl IntoView {
    let state = use_state();
    let count = Memo::new(move |_| state.sample.with(|sample| sample.characters.len()));
    let prompt = Memo::new(move |_| state.sample.with(|sample| sample.prompt().to_owned()));
    let model = move || {
        let model = state.sample.with(|sample| sample.model.clone());
        model.map_or(String::new(), |model| format!("Written by the {model}. "))
    };
    let is_empty = move || count.get() == 0 && prompt.with(String::is_empty);
    let character = move |index: usize| {
        let (picked, doubt) = state.sample.with_untracked(|sample| {
            sample.characters.get(index).map_or((String::new(), 0.0), |report| {
                let of_picked = |a: &&confab::protocol::Alternative| a.token == report.picked;
                let chosen = report.alternatives.iter().find(of_picked);
                (report.text.clone(), 1.0 - chosen.map_or(0.0, |chosen| chosen.probability))
            })
        });
        let inspect = move |_| {
            state.inspected.set(Some(Inspected::Sampled(index)));
            state.show_tab(Tab::Probabilities);
        };
        let shade = format!("--doubt:{doubt:.2}");
        view! { <span class="drawn" style=shade on:click=inspect>{picked}</span> }
    };
    view! {
        <div class="sample mono" class:empty=is_empty aria-live="off">
            <span class="given">{live(move || prompt.get())}</span>
            <output data-testid="sample">
                <For
                    each=move || 0..count.get()
                    key=|index| *index
                    let(index)
                >
                    {character(index)}
                </For>
            </output>
            <Show when=move || state.sample.with(|sample| sample.is_running)>
                <span class="caret" aria-hidden="true"></span>
            </Show>
        </div>
        <p class="hint">
            {live(model)}
            {live(move || match is_empty() {
                true => "Generate continues the prompt.",
                false => "Darker = less expected. Click a character for its alternatives.",
            })}
        </p>
    }
}
