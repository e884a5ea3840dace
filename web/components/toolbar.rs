use confab::protocol::{RunState, SaveAs, Then};
use leptos::html;
use leptos::prelude::*;

use crate::actions::use_actions;
use crate::components::status::ExampleNote;
use crate::state::use_state;

#[component]
pub fn Toolbar() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let is_running = move || state.run_state.get() == RunState::Running;
    let file = NodeRef::<html::Input>::new();

    let load = move |event: leptos::ev::Targeted<leptos::ev::Event, web_sys::HtmlInputElement>| {
        let input = event.target();
        if let Some(files) = input.files() {
            actions.load_checkpoint((0..files.length()).filter_map(|at| files.get(at)).collect());
        }
        // So that the same file can be chosen again.
        input.set_value("");
    };

    view! {
        <div class="toolbar" role="toolbar" aria-label="Run">
            <div class="group">
                <button
                    class="primary"
                    title="Train (Space)"
                    disabled=is_running
                    on:click=move |_| actions.train()
                >
                    <span class="icon" aria-hidden="true">"▶"</span>
                    "Train"
                </button>
                <button
                    title="Pause (Space)"
                    disabled=move || !is_running()
                    on:click=move |_| actions.pause()
                >
                    "Pause"
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
                <button
                    title="Start a new run with these settings and the weights and memories of this one"
                    disabled=move || is_running() || state.building.get()
                    on:click=move |_| actions.continue_with()
                >
                    "Train from these weights"
                </button>
            </div>
            <ExampleNote/>
            <div class="group">
                <button
                    title="Save this run as a file; the terminal can continue it"
                    on:click=move |_| actions.save(SaveAs::Checkpoint)
                >
                    "Save model"
                </button>
                <select
                    aria-label="Export"
                    title="Save this model as a zip that another program reads"
                    on:change:target=move |event| {
                        let form = match event.target().value().as_str() {
                            "transformers" => SaveAs::HuggingFace,
                            "notebook" => SaveAs::Notebook { prompt: state.prompt.get_untracked() },
                            _ => SaveAs::NanoGpt,
                        };
                        event.target().set_selected_index(0);
                        actions.save(form);
                    }
                >
                    <option value="" selected hidden>"Export"</option>
                    <option value="transformers">"for transformers"</option>
                    <option value="notebook">"with a TransformerLens notebook"</option>
                    <option value="nanogpt">"for nanoGPT"</option>
                </select>
                <button
                    title="Continue a saved run, or open config.json, model.safetensors and tokenizer.json of GPT-2 or Llama"
                    on:click=move |_| {
                        if let Some(file) = file.get() {
                            file.click();
                        }
                    }
                >
                    "Open model"
                </button>
                <input
                    type="file"
                    hidden
                    multiple
                    aria-label="Model file"
                    node_ref=file
                    on:change:target=load
                />
                <button title="Copy a link to this experiment" on:click=move |_| actions.share()>
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
        </div>
    }
}
