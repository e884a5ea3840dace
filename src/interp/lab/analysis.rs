//! The trait of analyses.

use super::error::RequestError;
use super::subject::Subject;
use crate::figure::Figure;
use crate::run::{AnalysisEntry, Group, Input};

/// An analysis of a model: its description, and the work that leads to its figures.
pub trait Analysis: Sync {
    fn entry(&self) -> &AnalysisEntry;

    /// Prepares the work on a subject.
    ///
    /// # Errors
    /// If the model lacks what is to be analysed.
    fn start(&self, subject: &Subject) -> Result<Box<dyn Work>, RequestError>;
}

/// An analysis under way.
pub trait Work {
    /// Does one more piece; `false` if none was left.
    ///
    /// # Errors
    /// If the analysis cannot go on.
    fn advance(&mut self, subject: &Subject) -> Result<bool, RequestError>;

    /// The figures of the pieces done so far.
    ///
    /// # Errors
    /// If the model lacks what is to be analysed.
    fn figures(&self, subject: &Subject) -> Result<Vec<Figure>, RequestError>;
}

/// Figures that are drawn in one piece.
pub(super) type Draw = fn(&Subject) -> Result<Vec<Figure>, RequestError>;

/// An analysis of one piece.
pub(super) struct AtOnce {
    entry: AnalysisEntry,
    draw: Draw,
}

impl AtOnce {
    pub(super) const fn new(
        id: &'static str,
        label: &'static str,
        group: Group,
        inputs: &'static [Input],
        draw: Draw,
    ) -> Self {
        Self { entry: AnalysisEntry::new(id, label, group, inputs), draw }
    }
}

impl Analysis for AtOnce {
    fn entry(&self) -> &AnalysisEntry {
        &self.entry
    }

    fn start(&self, _: &Subject) -> Result<Box<dyn Work>, RequestError> {
        Ok(Box::new(self.draw))
    }
}

impl Work for Draw {
    fn advance(&mut self, _: &Subject) -> Result<bool, RequestError> {
        Ok(false)
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<Figure>, RequestError> {
        self(subject)
    }
}
