use confab::figure::show_token;
use confab::protocol::Answer;
use leptos::prelude::*;

use crate::state::use_state;
use crate::tables::escape;

/// Two questions that every model of a task is asked, answered anew while it trains.
#[component]
pub fn FixedAnswers() -> impl IntoView {
    let state = use_state();
    let lines = move || {
        let answers = state.fixed_answers.get();
        answers.iter().flatten().map(|answer| draw(answer)).collect::<String>()
    };
    view! { <div class="fixed-answers" aria-label="Two fixed questions" role="group" inner_html=lines></div> }
}

/// The end of the question, what the model says, and how much of it is right. Right tokens are told by a colour and by the
/// count, wrong ones also by a line below them.
pub(super) fn draw(answer: &Answer) -> String {
    let question = answer.question.concat();
    let asked = question.trim_end().lines().last().unwrap_or_default();
    let right = answer.right();
    let said = answer.said.iter().zip(&answer.truth).map(|(said, truth)| {
        let class = if said.token == *truth { "right" } else { "wrong" };
        format!("<span class={class}>{}</span>", escape(&show_token(&said.token)))
    });
    let truth = escape(&answer.truth.concat());
    format!(
        "<p><span class=hint>{}</span> <b title=\"the true answer is {truth}\">{}</b> <span class=hint>{right} of {} right</span></p>",
        escape(asked),
        said.collect::<String>(),
        answer.truth.len(),
    )
}
