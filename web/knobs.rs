//! The settings on the page's knobs: their values, what they go back to, and what is typed into them.

use confab::config::{Knob, Preset, RunConfig, TaskKind};
use leptos::prelude::*;

use crate::fit::Drafts;
use crate::state::State;

impl State {
    /// The run that the knobs ask for.
    pub fn config(&self) -> RunConfig {
        let mut config = self.knobs.get();
        if config.task.kind == TaskKind::Text {
            config.task.text.text = self.text.get().to_string();
        }
        config
    }

    /// Puts `config` on the knobs.
    pub fn show_config(&self, mut config: RunConfig) {
        let text = std::mem::take(&mut config.task.text.text);
        if !text.is_empty() {
            self.text.set(text.into());
        }
        let mut defaults = RunConfig::tuned(config.task.kind);
        if defaults.model != config.model {
            defaults = RunConfig::default();
            if let Some(preset) = Preset::of(&config.model) {
                preset.apply(&mut defaults);
            }
        }
        self.defaults.set(defaults);
        self.drafts.set(Drafts::default());
        self.knobs.set(config);
    }

    pub fn apply_preset(&self, preset: &Preset) {
        self.knobs.update(|knobs| preset.apply(knobs));
        self.defaults.update(|defaults| preset.apply(defaults));
        self.drafts.set(Drafts::default());
    }

    /// Puts the settings that are tuned to the task on the knobs.
    pub fn tune(&self) {
        self.knobs.update(RunConfig::tune);
        self.defaults.set(RunConfig::tuned(self.knobs.with_untracked(|knobs| knobs.task.kind)));
        self.drafts.set(Drafts::default());
    }

    /// The text in the field of a knob for one.
    pub fn typed_text(&self, knob: &Knob) -> String {
        match knob.task() {
            Some(TaskKind::Text) => self.text.get().to_string(),
            _ => self.typed(knob),
        }
    }

    /// Text in the field of a knob: its value, or a draft.
    pub fn typed(&self, knob: &Knob) -> String {
        let draft = self.drafts.with(|drafts| drafts.typed(knob.key));
        draft.unwrap_or_else(|| self.knobs.with(|knobs| knob.get(knobs)))
    }

    /// Takes what was typed into `knob`: as its value, or as a draft with what is wrong with it. Another task brings the
    /// settings that are tuned to it, if those of the last were not changed.
    pub fn set_knob(&self, knob: &Knob, typed: &str) {
        let is_unchanged = self.knobs.with_untracked(|knobs| {
            self.defaults
                .with_untracked(|of| (&of.model, &of.train) == (&knobs.model, &knobs.train))
        });
        let outcome = self.knobs.try_update(|knobs| knob.set(knobs, typed));
        if knob.key == "task.kind" {
            self.prompt_is_own.set(false); // it was another task's
            if is_unchanged {
                self.tune();
            }
        }
        self.drafts.update(|drafts| match outcome {
            Some(Err(error)) => drafts.put(knob.key, typed.to_owned(), error.to_string()),
            _ => drafts.remove(knob.key),
        });
    }

    /// True if a knob is not at its default, or holds what cannot be its value.
    pub fn is_changed(&self, knob: &Knob) -> bool {
        self.drafts.with(|drafts| drafts.typed(knob.key).is_some())
            || self.knobs.with(|knobs| knob.get(knobs))
                != self.defaults.with(|defaults| knob.get(defaults))
    }
}
