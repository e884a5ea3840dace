//! `confab probe`: answers of a checkpoint to prompts beyond what it was trained on.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::eval::Probing;
use confab::report::{EvalOptions, ProbeReport};
use confab::run::{AnswerSource, Probe};
use futures::executor::block_on;

const SOURCES: [(AnswerSource, &str); 3] = [
    (AnswerSource::Context, "from the prompt"),
    (AnswerSource::Training, "from training"),
    (AnswerSource::Neither, "made up"),
];

pub fn command() -> Command {
    Command::new("probe")
        .about("Tells what a checkpoint makes of prompts beyond what it was trained on")
        .arg(super::args::checkpoint_arg())
        .arg(super::device::arg())
        .arg(
            Arg::new("prompt").long("prompt").help(
                "a prompt of your own; \\n is a line break; default: every probe of the task",
            ),
        )
        .arg(
            Arg::new("samples")
                .long("samples")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=confab::report::MAX_RECORDS as i64))
                .default_value("20")
                .help("how many to draw after each prompt"),
        )
        .arg(super::args::temperature_arg())
        .arg(super::args::seed_arg())
        .arg(super::args::json_arg())
        .args(super::knobs::task_args())
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let trainer = super::records::load(matches)?;
    let probes = match matches.get_one::<String>("prompt") {
        Some(prompt) => {
            vec![Probe { name: "your prompt".into(), prompt: super::args::unescape(prompt) }]
        }
        None => trainer.task.probes(trainer.config.seed),
    };
    ensure!(!probes.is_empty(), "the run's task has no probes; give a prompt with --prompt");
    let options = EvalOptions {
        records: matches.get_one::<u32>("samples").map_or(20, |samples| *samples as usize),
        temperature: matches.get_one("temperature").copied().unwrap_or(0.8),
        seed: matches.get_one("seed").copied().unwrap_or(1),
    };
    let as_json = matches.get_flag("json");
    let mut out = super::terminal::output();
    for Probe { name, prompt } in probes {
        let drawing = || format!("drawing samples after {name}");
        let mut probing = Probing::new(&trainer, None, prompt, options).with_context(drawing)?;
        while block_on(probing.next()).with_context(drawing)? {}
        let report = probing.report();
        if as_json {
            writeln!(out, "{}", serde_json::json!({ "name": name, "report": report }))?;
        } else {
            write_report(&mut out, &name, report)?;
        }
    }
    Ok(())
}

fn write_report(out: &mut impl Write, name: &str, report: &ProbeReport) -> Result<()> {
    let shares = SOURCES.map(|(source, what)| format!("{} {what}", report.of_source(source).right));
    writeln!(out, "{name}: {} samples, {}", report.samples.len(), shares.join(", "))?;
    writeln!(out, "  entropy {}", sparkline(report))?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for sample in &report.samples {
        *counts.entry(&sample.text).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (text, count) in counts {
        writeln!(out, "  {count:>3} × {}", text.replace('\n', "⏎"))?;
    }
    Ok(())
}

/// Mean entropies of the first characters as blocks: `▅█▁▁… by character, █ is 2.31 nats`.
fn sparkline(report: &ProbeReport) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const MAX: usize = 60;
    let (means, scale) = (report.mean_entropies(), report.entropy_scale());
    let last = (BLOCKS.len() - 1) as f64;
    let block = |mean: &f64| BLOCKS[(last * mean / scale).round() as usize];
    let blocks: String = means.iter().take(MAX).map(block).collect();
    let more = if means.len() > MAX { "…" } else { "" };
    format!("{blocks}{more} by character, █ is {scale:.2} nats")
}
