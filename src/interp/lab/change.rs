//! Effects of changes to a model.

use super::error::LookError;
use super::residual::parts;
use super::subject::Subject;
use crate::figure::{Axis, Content, Figure, Grid, Pick, Table};
use crate::generate::log_sum_exp;
use crate::interp::analysis::attribution::Component;
use crate::interp::analysis::patching::{Effect, Knockouts, Patch, Patching};

/// Characters listed.
const LISTED: usize = 12;
/// Most weights drawn at once.
const MOST_WEIGHTS: usize = 1 << 20;

/// Predictions with the edits, beside those without.
pub(super) fn edited(subject: &Subject) -> Result<Vec<Figure>, LookError> {
    let position = subject.position()?;
    let recordings = [subject.unchanged.host.record(subject.ids, &[]), subject.record()];
    let [before, after] = recordings.each_ref().map(|recording| recording.logits_at(position));
    let share = |logits: &[f32]| -> Vec<f32> {
        let total = log_sum_exp(logits);
        logits.iter().map(|logit| (logit - total).exp()).collect()
    };
    let shares = [share(before), share(after)];
    let mut order: Vec<usize> = (0..before.len()).collect();
    let most = |token: usize| shares[0][token].max(shares[1][token]);
    order.sort_by(|a, b| most(*b).total_cmp(&most(*a)));
    let percent = |share: f32| format!("{:.1}%", 100.0 * share);
    let rows = order.iter().take(LISTED).map(|token| {
        vec![
            subject.model.name(*token as u32),
            percent(shares[0][*token]),
            percent(shares[1][*token]),
            format!("{:+.2}", after[*token] - before[*token]),
        ]
    });
    let count = subject.look.changes.len();
    Ok(vec![Figure {
        title: format!(
            "What follows “{}” at {position}, with {count} change{}",
            subject.model.name(subject.ids[position]),
            if count == 1 { "" } else { "s" }
        ),
        note: "Probabilities as the model is and with the changes made to its forward pass; the \
               last column is the change of the logit. Parts are scaled by their names: L0H3, L1MLP, \
               or L2@4, the residual stream before layer 2 at place 4; a weight is set by its own: \
               blocks.0.attn.W_Q[3,5]."
            .into(),
        content: Content::Table(Table {
            columns: ["character", "as it is", "changed", "logit"].map(String::from).into(),
            rows: rows.collect(),
        }),
    }])
}

fn numbered_axis(name: &str, count: usize) -> Axis {
    Axis::new(name, (0..count).map(|place| place.to_string()).collect())
}

/// A parameter as it is, number by number.
pub(super) fn weights(subject: &Subject) -> Result<Vec<Figure>, LookError> {
    let names = subject.model.layout.parameters().iter().map(|parameter| parameter.name());
    let names: Vec<&str> = names.collect();
    let asked = match subject.look.parameter.as_str() {
        "" => names.first().copied().unwrap_or_default(),
        asked => asked,
    };
    let (parameter, [rows, columns]) = subject.model.parameter(asked)?;
    if rows * columns > MOST_WEIGHTS {
        return Err(LookError::TooMany { what: asked.into(), rows, columns });
    }
    let values = subject.model.flat[parameter.range.clone()].to_vec();
    let rows = match asked {
        "embed.W_E" => subject.characters("token"),
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

/// The effect of knocking out each part, and what the part adds directly.
pub(super) fn knockouts(
    subject: &Subject,
    knockouts: &Knockouts,
) -> Result<Vec<Figure>, LookError> {
    let heads = subject.view.n_heads();
    let grid = |of: fn(&Effect) -> f32| {
        let mut values = vec![f32::NAN; subject.view.n_layers() * (heads + 1)];
        for effect in knockouts.effects() {
            let place = match effect.component {
                Component::Head(head) => head.layer * (heads + 1) + head.head,
                Component::Mlp { layer } => layer * (heads + 1) + heads,
                _ => continue,
            };
            values[place] = of(effect);
        }
        Content::Grid(parts(subject, values).written())
    };
    let of = subject.describe(subject.difference()?);
    Ok(vec![
        Figure {
            title: format!("What the logit of {of} loses without each part"),
            note:
                "Effect, in logits: the difference less that of a forward pass in which the part \
                   writes nothing. It counts what later parts make of it, too."
                    .into(),
            content: grid(|effect| effect.effect),
        },
        Figure {
            title: "What each part adds directly".into(),
            note:
                "Attribution, in logits. Where it differs from the effect, other parts pass it on, \
                   or make up for its loss."
                    .into(),
            content: grid(|effect| effect.attribution),
        },
    ])
}

/// The share of the first prompt's logit difference that each patch brings back in the second.
pub(super) fn patching(subject: &Subject, patching: &Patching) -> Vec<Figure> {
    let found = patching.grid();
    let mut values = found.values.clone();
    values.resize(found.rows * found.columns, f32::NAN);
    let (what, columns) = match found.patch {
        Patch::Resid => ("the residual stream before each layer", subject.positions()),
        Patch::Mlp => ("each MLP's output", subject.positions()),
        Patch::Heads | Patch::HeadsAt { .. } => ("each head's output", subject.heads()),
        Patch::Patterns => ("each head's pattern", subject.heads()),
    };
    let rows = subject.model.layers();
    let grid = Grid::new(rows, columns, values).within([-1.0, 1.0]);
    vec![Figure {
        title: format!("Patching {what}: {}", subject.describe(found.of)),
        note: format!(
            "Taken from the prompt, put into the second prompt’s forward pass: 0 changes nothing, 1 \
             brings back all of the prompt’s logit difference, {:.2} against {:.2} (Wang et al. 2022).",
            found.clean, found.corrupted
        ),
        content: Content::Grid(if found.columns <= 32 { grid.written() } else { grid }),
    }]
}
