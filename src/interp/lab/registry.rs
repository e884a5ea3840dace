//! The registry of analyses: an analysis is added here, and described and worked out in its own file.

use super::analysis::Analysis;
use super::error::RequestError;
use super::{
    adapters, architecture, attention, circuits, composition, gates, heads, interventions, knockouts, memory,
    outputs, patching, residual,
};
use crate::run::AnalysisEntry;

/// All analyses, in the order of display.
static ANALYSES: &[&dyn Analysis] = &[
    &residual::LENS,
    &residual::ATTRIBUTION,
    &residual::NEXT,
    &interventions::EDITED,
    &interventions::WEIGHTS,
    &knockouts::KnockOut,
    &patching::RESID,
    &patching::HEADS,
    &patching::PATTERNS,
    &patching::MLPS,
    &heads::Heads,
    &attention::PATTERN,
    &attention::VALUE_WEIGHTED,
    &attention::DIFFERENCE,
    &gates::GATES,
    &circuits::OV,
    &circuits::QK,
    &circuits::COPYING,
    &circuits::SPECTRUM,
    &composition::Compositions,
    &circuits::PATHS,
    &outputs::OUTPUT,
    &outputs::SPARSITY,
    &outputs::TRUNCATION,
    &outputs::COMPONENT,
    &outputs::DISTANCES,
    &outputs::DIRECTIONS,
    &outputs::TOP_OF_MIND,
    &memory::RECALLED,
    &memory::SLOTS,
    &memory::MAP,
    &architecture::ARCHITECTURE,
    &adapters::ADAPTERS,
];

/// Descriptions of all analyses, in the order of display.
pub fn entries() -> impl Iterator<Item = &'static AnalysisEntry> {
    ANALYSES.iter().map(|analysis| analysis.entry())
}

/// The analysis of this id.
///
/// # Errors
/// If there is none.
pub(super) fn find(id: &str) -> Result<&'static dyn Analysis, RequestError> {
    let unknown = || RequestError::NoAnalysis {
        asked: id.chars().take(60).collect(),
        has: entries().map(|entry| &*entry.id).collect::<Vec<_>>().join(", "),
    };
    ANALYSES.iter().copied().find(|analysis| analysis.entry().id == id).ok_or_else(unknown)
}
