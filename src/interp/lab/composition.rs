//! Composition of later heads with earlier ones.

use super::analysis::{Analysis, Work};
use super::error::RequestError;
use super::subject::Subject;
use crate::figure::{Content, Figure, Grid};
use crate::interp::analysis::Head;
use crate::interp::analysis::composition::{
    Composition, RandomComposition, composition, random_composition,
};
use crate::run::{AnalysisEntry, Group, Input};

/// Pairs of random heads to compare with.
const RANDOM_PAIRS: usize = 100;
const SEED: u64 = 1;

/// Q-, K- and V-composition of every pair of heads.
pub(super) struct Compositions;

impl Analysis for Compositions {
    fn entry(&self) -> &AnalysisEntry {
        static ENTRY: AnalysisEntry =
            AnalysisEntry::new("composition", "Composition", Group::Circuits, &[Input::Folding]);
        &ENTRY
    }

    fn start(&self, subject: &Subject) -> Result<Box<dyn Work>, RequestError> {
        let (d_model, d_head) = (subject.view.d_model(), subject.view.d_head());
        let random = random_composition(d_model, d_head, RANDOM_PAIRS, SEED);
        Ok(Box::new(LayerPairs { found: Vec::new(), random, next: (0, 1) }))
    }
}

/// Composition by pair of layers, and the next pair.
struct LayerPairs {
    found: Vec<Composition>,
    random: RandomComposition,
    next: (usize, usize),
}

impl Work for LayerPairs {
    fn advance(&mut self, subject: &Subject) -> Result<bool, RequestError> {
        let n_layers = subject.view.n_layers();
        let (from, to) = self.next;
        if to >= n_layers {
            return Ok(false);
        }
        self.found.extend(composition(&subject.view, from, to)?);
        self.next = if to + 1 < n_layers { (from, to + 1) } else { (from + 1, from + 2) };
        Ok(true)
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<Figure>, RequestError> {
        Ok(draw(subject, &self.found, &self.random))
    }
}

fn draw(subject: &Subject, found: &[Composition], random: &RandomComposition) -> Vec<Figure> {
    let (heads, count) = (subject.view.n_heads(), subject.view.heads().count());
    type Of = fn(&Composition) -> f32;
    let forms: [(&str, &str, Of); 3] =
        [("Q", "queries", |one| one.q), ("K", "keys", |one| one.k), ("V", "values", |one| one.v)];
    let figures = forms.map(|(name, through, of)| {
        let mut values = vec![f32::NAN; count * count];
        for one in found {
            let place = |head: Head| head.layer * heads + head.head;
            values[place(one.from) * count + place(one.to)] = of(one);
        }
        let grid =
            Grid::new(subject.all_heads("earlier head"), subject.all_heads("later head"), values);
        Figure {
            title: format!("{name}-composition"),
            note: format!(
                "‖A B‖ / (‖A‖ ‖B‖): what the later head reads through its {through} of what the \
                 earlier one writes. Random heads of this size have {:.3} ± {:.3} ({} draws). {}",
                random.mean,
                random.sd,
                random.draws,
                subject.weights_note()
            ),
            content: Content::Grid(if count <= 16 { grid.written() } else { grid }),
        }
    });
    figures.into()
}
