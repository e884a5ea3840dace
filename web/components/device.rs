//! Choices of where a run computes.

use confab::run::DeviceChoice;
use leptos::prelude::*;

use crate::actions::use_actions;
use crate::browser;
use crate::components::controls::SelectEvent;
use crate::runs::name_device;
use crate::state::State;

/// Most workers that train at once: a batch of a new run has as many shards.
const MAX_CORES: usize = 8;

pub(super) fn choose_device(state: State) -> impl IntoView {
    let options = DeviceChoice::BROWSER
        .iter()
        .map(|name| {
            let is_chosen = move || name_device(state.device_choice.get()) == *name;
            view! { <option value=*name prop:selected=is_chosen>{*name}</option> }
        })
        .collect_view();
    let choose = move |event: SelectEvent| {
        if let Some(device) = DeviceChoice::parse(&event.target().value()) {
            state.device_choice.set(device);
        }
    };
    view! {
        <div class="knob">
            <label for="device" title="where the next run computes">"Device"</label>
            <select id="device" on:change:target=choose>{options}</select>
        </div>
    }
}

/// Offers to train on so many of the machine's cores.
pub(super) fn choose_cores(state: State) -> impl IntoView {
    let actions = use_actions();
    let options = (1..=browser::cores().min(MAX_CORES))
        .map(|count| {
            let is_chosen = move || state.cores.get() == Some(count);
            view! { <option value=count.to_string() prop:selected=is_chosen>{count}</option> }
        })
        .collect_view();
    let choose = move |event: SelectEvent| actions.set_cores(event.target().value().parse().ok());
    let title = "cores that train on the CPU at once; auto measures how many are fastest. The losses are the same";
    view! {
        <div class="knob">
            <label for="cores" title=title>"Cores"</label>
            <select id="cores" on:change:target=choose>
                <option value="" prop:selected=move || state.cores.get().is_none()>"auto"</option>
                {options}
            </select>
        </div>
    }
}
