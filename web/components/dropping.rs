use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::actions::{Actions, use_actions};
use crate::browser;

/// Endings of files with weights. What belongs to them, such as config.json, is dropped along.
const WEIGHTS: [&str; 5] = [".safetensors", ".pt", ".pth", ".bin", ".ckpt"];

/// Takes files that are dropped on the page, and says what may be dropped while some are dragged over it.
#[component]
pub fn Dropping() -> impl IntoView {
    let actions = use_actions();
    let is_dragging = RwSignal::new(false);
    let over = window_event_listener(ev::dragover, move |event| {
        if browser::has_files(&event) {
            event.prevent_default();
            is_dragging.set(true);
        }
    });
    let leave = window_event_listener(ev::dragleave, move |event| {
        if event.related_target().is_none() {
            is_dragging.set(false);
        }
    });
    let take = window_event_listener(ev::drop, move |event| {
        if browser::has_files(&event) {
            event.prevent_default();
            is_dragging.set(false);
            open(actions, &event);
        }
    });
    on_cleanup(move || {
        over.remove();
        leave.remove();
        take.remove();
    });
    view! {
        <Show when=move || is_dragging.get()>
            <div class="drop-hint" role="status">
                <p>
                    "Drop a model anywhere to open it, a text on the text field, outcomes of a sweep on "
                    "Scaling sweep."
                </p>
            </div>
        </Show>
    }
}

fn open(actions: Actions, event: &ev::DragEvent) {
    let files = browser::dropped_files(event);
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let is_on = |place: &str| {
        target.as_ref().is_some_and(|target| target.closest(place).ok().flatten().is_some())
    };
    let has_weights = files.iter().any(|file| {
        let name = browser::lower_case(&file.name());
        WEIGHTS.iter().any(|ending| name.ends_with(ending))
    });
    match &files[..] {
        _ if has_weights => actions.load_checkpoint(files),
        [file] if is_on(".knob.text") => {
            let kind = actions.state.knobs.with_untracked(|knobs| knobs.task.kind);
            if let Some(knob) = kind.text_knob() {
                actions.load_text(knob, file.clone());
            }
        }
        [file] if is_on("#panel-capacity") => actions.load_outcomes(file.clone()),
        _ => {
            let names: Vec<String> = files.iter().map(gloo_file::File::name).collect();
            actions.state.notify(format!(
                "Nothing was opened of what was dropped ({}). Drop a model ({}, with its config.json and \
                 tokenizer.json if it has them) anywhere, one text on the text field of the tasks text, grammar and spacing, or outcomes \
                 of a sweep on Scaling sweep.",
                names.join(", "),
                WEIGHTS.join(", "),
            ));
        }
    }
}
