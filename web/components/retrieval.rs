use confab::config::{TaskConfig, TaskKind};
use confab::report::Evaluated;
use confab::report::{
    Answers, Calibration, EvalOptions, FactsReport, MAX_RECORDS, Mapped, MappingReport,
    PhoneReport, Report, Score,
};
use leptos::prelude::*;

use crate::actions::use_actions;
use crate::components::controls::{InputEvent, form};
use crate::components::save::{Saved, name_saved, save_menu};
use crate::components::sweep::Sweep;
use crate::runs::{group_digits, show_share};
use crate::state::{State, use_state};
use crate::tables;

const NOTHING: &str = "<p class=nothing>Evaluate has the model recall from records that it never \
     trained on, and tells what it got right.</p>";

const NO_ANSWERS: &str = "Evaluate counts right answers, and those of modular addition, of a grammar and of a plain \
     text are not counted. How good this model is, its validation loss and Loss by part tell.";

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
            {save_menu(move || save(state))}
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
        TaskKind::Modular | TaskKind::Grammar | TaskKind::Brackets => false,
        TaskKind::Text => {
            task.text.file.is_some() || task.text.text.trim_start().starts_with(['{', '['])
        }
        _ => true,
    }
}

/// Scores under a heading, and a sentence below them.
struct Section {
    title: String,
    scores: Vec<(String, Score)>,
    hint: String,
}

impl Section {
    fn new(title: &str, scores: &[(&str, Score)]) -> Self {
        let scores = scores.iter().map(|(name, score)| ((*name).to_owned(), *score)).collect();
        Self { title: title.into(), scores, hint: String::new() }
    }

    fn numbered(title: &str, name: &str, scores: &[Score]) -> Self {
        let scores = scores.iter().enumerate();
        let scores =
            scores.map(|(index, score)| (format!("{name} {}", index + 1), *score)).collect();
        Self { title: title.into(), scores, hint: String::new() }
    }

    /// A table of shares, each with its bar.
    fn show(&self) -> String {
        let row = |(name, score): &(String, Score)| {
            let share = score.share();
            let cells = format!(
                "<td class=bar>{}</td><td class=number>{}</td>",
                tables::bar(share.unwrap_or(0.0)),
                share.map_or("—".into(), show_share)
            );
            tables::row(name, &format!("{} of {}", score.right, score.of), &cells)
        };
        let rows: String = self.scores.iter().map(row).collect();
        let table = tables::table("bars named", &self.title, "", &rows);
        let hint = match self.hint.is_empty() {
            true => String::new(),
            false => format!("<p class=hint>{}</p>", self.hint),
        };
        format!("<h3>{}</h3>{table}{hint}", self.title)
    }
}

fn show(evaluated: &Evaluated) -> String {
    let Evaluated { step, options, done, report } = evaluated;
    let sections: String = list_sections(report).iter().map(Section::show).collect();
    format!(
        "<p class=hint data-testid=retrieval-progress>{} of {} records at step {}, temperature {}</p>{sections}",
        group_digits(*done),
        group_digits(options.records),
        group_digits(*step),
        options.temperature,
    )
}

fn save(state: State) -> Option<Saved> {
    let Evaluated { step, options, report, .. } = state.evaluated.get()?;
    let (mut rows, mut numbers) = (Vec::new(), Vec::new());
    for section in list_sections(&report) {
        for (name, score) in section.scores {
            rows.push(format!("{}: {name}", section.title));
            let share = score.share().unwrap_or(f64::NAN);
            numbers.extend([share as f32, score.right as f32, score.of as f32]);
        }
    }
    let title = format!("Evaluation at temperature {}", options.temperature);
    let name = name_saved(state, step, "evaluation");
    Some(Saved::table(name, &title, rows, &["share", "right", "of"], numbers))
}

