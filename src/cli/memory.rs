//! `confab memory`: slots that a model remembers outside its weights.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use confab::interp::lab::{AnalysisJob, Snapshot};
use confab::learn::Trainer;
use confab::memory;
use confab::memory::Store;
use confab::protocol::SlotChange;
use confab::run::AnalysisRequest;
use futures::executor::block_on;

pub fn command() -> Command {
    let slot = || {
        Arg::new("slot")
            .required(true)
            .value_name("SLOT")
            .value_parser(value_parser!(u64))
            .help("its number, as `ls` tells it")
    };
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let search = || text("search", "TEXT", "only slots that a text with this in it wrote");
    Command::new("memory")
        .about("Shows and changes what a model remembers outside its weights")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            sub("ls", "Lists the slots of a layer, the most often found first").arg(search()),
            sub("show", "Prints a slot, as JSON").arg(slot()),
            sub("search", "Tells which slots answer at a place of a prompt")
                .arg(text("prompt", "TEXT", "the prompt").required(true))
                .arg(
                    text("position", "N", "a place in it, from 0; default: its last")
                        .value_parser(value_parser!(usize)),
                ),
            changing("rm", "Deletes slots")
                .arg(
                    text("slots", "N,…", "their numbers")
                        .value_delimiter(',')
                        .value_parser(value_parser!(u64)),
                )
                .arg(search())
                .arg(
                    Arg::new("all")
                        .long("all")
                        .action(ArgAction::SetTrue)
                        .help("every slot of every layer"),
                )
                .group(
                    clap::ArgGroup::new("which").args(["slots", "search", "all"]).required(true),
                ),
            changing("edit", "Gives a slot another value")
                .arg(slot())
                .arg(
                    text("like", "SLOT", "the value of another slot")
                        .value_parser(value_parser!(u64)),
                )
                .arg(
                    text("value", "X,…", "its numbers")
                        .value_delimiter(',')
                        .allow_hyphen_values(true)
                        .value_parser(value_parser!(f32)),
                )
                .group(clap::ArgGroup::new("what").args(["like", "value"]).required(true)),
            changing("swap", "Puts the slots of another checkpoint in the place of these").arg(
                text("with", "FILE", "a checkpoint with memories of the same layers and sizes")
                    .required(true)
                    .value_parser(value_parser!(PathBuf)),
            ),
            changing("teach", "Has the memories learn a text, the weights staying as they are")
                .arg(text("text", "TEXT", "the text").required(true)),
            sub("export", "Writes every slot of every layer as a line of JSON").arg(
                text("out", "FILE", "default: standard output")
                    .value_parser(value_parser!(PathBuf)),
            ),
        ])
}

fn sub(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .arg(super::args::checkpoint_arg())
        .arg(super::device::arg())
        .arg(
        Arg::new("layer").long("layer").value_name("N").value_parser(value_parser!(usize)).help(
            "a layer with a memory, or for the output the number of layers; default: the first",
        ),
    )
}

