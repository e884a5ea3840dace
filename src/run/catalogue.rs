//! The catalogue: what a session can analyse. The worker sends it to the page, which has no lists of its own.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// All analyses of a session, in the order of display.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    pub analyses: Vec<AnalysisEntry>,
}

impl Catalogue {
    pub fn analysis(&self, id: &str) -> Option<&AnalysisEntry> {
        self.analyses.iter().find(|entry| entry.id == id)
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
