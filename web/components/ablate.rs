use confab::run::Intervention;
use leptos::prelude::*;

use super::analysed::Analysed;
use super::controls::live;
use super::fixed_answers;
use crate::actions::use_actions;
use crate::head::Head;
use crate::state::use_state;

/// The analysis of what follows the prompt without the ablations and with them.
const BEFORE_AFTER: &str = "edited";

/// A button that ablates the chosen head in the model that every panel shows, and then takes that back. The mean of a
/// layer's heads has none.
pub fn ablate(chosen: RwSignal<Head>) -> AnyView {
    let (state, actions) = (use_state(), use_actions());
    let ablation = move || Intervention::parse(&chosen.get().label(), 0.0);
    let press = move |_| {
        let Some(ablation) = untrack(ablation) else { return };
        let mut ablations = state.ablations.get_untracked();
        match ablations.iter().position(|one| *one == ablation) {
            Some(at) => drop(ablations.remove(at)),
            None => ablations.push(ablation),
        }
        actions.ablate(ablations);
    };
    let label = move || {
        let is_made = state.ablations.with(|all| ablation().is_some_and(|one| all.contains(&one)));
        let verb = if is_made { "Undo ablating" } else { "Ablate" };
        format!("{verb} {}", chosen.get().label())
    };
    view! {
        <button
            type="button"
            class="small"
            title="Sets what the head writes to 0, in every panel"
            hidden=move || chosen.get().head.is_none()
            on:click=press
        >
            {live(label)}
        </button>
    }
    .into_any()
}

/// View of the model's answers without its ablations and with them; empty while there are none.
pub fn before_after() -> AnyView {
    let state = use_state();
    let has_ablations = Memo::new(move |_| state.ablations.with(|all| !all.is_empty()));
    let analysis = Memo::new(move |_| {
        state
            .catalogue
            .with(|catalogue| catalogue.analyses.iter().position(|of| of.id == BEFORE_AFTER))
    });
    let texts = move || {
        let answers = [("Before", state.answers_before), ("After", state.fixed_answers)];
        let text = answers.map(|(name, answers)| {
            let answers = answers.get();
            let texts: String =
                answers.iter().flatten().map(|of| fixed_answers::draw(of)).collect();
            format!("<div role=group aria-label={name}><p class=hint>{name}</p>{texts}</div>")
        });
        text.concat()
    };
    let shown = move || {
        has_ablations.get().then(|| {
            view! {
                <section class="before-after" aria-label="Before and after">
                    <div class="fixed-answers" inner_html=texts></div>
                    <Analysed chosen=analysis/>
                </section>
            }
            .into_any()
        })
    };
    shown.into_any()
}
