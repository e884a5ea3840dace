//! The flags of a run, one per knob.

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches};
use confab::config::{KNOBS, Knob, PRESETS, Preset, Range, RunConfig};
use confab::link;

/// `--preset`, `--link`, and a flag for every knob.
pub fn args() -> Vec<Arg> {
    let defaults = RunConfig::default();
    let presets = PRESETS.iter().map(|preset| preset.name);
    let mut args = vec![
        Arg::new("preset")
            .long("preset")
            .value_name("PRESET")
            .value_parser(PossibleValuesParser::new(presets))
            .help("sizes and training settings to start from"),
        Arg::new("link")
            .long("link")
            .value_name("URL")
            .help("take the run from a shared link; flags given beside it win"),
    ];
    args.extend(KNOBS.iter().map(|knob| knob_arg(knob, &defaults)));
    args
}

fn knob_arg(knob: &'static Knob, defaults: &RunConfig) -> Arg {
    let default = knob.get(defaults);
    let takes = knob.range.describe();
    let default = if default.is_empty() { String::new() } else { format!("; default {default}") };
    let arg = Arg::new(knob.key)
        .long(knob.flag())
        .value_name("VALUE")
        .help(format!("{}: {takes}{default}", knob.help));
    match knob.range {
        Range::Choice(choices) => arg.value_parser(PossibleValuesParser::new(choices)),
        _ => arg,
    }
}

/// The run that the command line describes: preset, then link, then flags.
pub fn config(matches: &ArgMatches) -> Result<RunConfig> {
    let mut config = RunConfig::default();
    if let Some(url) = matches.get_one::<String>("link") {
        config = link::decode(url)?.config;
    }
    if let Some(preset) = matches.get_one::<String>("preset").and_then(|name| Preset::find(name)) {
        preset.apply(&mut config);
    }
    for knob in KNOBS {
        if let Some(text) = matches.get_one::<String>(knob.key) {
            knob.set(&mut config, text)?;
        }
    }
    Ok(config)
}
