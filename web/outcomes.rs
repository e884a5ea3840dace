//! What sweeps have come to, kept in the browser from visit to visit.

use confab::capacity::{self, Outcome, Sweeping};
use leptos::prelude::*;

use crate::browser;

const KEY: &str = "confab.outcomes";

#[derive(Clone, Copy)]
pub struct Outcomes {
    pub list: RwSignal<Vec<Outcome>>,
    /// The sweep under way.
    pub sweeping: RwSignal<Option<Sweeping>>,
}

impl Outcomes {
    /// Those of earlier visits.
    pub fn kept() -> Self {
        Self { list: RwSignal::new(read_kept()), sweeping: RwSignal::new(None) }
    }

    /// Adds those of runs that are not there yet; `false` if the browser does not keep them.
    pub fn add(&self, outcomes: impl IntoIterator<Item = Outcome>) -> bool {
        let mut is_kept = true;
        self.list.update(|list| {
            let before = list.len();
            // Another tab may have kept some meanwhile.
            for outcome in outcomes.into_iter().chain(read_kept()) {
                if list.iter().all(|other| other.link != outcome.link) {
                    list.push(outcome);
                }
            }
            if list.len() > before {
                is_kept = browser::keep_text(KEY, &to_jsonl(list));
            }
        });
        is_kept
    }

    /// Takes in how a sweep stands.
    pub fn follow(&self, sweeping: Sweeping) -> bool {
        let is_kept = self.add(sweeping.done.clone());
        let is_over = sweeping.current.is_none() && sweeping.left == 0;
        self.sweeping.set((!is_over).then_some(sweeping));
        is_kept
    }

    pub fn clear(&self) {
        browser::keep_text(KEY, "");
        self.list.set(Vec::new());
    }

    pub fn jsonl(&self) -> String {
        self.list.with_untracked(|list| to_jsonl(list))
    }
}

fn to_jsonl(list: &[Outcome]) -> String {
    list.iter().map(capacity::write).collect()
}

fn read_kept() -> Vec<Outcome> {
    let text = browser::kept_text(KEY).unwrap_or_default();
    capacity::read(text.as_bytes()).unwrap_or_default()
}
