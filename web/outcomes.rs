//! What sweeps have come to, kept in the browser from visit to visit.

use confab::capacity::{Merged, Outcome, Sweeping};
use confab::protocol::Command;
use leptos::prelude::*;

use crate::browser;

const KEY: &str = "confab.outcomes";

#[derive(Clone, Copy)]
pub struct Outcomes {
    pub list: RwSignal<Vec<Outcome>>,
    /// The same as JSON lines.
    pub jsonl: RwSignal<String>,
    /// The sweep under way.
    pub sweeping: RwSignal<Option<Sweeping>>,
}

impl Outcomes {
    pub fn new() -> Self {
        let jsonl = RwSignal::new(String::new());
        Self { list: RwSignal::new(Vec::new()), jsonl, sweeping: RwSignal::new(None) }
    }

    /// What has the worker add to these those that the browser has kept, also by another tab.
    pub fn merge(&self) -> Command {
        let text = browser::kept_text(KEY).unwrap_or_default();
        Command::MergeOutcomes { outcomes: self.list.get_untracked(), text, file: None }
    }

    /// Shows and keeps what was merged; `false` if the browser does not keep it.
    pub fn keep(&self, merged: Merged) -> bool {
        let is_kept = browser::keep_text(KEY, &merged.jsonl);
        self.list.set(merged.outcomes);
        self.jsonl.set(merged.jsonl);
        is_kept
    }

    /// Takes in how a sweep stands; `true` if there are outcomes to keep.
    pub fn follow(&self, sweeping: Sweeping) -> bool {
        let done = sweeping.done.iter();
        let new = self.list.with_untracked(|list| {
            let is_new = |outcome: &&Outcome| list.iter().all(|other| other.link != outcome.link);
            done.filter(is_new).cloned().collect::<Vec<_>>()
        });
        let is_over = sweeping.current.is_none() && sweeping.left == 0;
        self.sweeping.set((!is_over).then_some(sweeping));
        let any = !new.is_empty();
        if any {
            self.list.update(|list| list.extend(new));
        }
        any
    }

    pub fn clear(&self) {
        browser::keep_text(KEY, "");
        self.list.set(Vec::new());
        self.jsonl.set(String::new());
    }
}
