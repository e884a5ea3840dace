//! `confab eval`: losses beside their floor, and how well a model answers.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::config::TaskKind;
use confab::eval::Evaluation;
use confab::learn::Trainer;
use confab::report::Evaluated;
use confab::report::{Answers, Calibration, EvalOptions, FactsReport, PhoneReport, Report, Score};
use confab::run::FieldLoss;
use confab::run::Floor;
use confab::task::Split;
use futures::executor::block_on;
use indicatif::ProgressBar;
use serde_json::json;

use super::terminal::percent;

pub fn command() -> Command {
    let defaults = EvalOptions::default();
    Command::new("eval")
        .about("Tells a checkpoint's losses beside their floor, and how well it answers")
        .arg(super::args::checkpoint_arg())
        .arg(super::device::arg())
        .arg(
            Arg::new("records")
                .long("records")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=confab::report::MAX_RECORDS as i64))
                .default_value(defaults.records.to_string())
                .help("how many to have answered"),
        )
        .arg(
            Arg::new("temperature")
                .long("temperature")
                .value_name("T,…")
                .value_parser(super::args::temperature)
                .value_delimiter(',')
                .default_value("0")
                .help("one evaluation each; 0 always takes the likeliest character"),
        )
        .arg(super::args::seed_arg().help("decides the records, and what is drawn"))
        .arg(super::args::json_arg())
        .args(super::knobs::task_args())
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let records = matches.get_one::<u32>("records").map_or(100, |records| *records as usize);
    let file = matches.get_one::<PathBuf>("checkpoint").context("no checkpoint was named")?;
    if let Some(bytes) = super::codec::bytes(file)? {
        return super::codec::eval(&bytes, records, matches.get_flag("json"))
            .with_context(|| format!("evaluating {}", file.display()));
    }
    let trainer = super::records::load(matches)?;
    let seed = matches.get_one("seed").copied().unwrap_or(1);
    let floor = trainer.floor();
    let unit = if trainer.tokenizer.is_of_pieces() { "token" } else { "character" };
    let fields = losses(&trainer, records).context("computing the losses")?;

    let mut evaluations = Vec::new();
    for temperature in matches.get_many::<f64>("temperature").into_iter().flatten().copied() {
        match Evaluation::new(&trainer, None, EvalOptions { records, temperature, seed }) {
            Ok(evaluation) => evaluations.push(finish(evaluation)?),
            Err(reason) => {
                super::terminal::report(format_args!("Answers are not told: {reason}."));
                break;
            }
        }
    }
    let mut out = super::terminal::output();
    if matches.get_flag("json") {
        let json = json!({
            "step": trainer.step, "floor": floor, "fields": fields, "evaluations": evaluations,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&json)?)?;
        return Ok(());
    }
    write_fields(&mut out, &fields, floor.as_ref(), unit)?;
    for Evaluated { options, done, report, .. } in &evaluations {
        writeln!(out, "\nAnswers to {done} records at temperature {}", options.temperature)?;
        match report {
            Report::Phone(report) => write_phone(&mut out, report)?,
            Report::Facts(report) => write_facts(&mut out, report)?,
            Report::Recall(report) => {
                writeln!(out, "{:<32} {}", "queries: right", percent(&report.all()))?;
                for (name, score) in report.by_gap() {
                    writeln!(out, "{name:<32} {}", percent(&score))?;
                }
            }
            Report::Mapping(report) => {
                let has_spaces = trainer.config.task.kind == TaskKind::Spacing;
                super::codec::write_mapped(
                    &mut out,
                    [&report.trained, &report.held_out],
                    has_spaces,
                )?;
            }
        }
    }
    Ok(())
}

/// Losses by field, on as many batches as hold `records`.
fn losses(trainer: &Trainer, records: usize) -> Result<Vec<FieldLoss>> {
    let batches = records.div_ceil(trainer.config.train.batch);
    let train = block_on(trainer.losses(Split::Train, batches))?;
    let val = block_on(trainer.losses(Split::Validation, batches))?;
    Ok(FieldLoss::of(&train, &val))
}

