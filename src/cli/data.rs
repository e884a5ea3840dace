//! `confab data`: records of a task, as a model sees them.

use std::io::Write;

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use confab::base::random::stream_rng;
use confab::config::RunConfig;
use confab::data::{Row, noise};
use confab::run::Record;
use confab::task::{Split, Task};
use confab::tokenizer::Tokenizer;
use rand_chacha::ChaCha8Rng;

pub fn command() -> Command {
    Command::new("data")
        .about("Prints records of a task")
        .args(super::knobs::args())
        .arg(super::grammar::arg().conflicts_with_all(["validation", "as-read"]))
        .arg(
            Arg::new("records")
                .long("records")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .default_value("5")
                .help("how many"),
        )
        .arg(
            Arg::new("validation")
                .long("validation")
                .action(ArgAction::SetTrue)
                .help("held-out records instead of training ones"),
        )
        .arg(
            Arg::new("fields")
                .long("fields")
                .action(ArgAction::SetTrue)
                .help("as JSON lines, with the field of each character"),
        )
        .arg(
            Arg::new("as-read")
                .long("as-read")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["validation", "fields"])
                .help(
                    "through the run's noise, as training reads them; a forgotten character is ·",
                ),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let config = super::knobs::config(matches)?;
    let count = matches.get_one::<usize>("records").copied().unwrap_or(5);
    let mut rng = stream_rng(config.seed, 0);
    let mut out = super::terminal::output();
    if let Some((grammar, _)) = super::grammar::read(matches)? {
        return (0..count).try_for_each(|_| {
            let record = grammar.draw(&mut rng).into();
            write_record(&mut out, record, matches)
        });
    }
    config.validate()?;
    let own = Task::new(&config.task)?;
    let (split, task) = match matches.get_flag("validation") {
        true => (Split::Validation, own.clone()),
        false => (Split::Train, own.training()),
    };
    let (tokenizer, mut noise_rng) = (own.tokenizer(), noise::noise_rng(config.seed, 0));
    let window = config.model.context - config.model.memory_tokens;
    for _ in 0..count {
        let record = task.draw(split, window, &mut rng);
        match matches.get_flag("as-read") {
            true => {
                write_text(&mut out, &as_read(&config, &record, &tokenizer, &mut noise_rng))?;
            }
            false => write_record(&mut out, record, matches)?,
        }
    }
    Ok(())
}

fn write_record(out: &mut impl Write, record: Record, matches: &ArgMatches) -> Result<()> {
    if !matches.get_flag("fields") {
        return write_text(out, &record.text);
    }
    let Record { text, fields, category, .. } = record;
    let line = serde_json::json!({ "text": text, "fields": fields, "category": category });
    writeln!(out, "{line}")?;
    Ok(())
}

fn write_text(out: &mut impl Write, text: &str) -> Result<()> {
    write!(out, "{text}")?;
    if !text.ends_with('\n') {
        writeln!(out)?;
    }
    Ok(())
}

/// Text of `record` through the noise of a run.
fn as_read(
    config: &RunConfig,
    record: &Record,
    tokenizer: &Tokenizer,
    rng: &mut ChaCha8Rng,
) -> String {
    let ids = Row::new(record, tokenizer, record.len()).ids;
    let readings = noise::read(&config.noise, &ids, tokenizer, rng);
    readings.iter().map(|reading| reading.shown(tokenizer)).collect()
}
