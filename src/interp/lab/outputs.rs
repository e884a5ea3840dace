//! Output vectors, after the study of Llama's: "To be or not to Unterscheidung".

use super::circuits::numbered;
use super::analysis::AtOnce;
use super::error::RequestError;
use super::subject::Subject;
use crate::figure::{Content, Figure, Grid, Plot, Series, Table, show};
use crate::interp::analysis::fits_square;
use crate::interp::analysis::output;
use crate::interp::analysis::output::Spread;
use crate::interp::analysis::vocabulary;
use crate::run::Group::Outputs;
use crate::run::Input::{Component, Position, Prompt, Tokens};

pub(super) static OUTPUT: AtOnce = AtOnce::new("output", "Output vector", Outputs, &[Prompt, Position], output);
pub(super) static SPARSITY: AtOnce = AtOnce::new("sparsity", "Sparsity", Outputs, &[Prompt], sparsity);
pub(super) static TRUNCATION: AtOnce = AtOnce::new("truncation", "Truncated output", Outputs, &[Prompt, Position, Tokens], truncation);
pub(super) static COMPONENT: AtOnce = AtOnce::new("component", "One component", Outputs, &[Component], component);
pub(super) static DISTANCES: AtOnce = AtOnce::new("distances", "Unembedding distances", Outputs, &[], distances);
pub(super) static DIRECTIONS: AtOnce = AtOnce::new("directions", "PCA", Outputs, &[], directions);
pub(super) static TOP_OF_MIND: AtOnce = AtOnce::new("top-of-mind", "Bias-only prediction", Outputs, &[], top_of_mind);

/// Standard deviations beyond which a character is named as lying aside.
const ASIDE: f32 = 3.0;
/// Points of a line drawn, so that large vocabularies stay small.
const MAX_POINTS: usize = 1024;

/// The hidden state and the logits at a position.
fn output(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let position = subject.position()?;
    let found = output::output(&subject.record(), position)?;
    let of = [("hidden state", &found.hidden), ("logits", &found.logits)];
    let mut figures = vec![Figure {
        title: format!(
            "The output after “{}” at {position}",
            subject.model.name(subject.ids[position])
        ),
        note: format!(
            "What is unembedded, after the final norm, and what comes of it. The softmax of the \
             logits has an entropy of {:.3} nats, of at most {:.3}.",
            found.entropy,
            (subject.view.vocab_size() as f32).ln()
        ),
        content: Content::Table(Table {
            columns: ["", "least", "mean", "greatest", "sd"].map(String::from).into(),
            rows: of
                .iter()
                .map(|(name, spread)| {
                    let Spread { min, mean, max, sd, .. } = spread;
                    let numbers = [min, mean, max, sd].map(|x| show(*x));
                    [vec![(*name).to_owned()], numbers.to_vec()].concat()
                })
                .collect(),
        }),
    }];
    for (name, spread) in of {
        figures.extend(spread_of(name, spread));
    }
    Ok(figures)
}

/// Sparsity of the components of what is unembedded.
fn sparsity(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let found = output::sparsity(&subject.view, &subject.record());
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let loss = subject.model.validation.map_or("unknown".into(), |loss| format!("{loss:.4}"));
    let rows = vec![
        row("mean size of a component", show(found.mean_size)),
        row("Hoyer’s sparseness, 0 to 1", format!("{:.3}", found.hoyer)),
        row("share below a tenth of the largest", format!("{:.1}%", 100.0 * found.small)),
        row("components for 90% of the likeliest", format!("{:.1}", found.needed)),
        row("validation loss, nats", loss),
    ];
    let line = |points| Series { name: "mean size".into(), points, labels: Vec::new() };
    Ok(vec![
        Figure {
            title: "Sparsity of what is unembedded".into(),
            note: "Means over the prompt’s places of the vector after the final norm. Train once \
                   with an Output L1 of 0 and once with one, and hold the second run beside the \
                   first: how much sparser does it become, and at what loss? (Hoyer 2004.)"
                .into(),
            content: Content::Table(Table {
                columns: ["", "value"].map(String::from).into(),
                rows,
            }),
        },
        Figure {
            title: "Mean size of a component, by its rank".into(),
            note: String::new(),
            content: Content::Plot(Plot {
                x: "rank".into(),
                y: "size".into(),
                series: vec![line(thin(numbered(&found.by_rank)))],
            }),
        },
    ])
}

fn spread_of(name: &str, spread: &Spread) -> [Figure; 3] {
    let line = |title: String, x: &str, y: &str, points| Figure {
        title,
        note: String::new(),
        content: Content::Plot(Plot {
            x: x.into(),
            y: y.into(),
            series: vec![Series { name: name.into(), points, labels: Vec::new() }],
        }),
    };
    let bins = spread.histogram.len() as f32;
    let width = (spread.max - spread.min) / bins;
    let density = spread
        .histogram
        .iter()
        .enumerate()
        .map(|(bin, count)| [spread.min + (bin as f32 + 0.5) * width, *count as f32]);
    [
        line(
            format!("{name}, in its own order"),
            "number",
            "value",
            thin(numbered(&spread.values)),
        ),
        line(format!("{name}, sorted"), "rank", "value", thin(numbered(&spread.sorted))),
        line(format!("{name}, how many have each value"), "value", "count", density.collect()),
    ]
}

