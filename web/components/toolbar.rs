use confab::protocol::{SaveAs, Then};
use leptos::html;
use leptos::prelude::*;

use super::controls::live;
use super::menu::menu;
use super::model_chip::ModelChip;
use super::nav::Views;
use super::progress::Progress;
use super::report;
use crate::actions::use_actions;
use crate::browser;
use crate::state::use_state;

/// Bar at the top of every view: the views, the run, and the model.
#[component]
pub fn Toolbar() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let is_running = move || state.is_running();
    view! {
        <header class="top">
            <h1>"Confab"</h1>
            <Views/>
            <div class="toolbar" role="toolbar" aria-label="Run">
                <button
                    class="primary"
                    title=move || if is_running() { "Pause (Space)" } else { "Train (Space)" }
                    on:click=move |_| actions.toggle_training()
                >
                    {live(move || if is_running() { "Pause" } else { "Train" })}
                </button>
                <button
                    title="Train one step (.)"
                    disabled=is_running
                    on:click=move |_| actions.step()
                >
                    "Step"
                </button>
                <button
                    title="Start a new run with these settings"
                    on:click=move |_| {
                        actions.build(Then::Wait);
                    }
                >
                    "New run"
                </button>
            </div>
            <Progress/>
            <ModelChip/>
            <div class="group">
                <Files/>
                <button
                    class="small"
                    title="Copy a link to this experiment"
                    on:click=move |_| actions.share()
                >
                    "Share"
                </button>
                <button
                    class="quiet"
                    title="Keyboard (?)"
                    aria-label="Keys"
                    on:click=move |_| state.keys_shown.set(true)
                >
                    "?"
                </button>
            </div>
        </header>
    }
}

const OPEN: &str = "Open model";
const REPORT: &str = "Save report";
const LINK: &str = "Copy link with weights";
/// Form of a file, for a prompt.
type Form = fn(String) -> SaveAs;
/// Files of a model, each with what it holds.
const FORMS: [(&str, Form); 4] = [
    ("Save model", |_| SaveAs::Checkpoint),
    ("Export for transformers", |_| SaveAs::HuggingFace),
    ("Export with a TransformerLens notebook", |prompt| SaveAs::Notebook { prompt }),
    ("Export for nanoGPT", |_| SaveAs::NanoGpt),
];

/// Opens and saves models.
#[component]
fn Files() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let file = NodeRef::<html::Input>::new();
    let load = move |event: leptos::ev::Targeted<leptos::ev::Event, web_sys::HtmlInputElement>| {
        let input = event.target();
        actions.load_checkpoint(browser::list_files(input.files()));
        // So that the same file can be chosen again.
        input.set_value("");
    };
    let choose = move |name| match FORMS.iter().find(|(of, _)| *of == name) {
        Some((_, form)) => actions.save(form(state.prompt.get_untracked())),
        None if name == LINK => actions.share_weights(),
        None if name == REPORT => {
            let saved = match untrack(|| report::write(state)) {
                Some((name, page)) => browser::download(&name, "text/html", page.as_bytes()),
                None => Err("there is no model yet: press Train first".into()),
            };
            if let Err(reason) = saved {
                state.notify(format!("The report was not saved: {reason}."));
            }
        }
        None => {
            if let Some(file) = file.get_untracked() {
                file.click();
            }
        }
    };
    let names = || [OPEN, LINK, REPORT].into_iter().chain(FORMS.map(|(name, _)| name)).collect();
    view! {
        {menu("Files", "Open a model of Confab, GPT-2 or Llama; save or export this one", names, choose)}
        <input
            type="file"
            hidden
            multiple
            aria-label="Model file"
            node_ref=file
            on:change:target=load
        />
    }
}
