use leptos::prelude::*;

use super::controls::switch;

/// A box to tick for each of `names`; those that are ticked are in `chosen`.
#[component]
pub fn Sizes(names: Vec<&'static str>, chosen: RwSignal<Vec<&'static str>>) -> impl IntoView {
    let choices = names.into_iter().map(|name| {
        let choose = move |is_on| {
            chosen.update(|chosen| {
                chosen.retain(|other| *other != name);
                if is_on {
                    chosen.push(name);
                }
            });
        };
        switch(name, move || chosen.with(|chosen| chosen.contains(&name)), choose)
    });
    view! {
        <fieldset class="sizes">
            <legend>"Sizes"</legend>
            {choices.collect_view()}
        </fieldset>
    }
}
