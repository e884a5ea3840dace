//! `confab train`: a session driven from the command line.

use std::cell::RefCell;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::config::RunConfig;
use confab::platform::Store;
use confab::plot::{self, Axes, Line, Point};
use confab::protocol::{
    Built, Command as Order, Event, LossPoint, NamedFile, RunState, StepReport,
};
use confab::session;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use indicatif::{ProgressBar, ProgressStyle};

/// Steps between two lines of the log, and on a standard error that is no terminal.
pub(super) const LOG_EVERY: usize = 10;
/// Of the curves, in pixels.
const PLOT_SIZE: (u32, u32) = (760, 360);

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
            Arg::new("plot")
                .long("plot")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("draws the losses in the end, as SVG"),
        )
        .arg(
            Arg::new("keep-steps")
                .long("keep-steps")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("keeps some sixty steps of the run there, evenly, to look into: step128.safetensors"),
        )
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with_all(["link", "preset", "text-file", "resume"])
                .help("begins a new run with the weights and memories of a checkpoint, and its settings but for flags"),
        )
        .arg(
            Arg::new("resume")
                .long("resume")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with_all(["link", "preset", "text-file"])
                .help(
                    "goes on from a checkpoint, with the settings in it; --steps may lengthen it",
                ),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let device = super::device(matches);
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let out = path("out").context("no file was named")?;
    check_writable(&out)?;
    let steps = path("keep-steps");
    if let Some(folder) = &steps {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("making the folder {}", folder.display()))?;
    }
    let load = |file: PathBuf, bytes| {
        let name = file.display().to_string();
        Order::LoadCheckpoint { files: vec![NamedFile { name, bytes }], device }
    };
    let first = match (path("resume"), path("from")) {
        (Some(file), _) => {
            let bytes = checkpoint(&file, matches)?;
            load(file, bytes)
        }
        (None, Some(file)) => {
            let bytes = restarted(&file, matches)?;
            load(file, bytes)
        }
        (None, None) => Order::Build { config: Box::new(super::knobs::config(matches)?), device },
    };
    let log = match path("log") {
        Some(file) => {
            Some(File::create(&file).with_context(|| format!("creating {}", file.display()))?)
        }
        None => None,
    };
    let (orders, received) = unbounded();
    stop_on_ctrl_c(orders.clone())?;
    orders.unbounded_send(first)?;
    orders.unbounded_send(Order::Train)?;
    let screen = RefCell::new(Screen::new(log, orders));
    let emit = |event| screen.borrow_mut().show(event);
    let store = Store::file(out.clone()).with_steps(steps);
    futures::executor::block_on(session::run(received, emit, store));
    let screen = screen.into_inner();
    screen.result?;
    if let Some(file) = path("plot") {
        let svg = draw(&screen.history);
        confab::platform::replace_file(&file, svg.as_bytes())
            .with_context(|| format!("writing {}", file.display()))?;
    }
    match (screen.trained, screen.saved) {
        (Some(trained), saved) if saved != Some(trained) => {
            bail!("step {trained} was not saved to {}; name another --out", out.display())
        }
        (Some(step), _) => super::tell(format_args!("Saved step {step} to {}", out.display())),
        (None, _) => super::tell("Nothing new was trained"),
    }
    Ok(())
}

/// The first Ctrl-C ends the session after the step under way; the second ends the program.
fn stop_on_ctrl_c(orders: UnboundedSender<Order>) -> Result<()> {
    let pause = move || {
        if orders.is_closed() {
            std::process::exit(130);
        }
        drop(orders.unbounded_send(Order::Pause));
        orders.close_channel();
    };
    ctrlc::set_handler(pause).context("setting up Ctrl-C")
}

/// Finds out before hours of training whether `out` can be written.
pub(super) fn check_writable(out: &Path) -> Result<()> {
    ensure!(!out.is_dir(), "writing {}: it is a folder; name a file in it", out.display());
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    tempfile::tempfile_in(folder).with_context(|| {
        format!("writing {}: no file can be made in {}", out.display(), folder.display())
    })?;
    Ok(())
}

