//! `confab bench`: steps and characters a second, beside PyTorch if it is there, or beside another build.

mod against;
mod decode;
mod lookup;
mod stores;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::base::parallel::Threads;
use confab::bench::Suite;
use confab::config::{Preset, RunConfig};
use confab::device::OpenDevice;
use confab::report::BenchRow;
use confab::run::DeviceChoice;
use futures::executor::block_on;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

const NANOGPT: &str = include_str!("bench/nanogpt.py");

pub fn command() -> Command {
    Command::new("bench")
        .about("Measures steps and characters a second, beside PyTorch if python3 has it")
        .arg(super::args::presets_arg())
        .arg(
            Arg::new("device")
                .long("device")
                .value_name("DEVICE,…")
                .value_parser(PossibleValuesParser::new(DeviceChoice::NAMES))
                .value_delimiter(',')
                .default_value("auto")
                .help("where to compute"),
        )
        .arg(
            Arg::new("rounds")
                .long("rounds")
                .value_name("N")
                .value_parser(value_parser!(u32).range(5..=1000))
                .default_value("7")
                .help("steps whose median is taken, after three that do not count"),
        )
        .arg(
            Arg::new("python")
                .long("python")
                .value_name("PROGRAM")
                .default_value("python3")
                .help("a Python, to measure PyTorch with; \"\" measures without"),
        )
        .args(super::knobs::model_args())
        .args(against::args())
        .args(stores::args())
        .arg(lookup::arg())
        .arg(decode::arg())
        .arg(super::args::json_arg())
}

/// A row beside PyTorch's.
#[derive(Serialize)]
struct Compared {
    #[serde(flatten)]
    row: BenchRow,
    /// Steps a second, as a multiple of PyTorch's on the like device, compiled or not.
    against_pytorch: Option<f64>,
    is_pytorch_compiled: bool,
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    if matches.contains_id("lookup") {
        return lookup::run(matches);
    }
    if matches.contains_id("stores") {
        return stores::run(matches);
    }
    if matches.contains_id("decode") {
        return decode::run(matches);
    }
    if let Some(other) = matches.get_one::<PathBuf>("against") {
        return against::run(matches, other);
    }
    let rounds = matches.get_one::<u32>("rounds").map_or(7, |rounds| *rounds as usize);
    let presets = super::args::presets(matches);
    let mut rows = Vec::new();
    for name in matches.get_many::<String>("device").into_iter().flatten() {
        let choice = DeviceChoice::parse(name).unwrap_or_default();
        let device = super::device::open(choice)?;
        let measured = measure(matches, &presets, &device, rounds)
            .with_context(|| format!("measuring on {}", device.report.name))?;
        let alone = |row| Compared { row, against_pytorch: None, is_pytorch_compiled: false };
        rows.extend(measured.into_iter().map(alone));
    }
    let python = matches.get_one::<String>("python").map_or("python3", String::as_str);
    if !python.is_empty()
        && let Err(error) = compare(&mut rows, rounds, python)
    {
        super::terminal::report(format_args!("Not compared with PyTorch: {error:#}"));
    }
    let mut out = super::terminal::output();
    if matches.get_flag("json") {
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
    } else {
        write_table(&mut out, &rows)?;
    }
    Ok(())
}

fn measure(
    matches: &ArgMatches,
    presets: &[&Preset],
    device: &OpenDevice,
    rounds: usize,
) -> Result<Vec<BenchRow>> {
    let run = |preset: &&Preset| {
        let mut config = RunConfig::default();
        preset.apply(&mut config);
        super::knobs::apply(matches, &mut config).map(|()| config)
    };
    let runs = presets.iter().map(run).collect::<Result<_>>()?;
    let crew = Rc::new(Threads::shared());
    let mut suite = Suite::new(runs, device.clone(), rounds, crew)?;
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    while block_on(suite.next())? {
        if let Some(current) = suite.progress().current {
            bar.set_message(current.size);
        }
    }
    bar.finish_and_clear();
    Ok(suite.progress().rows)
}

/// Measures PyTorch at the shapes of `rows`, in their order.
fn compare(rows: &mut [Compared], rounds: usize, python: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Line {
        device: String,
        step: f64,
        compiled: bool,
    }
    for Compared { row, against_pytorch, is_pytorch_compiled } in rows {
        // nanoGPT has no other parts.
        let Some(preset) = Preset::find(&row.size) else { continue };
        let shapes = serde_json::json!([{
            "layers": preset.n_layers, "heads": preset.n_heads, "width": preset.d_model,
            "vocab": row.vocab_size, "batch": row.shape.batch, "seq": row.shape.seq, "rounds": rounds,
        }]);
        let run = Process::new(python)
            .args(["-c", NANOGPT, &shapes.to_string()])
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("running {python}"))?;
        if !run.status.success() {
            let errors = String::from_utf8_lossy(&run.stderr);
            bail!("{python} says: {}", errors.lines().last().unwrap_or_default());
        }
        // Such as that PyTorch could not compile.
        let said = String::from_utf8_lossy(&run.stderr);
        if let Some(failure) = said.lines().find(|line| line.starts_with("torch.compile failed")) {
            super::terminal::report(format_args!("{}: {failure}", row.size));
        }
        let like = if row.kind == "cpu" { "cpu" } else { "cuda" };
        for line in String::from_utf8_lossy(&run.stdout).lines() {
            let Line { device, step, compiled } =
                serde_json::from_str(line).context("reading its times")?;
            if device == like {
                *against_pytorch = Some(step / row.time.step);
                *is_pytorch_compiled = compiled;
            }
        }
    }
    Ok(())
}

fn write_table(out: &mut impl Write, rows: &[Compared]) -> Result<()> {
    writeln!(
        out,
        "size   device            batch × seq  ms a step  tokens/s  forward backward update readback  \
         chars/s  of matmul  memory  × floor  × PyTorch"
    )?;
    for Compared { row, against_pytorch, is_pytorch_compiled } in rows {
        let [forward, backward, update, readback] =
            row.time.percentages().map(|share| format!("{share:.0}%"));
        let shape = format!("{} × {}", row.shape.batch, row.shape.seq);
        let device: String = row.device.chars().take(16).collect();
        let how = if *is_pytorch_compiled { " compiled" } else { "" };
        let ratio = against_pytorch.map_or("-".into(), |ratio| format!("{ratio:.2}{how}"));
        let share = row.matmul_share.map_or("-".into(), |share| format!("{:.1}%", 100.0 * share));
        let memory = row.memory.map_or("-".into(), |bytes| format!("{} MB", bytes / 1_000_000));
        let floor = row.time.times_floor().map_or("-".into(), |times| format!("{times:.1}"));
        writeln!(
            out,
            "{:<6} {device:<16} {shape:>12} {:>10.1} {:>9.0} {forward:>8} {backward:>8} {update:>6} \
             {readback:>8} {:>8.0} {share:>10} {memory:>7} {floor:>8} {ratio:>10}",
            row.size,
            1000.0 * row.time.step,
            row.tokens_per_s,
            row.characters_per_s,
        )?;
    }
    Ok(())
}
