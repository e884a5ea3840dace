//! `confab inspect`: attention patterns and probabilities of a prompt, as a picture or JSON, and
//! every analysis.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::checkpoint::Checkpoint;
use confab::host::{HostModel, Weights};
use confab::interp::analysis::Averaging;
use confab::interp::lab::Snapshot;
use confab::interp::trace::Traced;
use confab::learn::Trainer;
use confab::protocol::{Expected, SampleOptions, Trace};
use confab::task::Task;
use futures::executor::block_on;

pub fn command() -> Command {
    Command::new("inspect")
        .about("Writes what a checkpoint computes for a prompt")
        .arg(super::args::checkpoint_arg())
        .arg(super::device::arg())
        .arg(Arg::new("prompt").long("prompt").help("default: a held-out record up to its answer; \\n is a line break, \\\\ a backslash"))
        .arg(
            Arg::new("attention")
                .long("attention")
                .value_name("FILE")
                .required_unless_present_any(["by-type", "what"])
                .value_parser(value_parser!(PathBuf))
                .help("out.png: every layer (rows) and head (columns); out.json: patterns and probabilities"),
        )
        .arg(
            Arg::new("by-type")
                .long("by-type")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=confab::report::MAX_RECORDS as i64))
                .conflicts_with_all(["attention", "prompt"])
                .help("prints what each head reads by the type of what it is to predict, over N held-out records"),
        )
        .args(super::analysis::args())
        .args(super::knobs::task_args().into_iter().map(|arg| arg.requires("by-type")))
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    if let Some(records) = matches.get_one::<u32>("by-type") {
        return print_by_type(&super::records::load(matches)?, *records as usize);
    }
    if matches.contains_id("attention") {
        return write_attention(matches);
    }
    super::analysis::check_files(matches)?;
    let file = matches.get_one::<PathBuf>("checkpoint").context("no checkpoint was named")?;
    if let Some(bytes) = super::codec::bytes(file)? {
        return super::codec::inspect(&bytes, matches)
            .with_context(|| format!("inspecting {}", file.display()));
    }
    let (run, task) = open(matches)?;
    let prompt = prompt(matches, run.config.seed, &task);
    super::analysis::run(matches, Snapshot::of(run, &task), prompt)
}

/// The run that the command line names, to look at, and its task.
fn open(matches: &ArgMatches) -> Result<(Checkpoint<Weights>, Task)> {
    let file = matches.get_one::<PathBuf>("checkpoint").context("no checkpoint was named")?;
    super::device::check_named(matches)?;
    super::files::open_checkpoint(file)
}

/// The prompt that the command line gives, or an example of the run's task.
pub(super) fn prompt(matches: &ArgMatches, seed: u64, task: &Task) -> String {
    match matches.get_one::<String>("prompt") {
        Some(prompt) => super::args::unescape(prompt),
        None => task.example_prompt(seed),
    }
}

/// Every head's attention by type, the most divergent first.
fn print_by_type(trainer: &Trainer, records: usize) -> Result<()> {
    let mut averaging = Averaging::new(trainer, None, records);
    while block_on(averaging.next()).context("averaging attention")? {}
    let report = averaging.report();
    let mut out = super::terminal::output();
    for (layer, head, bits) in report.ranking() {
        writeln!(out, "L{layer}H{head}: the types differ by {bits:.3} bits")?;
        for (name, shares) in report.shares(layer, head) {
            let shares = shares.iter().filter(|(_, share)| **share >= 0.005);
            let shares: Vec<_> = shares
                .map(|(field, share)| format!("{} {:.0}%", field.name(), 100.0 * share))
                .collect();
            writeln!(out, "  {name:<12} reads {}", shares.join(", "))?;
        }
    }
    Ok(())
}

fn write_attention(matches: &ArgMatches) -> Result<()> {
    let file = matches.get_one::<PathBuf>("attention").context("no file was named")?;
    let is_png = match file.extension().and_then(|e| e.to_str()) {
        Some("png") => true,
        Some("json") => false,
        _ => bail!("writing {}: its name must end in .png or .json", file.display()),
    };
    let run = matches.get_one::<PathBuf>("checkpoint").map(PathBuf::as_path);
    super::files::check(&[("the run", run)], &[("--attention", Some(file))])?;
    let (run, task) = open(matches)?;
    let ids = run
        .tokenizer
        .encode(&prompt(matches, run.config.seed, &task))
        .context("tracing the prompt")?;
    let Checkpoint { config, tokenizer, bank, step, .. } = &run;
    let host = HostModel::new(&config.model, &run.layout(), run.adapted()).remember(bank);
    let traced = Traced { model: &config.model, tokenizer, task: &task, step: *step };
    let (trace, logits) = traced.record(&host, ids);
    if trace.tokens.len() < trace.prompt_len {
        super::terminal::report(format_args!(
            "The prompt was cut to its first {} tokens.",
            trace.tokens.len()
        ));
    }
    let bytes = match is_png {
        true => {
            super::picture::heads(&trace).with_context(|| format!("drawing {}", file.display()))?
        }
        false => {
            let options = SampleOptions { temperature: 1.0, top_k: 0, ..SampleOptions::default() };
            to_json(&trace, &logits.expected_by(tokenizer, &options)).into_bytes()
        }
    };
    super::files::write(file, &bytes)?;
    super::terminal::report(format_args!("Wrote {}", file.display()));
    Ok(())
}

fn to_json(trace: &Trace, expected: &Expected) -> String {
    let size = trace.tokens.len();
    let heads: Vec<_> = (0..trace.n_layers)
        .flat_map(|layer| (0..trace.n_heads).map(move |head| (layer, head)))
        .map(|(layer, head)| {
            let rows: Vec<_> = trace.pattern(layer, head).chunks(size).collect();
            serde_json::json!({ "head": format!("L{layer}H{head}"), "pattern": rows })
        })
        .collect();
    let json = serde_json::json!({
        "step": trace.step, "tokens": trace.tokens, "attention": heads, "next": expected.next,
    });
    json.to_string()
}
