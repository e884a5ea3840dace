//! `confab edit`: what a model is made of, and changes to it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use confab::checkpoint::Checkpoint;
use confab::host::Weights;
use confab::interp::lab::architecture;
use confab::run::DeviceChoice;
use confab::run::{OPERATIONS, Operation, Procedure};
use confab::surgery;
use confab::task::Task;

pub fn command() -> Command {
    Command::new("edit")
        .about("Prints what a model is made of, or changes it: in the order of the flags, each of which may be given again")
        .arg(super::args::checkpoint_arg())
        .args(OPERATIONS.iter().map(operation_arg))
        .arg(
            Arg::new("out")
                .short('o')
                .long("out")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .requires("operation")
                .help("the checkpoint to write"),
        )
        .arg(
            Arg::new("past")
                .long("past")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .requires("rewind")
                .help("an earlier checkpoint of the run, to whose weights `--rewind` goes back; `train --keep-steps` keeps some"),
        )
        .group(clap::ArgGroup::new("operation").args(OPERATIONS.iter().map(|of| of.name)).multiple(true).requires("out"))
        .arg(
            Arg::new("prompt")
                .long("prompt")
                .help("whose logits are compared; default: a held-out record up to its answer; \\n is a line break"),
        )
        .arg(
            Arg::new("history")
                .long("history")
                .action(ArgAction::SetTrue)
                .conflicts_with("operation")
                .help("prints only what was done to the model"),
        )
        .arg(super::args::json_arg())
}

fn operation_arg(procedure: &'static Procedure) -> Arg {
    Arg::new(procedure.name)
        .long(procedure.name)
        .value_name("N")
        .action(ArgAction::Append)
        .value_parser(|typed: &str| procedure.read(typed))
        .help(format!("{}: {}", procedure.label, procedure.takes))
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let file = matches.get_one::<PathBuf>("checkpoint").context("no checkpoint was named")?;
    let Some(out) = matches.get_one::<PathBuf>("out") else {
        return print(&super::files::open_checkpoint(file)?.0, matches);
    };
    let mut checkpoint = super::files::load_checkpoint(file)?;
    let past = matches.get_one::<PathBuf>("past");
    let read = [("--past", past.map(PathBuf::as_path))];
    super::files::check(&read, &[("--out", Some(out))])?;
    let prompt = match matches.get_one::<String>("prompt") {
        Some(prompt) => super::args::unescape(prompt),
        None if checkpoint.config.task.is_unknown() => String::new(),
        None => {
            let task = Task::for_model(&checkpoint.config.task, &checkpoint.tokenizer)?;
            task.example_prompt(checkpoint.config.seed)
        }
    };
    let ids = match prompt.as_str() {
        "" => Vec::new(),
        prompt => checkpoint.tokenizer.encode(prompt).context("reading the prompt")?,
    };
    let limits = super::device::open(DeviceChoice::Cpu)?.limits;
    let earlier = past.map(|file| super::files::load_checkpoint(file)).transpose()?;
    for operation in operations(matches) {
        let past = |step: usize| {
            let is_like = |earlier: &&Checkpoint| earlier.check_like(&checkpoint).is_ok();
            let at = earlier.as_ref().filter(|earlier| earlier.step == step).filter(is_like);
            at.map(|earlier| earlier.parameters.clone())
        };
        let after = surgery::operate(&checkpoint, operation, &limits, &past)
            .with_context(|| format!("editing {}: {operation}", file.display()))?;
        super::terminal::report(format_args!(
            "{operation}. {}",
            surgery::report(&checkpoint, &after, &ids)
        ));
        checkpoint = after;
    }
    super::files::save(&checkpoint, out)?;
    super::terminal::report(format_args!("Wrote {}", out.display()));
    Ok(())
}

/// In the order in which they were given.
fn operations(matches: &ArgMatches) -> Vec<Operation> {
    let mut all: Vec<(usize, Operation)> = Vec::new();
    for procedure in OPERATIONS {
        let indices = matches.indices_of(procedure.name).into_iter().flatten();
        let given = matches.get_many(procedure.name).into_iter().flatten().copied();
        all.extend(indices.zip(given));
    }
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, operation)| operation).collect()
}

fn print(checkpoint: &Checkpoint<Weights>, matches: &ArgMatches) -> Result<()> {
    let model = &checkpoint.config.model;
    let mut figures =
        architecture(model, &checkpoint.layout(), &checkpoint.parameters, &checkpoint.edits);
    if matches.get_flag("history") {
        figures.remove(0);
    }
    super::analysis::print_all(&figures, matches.get_flag("json"))
}
