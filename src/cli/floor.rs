//! `confab floor`: the least loss any model could reach on a task.

use std::io::Write;

use anyhow::{Context, Error, Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command};
use confab::config::{AnswerRule, TaskKind};
use confab::task::{Task, Written};

pub fn command() -> Command {
    Command::new("floor")
        .about("Tells the least loss that any model could reach on a task, by field")
        .args(super::knobs::args())
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
    config.validate()?;
    let task = Task::new(&config.task)?;
    let floor = match task.downcast_ref::<Written>() {
        Some(written) => written.find_floor().map_err(Error::msg).context("telling the floor")?,
        None => task.floor().context(
            "telling the floor: that of a plain text is not known, for its source is not; \
             phone, facts and JSON records have one",
        )?,
    };
    let mut out = super::terminal::output();
    if matches.get_flag("json") {
        writeln!(out, "{}", serde_json::to_string_pretty(&floor)?)?;
        return Ok(());
    }
    writeln!(out, "field        characters      nats  nats/char")?;
    for part in &floor.fields {
        let name = part.field.name();
        let (chars, nats, each) = (part.chars, part.nats, part.nats_per_char());
        writeln!(out, "{name:<12} {chars:>10.2} {nats:>9.3} {each:>10.4}")?;
    }
    let (chars, nats, each) = (floor.chars, floor.total_nats, floor.nats_per_char);
    writeln!(out, "{:<12} {chars:>10.2} {nats:>9.3} {each:>10.4}", "record")?;
    if let Some(found) = floor.found.describe() {
        writeln!(out, "{found}")?;
    }
    Ok(())
}
