//! Requests for analyses, and their results.

use serde::{Deserialize, Serialize};

use super::Intervention;
use crate::figure::Figure;

/// A request for an analysis. Parts that the model lacks are refused; inputs that the analysis does not use are
/// ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnalysisRequest {
    /// Id of the analysis, as in the catalogue: `patch-heads`.
    pub analysis: String,
    pub prompt: String,
    /// Second prompt, patched with activations of the first; one is proposed if it is empty.
    pub other: String,
    /// Position in the prompt, from 0; `None` is its last token.
    pub position: Option<usize>,
    /// Token whose logit is analysed; `None` is the prompt's next token or, at its end, the likeliest.
    pub target: Option<String>,
    /// Token to contrast it with; `None` is the mean over all tokens.
    pub contrast: Option<String>,
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
    pub interventions: Vec<Intervention>,
}

/// The result of an [`AnalysisRequest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalysisResult {
    /// Id of the analysis.
    pub analysis: String,
    /// The second prompt, typed or proposed.
    pub other: String,
    /// Training step of the model.
    pub step: usize,
    /// Model whose figures are subtracted from these, if any.
    pub baseline: Option<String>,
    /// True if the analysis is complete.
    pub is_done: bool,
    /// Figures so far, or the reason why there are none.
    pub figures: Result<Vec<Figure>, String>,
}
