//! `confab sample`: draws text from a checkpoint.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use confab::checkpoint::Checkpoint;
use confab::generate::{Decoder, Sampler};
use confab::host::{HostModel, ParameterSource};
use confab::kernel::is_cpu;
use confab::protocol::SampleOptions;

pub fn command() -> Command {
    let defaults = SampleOptions::default();
    Command::new("sample")
        .about("Draws text from a checkpoint")
        .arg(super::args::checkpoint_arg())
        .arg(super::device::arg())
        .arg(
            Arg::new("prompt")
                .long("prompt")
                .default_value(defaults.prompt)
                .help("what to go on from; \\n is a line break, \\\\ a backslash"),
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
            Arg::new("probs")
                .long("probs")
                .action(ArgAction::SetTrue)
                .help("one JSON line a token, with its likeliest alternatives: `drawn` is their probability at this temperature and top-k, `probability` that at temperature 1"),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let file = matches.get_one::<PathBuf>("checkpoint").context("no checkpoint was named")?;
    let (run, task) = super::files::open_checkpoint(file)?;
    let tokenizer = run.tokenizer.clone();
    let opened = super::device::open_to_look(matches, run.parameters.count())?;
    // Only a GPU needs the weights as tensors.
    let decoder = if is_cpu(&opened.device) {
        let Checkpoint { config, bank, .. } = &run;
        let host = HostModel::new(&config.model, &run.layout(), run.adapted()).remember(bank);
        Decoder::on_host(host, config.model.context)
    } else {
        Decoder::new(super::files::resume(run.widen(), opened, file)?.model())
    };
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let options = SampleOptions {
        prompt: super::args::unescape(&text("prompt")),
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
