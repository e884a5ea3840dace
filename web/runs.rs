//! Runs: their names, their losses, and what sets one apart from another.

use std::sync::Arc;

use confab::config::{KNOBS, LearnerKind, Preset, Range, RunConfig, TaskKind};
use confab::protocol::KeptRun;
use confab::run::{DeviceChoice, LossPoint};
use leptos::prelude::*;

use crate::notes::Note;

/// Knob whose text may be megabytes, which is compared as it is.
const TEXT: &str = "task.text.text";

/// Runs of this visit that have a curve; the oldest goes first.
pub const MAX_RUNS: usize = 24;

#[derive(Clone, Debug)]
pub struct Run {
    /// Its name in the browser's storage.
    pub id: String,
    pub name: String,
    /// Its own among all runs. The shipped example has 0.
    pub number: usize,
    pub config: Arc<RunConfig>,
    pub device: DeviceChoice,
    pub points: ArcRwSignal<Vec<LossPoint>>,
    /// The least loss that any model could reach, in nats per token, where it is known.
    pub floor: Option<f64>,
    /// Its curve is on the chart.
    pub is_shown: bool,
}

impl Run {
    /// A run of an earlier visit.
    pub fn kept(kept: KeptRun, number: usize) -> Self {
        let note = Note::of(&kept.id);
        let label = match note.label.is_empty() {
            // The vocabulary is the task's; the count is a name here, and needs no more.
            true => name_run(&kept.config, kept.config.model.parameters(81), number),
            false => note.label,
        };
        let name = note.name.unwrap_or(label);
        Self {
            id: kept.id,
            name,
            number,
            config: Arc::new(kept.config),
            device: DeviceChoice::Auto,
            points: ArcRwSignal::new(kept.history),
            floor: note.floor,
            is_shown: false,
        }
    }

    /// Its last validation loss and that less its floor.
    pub fn validation(&self) -> (Option<f64>, Option<f64>) {
        let loss = self.points.with(|points| points.iter().rev().find_map(|point| point.val_loss));
        let loss = loss.map(f64::from);
        (loss, loss.zip(self.floor).map(|(loss, floor)| loss - floor))
    }

    /// Task and learner, which all runs of a chart share.
    pub fn kind(&self) -> (TaskKind, LearnerKind) {
        (self.config.task.kind, self.config.learner)
    }

    /// Its accuracy at its last validation.
    pub fn accuracy(&self) -> Option<f64> {
        let point = |points: &Vec<LossPoint>| points.iter().rev().find_map(|of| of.accuracy);
        self.points.with(point).map(f64::from)
    }

    pub fn last(&self) -> Option<LossPoint> {
        self.points.with(|points| points.last().copied())
    }
}

/// `phone 1.7k #1`.
pub fn name_run(config: &RunConfig, parameters: usize, number: usize) -> String {
    format!("{} #{number}", name_experiment(config, parameters))
}

/// `phone 1.7k`, or the parameter count where no preset has these sizes.
pub fn name_experiment(config: &RunConfig, parameters: usize) -> String {
    let size = match Preset::of(&config.model) {
        _ if config.learner == LearnerKind::Codec => "codec".into(),
        Some(preset) => preset.name.to_owned(),
        None => abbreviate(parameters as f64),
    };
    format!("{} {size}", config.task.kind.name())
}

pub fn name_device(device: DeviceChoice) -> &'static str {
    match device {
        DeviceChoice::Auto => "auto",
        DeviceChoice::Cpu => "cpu",
        DeviceChoice::Webgpu => "webgpu",
        DeviceChoice::Vulkan => "vulkan",
        DeviceChoice::Cuda => "cuda",
    }
}

/// Changes from `before` to `after`: `Learning rate 0.01 → 0.004`. Options of other tasks than
/// `after`'s are passed over.
pub fn list_changes(
    before: (&RunConfig, DeviceChoice),
    after: (&RunConfig, DeviceChoice),
) -> Vec<String> {
    let (old, new) = (before.0, after.0);
    let mut changes: Vec<String> = KNOBS
        .iter()
        .filter(|knob| knob.is_of(new.task.kind) && knob.key != TEXT)
        .map(|knob| (knob, knob.get(old), knob.get(new)))
        .filter(|(_, old, new)| old != new)
        .map(|(knob, old, new)| match knob.range {
            Range::Text { .. } => format!("{} changed", knob.label),
            _ => format!("{} {old} → {new}", knob.label),
        })
        .collect();
    if new.task.kind == TaskKind::Text && old.task.text != new.task.text {
        changes.push("Text changed".into());
    }
    if before.1 != after.1 {
        changes.push(format!("Device {} → {}", name_device(before.1), name_device(after.1)));
    }
    changes
}

/// `1,732`.
pub fn group_digits(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1.7k`, `63.1M`.
pub fn abbreviate(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.1}G", v / 1e9),
        v if v >= 1e6 => format!("{:.1}M", v / 1e6),
        v if v >= 1e3 => format!("{:.1}k", v / 1e3),
        v => format!("{v:.0}"),
    }
}

/// `40 s`, `3 min`, `2.5 h`.
pub fn show_duration(seconds: f64) -> String {
    match seconds {
        s if s >= 5400.0 => format!("{:.1} h", s / 3600.0),
        s if s >= 90.0 => format!("{:.0} min", s / 60.0),
        s => format!("{s:.0} s"),
    }
}

/// `3.4 MiB`.
pub fn format_bytes(bytes: u64) -> String {
    let mib = bytes as f64 / (1 << 20) as f64;
    if mib >= 1024.0 * 1024.0 {
        format!("{:.1} TiB", mib / (1024.0 * 1024.0))
    } else if mib >= 1024.0 {
        format!("{:.1} GiB", mib / 1024.0)
    } else if mib >= 10.0 {
        format!("{mib:.0} MiB")
    } else {
        format!("{mib:.1} MiB")
    }
}

/// `98.2%`.
pub fn show_share(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// A loss to `places` places, or to four digits if it is huge.
pub fn show_loss(loss: f64, places: usize) -> String {
    match loss {
        loss if !loss.is_finite() => "not a number".into(),
        loss if loss >= 1e4 => format!("{loss:.3e}"),
        loss => format!("{loss:.places$}"),
    }
}
