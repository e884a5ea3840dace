//! One file per subcommand; the flags of a run are made from [`KNOBS`](confab::config::KNOBS).

mod adapter;
mod analysis;
mod args;
mod bench;
mod codec;
mod data;
mod device;
mod devices;
mod distill;
mod edit;
mod eval;
mod export;
mod files;
mod floor;
mod import;
mod inspect;
mod knobs;
mod lend;
mod memory;
mod picture;
mod probe;
mod records;
mod sample;
mod serve;
mod stop;
mod sweep;
mod terminal;
mod train;

use anyhow::{Result, bail};
use clap::Command;

pub use terminal::{is_closed_output, report};

/// Parses the command line and runs it. A bad command line ends the process with status 2.
pub fn run() -> Result<()> {
    let command = Command::new("confab")
        .about("Trains small transformers on memory tasks, and shows what they compute")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            train::command(),
            sample::command(),
            inspect::command(),
            memory::command(),
            import::command(),
            export::command(),
            edit::command(),
            adapter::command(),
            data::command(),
            eval::command(),
            probe::command(),
            floor::command(),
            sweep::command(),
            distill::command(),
            bench::command(),
            serve::command(),
            lend::command(),
        ]);
    let matches = command.get_matches();
    match matches.subcommand() {
        Some(("train", matches)) => train::run(matches),
        Some(("sample", matches)) => sample::run(matches),
        Some(("inspect", matches)) => inspect::run(matches),
        Some(("memory", matches)) => memory::run(matches),
        Some(("import", matches)) => import::run(matches),
        Some(("export", matches)) => export::run(matches),
        Some(("edit", matches)) => edit::run(matches),
        Some(("adapter", matches)) => adapter::run(matches),
        Some(("data", matches)) => data::run(matches),
        Some(("eval", matches)) => eval::run(matches),
        Some(("probe", matches)) => probe::run(matches),
        Some(("floor", matches)) => floor::run(matches),
        Some(("sweep", matches)) => sweep::run(matches),
        Some(("distill", matches)) => distill::run(matches),
        Some(("bench", matches)) => bench::run(matches),
        Some(("serve", matches)) => serve::run(matches),
        Some(("lend", matches)) => lend::run(matches),
        _ => bail!("no such command"),
    }
}
