//! `--grammar`: a task that the user writes, in place of one of Confab's.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches};
use confab::base::file::FileLimit;
use confab::config::{KNOBS, MAX_GRAMMAR_BYTES};
use confab::task::grammar::Grammar;

const GRAMMAR: FileLimit = FileLimit { name: "a grammar", max_bytes: MAX_GRAMMAR_BYTES as u64 };

const FLAG: &str = "grammar";

/// `--grammar`, beside which no flag of another task can stand.
pub fn arg() -> Arg {
    let of_tasks = KNOBS.iter().map(|knob| knob.key).filter(|key| key.starts_with("task."));
    super::knobs::file_arg(FLAG, "own task, from a file of rules that draw its records")
        .conflicts_with_all(of_tasks.chain(super::knobs::FILES))
        .conflicts_with_all(["preset", "link"])
}

/// The grammar that was given, and what names its file in an error.
pub fn read(matches: &ArgMatches) -> Result<Option<(Grammar, String)>> {
    let Some(file) = matches.get_one::<PathBuf>(FLAG) else { return Ok(None) };
    let reading = format!("reading {}", file.display());
    let text = super::knobs::read(file, GRAMMAR)?;
    let grammar = Grammar::parse(&text).with_context(|| reading.clone())?;
    Ok(Some((grammar, reading)))
}
