use std::sync::Arc;

use confab::run::{AnalysisRequest, AnalysisResult};
use leptos::prelude::*;

use super::controls::live;
use super::figure::FigureView;
use super::prompt::INSPECT_DELAY;
use crate::actions::{Seen, use_actions};
use crate::runs::group_digits;
use crate::state::{State, use_state};

/// The figures of the analysis with the index `chosen` in the catalogue, which it asks for as long as it is there.
#[component]
pub fn Analysed(chosen: Memo<Option<usize>>) -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let request = Memo::new(move |_| {
        let analysis = state.analysis_id(chosen.get()?)?;
        // A model that has come in the meantime is analysed in the same way.
        state.model.with(|model| model.as_ref().map(|model| model.name.clone()))?;
        let (prompt, position) = (state.prompt.get(), state.position());
        Some(AnalysisRequest { analysis, prompt, position, ..state.request.get() })
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
    view! { <FigureView figure look=Arc::new(look) pick=State::choose/> }
}
