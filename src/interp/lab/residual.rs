//! The residual stream, layer by layer.

use super::analysis::AtOnce;
use super::error::RequestError;
use super::subject::Subject;
use crate::figure::{Axis, Content, Figure, Grid, Table, show};
use crate::generate::{entropy, probabilities, surprisal};
use crate::interp::analysis::attribution::{Component, attribute};
use crate::interp::analysis::lens::{Asked, LensRow, Stage, lens_row, stages};
use crate::run::Group::Residual;
use crate::run::Input::{Position, Prompt, Tokens};

pub(super) static LENS: AtOnce = AtOnce::new("lens", "Logit lens", Residual, &[Prompt], lens);
pub(super) static ATTRIBUTION: AtOnce = AtOnce::new("attribution", "Direct logit attribution", Residual, &[Prompt, Position, Tokens], attribution);
pub(super) static NEXT: AtOnce = AtOnce::new("next", "Next tokens", Residual, &[Prompt], next);

/// Characters listed at each place.
const LIKELIEST: usize = 5;

/// Predictions of a model that stops early: the likeliest character, and the
/// probability and rank of the one that follows.
fn lens(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let cache = subject.record();
    let mut stages = stages(cache.layers.len(), true);
    // The last one on top, as in the papers.
    stages.reverse();
    let row = |stage: &Stage| {
        lens_row(&subject.view, &cache, *stage, 0..cache.seq, Asked::Next(subject.ids), 1)
    };
    let rows: Vec<LensRow> = stages.iter().map(row).collect::<Result<_, _>>()?;
    let cells = || rows.iter().flat_map(|row| &row.cells);
    let name = |stage: &Stage| match stage {
        Stage::Pre { layer: 0 } => "embedding".into(),
        Stage::Pre { layer } => format!("after L{}", layer - 1),
        Stage::Mid { layer } => format!("L{layer} attention"),
        Stage::Final => "output".into(),
    };
    let axis = || Axis::new("stage", stages.iter().map(name).collect());
    let top = cells().map(|cell| cell.top.first());
    let likeliest = Grid {
        texts: top
            .clone()
            .map(|top| top.map_or("".into(), |top| subject.model.name(top.token)))
            .collect(),
        ..Grid::new(
            axis(),
            subject.positions(),
            top.map(|top| top.map_or(f32::NAN, |top| top.probability)).collect(),
        )
        .within([0.0, 1.0])
    };
    let target = cells().map(|cell| cell.target);
    let next = Grid {
        texts: target
            .clone()
            .map(|target| target.map_or(String::new(), |target| (target.rank + 1).to_string()))
            .collect(),
        ..Grid::new(
            axis(),
            subject.positions(),
            target.map(|target| target.map_or(f32::NAN, |target| target.probability)).collect(),
        )
        .within([0.0, 1.0])
    };
    let note = "What the residual stream says at each stage, through the final norm and the \
                unembedding (nostalgebraist 2020).";
    Ok(vec![
        Figure {
            title: "The likeliest next character at each stage".into(),
            note: format!("{note} The colour is its probability."),
            content: Content::Grid(likeliest),
        },
        Figure {
            title: "The character that does follow".into(),
            note: "Its probability as colour, its rank as number: 1 is the likeliest.".into(),
            content: Content::Grid(next),
        },
    ])
}

/// Contribution of each part to a logit difference.
fn attribution(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let cache = subject.record();
    let of = subject.difference()?;
    let attribution = attribute(&subject.view, &cache, of)?;
    let (layers, heads) = (cache.layers.len(), cache.n_heads);
    let mut values = vec![f32::NAN; layers * (heads + 1)];
    let mut rest = Vec::new();
    for part in &attribution.contributions {
        match part.component {
            Component::Head(head) => values[head.layer * (heads + 1) + head.head] = part.value,
            Component::Mlp { layer } => values[layer * (heads + 1) + heads] = part.value,
            other => rest.push((name(other), part.value)),
        }
    }
    let sum: f32 = attribution.contributions.iter().map(|part| part.value).sum();
    rest.push(("sum of all parts".into(), sum));
    rest.push(("the model's logit difference".into(), attribution.total));
    Ok(vec![
        Figure {
            title: format!("What heads and MLPs add to {}", subject.describe(of)),
            note: "In logits: what a part writes, through the final norm with its scale frozen, \
                   onto the difference of the unembedding's columns (Elhage et al. 2021)."
                .into(),
            content: Content::Grid(parts(subject, values).written()),
        },
        Figure {
            title: "The other parts, and the sum".into(),
            note: "The parts add up to the model's logit difference.".into(),
            content: Content::Table(Table {
                columns: vec!["part".into(), "logits".into()],
                rows: rest.into_iter().map(|(name, value)| vec![name, show(value)]).collect(),
            }),
        },
    ])
}

/// A layer's heads and its MLP in a row.
pub(super) fn parts(subject: &Subject, values: Vec<f32>) -> Grid {
    let mut columns = subject.heads();
    columns.labels.push("MLP".into());
    let grid = Grid::new(subject.model.layers(), columns, values);
    let largest = grid.range[1];
    grid.within([-largest, largest])
}

fn name(component: Component) -> String {
    match component {
        Component::Embedding => "embedding".into(),
        Component::Position => "position".into(),
        Component::Feedback { layer } => format!("L{layer} feedback"),
        Component::AttentionBias { layer } => format!("L{layer} attention's bias"),
        Component::FinalBias => "final norm's bias".into(),
        Component::Head(head) => head.to_string(),
        Component::Mlp { layer } => format!("L{layer} MLP"),
    }
}

/// Costs of the characters, and what else might have been in their places.
fn next(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let cache = subject.record();
    let likeliest = |logits: &[f32]| {
        let probabilities = probabilities(logits, 1.0, 0);
        let shown = probabilities.iter().take(LIKELIEST).map(|(id, p)| {
            format!("{} {:.1}% ({:.2})", subject.model.name(*id as u32), 100.0 * p, logits[*id])
        });
        shown.collect::<Vec<_>>().join("  ")
    };
    let rows = (0..cache.seq).map(|position| {
        let logits = cache.logits_at(position);
        let next = subject.ids.get(position + 1);
        vec![
            format!("{position} {}", subject.model.name(subject.ids[position])),
            next.map_or(String::new(), |id| subject.model.name(*id)),
            next.map_or(String::new(), |id| format!("{:.3}", surprisal(logits, *id as usize))),
            format!("{:.3}", entropy(logits)),
            likeliest(logits),
        ]
    });
    let columns = ["after", "follows", "cost", "entropy", "likeliest"];
    Ok(vec![Figure {
        title: "What follows each character".into(),
        note: "The cost of what does follow, −ln of its probability, and the entropy of what may, \
               both in nats; then the likeliest, each with its probability and its logit."
            .into(),
        content: Content::Table(Table {
            columns: columns.map(String::from).into(),
            rows: rows.collect(),
        }),
    }])
}
