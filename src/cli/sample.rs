//! `confab sample`: draws text from a checkpoint.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use confab::base::quantized::Bits;
use confab::checkpoint::Checkpoint;
use confab::generate::{Decoder, Sampler};
use confab::host::{HostModel, ParameterSource};
use confab::kernel::is_cpu;
use confab::protocol::SampleOptions;
use confab::task::Task;
use confab::tokenizer::Tokenizer;

/// The matrices as the file stores them.
const STORED: &str = "stored";

pub fn command() -> Command {
    Command::new("sample")
        .about("Draws text from a checkpoint")
        .arg(super::args::checkpoint_arg())
        .arg(super::device::arg())
        .arg(
            Arg::new("prompt")
                .long("prompt")
                .help("what to go on from, with \\n for a line break and \\\\ for a backslash [default: {B}, or the \
                       beginning of a record of the model's task where records do not begin so]"),
        )
        .arg(super::args::temperature_arg())
        .arg(
            Arg::new("top-k")
                .long("top-k")
                .value_parser(value_parser!(usize))
                .default_value("0")
                .help("draw from this many likeliest characters only; 0 draws from all"),
        )
        .arg(super::args::seed_arg())
        .arg(
            Arg::new("max-chars")
                .long("max-chars")
                .value_parser(value_parser!(usize))
                .default_value("256")
                .help("most characters to draw; a sample also ends after {E}"),
        )
        .arg(
            Arg::new("weights")
                .long("weights")
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(std::iter::once(&STORED).chain(Bits::NAMES)))
                .default_value(STORED)
                .help("how the matrices are held while a model writes on the CPU: as the file stores them, or rounded to \
                       8 or 4 bits, which makes large models faster"),
        )
        .arg(
            Arg::new("probs")
                .long("probs")
                .action(ArgAction::SetTrue)
                .help("one JSON line a token, with its likeliest alternatives: `drawn` is their probability at this temperature and top-k, `probability` that at temperature 1"),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let file = matches.get_one::<PathBuf>("checkpoint").context("no checkpoint was named")?;
    if let Some(bytes) = super::codec::bytes(file)? {
        let input = matches.get_one::<String>("prompt").map(|prompt| super::args::unescape(prompt));
        return super::codec::sample(&bytes, input, matches.get_flag("probs"))
            .with_context(|| format!("sampling {}", file.display()));
    }
    let (run, task) = super::files::open_checkpoint(file)?;
    let (tokenizer, seed) = (run.tokenizer.clone(), run.config.seed);
    let bits = matches.get_one::<String>("weights").and_then(|name| Bits::parse(name));
    let opened = super::device::open_to_look(matches, run.parameters.count())?;
    // Only a GPU needs the weights as tensors.
    let decoder = if is_cpu(&opened.device) {
        let Checkpoint { config, bank, .. } = &run;
        let host = HostModel::new(&config.model, &run.layout(), run.adapted()).remember(bank);
        let context = config.model.context;
        let host = match bits {
            Some(bits) => host.quantize(bits).context("loading the weights")?,
            None => host,
        };
        // Of rounded weights, nothing else holds what they were.
        drop(run);
        Decoder::on_host(host, context)
    } else if let Some(bits) = bits {
        bail!(
            "--weights {} is for the CPU, and the model would write on {}: add --device cpu",
            bits.name(),
            opened.report.name
        );
    } else {
        Decoder::new(super::files::resume(run.widen(), opened, file)?.model())
    };
    let prompt = match matches.get_one::<String>("prompt") {
        Some(prompt) => super::args::unescape(prompt),
        None => usual_prompt(&tokenizer, &task, seed),
    };
    let options = SampleOptions {
        prompt,
        temperature: matches.get_one("temperature").copied().unwrap_or(0.8),
        top_k: matches.get_one("top-k").copied().unwrap_or(0),
        seed: matches.get_one("seed").copied().unwrap_or(1),
        max_chars: matches.get_one("max-chars").copied().unwrap_or(256),
    };
    let as_json = matches.get_flag("probs");
    let SampleOptions { temperature, top_k, .. } = options;
    let mut out = super::terminal::output();
    let mut sampler = Sampler::with(decoder, &tokenizer, &task, options)?;
    if !as_json {
        write!(out, "{}", sampler.text())?;
    }
    while let Some(character) = futures::executor::block_on(sampler.next(&task))? {
        if as_json {
            let mut line = serde_json::to_value(&character)?;
            line["temperature"] = temperature.into();
            line["top_k"] = top_k.into();
            writeln!(out, "{line}")?;
        } else {
            write!(out, "{}", character.text)?;
        }
        out.flush()?;
    }
    if !as_json {
        writeln!(out)?;
    }
    Ok(())
}

/// The beginning of every record, or of one of the task's, if the model can read it.
fn usual_prompt(tokenizer: &Tokenizer, task: &Task, seed: u64) -> String {
    let prompt = SampleOptions::default().prompt;
    let is_read = tokenizer.encode(&prompt).is_ok() || task.is_none();
    if is_read { prompt } else { task.example_prompt(seed) }
}
