//! Questions of the page about the task on its knobs: the words that records are made of are the
//! session's alone.

use confab::config::{NoiseConfig, RunConfig, TaskConfig};
use confab::protocol::{Command, TaskFacts};
use leptos::prelude::*;

use super::Actions;

impl Actions {
    /// Asks for the task's description whenever the knobs change it, or how it is read.
    pub fn watch_task(self) {
        Effect::new(move |before: Option<(TaskConfig, NoiseConfig, u64)>| {
            let RunConfig { task, noise, seed, .. } = self.state.config();
            let now = (task, noise, seed);
            if before.as_ref().is_none_or(|before| before.0 != now.0) {
                self.state.task.set(None);
            }
            if before.as_ref() != Some(&now) {
                self.describe_task();
            }
            now
        });
    }

    pub(super) fn describe_task(&self) {
        let number = self.descriptions.get_value() + 1;
        self.descriptions.set_value(number);
        let config = Box::new(untrack(|| self.state.config()));
        self.send(Command::DescribeTask { number, config });
    }

    /// Takes in the description of this number, unless another has been asked for since.
    pub fn take_description(&self, number: usize, facts: Result<TaskFacts, String>) {
        if number == self.descriptions.get_value() {
            self.state.task.set(Some(facts));
        }
    }
}
