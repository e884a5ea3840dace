//! The catalogue: analyses, help texts and exhibits. The worker sends it to the page, which has no lists of its own,
//! so that the page stays small.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::gallery::Exhibit;
use crate::config::{KNOBS, Knob};

/// Analyses, help texts and exhibits that a session offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// All analyses, in the order of display.
    pub analyses: Vec<AnalysisEntry>,
    /// Help text of each of [`KNOBS`].
    pub help: Vec<String>,
    /// Meaning of the number of each of [`OPERATIONS`](super::OPERATIONS).
    pub operations: Vec<String>,
    pub gallery: Vec<Exhibit>,
}

impl Catalogue {
    pub fn analysis(&self, id: &str) -> Option<&AnalysisEntry> {
        self.analyses.iter().find(|entry| entry.id == id)
    }

    /// The help text of a knob; empty if it is not known.
    pub fn help(&self, knob: &Knob) -> &str {
        let index = KNOBS.iter().position(|other| other.key == knob.key);
        index.and_then(|index| self.help.get(index)).map_or("", String::as_str)
    }
}

/// Description of an analysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisEntry {
    /// Id at the terminal and in links: `patch-heads`.
    pub id: Cow<'static, str>,
    pub label: Cow<'static, str>,
    pub group: Group,
    pub inputs: Cow<'static, [Input]>,
}

impl AnalysisEntry {
    pub const fn new(
        id: &'static str,
        label: &'static str,
        group: Group,
        inputs: &'static [Input],
    ) -> Self {
        let (id, label) = (Cow::Borrowed(id), Cow::Borrowed(label));
        Self { id, label, group, inputs: Cow::Borrowed(inputs) }
    }

    pub fn takes(&self, input: Input) -> bool {
        self.inputs.contains(&input)
    }
}

/// Group of related analyses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Group {
    Residual,
    Interventions,
    Circuits,
    Outputs,
    Memory,
    Architecture,
    Codec,
}

/// Input of an analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    Prompt,
    SecondPrompt,
    Position,
    /// A token, and one to contrast it with.
    Tokens,
    Head,
    Component,
    /// The choice to fold norms into the weights.
    Folding,
    /// The name of a parameter.
    Parameter,
    /// A layer with a memory, and a search for the texts that wrote its slots.
    Slots,
}
