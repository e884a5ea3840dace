//! The flags of a run, one per knob.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgMatches};
use confab::base::file::FileLimit;
use confab::base::text::FileText;
use confab::config::{
    KNOBS, Knob, MAX_GRAMMAR_BYTES, MAX_NAMES_BYTES, MAX_SENTENCES_BYTES, MAX_TEXT_BYTES, PRESETS,
    Preset, Range, RunConfig, TUNED,
};
use confab::config::{TaskConfig, TaskKind, TextFile};
use confab::run::link;
use confab::session::catalogue;
use confab::task::{Task, text_file};

const TEXT: FileLimit = FileLimit { name: "a text", max_bytes: MAX_TEXT_BYTES as u64 };
const NAMES: FileLimit = FileLimit { name: "a list of names", max_bytes: MAX_NAMES_BYTES as u64 };
const SENTENCES: FileLimit =
    FileLimit { name: "a list of sentences", max_bytes: MAX_SENTENCES_BYTES as u64 };
const GRAMMAR: FileLimit = FileLimit { name: "a grammar", max_bytes: MAX_GRAMMAR_BYTES as u64 };

/// Flags that name a file of the task's.
const FILES: [&str; 4] = ["text-file", "names-file", "grammar", "supplement-file"];

/// `--preset`, `--link`, and a flag for every knob.
pub fn args() -> Vec<Arg> {
    let defaults = RunConfig::default();
    let presets = PRESETS.iter().map(|preset| preset.name).chain([TUNED]);
    let mut args = vec![
        Arg::new("preset")
            .long("preset")
            .value_name("PRESET")
            .value_parser(PossibleValuesParser::new(presets))
            .help("sizes and training settings to start from; `tuned` are those with which the task is mostly learned in a few minutes"),
        Arg::new("link")
            .long("link")
            .value_name("URL")
            .help("take the run from a shared link; flags given beside it win"),
    ];
    args.extend(file_args());
    args.extend(supplement_args());
    args.extend(KNOBS.iter().map(|knob| knob_arg(knob, &defaults)));
    args
}

/// Flags of a model's parts.
pub fn model_args() -> impl Iterator<Item = Arg> {
    let defaults = RunConfig::default();
    let is_of_model = |knob: &&Knob| knob.key.starts_with("model.");
    KNOBS.iter().filter(is_of_model).map(move |knob| knob_arg(knob, &defaults))
}

/// Flags of a model's parts as they were given.
pub fn given_of_model(matches: &ArgMatches) -> Vec<String> {
    let given = |knob: &'static Knob| {
        let value = matches.try_get_one::<String>(knob.key).ok().flatten()?;
        Some(format!("--{}={value}", knob.flag()))
    };
    KNOBS.iter().filter(|knob| knob.key.starts_with("model.")).filter_map(given).collect()
}

/// `--as-task`, and the flags of tasks' options.
pub fn task_args() -> Vec<Arg> {
    let defaults = RunConfig::default();
    let is_option = |knob: &&Knob| knob.key.starts_with("task.") && knob.key != "task.kind";
    let options = KNOBS.iter().filter(is_option);
    let as_task = KNOBS.iter().find(|knob| knob.key == "task.kind").map(|knob| {
        let help =
            "takes the records of this task, with the flags below, instead of the model's own";
        knob_arg(knob, &defaults).long(AS_TASK).value_name("TASK").help(help)
    });
    let options = options.map(|knob| knob_arg(knob, &defaults)).chain(file_args());
    as_task.into_iter().chain(options.map(|arg| arg.requires("task.kind"))).collect()
}

/// The task that `--as-task` and the flags of its options name; `None` without.
pub fn as_task(matches: &ArgMatches) -> Result<Option<TaskConfig>> {
    if !matches.try_contains_id("task.kind").unwrap_or(false) {
        return Ok(None);
    }
    let mut config = RunConfig::default();
    apply(matches, &mut config)?;
    apply_files(matches, &mut config)?;
    Ok(Some(config.task))
}

fn file_args() -> [Arg; 3] {
    let [text, names, grammar, _] = FILES;
    [
        file_arg(text, "the text of the task `text`, from a file").conflicts_with("task.text.text"),
        file_arg(names, "own first and last names of the task `phone`, one a line"),
        file_arg(grammar, "the rules of the task `grammar`, from a file")
            .conflicts_with("task.grammar.text"),
    ]
}

fn supplement_args() -> [Arg; 2] {
    let [_, _, _, supplement] = FILES;
    let share = |text: &str| match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("it takes a number from 0 to 1"),
    };
    [
        file_arg(supplement, "records in JSON that are mixed into those trained on")
            .requires(SHARE),
        Arg::new(SHARE)
            .long(SHARE)
            .value_name("SHARE")
            .value_parser(share)
            .requires(supplement)
            .help("share of the records trained on that are of the supplement, 0 to 1"),
    ]
}

fn file_arg(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help(help)
}

const SHARE: &str = "supplement-share";

const AS_TASK: &str = "as-task";

fn knob_arg(knob: &'static Knob, defaults: &RunConfig) -> Arg {
    let default = knob.get(defaults);
    let takes = knob.range.describe();
    let has_default = !default.is_empty() && !matches!(knob.range, Range::Text { .. });
    let default = if has_default { format!("; default {default}") } else { String::new() };
    let arg = Arg::new(knob.key)
        .long(knob.flag())
        .aliases(knob.old_flags())
        .value_name("VALUE")
        .help(format!("{}: {takes}{default}", knob.help));
    match knob.range {
        Range::Choice(choices) => {
            let choices = choices.iter();
            let choices =
                choices.map(|name| PossibleValue::new(*name).aliases(knob.old_choices(name)));
            arg.value_parser(PossibleValuesParser::new(choices))
        }
        _ => arg.value_parser(move |text: &str| {
            let checked = knob.set(&mut RunConfig::default(), text);
            checked.map(|()| text.to_string()).map_err(|error| error.to_string())
        }),
    }
}

