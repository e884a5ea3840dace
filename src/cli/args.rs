//! Arguments that several subcommands take.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use confab::config::{PRESETS, Preset};

pub fn checkpoint_arg() -> Arg {
    Arg::new("checkpoint")
        .required(true)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("a checkpoint, as `confab train --out` or the page writes it")
}

/// `--preset` of a command that takes several.
pub fn presets_arg() -> Arg {
    Arg::new("preset")
        .long("preset")
        .value_name("PRESET,…")
        .value_parser(PossibleValuesParser::new(PRESETS.iter().map(|preset| preset.name)))
        .value_delimiter(',')
        .default_value("1.7k,30k,207k")
        .help("sizes, with their training settings")
}

pub fn presets(matches: &ArgMatches) -> Vec<&'static Preset> {
    let names = matches.get_many::<String>("preset").into_iter().flatten();
    names.filter_map(|name| Preset::find(name)).collect()
}

pub fn temperature_arg() -> Arg {
    Arg::new("temperature")
        .long("temperature")
        .value_parser(temperature)
        .default_value("0.8")
        .help("0 always takes the likeliest character, 2 is the most random")
}

pub fn temperature(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|t| (0.0..=2.0).contains(t))
        .ok_or_else(|| "a number from 0 to 2 is expected".into())
}

pub fn seed_arg() -> Arg {
    Arg::new("seed")
        .long("seed")
        .value_parser(value_parser!(u64))
        .default_value("1")
        .help("decides what is drawn")
}

pub fn json_arg() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("as JSON")
}

/// The text of a flag in which `\n` stands for a line break and `\\` for a backslash.
pub fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let (character, length) = match after.chars().next() {
            Some('n') => ('\n', 1),
            Some('\\') => ('\\', 1),
            _ => ('\\', 0),
        };
        out.push(character);
        rest = &after[length..];
    }
    out + rest
}
