//! Catalogue of analyses: their inputs, and requests for them with their answers.

use serde::{Deserialize, Serialize};

use super::Intervention;
use crate::figure::Figure;

/// An analysis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    #[default]
    Lens,
    Attribution,
    Next,
    Edited,
    Weights,
    Knockouts,
    PatchResid,
    PatchHeads,
    PatchPatterns,
    PatchMlps,
    Heads,
    Pattern,
    ValueWeighted,
    Difference,
    Ov,
    Qk,
    Copying,
    Spectrum,
    Composition,
    Paths,
    Output,
    Sparsity,
    Truncation,
    Component,
    Distances,
    Directions,
    TopOfMind,
    Recalled,
    Slots,
    MemoryMap,
    Architecture,
}

/// Group of related analyses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Residual,
    Change,
    Circuits,
    Outputs,
    Memory,
    Surgery,
}

/// Input of an analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    Prompt,
    /// A second prompt.
    Other,
    Position,
    /// A character, and one to compare it with.
    Characters,
    Head,
    Component,
    /// The choice to fold norms into the weights.
    Folding,
    /// The name of a parameter.
    Parameter,
    /// A layer with a memory, and a search for the texts that wrote its slots.
    Slots,
}

/// Description of an analysis.
#[derive(Clone, Copy, Debug)]
pub struct Analysis {
    pub what: What,
    /// Name at the terminal: `patch-heads`.
    pub name: &'static str,
    pub label: &'static str,
    pub group: Group,
    pub asks: &'static [Asks],
}

const fn analysis(
    what: What,
    name: &'static str,
    label: &'static str,
    group: Group,
    asks: &'static [Asks],
) -> Analysis {
    Analysis { what, name, label, group, asks }
}

/// All analyses, in the order of display.
pub const ANALYSES: &[Analysis] = {
    use Asks::*;
    use Group::*;
    &[
        analysis(What::Lens, "lens", "Logit lens", Residual, &[Prompt]),
        analysis(
            What::Attribution,
            "attribution",
            "Direct logit attribution",
            Residual,
            &[Prompt, Position, Characters],
        ),
        analysis(What::Next, "next", "What follows each character", Residual, &[Prompt]),
        analysis(What::Edited, "edited", "With the changes", Change, &[Prompt, Position]),
        analysis(What::Weights, "weights", "Weights", Change, &[Parameter]),
        analysis(
            What::Knockouts,
            "knockouts",
            "Knock out each part",
            Change,
            &[Prompt, Position, Characters],
        ),
        analysis(
            What::PatchResid,
            "patch-resid",
            "Patch the residual stream",
            Change,
            &[Prompt, Other, Position, Characters],
        ),
        analysis(
            What::PatchHeads,
            "patch-heads",
            "Patch heads",
            Change,
            &[Prompt, Other, Position, Characters],
        ),
        analysis(
            What::PatchPatterns,
            "patch-patterns",
            "Patch patterns",
            Change,
            &[Prompt, Other, Position, Characters],
        ),
        analysis(
            What::PatchMlps,
            "patch-mlps",
            "Patch MLPs",
            Change,
            &[Prompt, Other, Position, Characters],
        ),
        analysis(What::Heads, "heads", "Head scores", Circuits, &[]),
        analysis(What::Pattern, "pattern", "Attention pattern", Circuits, &[Prompt, Head]),
        analysis(
            What::ValueWeighted,
            "value-weighted",
            "Value-weighted attention",
            Circuits,
            &[Prompt, Head],
        ),
        analysis(
            What::Difference,
            "difference",
            "Attention, two prompts",
            Circuits,
            &[Prompt, Other, Head],
        ),
        analysis(What::Ov, "ov", "OV circuit", Circuits, &[Head, Folding]),
        analysis(What::Qk, "qk", "QK circuit", Circuits, &[Head, Folding]),
        analysis(What::Copying, "copying", "Copying scores", Circuits, &[Folding]),
        analysis(What::Spectrum, "spectrum", "Singular values", Circuits, &[Head, Folding]),
        analysis(What::Composition, "composition", "Composition", Circuits, &[Folding]),
        analysis(What::Paths, "paths", "Path expansion", Circuits, &[Prompt, Position]),
        analysis(What::Output, "output", "Output vector", Outputs, &[Prompt, Position]),
        analysis(What::Sparsity, "sparsity", "Sparsity", Outputs, &[Prompt]),
        analysis(
            What::Truncation,
            "truncation",
            "Components kept",
            Outputs,
            &[Prompt, Position, Characters],
        ),
        analysis(What::Component, "component", "One component", Outputs, &[Component]),
        analysis(What::Distances, "distances", "Distances", Outputs, &[]),
        analysis(What::Directions, "directions", "Main directions", Outputs, &[]),
        analysis(What::TopOfMind, "top-of-mind", "Top of mind", Outputs, &[]),
        analysis(What::Recalled, "recalled", "Slots that answered", Memory, &[Prompt, Position]),
        analysis(What::Slots, "slots", "Slots of a layer", Memory, &[Slots]),
        analysis(What::MemoryMap, "memory-map", "Map of keys", Memory, &[Slots]),
        analysis(What::Architecture, "architecture", "Architecture", Surgery, &[]),
    ]
};

impl What {
    pub fn analysis(self) -> &'static Analysis {
        // In the order of the enum, as a test checks.
        &ANALYSES[self as usize]
    }

    pub fn asks_folding(self) -> bool {
        self.analysis().asks.contains(&Asks::Folding)
    }

    pub fn parse(name: &str) -> Option<Self> {
        ANALYSES.iter().find(|analysis| analysis.name == name).map(|analysis| analysis.what)
    }
}

/// A request for an analysis. Parts that the model lacks are refused; inputs that the analysis does not use are
/// ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Look {
    pub what: What,
    pub prompt: String,
    /// Second prompt, patched with activations of the first.
    pub other: String,
    /// Position in the prompt, from 0; `None` is its last character.
    pub position: Option<usize>,
    /// Character whose logit is analysed; `None` is the prompt's next character or, at its end, the likeliest.
    pub character: Option<String>,
    /// Character to compare with; `None` is the mean over all characters.
    pub against: Option<String>,
    pub layer: usize,
    pub head: usize,
    pub component: usize,
    pub is_folded: bool,
    /// Name of the parameter to show; the first one if empty.
    pub parameter: String,
    /// Selected weight, by row and column.
    pub cell: (usize, usize),
    /// Search for the texts that wrote slots.
    pub search: String,
    /// Interventions on the weights and on every forward pass.
    pub changes: Vec<Intervention>,
}

/// An answer to a [`Look`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    pub what: What,
    /// Training step of the model.
    pub step: usize,
    /// Model whose figures are subtracted from these, if any.
    pub beside: Option<String>,
    /// True if the analysis is complete.
    pub is_done: bool,
    /// Figures so far, or the reason why there are none.
    pub figures: Result<Vec<Figure>, String>,
}