/// The run that the command line describes: link, then preset, then flags.
pub fn config(matches: &ArgMatches) -> Result<RunConfig> {
    config_of(matches, matches.get_one::<String>("preset").map(String::as_str))
}

/// The run that the command line describes, with this preset.
pub fn config_of(matches: &ArgMatches, preset: Option<&str>) -> Result<RunConfig> {
    let mut config = RunConfig::default();
    if let Some(url) = matches.get_one::<String>("link") {
        let link = link::decode(url)?;
        link.check(&catalogue())?;
        if link.weights.is_some() {
            super::terminal::report(
                "The link's weights stay behind: only the page reads them, and saves them as a file.",
            );
        }
        config = link.config;
    }
    if let Some(name) = preset {
        match Preset::find(name) {
            Some(preset) => preset.apply(&mut config),
            None => {
                config.task.kind = named_task(matches).unwrap_or(config.task.kind);
                config.tune();
            }
        }
    }
    apply(matches, &mut config)?;
    apply_files(matches, &mut config)?;
    Ok(config)
}

/// The task that the command line names; a grammar names its own.
fn named_task(matches: &ArgMatches) -> Option<TaskKind> {
    match matches.try_get_one::<String>("task.kind") {
        Ok(Some(name)) => TaskKind::parse(name),
        _ => has_grammar(matches).then_some(TaskKind::Grammar),
    }
}

fn has_grammar(matches: &ArgMatches) -> bool {
    ["task.grammar.text", "grammar"]
        .iter()
        .any(|flag| matches.try_contains_id(flag).unwrap_or(false))
}

/// Puts what the [`FILES`] hold into `config`.
pub fn apply_files(matches: &ArgMatches, config: &mut RunConfig) -> Result<()> {
    let is_text = config.task.kind == TaskKind::Text;
    let is_spacing = config.task.kind == TaskKind::Spacing;
    ensure!(
        (is_text || !matches.contains_id("task.text.text"))
            && (is_text || is_spacing || !matches.contains_id("text-file")),
        "a text was given, but the task is another; add --task text, or --as-task text"
    );
    match matches.get_one::<PathBuf>("text-file") {
        Some(file) if is_spacing => {
            config.task.words.text = read(file, SENTENCES)?;
            let is_empty = config.task.words.text.is_empty();
            ensure!(
                !is_empty,
                "reading {}: it is empty; give it a sentence a line",
                file.display()
            );
            Task::new(&config.task).with_context(|| format!("reading {}", file.display()))?;
        }
        Some(file) => (config.task.text.text, config.task.text.file) = text_or_name(file)?,
        None => {}
    }
    if let Some(file) = matches.get_one::<PathBuf>("names-file") {
        ensure!(
            config.task.kind == TaskKind::Phone,
            "names were given, but the task is another; add --task phone, or --as-task phone"
        );
        config.task.phone.own_names = read(file, NAMES)?;
        Task::new(&config.task).with_context(|| format!("reading {}", file.display()))?;
    }
    ensure!(
        !has_grammar(matches) || config.task.kind == TaskKind::Grammar,
        "a grammar was given, but the task is another; add --task grammar, or --as-task grammar"
    );
    if let Some(file) = matches.get_one::<PathBuf>("grammar") {
        config.task.grammar.text = read(file, GRAMMAR)?;
        Task::new(&config.task).with_context(|| format!("reading {}", file.display()))?;
    }
    if let Ok(Some(file)) = matches.try_get_one::<PathBuf>("supplement-file") {
        let supplement = &mut config.task.supplement;
        (supplement.text, supplement.file) = text_or_name(file)?;
        config.task.supplement.share = matches.get_one(SHARE).copied().unwrap_or(0.0);
        Task::new(&config.task).with_context(|| format!("reading {}", file.display()))?;
    }
    Ok(())
}

/// Puts the knobs that were given as flags into `config`.
pub fn apply(matches: &ArgMatches, config: &mut RunConfig) -> Result<()> {
    for knob in KNOBS {
        if let Ok(Some(text)) = matches.try_get_one::<String>(knob.key) {
            knob.set(config, text)?;
        }
    }
    config.task.kind = named_task(matches).unwrap_or(config.task.kind);
    Ok(())
}

/// The text of a file, or nothing and its name, if it is longer than a run takes in.
fn text_or_name(file: &Path) -> Result<(String, Option<TextFile>)> {
    let is_long = |told: Metadata| told.is_file() && told.len() > TEXT.max_bytes;
    match file.metadata().is_ok_and(is_long) {
        true => Ok((String::new(), Some(name_text(file)?))),
        false => Ok((read_text(file)?, None)),
    }
}

/// A file of text, as a run names it.
pub fn name_text(file: &Path) -> Result<TextFile> {
    text_file(file).map_err(Error::msg).with_context(|| format!("reading {}", file.display()))
}

pub fn read_text(file: &Path) -> Result<String> {
    read(file, TEXT)
}

/// The text of a file, in whichever encoding.
fn read(file: &Path, of: FileLimit) -> Result<String> {
    let bytes = super::files::read(file, of)?;
    let FileText { text, note } = FileText::read(&bytes)
        .map_err(Error::msg)
        .with_context(|| format!("reading {}", file.display()))?;
    if let Some(note) = note {
        super::terminal::report(format_args!("{}: {note}", file.display()));
    }
    Ok(text)
}
