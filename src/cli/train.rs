//! `confab train`: a session driven from the command line.

mod log;
mod screen;
mod text;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::base::file::is_same;
use confab::base::parallel::Threads;
use confab::base::plot;
use confab::base::plot::{Axes, Line, Point};
use confab::codec::CodecRun;
use confab::config::LearnerKind;
use confab::protocol::{Command as Order, Event, NamedFile, Then};
use confab::run::{LossPoint, last_accuracy};
use confab::session;
use confab::session::RunStorage;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::executor::block_on;
use log::Log;
use screen::Screen;
use text::{check_texts, moved_text};

use super::devices::{Gathered, Place};

/// Size of the picture of the curves, in pixels.
const PLOT_SIZE: (u32, u32) = (760, 360);

pub fn command() -> Command {
    Command::new("train")
        .about("Trains a model; Ctrl-C, SIGTERM and a closed terminal save it and stop")
        .args(super::knobs::args())
        .arg(super::device::arg())
        .arg(super::devices::arg())
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .default_value("run.safetensors")
                .help("where the run is saved, while it trains and at its end; a default that holds another run is left as it is"),
        )
        .arg(
            Arg::new("log")
                .long("log")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("writes the losses as JSON lines; of a run that is resumed, after those that are there"),
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
                .conflicts_with_all(["link", "preset", "resume"])
                .help(
                    "begins a new run with the weights, memories and tokens of a checkpoint or an imported model, and \
                     its settings but for flags",
                ),
        )
        .arg(
            Arg::new("resume")
                .long("resume")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with_all(["link", "preset"])
                .conflicts_with_all(["names-file", "grammar", "supplement-file"])
                .help(
                    "goes on from a checkpoint, with the settings in it; --steps may lengthen it, and --text-file \
                     tells where a text of more than 4 MiB is now",
                ),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let places = super::devices::named(matches);
    let device = match places.as_deref() {
        Some([Place::Here(own, _), ..]) => *own,
        _ => super::device::choice(matches),
    };
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let out = out(matches)?;
    check(matches, &out)?;
    let log = match path("log") {
        Some(file) => Some(Log::new(file, matches.contains_id("resume"))?),
        None => None,
    };
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
        (None, None) => {
            let config = Box::new(super::knobs::config(matches)?);
            super::devices::check_shards(matches, &config.train)?;
            ensure!(
                config.learner != LearnerKind::Codec || path("keep-steps").is_none(),
                "--keep-steps keeps the weights of a transformer, and a noise codec has none; leave it out"
            );
            Order::Build { config, device, then: Then::Wait }
        }
    };
    let (orders, received) = unbounded();
    stop_on_signal(orders.clone())?;
    orders.unbounded_send(first)?;
    orders.unbounded_send(Order::Train)?;
    let screen = Rc::new(RefCell::new(Screen::new(log, orders)));
    let emit = |event| screen.borrow_mut().show(event);
    let store = RunStorage::file(out.clone()).with_steps(path("keep-steps"));
    match places {
        Some(places) => {
            let told = screen.clone();
            let tell = move |text| told.borrow_mut().show(Event::Notice { text });
            let Gathered { own, crew } = super::devices::gather(&places, tell)?;
            block_on(session::run_on(own, received, emit, store, crew));
        }
        None => block_on(session::run(received, emit, store, Rc::new(Threads::shared()))),
    }
    let mut screen = screen.borrow_mut();
    std::mem::replace(&mut screen.result, Ok(()))?;
    match (screen.trained, screen.saved) {
        (Some(trained), saved) if saved != Some(trained) => {
            bail!("step {trained} was not saved to {}; name another --out", out.display())
        }
        (Some(step), _) => {
            super::terminal::report(format_args!("Saved step {step} to {}", out.display()))
        }
        (None, _) => super::terminal::report("Nothing new was trained"),
    }
    match path("plot") {
        Some(file) => {
            let drawn = match screen.codec.is_empty() {
                true => draw(&screen.history),
                false => super::codec::draw(&screen.codec, screen.likeliest.as_ref(), PLOT_SIZE),
            };
            super::files::write(&file, drawn.as_bytes())
        }
        None => Ok(()),
    }
}

/// The file of the run. A default one that holds another run is left as it is.
fn out(matches: &ArgMatches) -> Result<PathBuf> {
    let out = matches.get_one::<PathBuf>("out").context("no file was named")?;
    if matches.value_source("out") != Some(ValueSource::DefaultValue) {
        return Ok(out.clone());
    }
    let resumed = matches.get_one::<PathBuf>("resume");
    let is_free = |name: &Path| {
        name.symlink_metadata().is_err() || resumed.is_some_and(|resumed| is_same(resumed, name))
    };
    let free = super::files::free_name(out, is_free);
    if free != *out {
        super::terminal::report(format_args!(
            "{} holds another run; this one is saved to {}",
            out.display(),
            free.display()
        ));
    }
    Ok(free)
}

