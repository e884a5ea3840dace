//! One file per subcommand; the flags of a run are made from [`KNOBS`](confab::config::KNOBS).

mod bench;
mod data;
mod distill;
mod edit;
mod eval;
mod floor;
mod import;
mod inspect;
mod knobs;
mod look;
mod memory;
mod picture;
mod probe;
mod sample;
mod sweep;
mod train;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use confab::checkpoint::Checkpoint;
use confab::config::{PRESETS, Preset};
use confab::platform::{self, OpenDevice};
use confab::protocol::DeviceChoice;
use confab::trainer::Trainer;

/// Says `text` on standard error; one that is closed or full is no reason to stop.
pub fn tell(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

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
            edit::command(),
            data::command(),
            eval::command(),
            probe::command(),
            floor::command(),
            sweep::command(),
            distill::command(),
            bench::command(),
        ]);
    let matches = command.get_matches();
    match matches.subcommand() {
        Some(("train", matches)) => train::run(matches),
        Some(("sample", matches)) => sample::run(matches),
        Some(("inspect", matches)) => inspect::run(matches),
        Some(("memory", matches)) => memory::run(matches),
        Some(("import", matches)) => import::run(matches),
        Some(("edit", matches)) => edit::run(matches),
        Some(("data", matches)) => data::run(matches),
        Some(("eval", matches)) => eval::run(matches),
        Some(("probe", matches)) => probe::run(matches),
        Some(("floor", matches)) => floor::run(matches),
        Some(("sweep", matches)) => sweep::run(matches),
        Some(("distill", matches)) => distill::run(matches),
        Some(("bench", matches)) => bench::run(matches),
        _ => bail!("no such command"),
    }
}

/// `--device`, with what this build offers.
fn device_arg() -> Arg {
    Arg::new("device")
        .long("device")
        .value_name("DEVICE")
        .value_parser(PossibleValuesParser::new(DeviceChoice::NAMES))
        .default_value("auto")
        .help("where to compute")
}

fn device(matches: &ArgMatches) -> DeviceChoice {
    let name = matches.get_one::<String>("device");
    name.and_then(|name| DeviceChoice::parse(name)).unwrap_or_default()
}

/// Opens the device, saying on standard error what the user should know.
fn open_device(matches: &ArgMatches) -> Result<OpenDevice> {
    open(device(matches))
}

fn open(choice: DeviceChoice) -> Result<OpenDevice> {
    let opened = futures::executor::block_on(platform::open(choice));
    let (device, notice) = opened.map_err(anyhow::Error::msg)?;
    if let Some(notice) = notice {
        tell(notice);
    }
    Ok(device)
}

/// `--preset` of a command that takes several.
fn presets_arg() -> Arg {
    Arg::new("preset")
        .long("preset")
        .value_name("PRESET,…")
        .value_parser(PossibleValuesParser::new(PRESETS.iter().map(|preset| preset.name)))
        .value_delimiter(',')
        .default_value("1.7k,30k,207k")
        .help("sizes, with their training settings")
}

fn presets(matches: &ArgMatches) -> Vec<&'static Preset> {
    let names = matches.get_many::<String>("preset").into_iter().flatten();
    names.filter_map(|name| Preset::find(name)).collect()
}

fn temperature_arg() -> Arg {
    Arg::new("temperature")
        .long("temperature")
        .value_parser(sample::temperature)
        .default_value("0.8")
        .help("0 always takes the likeliest character, 2 is the most random")
}

fn seed_arg() -> Arg {
    Arg::new("seed")
        .long("seed")
        .value_parser(clap::value_parser!(u64))
        .default_value("1")
        .help("decides what is drawn")
}

fn json_arg() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("as JSON")
}

fn checkpoint_arg() -> Arg {
    Arg::new("checkpoint")
        .required(true)
        .value_name("FILE")
        .value_parser(clap::value_parser!(std::path::PathBuf))
        .help("a checkpoint, as `confab train --out` or the page writes it")
}

fn read_bytes(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("reading {}", file.display()))
}

/// The run in the file that the command line names, on the device it names.
fn load_run(matches: &ArgMatches) -> Result<Trainer> {
    let file =
        matches.get_one::<std::path::PathBuf>("checkpoint").context("no checkpoint was named")?;
    load_run_of(file, matches)
}

/// A run that has records, as a model from elsewhere has not.
fn load_run_with_records(matches: &ArgMatches) -> Result<Trainer> {
    let trainer = load_run(matches)?;
    ensure!(
        !trainer.task.is_none(),
        "this model is from elsewhere and brought no records; look into it with `confab inspect \
         --what`, or let it write with `confab sample`"
    );
    Ok(trainer)
}

/// The run in `file`, on the device that the command line names.
fn load_run_of(file: &Path, matches: &ArgMatches) -> Result<Trainer> {
    let checkpoint = load_checkpoint(file)?;
    let opened = open_device(matches)?;
    Trainer::resume(checkpoint, opened.device, &opened.limits).with_context(|| loading(file))
}

fn load_checkpoint(file: &Path) -> Result<Checkpoint> {
    Checkpoint::from_bytes(&read_bytes(file)?).with_context(|| loading(file))
}

fn loading(file: &Path) -> String {
    format!("loading the checkpoint {}", file.display())
}
