//! `confab floor`: the least loss any model could reach on a task.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command};
use confab::base::random::stream_rng;
use confab::config::{AnswerRule, TaskKind};
use confab::run::Floor;
use confab::task::Task;
use confab::task::grammar::{Counted, Grammar};
use serde::Serialize;

pub fn command() -> Command {
    Command::new("floor")
        .about("Tells the least loss that any model could reach on a task, by field")
        .args(super::knobs::args())
        .arg(super::grammar::arg().conflicts_with("as-published"))
        .arg(
            Arg::new("as-published")
                .long("as-published")
                .action(ArgAction::SetTrue)
                .conflicts_with("task.phone.answer")
                .help("short for --answer random"),
        )
        .arg(super::args::json_arg())
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let mut config = super::knobs::config(matches)?;
    if matches.get_flag("as-published") {
        let is_phone = config.task.kind == TaskKind::Phone;
        ensure!(is_phone, "--as-published belongs to the task phone; add --task phone");
        config.task.phone.answer = AnswerRule::Random;
    }
    let mut out = super::terminal::output();
    if let Some((grammar, reading)) = super::grammar::read(matches)? {
        let of_grammar = floor_of(&grammar, config.seed).context(reading)?;
        return write_grammar(&mut out, &of_grammar, matches.get_flag("json"));
    }
    config.validate()?;
    let task = Task::new(&config.task)?;
    let floor = task.floor().context(
        "telling the floor: that of a plain text is not known, for its source is not; \
         phone, facts and JSON records have one",
    )?;
    if matches.get_flag("json") {
        writeln!(out, "{}", serde_json::to_string_pretty(&floor)?)?;
        return Ok(());
    }
    write_table(&mut out, &floor)
}

fn write_table(out: &mut impl Write, floor: &Floor) -> Result<()> {
    writeln!(out, "field        characters      nats  nats/char")?;
    for part in &floor.fields {
        let name = part.field.name();
        let (chars, nats, each) = (part.chars, part.nats, part.nats_per_char());
        writeln!(out, "{name:<12} {chars:>10.2} {nats:>9.3} {each:>10.4}")?;
    }
    let (chars, nats, each) = (floor.chars, floor.total_nats, floor.nats_per_char);
    writeln!(out, "{:<12} {chars:>10.2} {nats:>9.3} {each:>10.4}", "record")?;
    Ok(())
}

/// Most states counted before the floor is estimated.
const MAX_STATES: usize = 100_000;
/// Records of an estimate.
const RECORDS: usize = 10_000;
/// Most derivations of one record that an estimate follows.
const MAX_DERIVATIONS: usize = 10_000;

/// The floor of a grammar, and how it was found.
#[derive(Serialize)]
struct OfGrammar {
    #[serde(flatten)]
    floor: Floor,
    found: Found,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Found {
    Counted {
        states: usize,
    },
    /// `standard_error`: of the nats of a record.
    Estimated {
        records: usize,
        standard_error: f64,
    },
}

fn floor_of(grammar: &Grammar, seed: u64) -> Result<OfGrammar> {
    let (floor, found) = match grammar.floor(MAX_STATES) {
        Counted::Exactly { floor, states } => (floor, Found::Counted { states }),
        Counted::Beyond => {
            let mut rng = stream_rng(seed, 0);
            let estimate = grammar.estimate(RECORDS, MAX_DERIVATIONS, &mut rng)?;
            let standard_error = estimate.record.error;
            (estimate.floor(), Found::Estimated { records: RECORDS, standard_error })
        }
    };
    ensure!(
        floor.record().chars > 0.0,
        "no character of a record is predicted: the first never is, nor is what is given; write more into \
         `record`"
    );
    Ok(OfGrammar { floor: floor.by_field(), found })
}

fn write_grammar(out: &mut impl Write, of_grammar: &OfGrammar, is_json: bool) -> Result<()> {
    if is_json {
        writeln!(out, "{}", serde_json::to_string_pretty(of_grammar)?)?;
        return Ok(());
    }
    let OfGrammar { floor, found } = of_grammar;
    write_table(out, floor)?;
    match found {
        Found::Counted { states } => writeln!(out, "Counted over {states} belief states.")?,
        Found::Estimated { records, standard_error } => writeln!(
            out,
            "Estimated, for more than {MAX_STATES} belief states would have to be counted: the mean of {records} \
             records' exact −ln p, with a standard error of {standard_error:.3} nats a record."
        )?,
    }
    Ok(())
}
