//! Interventions on a forward pass, by layer.

use crate::run::{Edit, Site};

/// Interventions on one layer.
#[derive(Clone, Copy)]
pub struct Interventions<'a> {
    pub all: &'a [Edit],
    pub layer: usize,
}

impl Interventions<'_> {
    pub const NONE: Self = Self { all: &[], layer: 0 };

    /// Applies the interventions at this layer's `site` to `values`, whose rows of `width` begin `by_row` apart.
    pub fn apply(
        self,
        site: impl Fn(usize) -> Site,
        values: &mut [f32],
        width: usize,
        by_row: usize,
    ) {
        for edit in self.all.iter().filter(|edit| edit.site == site(self.layer)) {
            edit.apply(values, width, by_row);
        }
    }
}