fn finish(mut evaluation: Evaluation) -> Result<Evaluated> {
    let bar = ProgressBar::new(evaluation.progress().options.records as u64);
    while block_on(evaluation.next()).context("having the model answer")? {
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(evaluation.progress())
}

fn write_fields(
    out: &mut impl Write,
    fields: &[FieldLoss],
    floor: Option<&Floor>,
    unit: &str,
) -> Result<()> {
    let by_heart = floor.is_some_and(|floor| floor.by_heart);
    let of = if by_heart { "training" } else { "validation" };
    writeln!(out, "Nats per {unit}; excess in bits over the floor, in {of}")?;
    writeln!(out, "field           floor  training  validation  excess")?;
    for loss in fields {
        let FieldLoss { field, train, val } = loss;
        let floor_nats =
            floor.and_then(|floor| floor.field(*field)).map(|part| part.nats_per_char());
        let excess = floor.and_then(|floor| loss.excess_bits(floor));
        let [floor_nats, train, val] = [floor_nats, train.map(f64::from), val.map(f64::from)]
            .map(|loss| loss.map_or("-".into(), |loss| format!("{loss:.4}")));
        let excess = excess.map_or("-".into(), |bits| format!("{bits:+.3}"));
        writeln!(out, "{:<12} {floor_nats:>8} {train:>9} {val:>11} {excess:>7}", field.name())?;
    }
    if let Some(floor) = floor.filter(|floor| floor.standard_error().is_some()) {
        writeln!(out, "The floor: {}", floor.found.describe().unwrap_or_default())?;
    }
    Ok(())
}

fn write_phone(out: &mut impl Write, report: &PhoneReport) -> Result<()> {
    let digits: Score = report.digits.iter().fold(Score::default(), |sum, digit| Score {
        right: sum.right + digit.right,
        of: sum.of + digit.of,
    });
    for (what, score) in [
        ("line has the form of one", report.valid),
        ("first name is listed", report.first_name),
        ("last name is listed", report.last_name),
        ("both stand in one line", report.name),
        ("of these, number is the line's", report.number),
        ("asked for: number", report.asked),
        ("asked for: digits", digits),
    ] {
        writeln!(out, "{what:<32} {}", percent(&score))?;
    }
    let edits = report.edits as f64 / report.asked.of.max(1) as f64;
    writeln!(out, "{:<32} {edits:.2}", "asked for: edits to the number")?;
    writeln!(out, "{:<32} {}", "digits by place", shares(&report.digits))?;
    writeln!(out, "{:<32} {}", "digits by line in the list", shares(&report.by_line))?;
    if report.distinct.of > 0 {
        let Score { right, of } = report.distinct;
        writeln!(out, "{:<32} {right} of {of}", "different lines after one list")?;
    }
    if report.unlisted.of > 0 {
        for (what, score) in [
            ("asked for an unlisted name: ?", report.unlisted),
            ("of the answers ?, rightly", report.abstained),
        ] {
            writeln!(out, "{what:<32} {}", percent(&score))?;
        }
    }
    write_calibration(out, &report.calibration)
}

fn write_facts(out: &mut impl Write, report: &FactsReport) -> Result<()> {
    writeln!(out, "{:<32} trained on  held out", "")?;
    type Of = fn(&Answers) -> &Score;
    let rows: [(&str, Of); 5] = [
        ("fact given: right", |answers| &answers.given),
        ("fact left out: right", |answers| &answers.left_out),
        ("question alone: right", |answers| &answers.alone),
        ("false fact: says what it says", |answers| &answers.follows_context),
        ("false fact: says what is true", |answers| &answers.follows_weights),
    ];
    for (what, score) in rows {
        let scores = [&report.trained, &report.held_out].map(score);
        // Records in JSON may have no facts to leave out.
        if scores.iter().any(|score| score.of > 0) {
            let [trained, held_out] = scores.map(percent);
            writeln!(out, "{what:<32} {trained:>10}  {held_out:>8}")?;
        }
    }
    for (category, score) in &report.categories {
        writeln!(out, "{:<32} {}", format!("fact given: {category}"), percent(score))?;
    }
    write_calibration(out, &report.calibration)
}

fn write_calibration(out: &mut impl Write, calibration: &Calibration) -> Result<()> {
    let (right, wrong) = calibration.confidences();
    let [right, wrong, error] = [right, wrong, calibration.error()]
        .map(|value| value.map_or("-".into(), |value| format!("{value:.3}")));
    writeln!(out, "{:<32} {right}, in wrong ones {wrong}", "confidence in right answers")?;
    writeln!(out, "{:<32} {error}", "expected calibration error")?;
    Ok(())
}

fn shares(scores: &[Score]) -> String {
    scores.iter().map(percent).collect::<Vec<_>>().join(" ")
}
