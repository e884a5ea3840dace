//! `confab inspect`: attention patterns and probabilities of a prompt, as a picture or JSON.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::trace::trace;

pub fn command() -> Command {
    Command::new("inspect")
        .about("Writes what a checkpoint computes for a prompt")
        .arg(super::checkpoint_arg())
        .arg(super::device_arg())
        .arg(Arg::new("prompt").long("prompt").help("default: a held-out record up to its answer; \\n is a line break"))
        .arg(
            Arg::new("attention")
                .long("attention")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("out.png: every layer (rows) and head (columns); out.json: patterns and probabilities"),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let file = matches.get_one::<PathBuf>("attention").context("no file was named")?;
    let write: fn(&Path, &confab::protocol::Trace) -> Result<()> =
        match file.extension().and_then(|e| e.to_str()) {
            Some("png") => super::picture::write_png,
            Some("json") => write_json,
            _ => bail!("writing {}: its name must end in .png or .json", file.display()),
        };
    let trainer = super::load_run(matches)?;
    let prompt = match matches.get_one::<String>("prompt") {
        Some(prompt) => super::sample::unescape(prompt),
        None => trainer.task.example_prompt(trainer.config.seed),
    };
    let traced = futures::executor::block_on(trace(&trainer, &prompt));
    let trace = traced.context("tracing the prompt")?;
    if trace.tokens.len() < trace.prompt_len {
        super::tell(format_args!(
            "The prompt was cut to its first {} characters.",
            trace.tokens.len()
        ));
    }
    write(file, &trace).with_context(|| format!("writing {}", file.display()))?;
    super::tell(format_args!("Wrote {}", file.display()));
    Ok(())
}

fn write_json(file: &Path, trace: &confab::protocol::Trace) -> Result<()> {
    let size = trace.tokens.len();
    let heads: Vec<_> = (0..trace.n_layers)
        .flat_map(|layer| (0..trace.n_heads).map(move |head| (layer, head)))
        .map(|(layer, head)| {
            let rows: Vec<_> = trace.pattern(layer, head).chunks(size).collect();
            serde_json::json!({ "head": format!("L{layer}H{head}"), "pattern": rows })
        })
        .collect();
    let json = serde_json::json!({
        "step": trace.step, "tokens": trace.tokens, "attention": heads, "next": trace.next,
    });
    confab::platform::replace_file(file, json.to_string().as_bytes())?;
    Ok(())
}
