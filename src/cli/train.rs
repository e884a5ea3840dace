//! `confab train`: a session driven from the command line.

use std::cell::RefCell;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::config::RunConfig;
use confab::platform::Store;
use confab::protocol::{Built, Command as Order, Event, LossPoint, RunState, StepReport};
use confab::session;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use indicatif::{ProgressBar, ProgressStyle};

/// Steps between two lines of the log, and on a standard error that is no terminal.
const LOG_EVERY: usize = 10;

pub fn command() -> Command {
    Command::new("train")
        .about("Trains a model; Ctrl-C saves it and stops")
        .args(super::knobs::args())
        .arg(super::device_arg())
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .default_value("run.safetensors")
                .help("where the run is saved, while it trains and at its end"),
        )
        .arg(
            Arg::new("log")
                .long("log")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("writes the losses as JSON lines"),
        )
        .arg(
            Arg::new("resume")
                .long("resume")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with("link")
                .help(
                    "goes on from a checkpoint, with the settings in it; --steps may lengthen it",
                ),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let device = super::device(matches);
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let out = path("out").context("no file was named")?;
    let first = match path("resume") {
        Some(file) => Order::LoadCheckpoint { bytes: checkpoint(&file, matches)?, device },
        None => Order::Build { config: super::knobs::config(matches)?, device },
    };
    let log = match path("log") {
        Some(file) => {
            Some(File::create(&file).with_context(|| format!("creating {}", file.display()))?)
        }
        None => None,
    };
    let (orders, received) = unbounded();
    let stop = orders.clone();
    ctrlc::set_handler(move || drop(stop.unbounded_send(Order::Pause)))
        .context("setting up Ctrl-C")?;
    orders.unbounded_send(first)?;
    orders.unbounded_send(Order::Train)?;
    let screen = RefCell::new(Screen {
        log,
        bar: None,
        orders,
        trained: false,
        result: Ok(()),
        saved: None,
    });
    let emit = |event| screen.borrow_mut().show(event);
    futures::executor::block_on(session::run(received, emit, Store::file(out.clone())));
    let screen = screen.into_inner();
    screen.result?;
    match screen.saved {
        Some(step) => eprintln!("Saved step {step} to {}", out.display()),
        None => eprintln!("Nothing new was trained; {} is as it was", out.display()),
    }
    Ok(())
}

/// The bytes of a checkpoint, with the settings that were given beside `--resume` put in.
fn checkpoint(file: &std::path::Path, matches: &ArgMatches) -> Result<Vec<u8>> {
    let bytes = super::read_bytes(file)?;
    let load = || format!("loading the checkpoint {}", file.display());
    let mut checkpoint = confab::checkpoint::Checkpoint::from_bytes(&bytes).with_context(load)?;
    let mut changed = checkpoint.config.clone();
    for knob in confab::config::KNOBS {
        let Some(text) = matches.get_one::<String>(knob.key) else { continue };
        if !knob.key.starts_with("train.") {
            bail!("--{} cannot be changed with --resume; train a new run instead", knob.flag());
        }
        knob.set(&mut changed, text)?;
    }
    if changed == checkpoint.config {
        return Ok(bytes);
    }
    checkpoint.config = changed;
    checkpoint.to_bytes().with_context(load)
}

/// What is shown and logged of a session.
struct Screen {
    log: Option<File>,
    bar: Option<ProgressBar>,
    /// Closed to end the session.
    orders: UnboundedSender<Order>,
    /// Whether a step was trained.
    trained: bool,
    result: Result<()>,
    saved: Option<usize>,
}

impl Screen {
    fn show(&mut self, event: Event) {
        match event {
            Event::Device(device) => self.say(&format!("Device: {}", device.name)),
            Event::Built(built) => self.begin(&built),
            Event::Step(report) => self.step(&report),
            Event::Notice { text } if self.result.is_ok() => self.say(&text),
            Event::Saved { step } => self.saved = Some(step),
            Event::Refused { reason } => self.end(Err(anyhow::Error::msg(reason))),
            Event::State(RunState::Finished) => self.end(Ok(())),
            Event::State(RunState::Paused) if self.trained => self.end(Ok(())),
            _ => {}
        }
    }

    fn begin(&mut self, built: &Built) {
        let RunConfig { model, train, .. } = &built.config;
        self.say(&format!(
            "{} parameters ({} layers, {} heads, width {}), {} characters, steps {} to {}",
            built.parameters,
            model.n_layers,
            model.n_heads,
            model.d_model,
            built.vocab_size,
            built.step,
            train.steps
        ));
        let bar = ProgressBar::new(train.steps as u64);
        let style = "{bar:30} {pos}/{len} steps  {msg}  {eta} left";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
        bar.set_position(built.step as u64);
        bar.reset_eta();
        self.bar = Some(bar);
    }

    fn step(&mut self, report: &StepReport) {
        self.trained = true;
        let StepReport { loss, steps_per_s, tokens_per_s } = report;
        let LossPoint { step, train_loss, val_loss } = loss;
        let validation = val_loss.map_or(String::new(), |loss| format!(", validation {loss:.3}"));
        let line = format!(
            "loss {train_loss:.3}{validation}, {steps_per_s:.1} steps/s, {tokens_per_s:.0} tokens/s"
        );
        if let Some(bar) = &self.bar {
            bar.set_position(*step as u64);
            bar.set_message(line.clone());
        }
        if step % LOG_EVERY != 0 && val_loss.is_none() {
            return;
        }
        if !std::io::stderr().is_terminal() {
            eprintln!("step {step}: {line}");
        }
        if let Some(log) = &mut self.log {
            let entry = serde_json::json!({
                "step": step, "train_loss": train_loss, "val_loss": val_loss, "tokens_per_s": tokens_per_s,
            });
            if let Err(error) = writeln!(log, "{entry}") {
                self.log = None;
                self.end(Err(anyhow::Error::new(error).context("writing the log")));
            }
        }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.println(text),
            _ => eprintln!("{text}"),
        }
    }

    fn end(&mut self, result: Result<()>) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
        self.result = std::mem::replace(&mut self.result, Ok(())).and(result);
        self.orders.close_channel();
    }
}
