//! Outcomes as JSON lines. Only the page's worker reads and writes them, because the code would enlarge the page.

use std::io::BufRead;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Merged, Outcome, name};
use crate::config::has_old_keys;
use crate::report::Score;
use crate::run::link;

/// Most outcomes in a file.
const MAX_OUTCOMES: usize = 10_000;

/// Errors of reading a file of outcomes.
#[derive(Debug, thiserror::Error)]
pub enum OutcomesError {
    #[error("line {line} is not an outcome of `confab sweep`: {reason}; remove or mend it")]
    Malformed { line: usize, reason: String },
    #[error("it has more than {MAX_OUTCOMES} lines; split it")]
    TooMany,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Outcome of a run: a line of a file.
pub trait Line: Serialize + DeserializeOwned {
    /// The run, as the fragment of a link.
    fn link(&self) -> &str;

    fn set_link(&mut self, link: String);

    /// True if its numbers are possible ones.
    fn fits(&self) -> bool;
}

impl Line for Outcome {
    fn link(&self) -> &str {
        &self.link
    }

    fn set_link(&mut self, link: String) {
        self.link = link;
    }

    fn fits(&self) -> bool {
        let Score { right, of } = self.recalled;
        right <= of && self.parameters > 0 && self.bits.is_finite()
    }
}

/// Reads outcomes, one per line. Skips a last line without a line break, which an interrupted sweep left
/// incomplete.
///
/// # Errors
/// The first line that is not an outcome.
pub fn read<T: Line>(mut lines: impl BufRead) -> Result<Vec<T>, OutcomesError> {
    let mut out = Vec::new();
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        if lines.read_line(&mut text)? == 0 || !text.ends_with('\n') {
            break;
        }
        if out.len() == MAX_OUTCOMES {
            return Err(OutcomesError::TooMany);
        }
        if text.trim().is_empty() {
            continue;
        }
        let malformed = |reason: String| OutcomesError::Malformed { line, reason };
        let mut outcome: T =
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if !outcome.fits() {
            return Err(malformed("its numbers do not fit together".into()));
        }
        if has_old_keys(outcome.link())
            && let Ok(link) = link::decode(outcome.link())
            && let Ok(name) = name(&link.config)
        {
            outcome.set_link(name);
        }
        out.push(outcome);
    }
    Ok(out)
}

/// Formats an outcome as a line, with its line break.
pub fn write(outcome: &impl Serialize) -> String {
    let json = serde_json::to_string(outcome).unwrap_or_default();
    format!("{json}\n")
}

/// Adds to `outcomes` those of runs that are only in `text`.
///
/// # Errors
/// As [`read`].
pub fn merge(mut outcomes: Vec<Outcome>, text: &str) -> Result<Merged, OutcomesError> {
    let found: Vec<Outcome> = read(text.as_bytes())?;
    let read = found.len();
    for outcome in found {
        if outcomes.iter().all(|other| other.link != outcome.link) {
            outcomes.push(outcome);
        }
    }
    let jsonl = outcomes.iter().map(write).collect();
    Ok(Merged { outcomes, jsonl, read })
}
