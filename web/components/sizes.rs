use leptos::prelude::*;

use crate::components::InputEvent;

/// A box to tick for each of `names`; those that are ticked are in `chosen`.
#[component]
pub fn Sizes(names: Vec<&'static str>, chosen: RwSignal<Vec<&'static str>>) -> impl IntoView {
    let choices = names.into_iter().map(|name| {
        let is_chosen = move || chosen.with(|chosen| chosen.contains(&name));
        let toggle = move |event: InputEvent| {
            chosen.update(|chosen| {
                chosen.retain(|other| *other != name);
                if event.target().checked() {
                    chosen.push(name);
                }
            });
        };
        view! {
            <label class="switch">
                <input type="checkbox" prop:checked=is_chosen on:change:target=toggle/>
                {name}
            </label>
        }
    });
    view! {
        <fieldset class="sizes">
            <legend>"Sizes"</legend>
            {choices.collect_view()}
        </fieldset>
    }
}
