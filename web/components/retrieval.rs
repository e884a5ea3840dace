use confab::config::{TaskConfig, TaskKind};
use confab::report::Evaluated;
use confab::report::{
    Answers, Calibration, EvalOptions, FactsReport, MAX_RECORDS, PhoneReport, Report, Score,
};
use leptos::prelude::*;

use crate::actions::use_actions;
use crate::components::controls::{InputEvent, form};
use crate::components::sweep::Sweep;
use crate::runs::group_digits;
use crate::state::use_state;
use crate::tables;

const NOTHING: &str = "<p class=nothing>Evaluate has the model recall from records that it never \
     trained on, and tells what it got right.</p>";

const NO_ANSWERS: &str = "Evaluate counts right answers, and the task of this model has none to count: the tasks phone \
     and facts have them, and a text of JSON records with answers. How good this model is, its validation loss and Loss \
     by part tell.";

/// Accuracy of the model, on records drawn for it.
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
    let has_answers = Memo::new(move |_| {
        let held =
            state.model.with(|model| model.as_ref().map(|model| has_answers(&model.config.task)));
        held.unwrap_or_else(|| has_answers(&state.config().task))
    });
    let controls = move || {
        view! {
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
            <button class="primary">"Evaluate"</button>
        }
    };
    view! {
        <Show when=move || has_answers.get() fallback=|| view! { <p class="nothing">{NO_ANSWERS}</p> }>
            {form("controls", controls(), move || actions.evaluate(options.get_untracked()))}
            <Sweep/>
            <div
                data-testid="retrieval"
                inner_html=move || match state.evaluated.get() {
                    Some(evaluated) => show(&evaluated),
                    None => NOTHING.into(),
                }
            ></div>
        </Show>
    }
}

/// Tells if the task's records say which answers are right. Of a text that only a file holds the session knows.
fn has_answers(task: &TaskConfig) -> bool {
    match task.kind {
        TaskKind::Phone | TaskKind::Facts => true,
        TaskKind::Induction | TaskKind::Modular => false,
        TaskKind::Text => {
            task.text.file.is_some() || task.text.text.trim_start().starts_with(['{', '['])
        }
    }
}

fn show(evaluated: &Evaluated) -> String {
    let Evaluated { step, options, done, report } = evaluated;
    let report = match report {
        Report::Phone(report) => show_phone(report),
        Report::Facts(report) => show_facts(report),
    };
    format!(
        "<p class=hint data-testid=retrieval-progress>{} of {} records at step {}, temperature {}</p>{report}",
        group_digits(*done),
        group_digits(options.records),
        group_digits(*step),
        options.temperature,
    )
}

fn show_phone(report: &PhoneReport) -> String {
    let numbered = |name: &str, scores: &[Score]| -> Vec<(String, Score)> {
        let named = scores.iter().enumerate();
        named.map(|(index, score)| (format!("{name} {}", index + 1), *score)).collect()
    };
    let mut html = bars(
        "Free: it writes whichever line it likes",
        [
            ("has the form of a line", report.valid),
            ("first name is listed", report.first_name),
            ("last name is listed", report.last_name),
            ("both stand in one line", report.name),
            ("of these, the number is right", report.number),
        ],
    );
    html += &bars(
        "Asked: the name is given, the number is left to write",
        [("the whole number is right", report.asked)],
    );
    let edits = report.edits as f64 / report.asked.of.max(1) as f64;
    html += &format!("<p class=hint>{edits:.2} edits to the right number on average.");
    if report.distinct.of > 0 {
        let Score { right, of } = report.distinct;
        html += &format!(" {right} different lines among {of} after one list.");
    }
    html += "</p>";
    html += &bars(
        "Asked: digits by their place (chance is about 10%)",
        numbered("digit", &report.digits),
    );
    html += &bars("Asked: digits by the place of their line", numbered("line", &report.by_line));
    if report.unlisted.of > 0 {
        html += &bars(
            "Abstaining: listed and unlisted names are asked for by turns",
            [
                ("an unlisted name is answered ? (recall)", report.unlisted),
                ("of the answers ?, the name was unlisted (precision)", report.abstained),
            ],
        );
    }
    html + &show_calibration(&report.calibration, "digits")
}

fn show_facts(report: &FactsReport) -> String {
    let rows = |answers: &Answers| {
        [
            ("fact given: right", answers.given),
            ("fact left out: right", answers.left_out),
            ("question alone: right", answers.alone),
            ("false fact: says what it says", answers.follows_context),
            ("false fact: says what is true", answers.follows_weights),
        ]
    };
    let categories = report.categories.iter().map(|(name, score)| (name, *score));
    bars("Facts trained on", rows(&report.trained))
        + &bars("Facts held out", rows(&report.held_out))
        + &bars("By category, the fact given", categories)
        + &show_calibration(&report.calibration, "answers")
}

/// Confidence against accuracy.
fn show_calibration(calibration: &Calibration, of: &str) -> String {
    let bins = calibration.bins.iter().enumerate().filter(|(_, bin)| bin.score.of > 0);
    let bins =
        bins.map(|(index, bin)| (format!("{}–{}% sure", 10 * index, 10 * index + 10), bin.score));
    let (right, wrong) = calibration.confidences();
    let show = |share: Option<f64>| share.map_or("—".into(), percent);
    bars(&format!("Right {of} by the confidence in them"), bins)
        + &format!(
            "<p class=hint>Mean confidence {} where right, {} where wrong; expected calibration \
             error {}.</p>",
            show(right),
            show(wrong),
            show(calibration.error()),
        )
}

/// A table of shares, each with its bar.
fn bars(title: &str, rows: impl IntoIterator<Item = (impl AsRef<str>, Score)>) -> String {
    let row = |name: &str, score: Score| {
        let share = score.share();
        let cells = format!(
            "<td class=bar>{}</td><td class=number>{}</td>",
            tables::bar(share.unwrap_or(0.0)),
            share.map_or("—".into(), percent)
        );
        tables::row(name, &format!("{} of {}", score.right, score.of), &cells)
    };
    let rows: String = rows.into_iter().map(|(name, score)| row(name.as_ref(), score)).collect();
    format!("<h3>{title}</h3>{}", tables::table("bars named", title, "", &rows))
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}
