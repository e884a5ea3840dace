//! Reasons for which a model is not exported.

use crate::config::Knob;

/// A setting of a model, and the one that a layout takes instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Obstacle {
    /// Key of the knob: `model.norm`.
    pub key: &'static str,
    pub is: String,
    pub takes: String,
}

impl Obstacle {
    fn describe(&self) -> String {
        let Self { key, is, takes } = self;
        let knob = Knob::find(key);
        let (label, flag) = knob.map_or_else(Default::default, |knob| (knob.label, knob.flag()));
        format!("{label} (`{key}`, `--{flag}`) is {is}, where it takes {takes}")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{}", refuse(layout, obstacles))]
    Parts { layout: &'static str, obstacles: Vec<Obstacle> },
    #[error("{file} cannot be written: {why}")]
    Format { file: &'static str, why: String },
}

fn refuse(layout: &str, obstacles: &[Obstacle]) -> String {
    let told: Vec<String> = obstacles.iter().map(Obstacle::describe).collect();
    let only = match obstacles {
        [_] => "only this part stands",
        _ => "only these parts stand",
    };
    format!(
        "{layout} has no place for what this model computes: {}; {only} in the way: train a model with \
         settings that it takes, and export that",
        told.join("; ")
    )
}