fn thin(points: Vec<[f32; 2]>) -> Vec<[f32; 2]> {
    let every = points.len().div_ceil(MAX_POINTS).max(1);
    points.into_iter().step_by(every).collect()
}

/// A character's probability by the number of components kept.
fn truncation(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let of = subject.difference()?;
    let found = output::truncate(&subject.view, &subject.record(), of.position, of.token)?;
    let line = |name: &str, values: &[f32]| Series {
        name: name.into(),
        points: thin(values.iter().enumerate().map(|(kept, p)| [kept as f32, *p]).collect()),
        labels: Vec::new(),
    };
    let first: Vec<_> = found.order.iter().take(12).map(usize::to_string).collect();
    Ok(vec![Figure {
        title: format!(
            "Probability of “{}” by the number of components kept, largest first",
            subject.model.name(of.token)
        ),
        note: format!(
            "{} of {} components give 90% of the full probability, {} if what is kept is scaled to \
             the full length. The largest: {}.",
            found.needed,
            found.order.len(),
            found.needed_rescaled,
            first.join(", ")
        ),
        content: Content::Plot(Plot {
            x: "components kept".into(),
            y: "probability".into(),
            series: vec![line("as they are", &found.raw), line("rescaled", &found.rescaled)],
        }),
    }])
}

/// Characters that one component raises and lowers by itself.
fn component(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let found = output::component(&subject.view, subject.request.component)?;
    let pairs = found.tokens.top.iter().zip(&found.tokens.bottom);
    let rows = pairs.map(|(raised, lowered)| {
        let pair = [raised, lowered].map(|one| [subject.model.name(one.token), show(one.weight)]);
        pair.concat()
    });
    Ok(vec![Figure {
        title: format!("Component {} of {}", found.component, subject.view.d_model()),
        note: format!(
            "The characters that it raises most and least, by their weight in W_U; the softmax of \
             its weights has an entropy of {:.3} nats, of at most {:.3}.",
            found.entropy,
            (subject.view.vocab_size() as f32).ln()
        ),
        content: Content::Table(Table {
            columns: ["raises", "weight", "lowers", "weight"].map(String::from).into(),
            rows: rows.collect(),
        }),
    }])
}

/// Distances between output vectors.
fn distances(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let (tokens, shown) = subject.tokens(fits_square(subject.view.vocab_size()))?;
    let found = vocabulary::distances(&subject.view, &tokens)?;
    let grid = |values| {
        let [rows, columns] = [(); 2].map(|()| subject.characters("character", &tokens));
        Content::Grid(Grid::new(rows, columns, values))
    };
    Ok(vec![
        Figure {
            title: "Euclidean distances of output vectors".into(),
            note: format!("Between the columns of W_U, one a character.{shown}"),
            content: grid(found.euclidean),
        },
        Figure {
            title: "Cosine distances of output vectors".into(),
            note: format!(
                "1 − cos: 0 for the same direction, 1 for a right angle, 2 for the opposite.{shown}"
            ),
            content: grid(found.cosine),
        },
    ])
}

/// The directions along which output vectors vary most, and those that lie aside.
fn directions(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let fits = vocabulary::fits_components(&subject.view, subject.view.vocab_size());
    let (tokens, shown) = subject.tokens(fits)?;
    let found = vocabulary::principal_components(&subject.view, &tokens)?;
    let [first, second] =
        found.explained.map(|share| format!("{:.0}% of the variance", 100.0 * share));
    let rows = vocabulary::outliers(&subject.view, ASIDE).into_iter().map(|outlier| {
        vec![
            subject.model.name(outlier.token),
            format!("{:+.1}", outlier.length_z),
            format!("{:+.1}", outlier.distance_z),
        ]
    });
    Ok(vec![
        Figure {
            title: "Output vectors along their two main directions".into(),
            note: format!("Principal components of the columns of W_U.{shown}"),
            content: Content::Plot(Plot {
                x: first,
                y: second,
                series: vec![Series {
                    name: "characters".into(),
                    points: found.places,
                    labels: subject.model.names(&tokens),
                }],
            }),
        },
        Figure {
            title: "Characters that lie aside".into(),
            note: format!(
                "Those whose length, or distance from the mean vector, is more than {ASIDE} standard \
                 deviations from the usual."
            ),
            content: Content::Table(Table {
                columns: ["character", "length", "distance"].map(String::from).into(),
                rows: rows.collect(),
            }),
        },
    ])
}

/// Characters that are likeliest with nothing read.
fn top_of_mind(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let found = output::top_of_mind(&subject.view, 12);
    let rows = found
        .top
        .iter()
        .map(|one| vec![subject.model.name(one.token), format!("{:.2}%", 100.0 * one.probability)]);
    let note = match found.biased {
        true => format!(
            "softmax(b W_U): what the bias of the final norm says by itself, before a prompt; its \
             entropy is {:.3} nats.",
            found.entropy
        ),
        false => "The final norm has no bias, so with an empty residual stream all characters are \
                  equally likely. Switch Biases on to give the model such a prediction."
            .into(),
    };
    Ok(vec![Figure {
        title: "Bias-only prediction: what is likeliest with nothing read".into(),
        note,
        content: Content::Table(Table {
            columns: ["character", "probability"].map(String::from).into(),
            rows: rows.collect(),
        }),
    }])
}