/// The bytes of a checkpoint, with the settings that were given beside `--resume` put in.
fn checkpoint(file: &Path, matches: &ArgMatches) -> Result<Vec<u8>> {
    let bytes = super::read_bytes(file)?;
    let load = || format!("loading the checkpoint {}", file.display());
    let mut checkpoint = confab::checkpoint::Checkpoint::from_bytes(&bytes).with_context(load)?;
    ensure!(
        !checkpoint.config.task.is_unknown(),
        "resuming {}: it is a model from elsewhere, which brought nothing to train on; look into it \
         with `confab inspect`, or let it write with `confab sample`",
        file.display()
    );
    let mut changed = checkpoint.config.clone();
    for knob in confab::config::KNOBS {
        let Some(text) = matches.get_one::<String>(knob.key) else { continue };
        if !knob.key.starts_with("train.") {
            bail!("--{} cannot be changed with --resume; train a new run instead", knob.flag());
        }
        knob.set(&mut changed, text)?;
    }
    ensure!(
        checkpoint.step < changed.train.steps,
        "resuming {}: it has done {} of {} steps; give --steps a larger number",
        file.display(),
        checkpoint.step,
        changed.train.steps
    );
    if changed == checkpoint.config {
        return Ok(bytes);
    }
    checkpoint.config = changed;
    checkpoint.to_bytes().with_context(load)
}

/// The bytes of a new run with the weights and memories of a checkpoint.
fn restarted(file: &Path, matches: &ArgMatches) -> Result<Vec<u8>> {
    let load = || format!("beginning with the checkpoint {}", file.display());
    let bytes = super::read_bytes(file)?;
    let checkpoint = confab::checkpoint::Checkpoint::from_bytes(&bytes).with_context(load)?;
    let mut config = checkpoint.config.clone();
    super::knobs::apply(matches, &mut config)?;
    checkpoint.restart(config).and_then(|restarted| restarted.to_bytes()).with_context(load)
}

/// Losses against steps, of which each is a hundredth further than the one before: closer ones could
/// not be told apart.
fn draw(history: &[LossPoint]) -> String {
    let line = |name: &str, loss: fn(&LossPoint) -> Option<f32>| {
        let mut points: Vec<Point> = Vec::new();
        for point in history {
            let (x, loss) = (point.step as f64, loss(point).map(f64::from));
            let is_further = points.last().is_none_or(|last| x >= 1.01 * last.x);
            if let Some(y) = loss.filter(|y| is_further && y.is_finite()) {
                points.push(Point { x, y, spread: 0.0 });
            }
        }
        Line { name: name.into(), points, labels: Vec::new() }
    };
    let lines = [
        line("training", |point| Some(point.train_loss)),
        line("validation", |point| point.val_loss),
    ];
    let axes = Axes {
        x: "step",
        x_is_log: true,
        y: "loss, nats per character",
        y_is_share: false,
        has_legend: true,
    };
    plot::draw(&[(axes, &lines)], PLOT_SIZE, false)
}

/// What is shown and logged of a session.
struct Screen {
    /// The losses so far, with those of a run that is resumed.
    history: Vec<LossPoint>,
    log: Option<File>,
    bar: Option<ProgressBar>,
    /// Closed to end the session.
    orders: UnboundedSender<Order>,
    /// The last step trained.
    trained: Option<usize>,
    result: Result<()>,
    saved: Option<usize>,
}

impl Screen {
    fn new(log: Option<File>, orders: UnboundedSender<Order>) -> Self {
        let history = Vec::new();
        Self { history, log, bar: None, orders, trained: None, result: Ok(()), saved: None }
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Device(device) => self.say(&format!("Device: {}", device.name)),
            Event::Built(built) => self.begin(&built),
            Event::Step(report) => self.step(&report),
            Event::Notice { text } if self.result.is_ok() => self.say(&text),
            Event::Saved { step } => self.saved = Some(step),
            Event::Refused { reason } => self.end(Err(anyhow::Error::msg(reason))),
            Event::State(RunState::Finished) => self.end(Ok(())),
            Event::State(RunState::Paused) if self.trained.is_some() => self.end(Ok(())),
            _ => {}
        }
    }

    fn begin(&mut self, built: &Built) {
        let RunConfig { model, train, .. } = &built.config;
        self.history = built.history.clone();
        self.say(&format!(
            "{} parameters ({} layers, {} heads, width {}), {} tokens, steps {} to {}",
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
        self.trained = Some(report.loss.step);
        self.history.push(report.loss);
        let StepReport { loss, steps_per_s, tokens_per_s } = report;
        let LossPoint { step, train_loss, val_loss } = loss;
        let validation = val_loss.map_or(String::new(), |loss| format!(", validation {loss:.3}"));
        if !train_loss.is_finite() {
            return self.end(Err(anyhow!(
                "the loss is no longer a number after step {step}: training has diverged; \
                 try a lower --lr"
            )));
        }
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
            super::tell(format_args!("step {step}: {line}"));
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
            _ => super::tell(text),
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
