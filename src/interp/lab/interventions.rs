//! Effects of changes to a model.

use super::analysis::AtOnce;
use super::error::RequestError;
use super::subject::Subject;
use crate::figure::{Axis, Content, Figure, Grid, Pick, Table};
use crate::generate::log_sum_exp;
use crate::host::ParameterSource;
use crate::run::Group::Interventions;
use crate::run::Input::{Parameter, Position, Prompt};

pub(super) static EDITED: AtOnce = AtOnce::new("edited", "Before / after", Interventions, &[Prompt, Position], edited);
pub(super) static WEIGHTS: AtOnce = AtOnce::new("weights", "Weights", Interventions, &[Parameter], weights);

/// Characters listed.
const LISTED: usize = 12;
/// Most weights drawn at once.
const MAX_WEIGHTS: usize = 1 << 20;

/// Predictions with and without the interventions.
fn edited(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let position = subject.position()?;
    let caches = [subject.unchanged.host.record(subject.ids, &[]), subject.record()];
    let [before, after] = caches.each_ref().map(|cache| cache.logits_at(position));
    let share = |logits: &[f32]| -> Vec<f32> {
        let total = log_sum_exp(logits);
        logits.iter().map(|logit| (logit - total).exp()).collect()
    };
    let shares = [share(before), share(after)];
    let mut order: Vec<usize> = (0..before.len()).collect();
    let larger = |token: usize| shares[0][token].max(shares[1][token]);
    order.sort_by(|a, b| larger(*b).total_cmp(&larger(*a)));
    let percent = |share: f32| format!("{:.1}%", 100.0 * share);
    let rows = order.iter().take(LISTED).map(|token| {
        vec![
            subject.model.name(*token as u32),
            percent(shares[0][*token]),
            percent(shares[1][*token]),
            format!("{:+.2}", after[*token] - before[*token]),
        ]
    });
    let count = subject.request.interventions.len();
    Ok(vec![Figure {
        title: format!(
            "What follows “{}” at {position}, with {count} intervention{}",
            subject.model.name(subject.ids[position]),
            if count == 1 { "" } else { "s" }
        ),
        note: "Probabilities without and with the interventions; the last column is the change of the \
               logit. Parts are scaled by their names: L0H3, L1MLP, \
               or L2@4, the residual stream before layer 2 at position 4; a weight is set by its own: \
               blocks.0.attn.W_Q[3,5]."
            .into(),
        content: Content::Table(Table {
            columns: ["token", "before", "after", "logit"].map(String::from).into(),
            rows: rows.collect(),
        }),
    }])
}

fn numbered_axis(name: &str, count: usize) -> Axis {
    Axis::new(name, (0..count).map(|index| index.to_string()).collect())
}

/// A parameter as it is, number by number.
fn weights(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let names = subject.model.layout.parameters().iter().map(|parameter| parameter.name());
    let names: Vec<&str> = names.collect();
    let asked = match subject.request.parameter.as_str() {
        "" => names.first().copied().unwrap_or_default(),
        asked => asked,
    };
    let (parameter, [rows, columns]) = subject.model.parameter(asked)?;
    if rows * columns > MAX_WEIGHTS {
        return Err(RequestError::TooMany { what: asked.into(), rows, columns });
    }
    let values = subject.model.weights.numbers(parameter).widen().into_owned();
    let rows = match asked {
        "embed.W_E" => subject.characters("token", &subject.model.vocabulary()),
        _ => numbered_axis("row", rows),
    };
    let columns = numbered_axis("column", columns).picking(Pick::Column);
    let grid = Grid::new(rows.picking(Pick::Row), columns, values);
    Ok(vec![Figure {
        title: asked.into(),
        note: format!(
            "Each number of the parameter, applied as x W: rows are read, columns written. Pick one \
             to change it below. The model has {}.",
            names.join(", ")
        ),
        content: Content::Grid(grid),
    }])
}

