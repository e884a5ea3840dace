//! A knob: one thing a user can set, its range, and its place in a run.

use super::memory::layers;
use super::number::plain;
use super::old::{OLD_CHOICES, OLD_KEYS};
use super::setting::Place;
use super::{ConfigError, RunConfig, TaskKind};

/// One thing a user can set.
#[derive(Clone, Copy, Debug)]
pub struct Knob {
    /// Path in [`RunConfig`]: `model.n_layers`. The key of a link.
    pub key: &'static str,
    /// Name of the control.
    pub label: &'static str,
    /// Effect and unit.
    pub help: &'static str,
    pub range: Range,
    place: Place,
}

/// Values that a knob may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    Int {
        min: u64,
        max: u64,
    },
    Float {
        min: f64,
        max: f64,
    },
    Bool,
    Choice(&'static [&'static str]),
    /// Some of these, with commas between.
    List(&'static [&'static str]),
    Text {
        max_bytes: usize,
    },
    /// Numbers of layers.
    Layers,
    /// One of these for all layers, or by layer.
    ByLayer(&'static [&'static str]),
}

pub(super) const fn knob(
    place: Place,
    label: &'static str,
    range: Range,
    help: &'static str,
) -> Knob {
    // The page gets help from the worker, and is smaller without it.
    let help = if cfg!(feature = "compute") { help } else { "" };
    Knob { key: place.key, label, help, range, place }
}

pub(super) const fn int(
    place: Place,
    label: &'static str,
    min: u64,
    max: u64,
    help: &'static str,
) -> Knob {
    knob(place, label, Range::Int { min, max }, help)
}

pub(super) const fn float(
    place: Place,
    label: &'static str,
    min: f64,
    max: f64,
    help: &'static str,
) -> Knob {
    knob(place, label, Range::Float { min, max }, help)
}

impl Knob {
    /// The flag at the terminal: `--n-layers` for `model.n_layers`, `--noise-swap` for `noise.swap`.
    pub fn flag(&self) -> String {
        flag(self.key)
    }

    /// Its flags in earlier versions.
    pub fn old_flags(&self) -> impl Iterator<Item = String> {
        OLD_KEYS.iter().filter(|(_, key)| *key == self.key).map(|(old, _)| flag(old))
    }

    /// The words of earlier versions for `choice`.
    pub fn old_choices(&self, choice: &str) -> impl Iterator<Item = &'static str> {
        let is_of = move |(key, _, new): &&(&str, &str, &str)| *key == self.key && *new == choice;
        OLD_CHOICES.iter().filter(is_of).map(|(_, old, _)| *old)
    }

    /// `text`, or the word of today if it is an earlier one for a choice.
    fn renew<'a>(&self, text: &'a str) -> &'a str {
        let old = |(key, old, _): &&(&str, &str, &str)| *key == self.key && *old == text.trim();
        OLD_CHOICES.iter().find(old).map_or(text, |(_, _, new)| new)
    }

    /// The task whose option this is, if it is one; the first, if several have it.
    pub fn task(&self) -> Option<TaskKind> {
        TaskKind::all().find(|kind| self.is_option_of(*kind))
    }

    /// True if `kind` has it: it is an option of that task, or of none.
    pub fn is_of(&self, kind: TaskKind) -> bool {
        self.is_option_of(kind) || self.task().is_none()
    }

    fn is_option_of(&self, kind: TaskKind) -> bool {
        let option = self.key.strip_prefix("task.").and_then(|rest| rest.split_once('.'));
        option.is_some_and(|(options, _)| options == kind.options())
    }

    /// The value of this knob in `config`, as a user would type it.
    pub fn get(&self, config: &RunConfig) -> String {
        (self.place.read)(config).show()
    }

    /// Sets this knob in `config` from what a user typed.
    ///
    /// # Errors
    /// [`ConfigError::Range`] if `text` is not a value of this knob; `config` is then unchanged.
    pub fn set(&self, config: &mut RunConfig, text: &str) -> Result<(), ConfigError> {
        let number = self.plain(text);
        let text = self.renew(number.as_deref().unwrap_or(text));
        self.check(text)?;
        (self.place.write)(config).take(text).ok_or_else(|| self.refuse(text))
    }

    /// A number that is not written plainly, in plain digits.
    fn plain(&self, text: &str) -> Option<String> {
        let is_whole = matches!(self.range, Range::Int { .. });
        let is_number = is_whole || matches!(self.range, Range::Float { .. });
        if is_number { plain(text, is_whole) } else { None }
    }

    /// Checks that `text` is in this knob's range.
    ///
    /// # Errors
    /// [`ConfigError::Range`] if it is not.
    pub fn check(&self, text: &str) -> Result<(), ConfigError> {
        let trimmed = text.trim();
        let is_in_range = match self.range {
            Range::Int { min, max } => trimmed.parse().is_ok_and(|v| (min..=max).contains(&v)),
            Range::Float { min, max } => trimmed.parse().is_ok_and(|v| (min..=max).contains(&v)),
            Range::Bool => trimmed.parse::<bool>().is_ok(),
            Range::Choice(choices) => choices.contains(&trimmed),
            Range::List(names) => {
                text.len() <= 200 && trimmed.split(',').all(|name| names.contains(&name.trim()))
            }
            Range::Text { max_bytes } => text.len() <= max_bytes,
            Range::Layers => text.len() <= 200 && layers(text).is_some(),
            // Reading it tells.
            Range::ByLayer(_) => true,
        };
        if is_in_range { Ok(()) } else { Err(self.refuse(text)) }
    }

    fn refuse(&self, got: &str) -> ConfigError {
        let mut got: String = got.chars().take(40).collect();
        if got.is_empty() {
            got = "nothing".into();
        }
        ConfigError::Range { key: self.key, label: self.label, got, takes: self.range.describe() }
    }
}

fn flag(key: &str) -> String {
    let name = match key.rsplit_once('.') {
        Some(("task", _)) => "task",
        Some(("task.grammar", _)) => "grammar_text",
        // Other tasks' options have the same names.
        Some(("task.sequence" | "task.brackets" | "task.mqar", _) | ("task.words", "text")) => {
            key.trim_start_matches("task.")
        }
        // Of commands that list records, `--records` is another.
        Some(("train", "records")) => "train_records",
        Some(("noise" | "codec", _)) | None => key,
        Some(("model.memory", "kind")) => "memory",
        Some(("model.memory", _)) => key.trim_start_matches("model."),
        Some(("train.heads" | "train.lora", _)) => key.trim_start_matches("train."),
        Some((_, name)) => name,
    };
    name.replace(['_', '.'], "-")
}

impl Range {
    pub fn describe(&self) -> String {
        match self {
            Range::Int { min, max } => format!("a whole number from {min} to {max}"),
            Range::Float { min, max } => format!("a number from {min} to {max}"),
            Range::Bool => "true or false".into(),
            Range::Choice(choices) => format!("one of {}", choices.join(", ")),
            Range::List(names) => format!("some of {}, with commas between", names.join(", ")),
            Range::Layers => "numbers of layers, as 0,2".into(),
            Range::ByLayer(names) => {
                format!(
                    "one of {}, or by layer, as 0:{},1:{}",
                    names.join(", "),
                    names[0],
                    names[1]
                )
            }
            Range::Text { max_bytes } => format!("text of at most {} KiB", max_bytes >> 10),
        }
    }
}
