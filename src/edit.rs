//! Changes to a forward pass: what is scaled or set, where and at which tokens.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A change to a forward pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    pub site: Site,
    /// Tokens, of which those beyond the prompt are ignored; of a pattern, queries.
    pub positions: Range<usize>,
    pub change: Change,
}

/// What of a token is changed, as it is about to be used. One that the model lacks is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Site {
    /// The residual stream before a layer: `d_model` wide.
    Resid { layer: usize },
    /// A head's weighted values, before `W_O`: `d_head` wide.
    Head { layer: usize, head: usize },
    /// A head's rows of its pattern: as wide as the prompt has tokens.
    Pattern { layer: usize, head: usize },
    /// What the MLP writes into the residual stream: `d_model` wide.
    Mlp { layer: usize },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    Scale(f32),
    /// A row for each of the positions, of the site's width; positions without a whole row stay.
    Set(Vec<f32>),
}

impl Edit {
    /// Changes `values`, whose rows of `width` begin `by_row` apart, one for each token.
    pub fn apply(&self, values: &mut [f32], width: usize, by_row: usize) {
        let rows = values.chunks_mut(by_row.max(1)).enumerate();
        for (place, row) in rows.filter(|(place, _)| self.positions.contains(place)) {
            let row = &mut row[..width];
            match &self.change {
                Change::Scale(factor) => row.iter_mut().for_each(|value| *value *= factor),
                Change::Set(to) => {
                    let to = to.chunks_exact(width.max(1)).nth(place - self.positions.start);
                    if let Some(to) = to {
                        row.copy_from_slice(to);
                    }
                }
            }
        }
    }
}
