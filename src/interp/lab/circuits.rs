//! Heads: what they look at, what they write, and how they work together.

use super::analysis::AtOnce;
use super::error::RequestError;
use super::subject::Subject;
use crate::figure::{Axis, Content, Figure, Grid, Plot, Series, Table, show};
use crate::interp::analysis::circuits;
use crate::interp::analysis::circuits::{Circuit, Extremes};
use crate::interp::analysis::expansion;
use crate::interp::analysis::expansion::Path;
use crate::interp::analysis::fits_square;
use crate::run::Group::Circuits;
use crate::run::Input::{Folding, Head, Position, Prompt};

pub(super) static OV: AtOnce = AtOnce::new("ov", "OV circuit", Circuits, &[Head, Folding], ov);
pub(super) static QK: AtOnce = AtOnce::new("qk", "QK circuit", Circuits, &[Head, Folding], qk);
pub(super) static COPYING: AtOnce = AtOnce::new("copying", "Copying scores", Circuits, &[Folding], copying);
pub(super) static SPECTRUM: AtOnce = AtOnce::new("spectrum", "Singular values", Circuits, &[Head, Folding], spectrum);
pub(super) static PATHS: AtOnce = AtOnce::new("paths", "Path expansion", Circuits, &[Prompt, Position], paths);

/// Singular directions shown, and characters of each.
const DIRECTIONS: usize = 6;
const LISTED: usize = 6;

/// The OV circuit of a head, between tokens.
fn ov(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    circuit(subject, Circuit::Ov(subject.head()))
}

/// The QK circuit of a head, between tokens.
fn qk(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    circuit(subject, Circuit::Qk(subject.head()))
}

fn circuit(subject: &Subject, circuit: Circuit) -> Result<Vec<Figure>, RequestError> {
    let (tokens, shown) = subject.tokens(fits_square(subject.view.vocab_size()))?;
    let found = circuits::token_circuit(&subject.view, circuit, &tokens, &tokens)?;
    let (title, note, [rows, columns]) = match found.circuit {
        Circuit::Qk(head) => (
            format!("{head}: what each character looks at"),
            "W_E W_Q W_Kᵀ W_Eᵀ: the score of a query (row) for a key (column), times √d_head.",
            ["query", "key"],
        ),
        _ => (
            format!("{}: what reading a character adds to every logit", subject.head()),
            "W_E W_V W_O W_U: of the character read (row), to the one written (column), in logits.",
            ["read", "written"],
        ),
    };
    let [rows, columns] = [rows, columns].map(|name| subject.characters(name, &tokens));
    Ok(vec![Figure {
        title,
        note: format!("{note} {} (Elhage et al. 2021.){shown}", subject.weights_note()),
        content: Content::Grid(Grid::new(rows, columns, found.values)),
    }])
}

/// Copying scores of heads, which raise the logit of what they read.
fn copying(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let found = subject.view.heads().map(|head| circuits::copying(&subject.view, head));
    let found: Vec<_> = found.collect::<Result<_, _>>()?;
    let scores = found.iter().map(|copying| copying.score).collect();
    let grid = Grid::new(subject.model.layers(), subject.heads(), scores);
    let chosen = found.iter().find(|copying| copying.head == subject.head());
    let plot = chosen.map(|copying| Figure {
        title: format!("Eigenvalues of {}’s OV circuit", copying.head),
        note: "Those to the right of 0 copy, those to the left suppress.".into(),
        content: Content::Plot(Plot {
            x: "real".into(),
            y: "imaginary".into(),
            series: vec![Series {
                name: copying.head.to_string(),
                points: copying.eigenvalues.clone(),
                labels: vec!["×".into(); copying.eigenvalues.len()],
            }],
        }),
    });
    let scores = Figure {
        title: "Copying scores".into(),
        note: format!(
            "Re Σλ / Σ|λ| over the eigenvalues of W_E W_V W_O W_U: 1 raises the logit of what it \
             reads, −1 lowers it, chance is near 0. {} (Elhage et al. 2021.)",
            subject.weights_note()
        ),
        content: Content::Grid(grid.within([-1.0, 1.0]).written()),
    };
    Ok([scores].into_iter().chain(plot).collect())
}