fn changing(name: &'static str, about: &'static str) -> Command {
    sub(name, about).arg(
        Arg::new("out")
            .long("out")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("where the changed checkpoint is written; default: the file itself"),
    )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let (name, matches) = matches.subcommand().context("no such command")?;
    check(name, matches)?;
    let mut trainer = super::files::load_run(matches)?;
    let layers: Vec<usize> = trainer.model().bank.memories().map(|(layer, _)| layer).collect();
    let first = *layers.first().context(
        "this model has no memory that is stored; train one with --memory featural or associative",
    )?;
    let layer = matches.get_one("layer").copied().unwrap_or(first);
    ensure!(layers.contains(&layer), "layer {layer} has no memory; {layers:?} have");
    let text = |name: &str| matches.get_one::<String>(name).map(|text| super::args::unescape(text));
    let slot = || matches.get_one::<u64>("slot").copied().context("no slot was named");
    match name {
        "ls" => {
            let search = text("search").unwrap_or_default();
            let analysis = "slots".into();
            analyse(&trainer, AnalysisRequest { analysis, layer, search, ..Default::default() })
        }
        "search" => {
            let prompt = text("prompt").unwrap_or_default();
            let position = matches.get_one("position").copied();
            let analysis = "recalled".into();
            analyse(&trainer, AnalysisRequest { analysis, prompt, position, ..Default::default() })
        }
        "show" => {
            let id = slot()?;
            let store = trainer.learner.model.bank.store(layer).context("the layer has a store")?;
            let slot = store
                .get(&[id])?
                .pop()
                .with_context(|| format!("layer {layer} has no slot {id}"))?;
            writeln!(super::terminal::output(), "{}", serde_json::to_string_pretty(&slot)?)?;
            Ok(())
        }
        "rm" => {
            let slots: Vec<u64> =
                matches.get_many("slots").into_iter().flatten().copied().collect();
            let change = match matches.get_flag("all") {
                true => SlotChange::Empty,
                false => SlotChange::Remove {
                    layer,
                    slots,
                    written_by: text("search").unwrap_or_default(),
                },
            };
            alter(trainer, &change, matches)
        }
        "edit" => {
            let slot = slot()?;
            let change = match matches.get_one::<u64>("like") {
                Some(other) => SlotChange::Like { layer, slot, other: *other },
                None => {
                    let value = matches.get_many("value").into_iter().flatten().copied().collect();
                    SlotChange::Value { layer, slot, value }
                }
            };
            alter(trainer, &change, matches)
        }
        "swap" => {
            let file = matches.get_one::<PathBuf>("with").context("no file was named")?;
            let other = super::files::load_checkpoint(file)?;
            ensure!(
                trainer.model().bank.is_like(&other.bank),
                "swapping in the slots of {}: its memories are of other layers or sizes",
                file.display()
            );
            ensure!(
                trainer.tokenizer == other.tokenizer,
                "swapping in the slots of {}: they write other characters than this model reads; \
                 swap between models of one alphabet",
                file.display()
            );
            trainer.learner.model.bank = other.bank;
            write(&trainer, matches)
        }
        "teach" => {
            let text = text("text").unwrap_or_default();
            let loss = block_on(trainer.teach(&text)).context("teaching the text")?;
            super::terminal::report(format_args!(
                "The text now costs {loss:.3} nats per character"
            ));
            write(&trainer, matches)
        }
        _ => export(&trainer, matches.get_one::<PathBuf>("out").map(PathBuf::as_path)),
    }
}

/// Checks the file that a command will write.
fn check(name: &str, matches: &ArgMatches) -> Result<()> {
    let of = |name: &str| matches.try_get_one::<PathBuf>(name).ok().flatten().map(PathBuf::as_path);
    let is_changing = !["ls", "show", "search", "export"].contains(&name);
    let out = of("out").or_else(|| of("checkpoint").filter(|_| is_changing));
    // A run that is changed may be saved where it was.
    let run = of("checkpoint").filter(|_| name == "export");
    super::files::check(&[("the run", run), ("--with", of("with"))], &[("--out", out)])
}

fn analyse(trainer: &Trainer, request: AnalysisRequest) -> Result<()> {
    let model = Arc::new(block_on(Snapshot::read(trainer)).context("reading the weights")?);
    let mut out = super::terminal::output();
    for figure in AnalysisJob::new(model, request)?.figures()? {
        super::analysis::print(&mut out, &figure)?;
    }
    Ok(())
}

fn alter(mut trainer: Trainer, change: &SlotChange, matches: &ArgMatches) -> Result<()> {
    let changed =
        memory::change(&mut trainer.learner.model.bank, change).context("changing the memory")?;
    super::terminal::report(format_args!("Changed {changed} slots"));
    write(&trainer, matches)
}

/// Writes the changed run where the command line says, or over the file it came from.
fn write(trainer: &Trainer, matches: &ArgMatches) -> Result<()> {
    let of = |name: &str| matches.get_one::<PathBuf>(name);
    let out = of("out").or_else(|| of("checkpoint")).context("no file was named")?;
    let checkpoint = block_on(trainer.checkpoint()).context("reading the changed run")?;
    super::files::save(&checkpoint, out)?;
    super::terminal::report(format_args!("Wrote {}", out.display()));
    Ok(())
}

fn export(trainer: &Trainer, out: Option<&Path>) -> Result<()> {
    let mut lines = Vec::new();
    for (layer, memory) in trainer.model().bank.memories() {
        for slot in memory::all(&mut (*memory.store).clone())? {
            let mut line = serde_json::to_value(slot)?;
            line["layer"] = layer.into();
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
    }
    match out {
        Some(file) => super::files::write(file, &lines)?,
        None => super::terminal::output().write_all(&lines)?,
    }
    Ok(())
}
