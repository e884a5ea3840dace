use leptos::prelude::*;

use super::answer::AnswerView;
use super::controls::live;
use super::drawing::Drawing;
use super::inspector::Inspector;
use super::loss::Loss;
use super::progress::Progress;
use super::samples::Samples;
use crate::actions::use_actions;
use crate::browser;
use crate::state::use_state;
use crate::tab::Tab;
use crate::view::View;

/// One panel without the frame of the page, for the pages of others: `?embed=attention`. It is of the model that the
/// address's fragment opens, or of the shipped example.
#[component]
pub fn Embed(name: String) -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let view = match name.as_str() {
        "loss" => View::Loss,
        "answer" | "samples" => View::Answer,
        _ => View::Inspect,
    };
    let panel = match (name.as_str(), Tab::find(&name)) {
        ("answer", _) => {
            state.question.set(Some(0));
            view! { <AnswerView placeholder=String::new()/> }.into_any()
        }
        ("loss", _) => view! { <Loss/> }.into_any(),
        ("samples", _) => view! { <Samples/> }.into_any(),
        (_, Some(tab)) => {
            state.tab.set(tab);
            view! { <Inspector/> }.into_any()
        }
        _ => {
            let tabs = Tab::ALL.map(Tab::key).join(", ");
            let text = format!(
                "There is no panel “{name}” to embed. Write ?embed= and one of answer, loss, samples, {tabs}."
            );
            view! { <p class="nothing">{text}</p> }.into_any()
        }
    };
    let notice =
        move || state.notices.with(|all| all.last().map_or(String::new(), |of| of.text.clone()));
    view! {
        <main class="embed" data-view=view.key()>
            {panel}
            <footer class="group">
                <button class="small" on:click=move |_| actions.toggle_training()>
                    {live(move || match state.is_running() {
                        true => "Pause",
                        false => "Train",
                    })}
                </button>
                <Progress/>
                <Drawing/>
                <a href=browser::address_without_query() target="_blank" rel="noopener">"Open in Confab"</a>
                <span class="hint" role="status">{live(notice)}</span>
            </footer>
        </main>
    }
}
