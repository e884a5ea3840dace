//! The probes of a task, and the sources of answers to them.

use super::{Split, Task};
use crate::base::random::stream_rng;
use crate::run::{AnswerSource, Probe};

const STREAM: u64 = u64::MAX - 2;

impl Task {
    /// The probes of this task, made from held-out records; none for a task without odd prompts.
    pub fn probes(&self, seed: u64) -> Vec<Probe> {
        let draw = |stream| self.draw(Split::Validation, 0, &mut stream_rng(seed, stream));
        let odd = self.odd_prompts(&draw(STREAM), &draw(STREAM - 1));
        if odd.is_empty() {
            return Vec::new();
        }
        let general = [("nothing but the beginning", "{B}"), ("empty prompt", "\n")];
        let general = general.map(|(name, prompt)| (name, prompt.to_owned()));
        let all = odd.into_iter().chain(general);
        all.map(|(name, prompt)| Probe { name: name.into(), prompt }).collect()
    }

    /// Source of the answer in `written`, the text that a model wrote after `prompt`.
    pub fn source(&self, prompt: &str, written: &str) -> AnswerSource {
        let answer = self.answer(written).split("{E}").next().unwrap_or_default().trim();
        if answer.is_empty() {
            return AnswerSource::Neither;
        }
        match prompt.contains(answer) {
            true => AnswerSource::Context,
            false if self.is_trained(answer) => AnswerSource::Training,
            false => AnswerSource::Neither,
        }
    }
}
