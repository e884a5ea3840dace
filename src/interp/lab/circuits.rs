//! Heads: what they look at, what they write, and how they work together.

use super::error::LookError;
use super::subject::Subject;
use crate::figure::{Axis, Content, Figure, Grid, Pick, Plot, Series, Table, show};
use crate::interp::analysis::attention;
use crate::interp::analysis::attention::Pattern;
use crate::interp::analysis::circuits;
use crate::interp::analysis::circuits::{Circuit, Extremes};
use crate::interp::analysis::composition::{Baseline, Composition};
use crate::interp::analysis::expansion;
use crate::interp::analysis::expansion::Path;
use crate::interp::analysis::heads::Scoring;

/// Singular directions shown, and characters of each.
const DIRECTIONS: usize = 6;
const LISTED: usize = 6;

/// Every head, by name.
fn all_heads(subject: &Subject, name: &str) -> Axis {
    let names = subject.view.heads().map(|head| head.to_string());
    Axis::new(name, names.collect()).picking(Pick::AnyHead)
}

/// Previous-token, duplicate-token and induction scores.
pub(super) fn heads(subject: &Subject, scoring: &Scoring) -> Vec<Figure> {
    let scores = scoring.scores();
    let matches =
        scores.iter().map(|score| [score.previous_token, score.duplicate_token, score.induction]);
    let values = matches.flat_map(|kinds| {
        let [stripe, mul, abs] =
            [kinds.map(|kind| kind.stripe), kinds.map(|kind| kind.mul), kinds.map(|kind| kind.abs)];
        [stripe, mul, abs].concat()
    });
    let values: Vec<f32> = values.collect();
    let kinds = ["previous", "duplicate", "induction"];
    let columns = ["", " · mul", " · abs"]
        .iter()
        .flat_map(|form| kinds.iter().map(move |kind| format!("{kind}{form}")));
    let rows = if values.is_empty() { Axis::default() } else { all_heads(subject, "head") };
    let grid = Grid::new(rows, Axis::new("score", columns.collect()), values);
    vec![Figure {
        title: format!(
            "What heads look for in repeated random characters ({} draws)",
            scoring.done()
        ),
        note: "Means of the attention to the character before, to the earlier copy of the same \
               character, and to what followed that copy, as an induction head does (Olsson et al. \
               2022); then TransformerLens’ scores against the whole mask."
            .into(),
        content: Content::Grid(grid.within([-1.0, 1.0]).written()),
    }]
}

fn pattern(subject: &Subject, pattern: Pattern) -> Grid {
    let queries = Axis { name: "query".into(), ..subject.positions() };
    let keys = Axis { name: "key".into(), picks: None, ..subject.positions() };
    Grid::pattern(queries, keys, pattern.values)
}

/// A head's pattern, and the mean of its layer's.
pub(super) fn patterns(subject: &Subject) -> Result<Vec<Figure>, LookError> {
    let (head, recording) = (subject.head(), subject.record());
    let own = attention::pattern(subject.view, &recording, head)?;
    let mean = attention::head_average(subject.view, &recording, head.layer)?;
    let figure = |title, weights| Figure {
        title,
        note: "What each query (row) reads of the keys up to it; a row sums to 1.".into(),
        content: Content::Grid(pattern(subject, weights).within([0.0, 1.0])),
    };
    Ok(vec![
        figure(format!("Pattern of {head}"), own),
        figure(format!("Mean pattern of layer {}", head.layer), mean),
    ])
}

pub(super) fn value_weighted(subject: &Subject) -> Result<Vec<Figure>, LookError> {
    let weighted = attention::value_weighted(subject.view, &subject.record(), subject.head())?;
    Ok(vec![Figure {
        title: format!("{}: attention times the length of what it moves", subject.head()),
        note:
            "pattern[q, k] · ‖v_k W_O‖, in units of the residual stream: what a head looks at but \
               takes nothing from vanishes (Kobayashi et al. 2020)."
                .into(),
        content: Content::Grid(pattern(subject, weighted)),
    }])
}

pub(super) fn difference(subject: &Subject) -> Result<Vec<Figure>, LookError> {
    let other = subject.model.encode_other(subject.look)?;
    let other = subject.model.host.record(&other, subject.edits);
    let difference =
        attention::difference(subject.view, &subject.record(), &other, subject.head())?;
    Ok(vec![Figure {
        title: format!("{}: attention in the prompt less that in the second", subject.head()),
        note: "Orange where it attends more in the prompt, blue where more in the second; both \
               prompts are equally long."
            .into(),
        content: Content::Grid(pattern(subject, difference)),
    }])
}

