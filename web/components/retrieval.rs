use confab::protocol::Evaluated;
use confab::report::{
    Answers, Calibration, EvalOptions, FactsReport, MAX_RECORDS, PhoneReport, Report, Score,
};
use leptos::prelude::*;

use crate::actions::use_actions;
use crate::components::InputEvent;
use crate::components::sweep::Sweep;
use crate::runs::group_digits;
use crate::state::use_state;

/// How well the model answers, on records it draws for the purpose.
#[component]
pub fn Retrieval() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let options = RwSignal::new(EvalOptions::default());
    let set_records = move |event: InputEvent| {
        if let Ok(records) = event.target().value().trim().parse::<usize>() {
            options.update(|options| options.records = records.clamp(1, MAX_RECORDS));
        }
    };
    let set_temperature = move |event: InputEvent| {
        if let Ok(value) = event.target().value().trim().parse::<f64>() {
            options.update(|options| options.temperature = value.clamp(0.0, 2.0));
        }
    };
    view! {
        <div class="controls">
            <div class="field">
                <label for="eval-records">"Records"</label>
                <input
                    id="eval-records"
                    type="number"
                    min="1"
                    max=MAX_RECORDS.to_string()
                    prop:value=move || options.get().records.to_string()
                    on:change:target=set_records
                />
            </div>
            <div class="field">
                <label for="eval-temperature">"Temperature of answers"</label>
                <input
                    id="eval-temperature"
                    type="number"
                    min="0"
                    max="2"
                    step="0.1"
                    title="0 always takes the likeliest character"
                    prop:value=move || options.get().temperature.to_string()
                    on:change:target=set_temperature
                />
            </div>
            <button class="primary" on:click=move |_| actions.evaluate(options.get_untracked())>
                "Evaluate"
            </button>
        </div>
        <Sweep/>
        <div data-testid="retrieval">
            {move || match state.evaluated.get() {
                Some(evaluated) => show(&evaluated),
                None => {
                    view! {
                        <p class="nothing">
                            "Evaluate has the model recall from records that it never trained on, \
                             and tells what it got right."
                        </p>
                    }
                        .into_any()
                }
            }}
        </div>
    }
}

fn show(evaluated: &Evaluated) -> AnyView {
    let Evaluated { step, options, done, report } = evaluated;
    let heading = format!(
        "{} of {} records at step {}, temperature {}",
        group_digits(*done),
        group_digits(options.records),
        group_digits(*step),
        options.temperature,
    );
    let report = match report {
        Report::Phone(report) => show_phone(report),
        Report::Facts(report) => show_facts(report),
    };
    view! {
        <p class="hint" data-testid="retrieval-progress">{heading}</p>
        {report}
    }
    .into_any()
}

fn show_phone(report: &PhoneReport) -> AnyView {
    let free = bars(
        "Free: it writes whichever line it likes",
        [
            ("has the form of a line", report.valid),
            ("first name is listed", report.first_name),
            ("last name is listed", report.last_name),
            ("both stand in one line", report.name),
            ("of these, the number is right", report.number),
        ],
    );
    let asked = bars(
        "Asked: the name is given, the number is left to write",
        [("the whole number is right", report.asked)],
    );
    let numbered = |name: &'static str| {
        move |(place, score): (usize, &Score)| (format!("{name} {}", place + 1), *score)
    };
    let digits = bars(
        "Asked: digits by their place (chance is about 10%)",
        report.digits.iter().enumerate().map(numbered("digit")),
    );
    let lines = bars(
        "Asked: digits by the place of their line",
        report.by_line.iter().enumerate().map(numbered("line")),
    );
    let abstaining = (report.unlisted.of > 0).then(|| {
        bars(
            "Abstaining: listed and unlisted names are asked for by turns",
            [
                ("an unlisted name is answered ? (recall)", report.unlisted),
                ("of the answers ?, the name was unlisted (precision)", report.abstained),
            ],
        )
    });
    let edits = report.edits as f64 / report.asked.of.max(1) as f64;
    let distinct = (report.distinct.of > 0).then(|| {
        let Score { right, of } = report.distinct;
        format!(" {right} different lines among {of} after one list.")
    });
    view! {
        {free} {asked}
        <p class="hint">{format!("{edits:.2} edits to the right number on average.")} {distinct}</p>
        {digits} {lines} {abstaining} {show_calibration(&report.calibration, "digits")}
    }
    .into_any()
}

fn show_facts(report: &FactsReport) -> AnyView {
    let rows = |answers: &Answers| {
        [
            ("fact given: right", answers.given),
            ("fact left out: right", answers.left_out),
            ("false fact: says what it says", answers.follows_context),
            ("false fact: says what is true", answers.follows_weights),
        ]
    };
    let categories = report.categories.iter().map(|(name, score)| (name.clone(), *score));
    view! {
        {bars("Facts trained on", rows(&report.trained))}
        {bars("Facts held out", rows(&report.held_out))}
        {bars("By category, the fact given", categories)}
        {show_calibration(&report.calibration, "answers")}
    }
    .into_any()
}

/// Confidence against accuracy.
fn show_calibration(calibration: &Calibration, of: &str) -> AnyView {
    let bins: Vec<_> = calibration
        .bins
        .iter()
        .enumerate()
        .filter(|(_, bin)| bin.score.of > 0)
        .map(|(place, bin)| (format!("{}–{}% sure", 10 * place, 10 * place + 10), bin.score))
        .collect();
    let (right, wrong) = calibration.confidences();
    let show = |share: Option<f64>| share.map_or("—".into(), percent);
    let line = format!(
        "Mean confidence {} where right, {} where wrong; expected calibration error {}.",
        show(right),
        show(wrong),
        show(calibration.error()),
    );
    view! {
        {bars(&format!("Right {of} by the confidence in them"), bins)}
        <p class="hint">{line}</p>
    }
    .into_any()
}

/// A table of shares, each with its bar.
fn bars<Name: Into<String>>(title: &str, rows: impl IntoIterator<Item = (Name, Score)>) -> AnyView {
    let rows = rows
        .into_iter()
        .map(|(name, score)| {
            let share = score.share();
            let style = format!("--share:{:.2}%", 100.0 * share.unwrap_or(0.0));
            view! {
                <tr title=format!("{} of {}", score.right, score.of)>
                    <th scope="row">{name.into()}</th>
                    <td class="bar"><i style=style></i></td>
                    <td class="number">{share.map_or("—".into(), percent)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <h3>{title.to_owned()}</h3>
        <table class="bars named" aria-label=title.to_owned()>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}
