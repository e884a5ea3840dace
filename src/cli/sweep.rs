//! `confab sweep`: a grid of runs.

mod axis;
mod capacity;
mod grid;
mod options;
mod outcomes;
mod queue;
mod table;
mod training;

use std::path::PathBuf;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use confab::config::{PRESETS, TUNED};
use confab::report::sweep::MAX_RUNS;
use options::Shard;

/// Flags of a run that the grid has in their place.
const OF_GRID: [&str; 3] = ["task.facts.facts", "preset", "seed"];

pub fn command() -> Command {
    let knobs = super::knobs::args().into_iter();
    let knobs = knobs.filter(|arg| !OF_GRID.contains(&arg.get_id().as_str()));
    let knobs = knobs.map(|arg| if arg.get_id() == "link" { arg.requires("sweep") } else { arg });
    let presets = PRESETS.iter().map(|preset| preset.name).chain([TUNED]);
    Command::new("sweep")
        .about("Trains a run for each value of some settings, or sizes on numbers of facts, and compares them")
        .long_about(
            "Trains a run for each value of some settings, and compares them: \
             `--sweep model.d_model=32,64 --sweep train.lr=0.01,0.001`. Runs train at once, one on each core.\n\n\
             Without --sweep it trains models of several sizes on several numbers of facts, and tells what each recalls. \
             A run then ends when all its facts are recalled, or after --steps.\n\n\
             Outcomes are written as JSON lines as they come; the same command goes on where it was stopped.",
        )
        .arg(
            Arg::new("sweep")
                .long("sweep")
                .value_name("KEY=VALUE,…")
                .action(ArgAction::Append)
                .value_parser(axis::parse)
                .help(
                    "varies a setting, named as a flag below or as in a link; given again, the runs are all combinations; values \
                     that hold commas are parted by semicolons",
                ),
        )
        .arg(
            Arg::new("facts")
                .long("facts")
                .value_name("N,…")
                .value_parser(value_parser!(u64).range(10..=5000))
                .value_delimiter(',')
                .default_value("10,30,100,300,1000")
                .help("distinct facts to learn, of which a tenth is held out"),
        )
        .arg(
            super::args::presets_arg()
                .value_parser(PossibleValuesParser::new(presets))
                .help("sizes, with their training settings; with --sweep, none unless given"),
        )
        .arg(
            Arg::new("seeds")
                .long("seeds")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..=MAX_RUNS as u64))
                .default_value("3")
                .help("runs of each, by the seeds 1 to N"),
        )
        .args(knobs)
        .arg(super::device::arg())
        .arg(
            Arg::new("shard")
                .long("shard")
                .value_name("I/N")
                .value_parser(Shard::parse)
                .help("trains the I-th of N parts of the runs, as a job of an array"),
        )
        .arg(
            Arg::new("queue")
                .long("queue")
                .value_name("URL")
                .conflicts_with("sweep")
                .help("a PostgreSQL database from whose table confab_sweep programs on several machines take the runs"),
        )
        .arg(
            Arg::new("lease")
                .long("lease")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(2..=86_400))
                .default_value("60")
                .requires("queue")
                .help("time after which a run of a program that is gone is taken by another"),
        )
        .arg(file_arg(
            "out",
            "outcomes, as JSON lines; default: sweep.jsonl, sweep-I-of-N.jsonl with --shard, none with --queue",
        ))
        .arg(file_arg("plot", "the curves, as SVG; default: beside the outcomes"))
        .arg(file_arg("table", "the table of --sweep, with tabs between columns").requires("sweep"))
        .args(["x", "y"].map(|axis| {
            Arg::new(axis)
                .long(axis)
                .value_name("COLUMN")
                .requires("sweep")
                .help("column of the table that the curves of --sweep have on this axis")
        }))
}

fn file_arg(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    match matches.contains_id("sweep") {
        true => grid::run(matches),
        false => capacity::run(matches),
    }
}
