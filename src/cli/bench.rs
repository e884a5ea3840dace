//! `confab bench`: steps and characters a second, beside PyTorch if it is there.

use std::io::Write;
use std::process::{Command as Process, Stdio};

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::bench::{Bench, Shape, StepTime};
use confab::config::{Preset, RunConfig};
use confab::platform::OpenDevice;
use confab::protocol::DeviceChoice;
use futures::executor::block_on;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

/// The shape at which all sizes are compared.
const COMMON: Shape = Shape { batch: 32, seq: 64 };
const NANOGPT: &str = include_str!("bench/nanogpt.py");

pub fn command() -> Command {
    Command::new("bench")
        .about("Measures steps and characters a second, beside PyTorch if python3 has it")
        .arg(super::presets_arg())
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
        .arg(super::json_arg())
}

/// A size on a device at a shape.
#[derive(Serialize)]
struct Row {
    preset: &'static str,
    parameters: usize,
    device: String,
    shape: Shape,
    #[serde(flatten)]
    time: StepTime,
    tokens_per_s: f64,
    characters_per_s: f64,
    /// Steps a second, as a multiple of PyTorch's on the like device.
    against_pytorch: Option<f64>,
    #[serde(skip)]
    kind: String,
    #[serde(skip)]
    vocab_size: usize,
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let rounds = matches.get_one::<u32>("rounds").map_or(7, |rounds| *rounds as usize);
    let presets = super::presets(matches);
    let mut rows = Vec::new();
    for name in matches.get_many::<String>("device").into_iter().flatten() {
        let choice = DeviceChoice::parse(name).unwrap_or_default();
        let device = super::open(choice)?;
        for preset in &presets {
            measure(preset, &device, rounds, &mut rows)
                .with_context(|| format!("measuring {} on {}", preset.name, device.report.name))?;
        }
    }
    let python = matches.get_one::<String>("python").map_or("python3", String::as_str);
    if !python.is_empty()
        && let Err(error) = compare(&mut rows, python)
    {
        super::tell(format_args!("Not compared with PyTorch: {error:#}"));
    }
    let mut out = std::io::stdout().lock();
    if matches.get_flag("json") {
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
    } else {
        write_table(&mut out, &rows)?;
    }
    Ok(())
}

fn measure(
    preset: &'static Preset,
    device: &OpenDevice,
    rounds: usize,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let mut config = RunConfig::default();
    preset.apply(&mut config);
    let mut bench = Bench::new(config, device.device.clone(), &device.limits)?;
    let bar = ProgressBar::new_spinner().with_message(preset.name);
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    let characters_per_s = 1.0 / block_on(bench.write())?;
    for shape in [COMMON, bench.own_shape()] {
        let time = block_on(bench.train(shape, rounds))?;
        rows.push(Row {
            preset: preset.name,
            parameters: bench.parameters(),
            device: device.report.name.clone(),
            shape,
            time,
            tokens_per_s: (shape.batch * shape.seq) as f64 / time.step,
            characters_per_s,
            against_pytorch: None,
            kind: device.report.kind.clone(),
            vocab_size: bench.vocab_size(),
        });
    }
    bar.finish_and_clear();
    Ok(())
}

/// Measures PyTorch at the shapes of `rows`, in their order.
fn compare(rows: &mut [Row], python: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Line {
        device: String,
        step: f64,
    }
    for row in rows {
        let preset = Preset::find(row.preset).context("no such preset")?;
        let shapes = serde_json::json!([{
            "layers": preset.n_layers, "heads": preset.n_heads, "width": preset.d_model,
            "vocab": row.vocab_size, "batch": row.shape.batch, "seq": row.shape.seq,
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
        let like = if row.kind == "cpu" { "cpu" } else { "cuda" };
        for line in String::from_utf8_lossy(&run.stdout).lines() {
            let Line { device, step } = serde_json::from_str(line).context("reading its times")?;
            if device == like {
                row.against_pytorch = Some(step / row.time.step);
            }
        }
    }
    Ok(())
}

fn write_table(out: &mut impl Write, rows: &[Row]) -> Result<()> {
    writeln!(
        out,
        "size   device            batch × seq  ms a step  tokens/s  forward backward update readback  \
         chars/s  × PyTorch"
    )?;
    for row in rows {
        let StepTime { step, forward, backward, update, readback } = row.time;
        let parts = forward + backward + update + readback;
        let [forward, backward, update, readback] = [forward, backward, update, readback]
            .map(|part| format!("{:.0}%", 100.0 * part / parts));
        let shape = format!("{} × {}", row.shape.batch, row.shape.seq);
        let device: String = row.device.chars().take(16).collect();
        let ratio = row.against_pytorch.map_or("-".into(), |ratio| format!("{ratio:.2}"));
        writeln!(
            out,
            "{:<6} {device:<16} {shape:>12} {:>10.1} {:>9.0} {forward:>8} {backward:>8} {update:>6} \
             {readback:>8} {:>8.0} {ratio:>10}",
            row.preset,
            1000.0 * step,
            row.tokens_per_s,
            row.characters_per_s,
        )?;
    }
    Ok(())
}
