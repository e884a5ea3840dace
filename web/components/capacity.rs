use confab::config::{Knob, PRESETS, Preset};
use confab::figure;
use confab::figure::{Axis, Content, name_file};
use confab::report::sweep;
use confab::report::sweep::{Cell, Grid, MAX_FILE_BYTES, Outcome, mean_and_deviation};
use leptos::html;
use leptos::prelude::*;

use crate::actions::use_actions;
use crate::browser;
use crate::components::controls::{InputEvent, form};
use crate::components::save::{Picture, Saved, save_menu};
use crate::components::sizes::Sizes;
use crate::components::theme::Dark;
use crate::heatmap::css_color;
use crate::runs::group_digits;
use crate::state::{State, use_state};
use crate::tables;

const HEIGHT: u32 = 460;
const MAX_SEEDS: u64 = 20;
const RECALLED: &str = "Recalled, by size and number of facts";

/// Facts that models of each size recall: sweeps and their outcomes.
#[component]
pub fn Capacity() -> impl IntoView {
    let state = use_state();
    view! {
        <p class="hint">
            "Trains each size on each number of facts, and counts the facts that it then writes to \
             the letter after their question. The other settings of Training are the presets’."
        </p>
        <Plan/>
        {move || progress(state)}
        <Files/>
        {move || match state.outcomes.list.with(Vec::is_empty) {
            true => {
                view! {
                    <p class="nothing">
                        "Run a sweep here, or load the outcomes of "<code>"confab sweep"</code>"."
                    </p>
                }
                    .into_any()
            }
            false => view! { <Diagram/> <Curves/> }.into_any(),
        }}
    }
}

/// The runs to be swept.
#[component]
fn Plan() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let facts = RwSignal::new("10, 30".to_owned());
    let (steps, seeds) = (RwSignal::new("1000".to_owned()), RwSignal::new("1".to_owned()));
    let sizes = RwSignal::new(vec![PRESETS[0].name, PRESETS[1].name]);
    let is_sweeping = move || state.outcomes.sweeping.with(Option::is_some);
    let run = move || match read_plan(
        &facts.get_untracked(),
        &seeds.get_untracked(),
        &sizes.get_untracked(),
    ) {
        Ok(grid) => actions.sweep_capacity(&grid, &steps.get_untracked()),
        Err(reason) => state.notify(reason),
    };
    let field =
        |id: &'static str, label: &'static str, title: &'static str, value: RwSignal<String>| {
            view! {
                <div class="field">
                    <label for=id>{label}</label>
                    <input
                        id=id
                        type="text"
                        autocomplete="off"
                        size="10"
                        title=title
                        prop:value=move || value.get()
                        on:change:target=move |event: InputEvent| value.set(event.target().value())
                    />
                </div>
            }
        };
    let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
    let controls = view! {
        {field("sweep-facts", "Facts to sweep", "numbers of facts, 10 to 5000, with commas", facts)}
        <Sizes names chosen=sizes/>
        {field("sweep-steps", "Steps of a run", "a run ends sooner if all is recalled", steps)}
        {field("sweep-seeds", "Seeds", "runs of each, for error bars", seeds)}
        <button class="primary" disabled=is_sweeping>"Run sweep"</button>
        <button
            type="button"
            disabled=move || !is_sweeping()
            on:click=move |_| actions.stop_job()
        >
            "Stop sweep"
        </button>
    };
    form("controls", controls, run)
}

fn read_plan(facts: &str, seeds: &str, sizes: &[&str]) -> Result<Grid, String> {
    let knob = Knob::find("task.facts.facts").ok_or("there is no such setting")?;
    let mut config = confab::config::RunConfig::default();
    let mut numbers = Vec::new();
    for number in facts.split([',', ' ']).filter(|number| !number.is_empty()) {
        knob.set(&mut config, number).map_err(|error| format!("{error}."))?;
        numbers.push(config.task.facts.facts);
    }
    let seeds = seeds.trim().parse().ok().filter(|seeds| (1..=MAX_SEEDS).contains(seeds));
    let seeds = seeds.ok_or(format!("Seeds takes a whole number from 1 to {MAX_SEEDS}."))?;
    let presets: Vec<&Preset> = PRESETS.iter().filter(|p| sizes.contains(&p.name)).collect();
    if numbers.is_empty() || presets.is_empty() {
        return Err("A sweep needs a number of facts and a size.".into());
    }
    Ok(Grid { facts: numbers, presets, seeds })
}

fn progress(state: State) -> Option<impl IntoView> {
    let sweeping = state.outcomes.sweeping.get()?;
    let ended = sweeping.done.len();
    let under_way = usize::from(sweeping.current.is_some()) + sweeping.elsewhere;
    let all = ended + sweeping.left + under_way;
    let now = sweeping.current.map(|run| {
        format!(
            ": {} parameters on {} facts, seed {}, step {} of {}",
            group_digits(run.parameters),
            group_digits(run.facts),
            run.seed,
            group_digits(run.step),
            group_digits(run.steps),
        )
    });
    Some(view! {
        <p class="hint" data-testid="sweep-runs">
            {match under_way {
                0 | 1 => format!("Run {} of {all}", (ended + 1).min(all)),
                _ => format!("Runs {} to {} of {all}", ended + 1, ended + under_way),
            }}
            {now}
        </p>
    })
}