fn list_sections(report: &Report) -> Vec<Section> {
    match report {
        Report::Phone(report) => list_phone(report),
        Report::Facts(report) => list_facts(report),
        Report::Mapping(report) => list_mapping(report),
        Report::Recall(report) => vec![
            Section::new("Queries of held-out records", &[("right", report.all())]),
            Section { title: "By gap".into(), scores: report.by_gap(), hint: String::new() },
        ],
    }
}

fn list_mapping(report: &MappingReport) -> Vec<Section> {
    let section = |title, mapped: &Mapped| {
        let share = |share: Option<f64>| share.map_or("—".into(), show_share);
        let hint = format!(
            "Accuracy, 1 less the edits a character that is wanted: {}. Spaces that are right, F1: {}.",
            share(mapped.accuracy()),
            share(mapped.spaces.f1()),
        );
        Section { hint, ..Section::new(title, &[("right to the letter", mapped.exact)]) }
    };
    vec![
        section("Training records", &report.trained),
        section("Held-out records", &report.held_out),
    ]
}

fn list_phone(report: &PhoneReport) -> Vec<Section> {
    let edits = report.edits as f64 / report.asked.of.max(1) as f64;
    let mut hint = format!("{edits:.2} edits to the right number on average.");
    if report.distinct.of > 0 {
        let Score { right, of } = report.distinct;
        hint += &format!(" {right} different lines among {of} after one list.");
    }
    let asked = Section::new(
        "Asked: the name is given, the number is left to write",
        &[("the whole number is right", report.asked)],
    );
    let mut sections = vec![
        Section::new(
            "Free: it writes whichever line it likes",
            &[
                ("has the form of a line", report.valid),
                ("first name is listed", report.first_name),
                ("last name is listed", report.last_name),
                ("both stand in one line", report.name),
                ("of these, the number is right", report.number),
            ],
        ),
        Section { hint, ..asked },
        Section::numbered(
            "Asked: digits by their place (chance is about 10%)",
            "digit",
            &report.digits,
        ),
        Section::numbered("Asked: digits by the place of their line", "line", &report.by_line),
    ];
    if report.unlisted.of > 0 {
        sections.push(Section::new(
            "Abstaining: listed and unlisted names are asked for by turns",
            &[
                ("an unlisted name is answered ? (recall)", report.unlisted),
                ("of the answers ?, the name was unlisted (precision)", report.abstained),
            ],
        ));
    }
    sections.push(list_bins(&report.calibration, "digits"));
    sections
}

fn list_facts(report: &FactsReport) -> Vec<Section> {
    let answers = |title: &str, answers: &Answers| {
        Section::new(
            title,
            &[
                ("fact given: right", answers.given),
                ("fact left out: right", answers.left_out),
                ("question alone: right", answers.alone),
                ("false fact: says what it says", answers.follows_context),
                ("false fact: says what is true", answers.follows_weights),
            ],
        )
    };
    let categories = report.categories.iter().map(|(name, score)| (name.as_ref(), *score));
    vec![
        answers("Facts trained on", &report.trained),
        answers("Facts held out", &report.held_out),
        Section::new("By category, the fact given", &categories.collect::<Vec<_>>()),
        list_bins(&report.calibration, "answers"),
    ]
}

/// Confidence against accuracy.
fn list_bins(calibration: &Calibration, of: &str) -> Section {
    let bins = calibration.bins.iter().enumerate().filter(|(_, bin)| bin.score.of > 0);
    let scores = bins
        .map(|(index, bin)| (format!("{}–{}% sure", 10 * index, 10 * index + 10), bin.score))
        .collect();
    let (right, wrong) = calibration.confidences();
    let show = |share: Option<f64>| share.map_or("—".into(), show_share);
    let hint = format!(
        "Mean confidence {} where right, {} where wrong; expected calibration error {}.",
        show(right),
        show(wrong),
        show(calibration.error()),
    );
    Section { title: format!("Right {of} by the confidence in them"), scores, hint }
}
