//! The noise codec at the terminal: what it does in training, what it writes, and where that comes from.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use clap::ArgMatches;
use confab::base::plot;
use confab::base::plot::{Axes, Line, Point};
use confab::codec::{self, CodecRun};
use confab::config::KNOBS;
use confab::report::{CodecPoint, Mapped};
use confab::run::AnalysisRequest;
use serde_json::json;

use super::terminal::percent;

/// Describes a validation in a line.
pub fn describe(point: &CodecPoint) -> String {
    let Mapped { exact, .. } = &point.held_out;
    let accuracy = point
        .held_out
        .accuracy()
        .map_or(String::new(), |share| format!(", held-out accuracy {:.1}%", 100.0 * share));
    let draws =
        point.draws_per_token().map_or(String::new(), |of| format!(", {of:.1} draws/token"));
    format!(
        "exact: training {}, held-out {}{accuracy}, {} contexts{draws}",
        percent(&point.training),
        percent(exact),
        point.contexts
    )
}

/// Draws the shares of records that are written to the letter, and the held-out accuracy, against the records read.
pub fn draw(history: &[CodecPoint], likeliest: Option<&Mapped>, size: (u32, u32)) -> String {
    let line = |name: &str, of: fn(&CodecPoint) -> Option<f64>| {
        let points = history.iter().filter_map(|point| {
            Some(Point { x: point.records as f64, y: of(point)?, spread: 0.0 })
        });
        Line { name: name.into(), points: points.collect(), labels: Vec::new() }
    };
    let mut lines = vec![
        line("training records", |point| point.training.share()),
        line("held-out records", |point| point.held_out.exact.share()),
        line("held-out accuracy", |point| point.held_out.accuracy()),
    ];
    let best = likeliest.and_then(|of| of.exact.share());
    if let (Some(y), Some(first), Some(last)) = (best, history.first(), history.last()) {
        let ends = [first, last].map(|point| Point { x: point.records as f64, y, spread: 0.0 });
        let name = "likeliest outputs of held-out records".into();
        lines.push(Line { name, points: ends.to_vec(), labels: Vec::new() });
    }
    let axes = Axes {
        x: "records read",
        x_is_log: true,
        y: "share that is right",
        y_is_share: true,
        has_legend: true,
    };
    plot::draw(&[(axes, &lines)], size, false)
}

/// Gives a run that is to be resumed the settings of training on the command line, and returns its bytes. Fails on
/// other settings, and if the run is finished.
pub fn resumed(bytes: &[u8], matches: &ArgMatches) -> Result<Vec<u8>> {
    let mut run = CodecRun::from_bytes(bytes)?;
    for knob in KNOBS {
        let Some(text) = matches.get_one::<String>(knob.key) else { continue };
        let may_change = ["train.steps", "train.stop_at", "train.val_every", "train.val_batches"]
            .contains(&knob.key);
        if !may_change {
            bail!("--{} cannot be changed with --resume; train a new run instead", knob.flag());
        }
        knob.set(&mut run.config, text)?;
    }
    ensure!(
        !run.is_finished(),
        "it has done {} of {} steps{}",
        run.step,
        run.config.train.steps,
        super::files::how_to_go_on(&run.config.train, run.step)
    );
    Ok(run.to_bytes()?)
}

/// Writes the output that a codec maps `input` to; as JSON, the explanation of each token.
pub fn sample(bytes: &[u8], input: Option<String>, as_json: bool) -> Result<()> {
    let run = CodecRun::from_bytes(bytes)?;
    let input = input.unwrap_or_else(|| run.example_input());
    let steps = run.trace(&input)?;
    let mut out = super::terminal::output();
    if !as_json {
        writeln!(out, "{}", run.tokenizer.decode(&run.codec.written(&steps)))?;
        return Ok(());
    }
    for step in &steps {
        writeln!(out, "{}", serde_json::to_value(run.explain(step))?)?;
    }
    Ok(())
}

/// Writes a table of the scores of training records and of held-out ones.
pub fn write_mapped(out: &mut impl Write, of: [&Mapped; 2], has_spaces: bool) -> Result<()> {
    writeln!(out, "{:<34} training  held out", "Written from the input alone")?;
    writeln!(out, "{}", row("records to the letter", of, &|of| of.exact.share()))?;
    writeln!(out, "{}", row("accuracy (1 − edits a token)", of, &Mapped::accuracy))?;
    if has_spaces {
        writeln!(out, "{}", row("F1 of spaces", of, &|of| of.spaces.f1()))?;
    }
    Ok(())
}

