//! Numbers by which tokens change the states of mixers.

use super::analysis::AtOnce;
use super::error::RequestError;
use super::subject::Subject;
use crate::arch::Mixer;
use crate::figure::{Content, Figure, Grid};
use crate::host::LayerActivations;
use crate::run::Group::Circuits;
use crate::run::Input::Prompt;

pub(super) static GATES: AtOnce =
    AtOnce::new("gates", "Gates of mixers", Circuits, &[Prompt], gates);

/// Gates of each layer that has some, by head and token.
fn gates(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let cache = subject.record();
    let of_layer = cache.layers.iter().enumerate().filter(|(_, of)| !of.gates.is_empty());
    let named = |(layer, of): (usize, &LayerActivations)| {
        let (name, note) = match Mixer::of(subject.view.config(), layer) {
            Mixer::Softmax(_) | Mixer::Linear(_) | Mixer::Conv(_) => return None,
            Mixer::LeastSquares(_) => (
                "γ, the share that a token leaves of what is known",
                "Mesa forgets at a token where γ is low, and keeps everything at 1.",
            ),
            Mixer::Delta => (
                "β, how strongly a token corrects the state",
                "The delta rule replaces what its state tells of a key by the value where β is 1, and learns nothing at 0.",
            ),
        };
        let by_head = (0..cache.n_heads)
            .flat_map(|head| of.gates.iter().skip(head).step_by(cache.n_heads).copied());
        let grid = Grid::new(subject.heads(), subject.positions(), by_head.collect());
        Some(Figure {
            title: format!("Layer {layer}: {name}"),
            note: note.into(),
            content: Content::Grid(grid.within([0.0, 1.0])),
        })
    };
    let figures: Vec<Figure> = of_layer.filter_map(named).collect();
    match figures.is_empty() {
        true => Err(RequestError::NoGates),
        false => Ok(figures),
    }
}