/// Singular values of a head's circuits, and the characters along the leading directions.
fn spectrum(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let head = subject.head();
    let (products, asked) = match subject.view.has_keys(head.layer) {
        true => {
            ("W_V W_O and of W_Q W_Kᵀ", &[("OV", Circuit::Ov(head)), ("QK", Circuit::Qk(head))][..])
        }
        false => ("W_V W_O", &[("OV", Circuit::Ov(head))][..]),
    };
    let found = asked.iter().map(|(name, circuit)| {
        circuits::spectrum(&subject.view, *circuit, DIRECTIONS, LISTED).map(|found| (name, found))
    });
    let found: Vec<_> = found.collect::<Result<_, _>>()?;
    let series = found.iter().map(|(name, spectrum)| Series {
        name: (**name).into(),
        points: numbered(&spectrum.values),
        labels: Vec::new(),
    });
    let plot = Figure {
        title: format!("{head}: singular values"),
        note: format!("Of {products}. {}", subject.weights_note()),
        content: Content::Plot(Plot {
            x: "number".into(),
            y: "singular value".into(),
            series: series.collect(),
        }),
    };
    let list = |extremes: &Extremes| {
        let names = |of: &[circuits::Weighted]| -> String {
            of.iter().map(|one| subject.model.name(one.token)).collect()
        };
        format!("{} … {}", names(&extremes.top), names(&extremes.bottom))
    };
    let tables = found.iter().map(|(name, spectrum)| {
        let [reads, writes] = if **name == "OV" { ["reads", "writes"] } else { ["query", "key"] };
        let rows = spectrum.directions.iter();
        let rows = rows.map(|one| vec![show(one.value), list(&one.reads), list(&one.writes)]);
        Figure {
            title: format!("{head} {name}: characters along its leading directions"),
            note: "The most and the least of each.".into(),
            content: Content::Table(Table {
                columns: ["value", reads, writes].map(String::from).into(),
                rows: rows.collect(),
            }),
        }
    });
    Ok([plot].into_iter().chain(tables).collect())
}

/// The logits of the likeliest characters as a sum over paths.
fn paths(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    expansion::check_expandable(&subject.view)?;
    let cache = subject.record();
    let position = subject.position()?;
    let logits = cache.logits_at(position);
    let mut tokens = subject.model.vocabulary();
    tokens.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
    tokens.truncate(LISTED);
    let found = expansion::expand(&subject.view, &cache, position, &tokens)?;
    let name = |path: Path| match path {
        Path::Direct => "direct".into(),
        Path::Biases => "biases".into(),
        Path::Head(head) => head.to_string(),
        Path::Heads(first, second) => format!("{first} → {second}"),
    };
    let sums = (0..tokens.len()).map(|at| found.terms.iter().map(|term| term.logits[at]).sum());
    let values = found.terms.iter().flat_map(|term| term.logits.clone()).chain(sums).collect();
    let rows = found.terms.iter().map(|term| name(term.path)).chain(["sum".into()]).collect();
    let columns = Axis::new("character", subject.model.names(&tokens));
    Ok(vec![Figure {
        title: format!("The likeliest characters after position {position}, path by path"),
        note: "Logits: past all heads, through one head, through two; each column adds up to the \
               model’s logit (Elhage et al. 2021)."
            .into(),
        content: Content::Grid(Grid::new(Axis::new("path", rows), columns, values).written()),
    }])
}

/// Values by their number, from 1.
pub(super) fn numbered(values: &[f32]) -> Vec<[f32; 2]> {
    values.iter().enumerate().map(|(index, value)| [(index + 1) as f32, *value]).collect()
}