fn row(name: &str, both: [&Mapped; 2], of: &dyn Fn(&Mapped) -> Option<f64>) -> String {
    let [training, held_out] =
        both.map(|counts| of(counts).map_or("-".into(), |share| format!("{:.2}%", 100.0 * share)));
    format!("{name:<34} {training:>8}  {held_out:>8}")
}

/// Writes the scores of a codec on its training records and on `records` held-out ones.
pub fn eval(bytes: &[u8], records: usize, as_json: bool) -> Result<()> {
    let run = CodecRun::from_bytes(bytes)?;
    let start = std::time::Instant::now();
    let (training, held_out) = (run.training(), run.held_out(records));
    let seconds = start.elapsed().as_secs_f64();
    let (grams, likeliest) = (run.grams(records), run.task.likeliest(records, run.config.seed));
    let mut out = super::terminal::output();
    if as_json {
        let json = json!({
            "step": run.step, "training": training, "held_out": held_out, "seconds": seconds,
            "grams": grams, "likeliest": likeliest, "sides": run.codec.windows.sides, "contexts": run.codec.layer.len(),
            "last": run.history.last(),
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&json)?)?;
        return Ok(());
    }
    write_mapped(&mut out, [&training, &held_out], run.has_spaces())?;
    let row =
        |name: &str, of: &dyn Fn(&Mapped) -> Option<f64>| row(name, [&training, &held_out], of);
    let others = [("counted 5-grams", &grams), ("likeliest outputs", &likeliest)];
    for (name, of) in others.into_iter().filter_map(|(name, of)| Some((name, of.as_ref()?))) {
        let mut tell = |what: &str, share: Option<f64>| {
            let share = share.map_or("-".into(), |share| format!("{:.2}%", 100.0 * share));
            writeln!(out, "{:<34} {:>8}  {share:>8}", format!("{name}: {what}"), "")
        };
        tell("to the letter", of.exact.share())?;
        tell("accuracy", of.accuracy())?;
        if run.has_spaces() {
            tell("F1 of spaces", of.spaces.f1())?;
        }
    }
    let lengths = run.codec.windows.sides.iter().enumerate();
    for (window, sides) in lengths {
        let share = |of: &Mapped| {
            let all: u64 = of.windows.iter().sum();
            (all > 0 && (training.windows[window] > 0 || held_out.windows[window] > 0))
                .then(|| of.windows[window] as f64 / all as f64)
        };
        if share(&training).is_some() {
            writeln!(out, "{}", row(&format!("tokens by {sides} neighbours a side"), &share))?;
        }
    }
    let none = |of: &Mapped| {
        let all: u64 = of.windows.iter().sum();
        (all > 0).then(|| of.windows.last().copied().unwrap_or(0) as f64 / all as f64)
    };
    writeln!(out, "{}", row("tokens without a known context", &none))?;
    let tokens = (training.windows.iter().chain(&held_out.windows)).sum::<u64>() as f64;
    writeln!(out, "{:<34} {:.0}", "tokens read a second", tokens / seconds)?;
    Ok(())
}

/// Writes the figures of an analysis of a codec.
pub fn inspect(bytes: &[u8], matches: &ArgMatches) -> Result<()> {
    let run = CodecRun::from_bytes(bytes)?;
    ensure!(
        !matches.contains_id("compare-with"),
        "--compare-with subtracts figures of transformers; leave it out"
    );
    let prompt = matches.get_one::<String>("prompt").map(|prompt| super::args::unescape(prompt));
    let request = AnalysisRequest {
        analysis: matches.get_one::<String>("what").cloned().unwrap_or_default(),
        prompt: prompt.unwrap_or_else(|| run.example_input()),
        position: matches.get_one("position").copied(),
        ..AnalysisRequest::default()
    };
    let figures = codec::analyse(&run, &request).map_err(anyhow::Error::msg)?;
    super::analysis::deliver(matches, &figures)
}

/// Reads the bytes of a codec's file; `None` for another checkpoint, of which it reads no more than the header.
pub fn bytes(file: &Path) -> Result<Option<Vec<u8>>> {
    match super::files::read_header(file).is_some_and(|header| CodecRun::has_header(&header)) {
        true => super::files::read_bytes(file).map(Some),
        false => Ok(None),
    }
}
