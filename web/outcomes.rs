//! Outcomes of sweeps, kept in the browser from visit to visit.

use confab::protocol::Command;
use confab::report::sweep::{Merged, Outcome, Sweeping};
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

    /// The command to the worker to add the outcomes that the browser has kept, also from another
    /// tab.
    pub fn merge(&self) -> Command {
        let text = browser::kept_text(KEY).unwrap_or_default();
        Command::MergeOutcomes { outcomes: self.list.get_untracked(), text, file: None }
    }

    /// Adds those of runs that are not there yet; `true` if there are any.
    pub fn add(&self, outcomes: Vec<Outcome>) -> bool {
        let is_new = |list: &[Outcome], outcome: &Outcome| {
            list.iter().all(|other| other.link != outcome.link)
        };
        let new: Vec<Outcome> = self.list.with_untracked(|list| {
            outcomes.into_iter().filter(|outcome| is_new(list, outcome)).collect()
        });
        let any = !new.is_empty();
        if any {
            self.list.update(|list| list.extend(new));
        }
        any
    }

    /// Shows what was merged and, if it is all that there is by now, keeps it.
    pub fn keep(&self, merged: Merged) -> Kept {
        self.add(merged.outcomes.clone());
        if self.list.with_untracked(Vec::len) > merged.outcomes.len() {
            return Kept::Outdated;
        }
        let is_kept = merged.jsonl.is_empty() || browser::keep_text(KEY, &merged.jsonl);
        self.jsonl.set(merged.jsonl);
        if is_kept { Kept::Yes } else { Kept::NoRoom }
    }

    /// Takes in how a sweep stands; `true` if there are outcomes to keep.
    pub fn follow(&self, sweeping: Sweeping) -> bool {
        let done = sweeping.done.clone();
        let is_over = sweeping.current.is_none() && sweeping.elsewhere + sweeping.left == 0;
        self.sweeping.set((!is_over).then_some(sweeping));
        self.add(done)
    }

    pub fn clear(&self) {
        browser::keep_text(KEY, "");
        self.list.set(Vec::new());
        self.jsonl.set(String::new());
    }
}

/// The browser's answer when it was to keep outcomes.
pub enum Kept {
    Yes,
    NoRoom,
    /// More have come since: they are to be merged anew.
    Outdated,
}
