//! Interventions on a forward pass, by layer.

use crate::run::{ActivationIntervention, Site};

/// Interventions on one layer.
#[derive(Clone, Copy)]
pub struct Interventions<'a> {
    pub all: &'a [ActivationIntervention],
    pub layer: usize,
    /// Position of the first token of the pass.
    pub start: usize,
}

impl Interventions<'_> {
    /// Applies the interventions at this layer's `site` to `values`, whose rows of `width` begin `by_row` apart.
    pub fn apply(
        self,
        site: impl Fn(usize) -> Site,
        values: &mut [f32],
        width: usize,
        by_row: usize,
    ) {
        for intervention in self.all.iter().filter(|intervention| intervention.site == site(self.layer)) {
            intervention.apply(values, self.start, width, by_row);
        }
    }
}
