//! `confab distill`: a clone whose memories learn what its teacher's MLPs did.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::config::{Knob, MemoryKind, RunConfig};
use confab::learn::distill::Distillation;
use confab::report::{DistillReport, SideBySide};
use futures::executor::block_on;
use indicatif::{ProgressBar, ProgressStyle};

/// Knobs that `--memory` sets, and those that only matter to other losses.
const UNUSED: [&str; 5] = [
    "model.memory.kind",
    "model.memory.layers",
    "train.val_every",
    "train.val_batches",
    "train.output_l1",
];

pub fn command() -> Command {
    let knobs = super::knobs::args().into_iter().filter(|arg| {
        let name = arg.get_id().as_str();
        let is_used = ["model.memory.", "train.", "noise.", "seed"];
        is_used.iter().any(|used| name.starts_with(used)) && !UNUSED.contains(&name)
    });
    Command::new("distill")
        .about("Replaces MLPs of a model by memories, which learn to predict what it predicts")
        .long_about(
            "Replaces MLPs of a model by memories, which learn to predict what it predicts.\n\n\
             The model's own weights are kept. What is not given as a flag is as the model was trained.",
        )
        .arg(super::args::checkpoint_arg())
        .arg(
            Arg::new("memory")
                .long("memory")
                .required(true)
                .value_name("LAYERS:KIND")
                .value_parser(memory)
                .help("which MLPs are replaced by which memory, as 4,8:associative; without layers, all"),
        )
        .arg(
            Arg::new("out")
                .long("out")
                .required(true)
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("the clone's checkpoint to write"),
        )
        .arg(
            Arg::new("text-file")
                .long("text-file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("what both models read, in place of records of the task"),
        )
        .arg(
            Arg::new("prompt")
                .long("prompt")
                .help("what both write on from in the end; \\n is a line break"),
        )
        .args(knobs)
        .arg(super::device::arg())
}

/// Layers and kind.
fn memory(text: &str) -> Result<(String, MemoryKind), String> {
    let (layers, kind) = text.rsplit_once(':').unwrap_or(("", text));
    let names = || MemoryKind::replacing().collect::<Vec<_>>().join(", ");
    let kinds = || format!("a kind is one of {}, as in 4,8:associative", names());
    let kind = MemoryKind::parse(kind).filter(|kind| kind.replaces_mlp()).ok_or_else(kinds)?;
    let knob = Knob::find("model.memory.layers").ok_or("there are no memory layers")?;
    knob.set(&mut RunConfig::default(), layers).map_err(|error| error.to_string())?;
    Ok((layers.into(), kind))
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let path = |name: &str| matches.get_one::<PathBuf>(name);
    let (file, out) = (
        path("checkpoint").context("no checkpoint was named")?,
        path("out").context("no file was named")?,
    );
    let text_file = path("text-file").map(PathBuf::as_path);
    let read = [("the teacher", Some(file.as_path())), ("--text-file", text_file)];
    super::files::check(&read, &[("--out", Some(out))])?;
    let loading = || format!("distilling {}", file.display());
    let teacher = super::files::load_checkpoint(file)?;
    let mut config = teacher.config.clone();
    super::knobs::apply(matches, &mut config)?;
    if let Some((layers, kind)) = matches.get_one::<(String, MemoryKind)>("memory") {
        (config.model.memory.layers, config.model.memory.kind) = (layers.clone(), *kind);
    }
    let text = text_file.map(super::knobs::read_text).transpose()?;
    let prompt = matches.get_one::<String>("prompt").map(|text| super::args::unescape(text));
    let device = super::device::open_chosen(matches)?;
    let (limits, device) = (device.limits, device.device);
    let distillation =
        Distillation::new(teacher, &config, text.as_deref(), prompt, device, &limits);
    let mut distillation = block_on(distillation).with_context(loading)?;

    let is_stopped = super::stop::flag()?;
    let bar = ProgressBar::new(distillation.progress().steps as u64);
    let style = "{bar:30} {pos}/{len} steps  {msg}  {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
    while !is_stopped.load(Ordering::SeqCst) {
        let more = block_on(distillation.next())?;
        show(&bar, distillation.progress());
        if !more {
            break;
        }
    }
    bar.abandon();

    let report = distillation.progress();
    ensure!(
        report.kl.is_finite(),
        "the loss is no longer a number after step {}: training has diverged; try a lower --lr",
        report.step
    );
    super::files::save(&block_on(distillation.trainer().checkpoint())?, out)?;
    super::terminal::report(format_args!(
        "Saved the clone after step {} to {}",
        report.step,
        out.display()
    ));
    if let Some(SideBySide { prompt, teacher, clone, .. }) = &report.sides {
        let mut out = super::terminal::output();
        writeln!(out, "prompt   {prompt:?}\nteacher  {teacher:?}\nclone    {clone:?}")?;
    }
    Ok(())
}

fn show(bar: &ProgressBar, report: &DistillReport) {
    let DistillReport { step, steps, kl, first_kl, agreement, layers, .. } = report;
    let layers: Vec<String> = layers
        .iter()
        .map(|of| {
            let slots = of.slots.map_or(String::new(), |slots| format!(" in {slots} slots"));
            format!("L{} {:.3}{slots}", of.layer, of.error)
        })
        .collect();
    let line = format!(
        "KL {kl:.2e} (first {first_kl:.2e}), {:.1}% agree, error {}",
        100.0 * agreement,
        layers.join(", ")
    );
    bar.set_position(*step as u64);
    bar.set_message(line.clone());
    let is_told = step.is_multiple_of(super::terminal::LOG_EVERY) || *step == 1 || step == steps;
    if is_told && !std::io::stderr().is_terminal() {
        super::terminal::report(format_args!("step {step}: {line}"));
    }
}