/// Checks every file that the run will write.
fn check(matches: &ArgMatches, out: &Path) -> Result<()> {
    let path = |name: &str| matches.get_one::<PathBuf>(name).map(PathBuf::as_path);
    let (resumed, steps) = (path("resume"), path("keep-steps"));
    // A run that is resumed may be saved where it was.
    let resumed_elsewhere = resumed.filter(|resumed| !is_same(resumed, out));
    let read = [
        ("--text-file", path("text-file")),
        ("--names-file", path("names-file")),
        ("--grammar", path("grammar")),
        ("--supplement-file", path("supplement-file")),
        ("--from", path("from")),
        ("--resume", resumed_elsewhere),
    ];
    let written = [("--out", Some(out)), ("--log", path("log")), ("--plot", path("plot"))];
    super::files::check(&read, &written)?;
    let Some(folder) = steps else { return Ok(()) };
    let kept = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = kept.map(|entry| entry.file_name().to_string_lossy().into_owned());
    ensure!(
        resumed.is_some()
            || !names.any(|name| name.starts_with("step") && name.ends_with(".safetensors")),
        "keeping steps in {}: it holds steps of another run; name another folder",
        folder.display()
    );
    super::files::check_folder(folder)
}

/// Ends the session after the step under way.
fn stop_on_signal(orders: UnboundedSender<Order>) -> Result<()> {
    super::stop::on_signal(move || {
        drop(orders.unbounded_send(Order::Pause));
        orders.close_channel();
    })
}

/// The bytes of a checkpoint, with the settings that were given beside `--resume` put in.
fn checkpoint(file: &Path, matches: &ArgMatches) -> Result<Vec<u8>> {
    let bytes = super::files::read_bytes(file)?;
    let load = || format!("loading the checkpoint {}", file.display());
    if CodecRun::is_one(&bytes) {
        return super::codec::resumed(&bytes, matches).with_context(load);
    }
    let mut checkpoint = confab::checkpoint::Checkpoint::from_bytes(&bytes).with_context(load)?;
    let mut changed = checkpoint.config.clone();
    if let Some(text) = matches.get_one::<PathBuf>("text-file") {
        changed.task.text.file = Some(moved_text(&changed, text, file)?);
    }
    check_texts(&changed, file)?;
    ensure!(
        !changed.task.is_unknown(),
        "resuming {}: it is a model from elsewhere, which brought nothing to train on; look into it \
         with `confab inspect`, or let it write with `confab sample`",
        file.display()
    );
    for knob in confab::config::KNOBS {
        let Some(text) = matches.get_one::<String>(knob.key) else { continue };
        let is_kept = knob.key.starts_with("train.lora.") || knob.key == "train.optimizer";
        if !knob.key.starts_with("train.") || is_kept {
            bail!("--{} cannot be changed with --resume; train a new run instead", knob.flag());
        }
        knob.set(&mut changed, text)?;
    }
    super::devices::check_shards(matches, &changed.train)?;
    ensure!(
        !changed.train.is_over(checkpoint.step, last_accuracy(&checkpoint.history)),
        "resuming {}: it has done {} of {} steps{}",
        file.display(),
        checkpoint.step,
        changed.train.steps,
        super::files::how_to_go_on(&changed.train, checkpoint.step)
    );
    if checkpoint.step > 0 && checkpoint.moments.is_none() && !changed.train.frozen {
        super::terminal::report(format_args!(
            "{} holds no moments of its optimizer, as steps that were kept; training goes on with moments of 0, so \
             its losses are not those of the run that never stopped",
            file.display()
        ));
    }
    if changed == checkpoint.config {
        return Ok(bytes);
    }
    checkpoint.config = changed;
    checkpoint.to_bytes().with_context(load)
}

/// The bytes of a new run with the weights and memories of a checkpoint.
fn restarted(file: &Path, matches: &ArgMatches) -> Result<Vec<u8>> {
    let load = || format!("beginning with the checkpoint {}", file.display());
    let bytes = super::files::read_bytes(file)?;
    let checkpoint = confab::checkpoint::Checkpoint::from_bytes(&bytes).with_context(load)?;
    let mut config = checkpoint.config.clone();
    super::knobs::apply(matches, &mut config)?;
    super::knobs::apply_files(matches, &mut config)?;
    check_texts(&config, file)?;
    super::devices::check_shards(matches, &config.train)?;
    ensure!(
        !config.task.is_unknown(),
        "beginning with {}: it is a model from elsewhere, which brought nothing to train on; name a task, as by --task \
         text --text-file FILE",
        file.display()
    );
    checkpoint.restart(config).and_then(|restarted| restarted.to_bytes()).with_context(load)
}

/// Losses against steps, of which each is a hundredth further than the one before: closer ones could
/// not be told apart.
fn draw(history: &[LossPoint]) -> String {
    let line = |name: &str, loss: fn(&LossPoint) -> Option<f32>| {
        let mut points: Vec<Point> = Vec::new();
        for point in history {
            let (x, loss) = (point.step as f64, loss(point).map(f64::from));
            let is_further = x > 0.0 && points.last().is_none_or(|last| x >= 1.01 * last.x);
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
        y: "loss, nats per token",
        y_is_share: false,
        has_legend: true,
    };
    plot::draw(&[(axes, &lines)], PLOT_SIZE, false)
}
