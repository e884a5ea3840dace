use confab::protocol::{MemoryChange, SlotChange};
use leptos::prelude::*;

use super::controls::{asked, button, choice, form, live, options, submit};
use crate::actions::use_actions;
use crate::runs::group_digits;
use crate::state::use_state;

/// Controls that change the slots that the analyses above show.
#[component]
pub fn Memory() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let [ids, from, name] = [(); 3].map(|()| RwSignal::new(String::new()));
    let chosen = RwSignal::new(0);
    let counts = move || {
        let n_layers =
            state.model.with(|model| model.as_ref().map_or(0, |model| model.config.model.n_layers));
        let layer = |(layer, slots): &(usize, usize)| {
            let place = if *layer == n_layers { "output".into() } else { format!("L{layer}") };
            format!("{place}: {} slots", group_digits(*slots))
        };
        let shown = state.remembered.with(|(slots, _)| slots.iter().map(layer).collect::<Vec<_>>());
        match shown.is_empty() {
            true => "This model has no memory that is stored. Under Memory, choose featural or \
                     associative, and train."
                .to_owned(),
            false => shown.join(" · "),
        }
    };
    // That which is shown, or the first that there is.
    let layer = move || {
        let asked = state.request.with_untracked(|request| request.layer);
        state.remembered.with_untracked(|(slots, _)| {
            let has = slots.iter().find(|(layer, _)| *layer == asked).or(slots.first());
            has.map_or(asked, |(layer, _)| *layer)
        })
    };
    let numbers = |typed: RwSignal<String>| -> Vec<u64> {
        let typed = typed.get_untracked();
        typed.split([',', ' ']).filter_map(|part| part.trim().parse().ok()).collect()
    };
    let change = move |change: SlotChange| actions.change_memory(MemoryChange::Slots(change));
    let remove = move || {
        let written_by = state.request.with_untracked(|request| request.search.clone());
        change(SlotChange::Remove { layer: layer(), slots: numbers(ids), written_by });
    };
    let edit = move || match (numbers(ids)[..].first(), numbers(from)[..].first()) {
        (Some(slot), Some(other)) => {
            change(SlotChange::Like { layer: layer(), slot: *slot, other: *other });
        }
        _ => state.notify("Give the numbers of a slot and of the one to copy its value from."),
    };
    let save = move || {
        let typed = name.get_untracked();
        let typed = if typed.trim().is_empty() { "memory".into() } else { typed };
        actions.change_memory(MemoryChange::PutAside(typed));
    };
    let names = move || {
        let place = chosen.get();
        state.remembered.with(|(_, aside)| options(aside.iter().map(String::as_str), place))
    };
    let swap = move || {
        let place = chosen.get_untracked();
        match state.remembered.with_untracked(|(_, aside)| aside.get(place).cloned()) {
            Some(name) => actions.change_memory(MemoryChange::Swap(name)),
            None => state.notify("There is no snapshot yet."),
        }
    };
    view! {
        <p class="hint" data-testid="slots">{live(counts)}</p>
        <Show when=move || state.remembered.with(|(slots, _)| !slots.is_empty())>
            // What is deleted is gone, so Enter in a box copies.
            {form(
                "controls lab",
                view! {
                    {asked("Slot numbers", "12, 15", ids)}
                    {button("Delete", "these slots or, if none are named, all that match Search", remove)}
                    {asked("Copy value from", "", from)}
                    {submit("Copy", "gives the slot the value of the other")}
                    {button("Clear memory", "", move || change(SlotChange::Empty))}
                },
                edit,
            )}
            {form(
                "controls lab",
                view! {
                    {asked("Name", "memory", name)}
                    {submit("Save snapshot", "keeps a copy while this page is open")}
                    {choice("Snapshot", names, move |place| chosen.set(place))}
                    {button("Restore snapshot", "replaces the memory; the weights stay", swap)}
                },
                save,
            )}
            <Chat/>
        </Show>
        <super::distill::Distill/>
    }
}

/// Turns with the model, each of which its memory can be taught.
#[component]
fn Chat() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let said = RwSignal::new(String::new());
    let turns = RwSignal::new(Vec::<String>::new());
    let is_waiting = RwSignal::new(false);
    let send = move || {
        is_waiting.set(true);
        actions.ask(said.get_untracked());
    };
    Effect::new(move |was_running: Option<bool>| {
        let is_running = state.sample.with(|sample| sample.is_running);
        if was_running == Some(true) && !is_running && is_waiting.get_untracked() {
            is_waiting.set(false);
            let turn = state.sample.with_untracked(|sample| {
                let drawn = sample.characters.iter().map(|report| &*report.text);
                sample.prompt().to_owned() + &drawn.collect::<String>()
            });
            turns.update(|turns| turns.push(turn));
        }
        is_running
    });
    let teach = move |text: String| actions.change_memory(MemoryChange::Teach(text));
    let list = move || {
        let turn = |turn: String| {
            let text = turn.clone();
            view! {
                <li>
                    <span class="mono">{turn}</span>
                    {button("Remember", "", move || teach(text.clone()))}
                </li>
            }
        };
        turns.get().into_iter().map(turn).collect_view()
    };
    let controls = view! {
        {asked("Question", "as the task asks it", said)}
        {submit("Send", "")}
        {button(
            "Teach",
            "teaches the memory the typed text; the weights stay",
            move || teach(said.get_untracked()),
        )}
    };
    view! {
        <section aria-label="Chat">
            <ol class="turns">{list}</ol>
            {form("controls lab", controls, send)}
        </section>
    }
}
