use confab::config::{PRESETS, Preset};
use confab::figure::{Content, Table, name_file};
use confab::report::{BenchRow, Shape};
use leptos::prelude::*;

use crate::actions::use_actions;
use crate::browser;
use crate::components::controls::live;
use crate::components::device::{choose_cores, choose_device};
use crate::components::save::{Saved, save_menu};
use crate::components::sizes::Sizes;
use crate::runs::group_digits;
use crate::state::{State, use_state};

/// The presets that every device has room for.
const OFFERED: usize = 3;
/// The size on the knobs, where a link has brought one that no preset has.
const CUSTOM: &str = "custom";

/// The view at `?bench`: how fast this browser trains and writes.
#[component]
pub fn Bench() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let mut names: Vec<_> = PRESETS[..OFFERED].iter().map(|preset| preset.name).collect();
    let mut chosen = names.clone();
    let is_custom = state
        .knobs
        .with_untracked(|knobs| Preset::of(&knobs.model).is_none() && !knobs.has_tuned_model());
    if is_custom {
        names.push(CUSTOM);
        chosen = vec![CUSTOM];
    }
    let sizes = RwSignal::new(chosen);
    let rows = move || state.bench.with(|report| report.rows.iter().map(show_row).collect_view());
    let save = move |_| {
        let json = state.bench.with_untracked(|report| report.json.clone().into_bytes());
        if let Err(reason) = browser::download("bench.json", "application/json", &json) {
            state.notify(format!("bench.json could not be saved: {reason}."));
        }
    };
    view! {
        <div class="panel">
            <h2>"Benchmark"</h2>
            <p class="hint">
                "Times whole training steps of each size, at 32 rows of 64 tokens and at the size’s \
                 own batch and context, and characters written. Medians, after a warm-up; the parts \
                 of a step are waited for one by one. × floor: the step’s time as a multiple of as many \
                 empty dispatches on the GPU."
            </p>
            <div class="controls">
                {choose_device(state)} {choose_cores(state)} <Sizes names chosen=sizes/>
                <button
                    class="primary"
                    disabled=move || state.is_measuring.get()
                    on:click=move |_| actions.run_bench(&sizes.get_untracked())
                >
                    "Run benchmark"
                </button>
                <button
                    disabled=move || !state.is_measuring.get()
                    on:click=move |_| actions.stop_job()
                >
                    "Stop"
                </button>
                <button disabled=move || state.bench.with(|report| report.rows.is_empty()) on:click=save>
                    "Save as JSON"
                </button>
                {save_menu(move || state.bench.with(|report| save_rows(&report.rows)))}
            </div>
            <p class="hint" data-testid="bench-progress">{live(move || progress(state).unwrap_or_default())}</p>
            <div class="fields shares-box">
                <table aria-label="Benchmark">
                    <thead>
                        <tr>
                            {HEADINGS
                                .map(|heading| view! { <th scope="col">{heading}</th> })
                                .collect_view()}
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </div>
    }
}

const HEADINGS: [&str; 11] = [
    "Size",
    "Parameters",
    "Device",
    "Batch × tokens",
    "Steps/s",
    "× floor",
    "Forward",
    "Backward",
    "Update",
    "Readback",
    "Characters/s",
];

fn save_rows(rows: &[BenchRow]) -> Option<Saved> {
    let row = |row: &BenchRow| {
        let mut cells = vec![
            row.size.clone(),
            row.parameters.to_string(),
            row.device.clone(),
            show_shape(row.shape),
            (1.0 / row.time.step).to_string(),
            row.time.times_floor().map_or_else(String::new, |times| times.to_string()),
        ];
        cells.extend(row.time.percentages().map(|share| share.to_string()));
        cells.push(row.characters_per_s.to_string());
        cells
    };
    let columns = HEADINGS.map(String::from).to_vec();
    let content = Content::Table(Table { columns, rows: rows.iter().map(row).collect() });
    let note = "Forward, backward, update and readback in percent.";
    (!rows.is_empty()).then(|| Saved::drawn(name_file(&["benchmark"]), "Benchmark", note, content))
}

fn show_row(row: &BenchRow) -> impl IntoView + use<> {
    let mut cells = vec![
        group_digits(row.parameters),
        row.device.clone(),
        show_shape(row.shape),
        format!("{:.1}", 1.0 / row.time.step),
        row.time.times_floor().map_or("—".into(), |times| format!("{times:.1}")),
    ];
    cells.extend(row.time.percentages().map(|share| format!("{share:.0}%")));
    cells.push(group_digits(row.characters_per_s as usize));
    view! {
        <tr>
            <th scope="row">{row.size.clone()}</th>
            {cells.into_iter().map(|cell| view! { <td>{cell}</td> }).collect_view()}
        </tr>
    }
}

fn show_shape(shape: Shape) -> String {
    format!("{} × {}", shape.batch, shape.seq)
}

fn progress(state: State) -> Option<String> {
    if !state.is_measuring.get() {
        return None;
    }
    let doing = state.bench.with(|report| {
        report.current.as_ref().map(|current| match current.shape {
            Some(shape) => format!(
                "{} at {}: round {} of {}",
                current.size,
                show_shape(shape),
                current.done + 1,
                current.of
            ),
            None => format!("{}: writing", current.size),
        })
    });
    Some(doing.unwrap_or_else(|| "Opening the device…".into()))
}
