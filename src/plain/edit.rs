//! The edits of a forward pass, as a layer meets them.

use crate::edit::{Edit, Site};

/// Those that concern one layer.
#[derive(Clone, Copy)]
pub struct Edits<'a> {
    pub all: &'a [Edit],
    pub layer: usize,
}

impl Edits<'_> {
    pub const NONE: Self = Self { all: &[], layer: 0 };

    /// Changes what lies at this layer's `site`: `values`, whose rows of `width` begin `by_row`
    /// apart.
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
