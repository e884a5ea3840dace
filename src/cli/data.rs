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
    config.validate()?;
    let own = Task::new(&config.task)?;
    let (split, task) = match matches.get_flag("validation") {
        true => (Split::Validation, own.clone()),
        false => (Split::Train, own.training()),
    };
    let mut rng = stream_rng(config.seed, 0);
    let (tokenizer, mut noise_rng) = (own.tokenizer(), noise::noise_rng(config.seed, 0));
    let window = config.model.context - config.model.memory_tokens;
    let mut out = super::terminal::output();
    for _ in 0..matches.get_one::<usize>("records").copied().unwrap_or(5) {
        let record = task.draw(split, window, &mut rng);
        if matches.get_flag("fields") {
            let line = serde_json::json!({
                "text": record.text, "fields": record.fields, "category": record.category,
                "targets": record.targets,
            });
            writeln!(out, "{line}")?;
        } else {
            let text = match matches.get_flag("as-read") {
                true => as_read(&config, &record, &tokenizer, &mut noise_rng),
                false => record.text,
            };
            write!(out, "{text}")?;
            if !text.ends_with('\n') {
                writeln!(out)?;
            }
        }
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
