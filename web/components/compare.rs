use confab::base::plot::pick_color;
use confab::config::Knob;
use leptos::prelude::*;

use super::controls::{InputEvent, asked, button, choice, live, options};
use super::run_groups::{Group, Listed, list_apart, list_groups};
use super::theme::Dark;
use crate::actions::use_actions;
use crate::browser;
use crate::notes::Note;
use crate::runs::{Run, group_digits, list_changes, show_loss, show_share};
use crate::state::{State, use_state};

/// Columns that runs are sorted by.
#[derive(Clone, Copy, PartialEq)]
enum Column {
    Name,
    Steps,
    Training,
    Validation,
    Excess,
    Accuracy,
}

const COLUMNS: [(&str, Column); 6] = [
    ("Name", Column::Name),
    ("Steps", Column::Steps),
    ("Training", Column::Training),
    ("Validation", Column::Validation),
    ("Above floor", Column::Excess),
    ("Accuracy", Column::Accuracy),
];

/// Every run, of this visit and of those before: what sets it apart, how far it came, and what can be done with it.
#[component]
pub fn Compare() -> impl IntoView {
    let state = use_state();
    let filter = RwSignal::new(String::new());
    let order = RwSignal::new(None::<(Column, bool)>);
    let grouped = RwSignal::new(None::<&'static Knob>);
    let apart = Memo::new(move |_| list_apart(&state.all_runs()));
    let group = move || grouped.get().filter(|knob| apart.get().contains(&knob.key));
    let rows = Memo::new(move |_| list_rows(state, &filter.get(), order.get(), group()));
    let names = move || {
        let apart: Vec<&Knob> = apart.get().into_iter().filter_map(Knob::find).collect();
        let place = apart.iter().position(|knob| group().is_some_and(|of| of.key == knob.key));
        let names = std::iter::once("nothing").chain(apart.iter().map(|knob| knob.label));
        options(names, place.map_or(0, |place| place + 1))
    };
    let choose = move |place: usize| {
        let key = place
            .checked_sub(1)
            .and_then(|place| apart.with_untracked(|all| all.get(place).copied()));
        grouped.set(key.and_then(Knob::find));
    };
    let heading = move |(name, column): (&'static str, Column)| {
        let sort = move || match order.get() {
            Some((of, is_down)) if of == column => match is_down {
                true => "descending",
                false => "ascending",
            },
            _ => "none",
        };
        let turn = move || {
            let is_down = order.get_untracked() == Some((column, false));
            order.set(Some((column, is_down)));
        };
        let class = if column == Column::Name { "" } else { "number" };
        view! { <th scope="col" class=class aria-sort=sort>{button(name, "Sort by this", turn)}</th> }
    };
    let [name, numbers @ ..] = COLUMNS;
    view! {
        <section class="panel compare" aria-label="Compare runs">
            <div class="heading">
                <h2>"Runs"</h2>
                {choice("Group by", names, choose)}
                {asked("Filter", "name or setting", filter)}
            </div>
            <p class="hint">
                "Runs stay in this browser until you delete them, the last 24 or as many as it has room for."
            </p>
            <div class="table-box">
                <table class="runs">
                    <thead>
                        <tr>
                            <th scope="col">"Curve"</th>
                            {heading(name)}
                            <th scope="col">"Differs from the run on show"</th>
                            {numbers.map(heading).collect_view()}
                            <td></td>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || rows.get() key=Listed::clone let(listed)>
                            {match listed {
                                Listed::Group(name, runs) => view! { <Group name runs/> }.into_any(),
                                Listed::Run(number) => view! { <Row number/> }.into_any(),
                            }}
                        </For>
                    </tbody>
                </table>
            </div>
            <p class="nothing" hidden=move || rows.with(|rows| !rows.is_empty())>
                {live(move || match filter.with(|filter| filter.trim().is_empty()) {
                    true => "No runs yet. Each run that you train is listed here.",
                    false => "No run has this in its name or in what differs.",
                })}
            </p>
        </section>
    }
}

/// The runs that hold `filter` in their name or settings, in order, by the values of a setting.
fn list_rows(
    state: State,
    filter: &str,
    order: Option<(Column, bool)>,
    group: Option<&'static Knob>,
) -> Vec<Listed> {
    let filter = browser::lower_case(filter.trim());
    let matches = |run: &Run| {
        let text = format!("{} {}", run.name, describe_difference(state, run));
        browser::lower_case(&text).contains(&filter)
    };
    let mut runs = state.all_runs();
    runs.retain(|run| run.number > 0 && (filter.is_empty() || matches(run)));
    let places = match order {
        None => (0..runs.len()).collect(),
        Some((column, is_down)) => {
            let keys: Vec<f64> = runs.iter().map(|run| untrack(|| sort_key(run, column))).collect();
            confab::report::order(runs.len(), &|a, b| {
                let order = match column {
                    Column::Name => runs[a].name.cmp(&runs[b].name),
                    _ => keys[a].total_cmp(&keys[b]),
                };
                if is_down { order.reverse() } else { order }
            })
        }
    };
    let runs: Vec<&Run> = places.into_iter().map(|place| &runs[place]).collect();
    match group {
        Some(knob) => list_groups(&runs, knob),
        None => runs.iter().map(|run| Listed::Run(run.number)).collect(),
    }
}

/// Number that a run is sorted by; the largest, where it is not known.
fn sort_key(run: &Run, column: Column) -> f64 {
    let key = match column {
        Column::Name => None,
        Column::Steps => run.last().map(|point| point.step as f64),
        Column::Training => run.last().map(|point| f64::from(point.train_loss)),
        Column::Validation => run.validation().0,
        Column::Excess => run.validation().1,
        // Best first.
        Column::Accuracy => run.accuracy().map(|share| -share),
    };
    key.unwrap_or(f64::INFINITY)
}

fn describe_difference(state: State, run: &Run) -> String {
    let current = state.runs.with(|runs| runs.last().map(|run| (run.number, run.config.clone())));
    match current {
        Some((number, _)) if number == run.number => "on show".into(),
        Some((_, config)) => {
            match list_changes((&config, run.device), (&run.config, run.device)).join(" · ") {
                same if same.is_empty() => "nothing".into(),
                changes => changes,
            }
        }
        None => String::new(),
    }
}

#[component]
fn Row(number: usize) -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let Dark(is_dark) = expect_context();
    let run = Memo::new_with_compare(
        move |_| state.all_runs().into_iter().find(|run| run.number == number),
        |_, _| true,
    );
    let of = move |show: fn(&Run) -> String| {
        live(move || run.with(|run| run.as_ref().map(show).unwrap_or_default()))
    };
    let name = move || run.with(|run| run.as_ref().map_or(String::new(), |run| run.name.clone()));
    let is_shown = move || run.with(|run| run.as_ref().is_some_and(|run| run.is_shown));
    let is_current =
        move || state.runs.with(|runs| runs.last().is_some_and(|run| run.number == number));
    let rename = move |event: InputEvent| {
        let name = event.target().value().trim().to_owned();
        let id = run.with_untracked(|run| run.as_ref().map(|run| run.id.clone()));
        let Some(id) = id.filter(|_| !name.is_empty()) else { return };
        Note { name: Some(name.clone()), ..Note::of(&id) }.keep();
        state.change_run(number, |run| run.name = name.clone());
        if is_current() {
            state.model.update(|model| {
                if let Some(model) = model {
                    model.name = name;
                }
            });
        }
    };
    let is_kept = move || {
        let id = run.with(|run| run.as_ref().map(|run| run.id.clone()));
        state.kept_runs.with(|kept| kept.iter().any(|run| Some(&run.id) == id.as_ref()))
    };
    let open = move || {
        if let Some(run) = run.get_untracked() {
            actions.open_run(run.id);
        }
    };
    let is_asked = RwSignal::new(false);
    let delete = move |_| match is_asked.get_untracked() {
        false => is_asked.set(true),
        true => {
            if let Some(run) = run.get_untracked() {
                actions.delete_run(&run);
            }
        }
    };
    let color = move || format!("background:{}", pick_color(number, is_dark.get()));
    view! {
        <tr>
            <td>
                <label class="switch">
                    <input
                        type="checkbox"
                        aria-label=move || format!("Show the curve of {}", name())
                        prop:checked=is_shown
                        on:change:target=move |event: InputEvent| {
                            let is_on = event.target().checked();
                            state.change_run(number, |run| run.is_shown = is_on);
                        }
                    />
                    <i class="swatch" style=color></i>
                </label>
            </td>
            <td>
                <input
                    type="text"
                    autocomplete="off"
                    maxlength="40"
                    aria-label=move || format!("Name of {}", name())
                    prop:value=name
                    on:change:target=rename
                />
            </td>
            <td class="hint">
                {live(move || run.with(|run| {
                    run.as_ref().map_or(String::new(), |run| describe_difference(state, run))
                }))}
            </td>
            <td class="number">
                {of(|run| run.last().map_or("—".into(), |point| group_digits(point.step)))}
            </td>
            <td class="number">
                {of(|run| run.last().map_or("—".into(), |point| show_loss(point.train_loss.into(), 3)))}
            </td>
            <td class="number">{of(|run| show(run.validation().0))}</td>
            <td class="number">{of(|run| show(run.validation().1))}</td>
            <td class="number">{of(|run| run.accuracy().map_or("—".into(), show_share))}</td>
            <td class="acts">
                <Show when=move || is_kept() && !is_current()>
                    {button("Open", "Go on with this run", open)}
                </Show>
                <Show when=move || !is_current()>
                    <button class="small" on:click=delete on:blur=move |_| is_asked.set(false)>
                        {live(move || if is_asked.get() { "Delete for good" } else { "Delete" })}
                    </button>
                </Show>
            </td>
        </tr>
    }
}

fn show(loss: Option<f64>) -> String {
    loss.map_or("—".into(), |loss| show_loss(loss, 3))
}