fn asked(subject: &Subject) -> Circuit {
    match subject.look.what {
        crate::run::What::Qk => Circuit::Qk(subject.head()),
        _ => Circuit::Ov(subject.head()),
    }
}

const WEIGHTS: [&str; 2] =
    ["Raw weights, without the norms.", "Norms are folded into the weights."];

fn weights(subject: &Subject) -> &'static str {
    WEIGHTS[usize::from(subject.view.is_folded())]
}

/// A head's circuit between all characters.
pub(super) fn circuit(subject: &Subject) -> Result<Vec<Figure>, LookError> {
    let all = subject.model.vocabulary();
    let found = circuits::token_circuit(subject.view, asked(subject), &all, &all)?;
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
    let [rows, columns] = [rows, columns].map(|name| subject.characters(name));
    Ok(vec![Figure {
        title,
        note: format!("{note} {} (Elhage et al. 2021.)", weights(subject)),
        content: Content::Grid(Grid::new(rows, columns, found.values)),
    }])
}

/// Copying scores of heads, which raise the logit of what they read.
pub(super) fn copying(subject: &Subject) -> Result<Vec<Figure>, LookError> {
    let found = subject.view.heads().map(|head| circuits::copying(subject.view, head));
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
            weights(subject)
        ),
        content: Content::Grid(grid.within([-1.0, 1.0]).written()),
    };
    Ok([scores].into_iter().chain(plot).collect())
}

/// Singular values of a head's circuits, and the characters along the leading directions.
pub(super) fn spectrum(subject: &Subject) -> Result<Vec<Figure>, LookError> {
    let head = subject.head();
    let found = [("OV", Circuit::Ov(head)), ("QK", Circuit::Qk(head))].map(|(name, circuit)| {
        circuits::spectrum(subject.view, circuit, DIRECTIONS, LISTED).map(|found| (name, found))
    });
    let [ov, qk] = found;
    let found = [ov?, qk?];
    let series = found.iter().map(|(name, spectrum)| Series {
        name: (*name).into(),
        points: numbered(&spectrum.values),
        labels: Vec::new(),
    });
    let plot = Figure {
        title: format!("{head}: singular values"),
        note: format!("Of W_V W_O and of W_Q W_Kᵀ. {}", weights(subject)),
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
        format!("{} … {}", names(&extremes.most), names(&extremes.least))
    };
    let tables = found.iter().map(|(name, spectrum)| {
        let [reads, writes] = if *name == "OV" { ["reads", "writes"] } else { ["query", "key"] };
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

/// Composition of later heads with earlier ones.
pub(super) fn composition(
    subject: &Subject,
    found: &[Composition],
    random: &Baseline,
) -> Vec<Figure> {
    let (heads, count) = (subject.view.n_heads(), subject.view.heads().count());
    type Of = fn(&Composition) -> f32;
    let forms: [(&str, &str, Of); 3] =
        [("Q", "queries", |one| one.q), ("K", "keys", |one| one.k), ("V", "values", |one| one.v)];
    let figures = forms.map(|(name, through, of)| {
        let mut values = vec![f32::NAN; count * count];
        for one in found {
            let place = |head: crate::interp::analysis::Head| head.layer * heads + head.head;
            values[place(one.from) * count + place(one.to)] = of(one);
        }
        let grid =
            Grid::new(all_heads(subject, "earlier head"), all_heads(subject, "later head"), values);
        Figure {
            title: format!("{name}-composition"),
            note: format!(
                "‖A B‖ / (‖A‖ ‖B‖): what the later head reads through its {through} of what the \
                 earlier one writes. Random heads of this size have {:.3} ± {:.3} ({} draws). {}",
                random.mean,
                random.sd,
                random.draws,
                weights(subject)
            ),
            content: Content::Grid(if count <= 16 { grid.written() } else { grid }),
        }
    });
    figures.into()
}

/// The logits of the likeliest characters as a sum over paths.
pub(super) fn paths(subject: &Subject) -> Result<Vec<Figure>, LookError> {
    expansion::check_expandable(subject.view)?;
    let recording = subject.record();
    let position = subject.position()?;
    let logits = recording.logits_at(position);
    let mut tokens = subject.model.vocabulary();
    tokens.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
    tokens.truncate(LISTED);
    let found = expansion::expand(subject.view, &recording, position, &tokens)?;
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
    values.iter().enumerate().map(|(place, value)| [(place + 1) as f32, *value]).collect()
}
