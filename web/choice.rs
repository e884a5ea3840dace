//! The chosen token, which every panel of the inspector explains, and other choices made in figures.

use confab::figure::Pick;
use leptos::prelude::*;

use crate::place::Inspected;
use crate::state::State;

impl State {
    /// The position at which the chosen token of the prompt is predicted; `None` is the last.
    pub fn position(self) -> Option<usize> {
        self.inspected.get()?.index(false)
    }

    /// Shows another prompt, of which no token is chosen yet.
    pub fn show_prompt(self, prompt: String) {
        if self.prompt.with_untracked(|before| *before != prompt) {
            self.inspected.set(None);
            self.prompt.set(prompt);
        }
    }

    /// Requests what was picked in a figure.
    pub fn choose(self, pick: Pick, number: usize) {
        let heads = self
            .model
            .with_untracked(|model| model.as_ref().map_or(1, |model| model.config.model.n_heads));
        if pick == Pick::Position {
            return self.inspected.set(Some(Inspected::AfterPrompt(number)));
        }
        self.request.update(|request| match pick {
            Pick::Layer => request.layer = number,
            Pick::Head if number < heads => request.head = number,
            Pick::Head | Pick::Position => {}
            Pick::AnyHead => (request.layer, request.head) = (number / heads, number % heads),
            Pick::Row => request.cell.0 = number,
            Pick::Column => request.cell.1 = number,
        });
    }
}