/// Outcomes from and to files.
#[component]
fn Files() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let file = NodeRef::<html::Input>::new();
    let load = move |event: InputEvent| {
        let input = event.target();
        if let Some(file) = browser::list_files(input.files()).pop() {
            actions.load_outcomes(file);
        }
        // So that the same file can be chosen again.
        input.set_value("");
    };
    let save = move |_| {
        let bytes = state.outcomes.jsonl.get_untracked().into_bytes();
        if let Err(reason) = browser::download("sweep.jsonl", "application/jsonl", &bytes) {
            state.notify(format!("sweep.jsonl could not be saved: {reason}."));
        }
    };
    let is_empty = move || state.outcomes.list.with(Vec::is_empty);
    view! {
        <div class="controls">
            <button
                class="small"
                title=format!("JSON lines of confab sweep, at most {} MiB", MAX_FILE_BYTES >> 20)
                on:click=move |_| {
                    if let Some(file) = file.get() {
                        file.click();
                    }
                }
            >
                "Load outcomes"
            </button>
            <input
                type="file"
                hidden
                accept=".jsonl,.json,application/jsonl"
                aria-label="Outcomes file"
                node_ref=file
                on:change:target=load
            />
            <button class="small" disabled=is_empty on:click=save>
                "Save outcomes"
            </button>
            <button class="small" disabled=is_empty on:click=move |_| state.outcomes.clear()>
                "Clear"
            </button>
        </div>
    }
}

/// Recall as colour: a row a size, a column a number of facts.
#[component]
fn Diagram() -> impl IntoView {
    let state = use_state();
    let table = move || {
        state.outcomes.list.with(|outcomes| {
            let cells = sweep::cells(outcomes);
            let (sizes, facts) = sweep::sides(&cells);
            let names: Vec<String> = facts.iter().map(|count| group_digits(*count)).collect();
            let head = tables::headings("parameters \\ facts", names.iter().map(String::as_str));
            let rows = sizes.iter().rev().map(|size| {
                let row = facts.iter().map(|facts| show_cell(cells.get(&(*size, *facts))));
                tables::row(&group_digits(*size), "", &row.collect::<String>())
            });
            tables::table("shares", "Recall by size and facts", &head, &rows.collect::<String>())
        })
    };
    view! {
        <div class="heading">
            <h3>{RECALLED}</h3>
            {save_menu(move || {
                let grid = state.outcomes.list.with(|outcomes| draw_grid(outcomes));
                let name = name_file(&["facts", "recall by size"]);
                Some(Saved::drawn(name, RECALLED, "Mean share over seeds.", Content::Grid(grid)))
            })}
        </div>
        <div class="shares-box" inner_html=table></div>
    }
}

fn draw_grid(outcomes: &[Outcome]) -> figure::Grid {
    let cells = sweep::cells(outcomes);
    let (sizes, facts) = sweep::sides(&cells);
    let recall = |size: usize, facts: usize| {
        cells
            .get(&(size, facts))
            .map_or(f32::NAN, |cell| mean_and_deviation(&cell.recalled).0 as f32)
    };
    let values = sizes.iter().flat_map(|size| facts.iter().map(|facts| recall(*size, *facts)));
    let values = values.collect();
    let axis =
        |name, counts: &[usize]| Axis::new(name, counts.iter().map(usize::to_string).collect());
    figure::Grid::new(axis("parameters", &sizes), axis("facts", &facts), values).within([0.0, 1.0])
}

/// Mean recall of a cell, which leads to one of its runs.
fn show_cell(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "<td></td>".into() };
    let runs = cell.recalled.len();
    let (mean, deviation) = mean_and_deviation(&cell.recalled);
    let spread = if runs > 1 { format!(" ± {:.0}", 100.0 * deviation) } else { String::new() };
    format!(
        "<td><i style=\"background:{}\"></i><a href=\"#{}&amp;tab=capacity\" title=\"{runs} runs; {:.4} \
         bits a parameter at least in the first; opens its settings\">{:.0}%</a>{spread}</td>",
        css_color(mean as f32),
        tables::escape(&cell.link),
        cell.bits_per_parameter[0],
        100.0 * mean
    )
}

/// Recall and bits stored against the number of facts.
#[component]
fn Curves() -> impl IntoView {
    let state = use_state();
    let Dark(is_dark) = expect_context();
    let holder = NodeRef::<html::Div>::new();
    let width = RwSignal::new(None);
    Effect::new(move |_| {
        let Some(holder) = holder.get() else { return };
        // It has no width before it has been laid out.
        request_animation_frame(move || width.set(Some(browser::chart_width(&holder))));
    });
    let svg = move || {
        let width = width.get()?;
        let outcomes = state.outcomes.list;
        Some(outcomes.with(|outcomes| sweep::plot(outcomes, (width, HEIGHT), is_dark.get())))
    };
    let saved = move || {
        let plot = state.outcomes.list.with(|outcomes| sweep::series(outcomes));
        let name = name_file(&["facts", "recall and bits"]);
        let note = "Means over seeds. Bits are bits stored per parameter, at least.";
        let saved =
            Saved::drawn(name, "Recall and bits stored by facts", note, Content::Plot(plot));
        Some(Saved { picture: Picture::Shown(svg()?), ..saved })
    };
    view! {
        <div class="heading">{save_menu(saved)}</div>
        <div node_ref=holder>
            <div role="img" aria-label="Recall and bits stored by facts" inner_html=svg></div>
        </div>
    }
}
