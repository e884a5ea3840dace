//! Heads and their attention.

use std::borrow::Cow;

use confab::figure::{Axis, Content, Figure, Grid, Pick, show_token};
use confab::protocol::Trace;

/// One head, or the mean of a layer's heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub layer: usize,
    pub head: Option<usize>,
}

/// Heads up to which each is shown by itself where that takes a part of the page for each.
pub const MANY_HEADS: usize = 512;

impl Head {
    /// The head at a place among all heads, layer by layer, of a model with so many `heads` a layer; without, the mean
    /// of the layer at this place.
    pub fn at(place: usize, heads: Option<usize>) -> Self {
        let count = heads.unwrap_or(1).max(1);
        Self { layer: place / count, head: heads.map(|_| place % count) }
    }

    /// Its place, as in [`Head::at`].
    pub fn place(self, heads: Option<usize>) -> usize {
        self.layer * heads.unwrap_or(1) + self.head.unwrap_or(0)
    }

    /// `L0H3`, or `L0 mean`.
    pub fn label(self) -> String {
        match self.head {
            Some(head) => format!("L{}H{head}", self.layer),
            None => format!("L{} mean", self.layer),
        }
    }

    /// Name of its pattern in files: `attention L0H3`.
    pub fn name(self, trace: &Trace) -> String {
        let less = trace.against.as_ref().map_or(String::new(), |name| format!(" less {name}"));
        format!("attention {}{less}", self.label())
    }

    /// Its pattern, `[query, key]`; `None` if the traced model has no such head.
    pub fn pattern(self, trace: &Trace) -> Option<Cow<'_, [f32]>> {
        if self.layer >= trace.n_layers || self.head.is_some_and(|head| head >= trace.n_heads) {
            return None;
        }
        Some(match self.head {
            Some(head) => Cow::Borrowed(trace.pattern(self.layer, head)),
            None => Cow::Owned(trace.layer_mean(self.layer)),
        })
    }

    pub fn figure(self, trace: &Trace) -> Option<Figure> {
        let labels: Vec<String> = trace.tokens.iter().map(|token| show_token(token)).collect();
        let axis = |name| Axis::new(name, labels.clone());
        let values = self.pattern(trace)?.into_owned();
        let grid = Grid::pattern(axis("query").picking(Pick::Position), axis("key"), values);
        let is_of_shares = trace.against.is_none() && grid.is_of_shares();
        let grid = if is_of_shares { grid.within([0.0, 1.0]) } else { grid };
        Some(Figure {
            title: format!("Pattern of {}", self.label()),
            note: match &trace.against {
                Some(name) => {
                    format!("What each query (row) reads, less what it reads in {name}.")
                }
                None if is_of_shares => {
                    "What each query (row) reads of the keys up to it; a row sums to 1.".into()
                }
                None => "The weight of each key (column) in what the query (row) writes; of a convolution, the mean over the \
                         head’s numbers."
                    .into(),
            },
            content: Content::Grid(grid),
        })
    }
}
