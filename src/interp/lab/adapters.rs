//! Changes that low-rank adapters make to matrices.

use super::analysis::AtOnce;
use super::error::RequestError;
use super::subject::Subject;
use crate::figure::{Content, Figure, Table, show};
use crate::host::ParameterSource;
use crate::interp::analysis::{FactoredMatrix, Matrix};
use crate::run::{Adapter, Group, LowRank};

/// Most singular values shown of a change.
const SHOWN: usize = 8;

pub(super) static ADAPTERS: AtOnce =
    AtOnce::new("adapters", "Adapters (LoRA)", Group::Architecture, &[], draw);

fn draw(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let Subject { model, .. } = subject;
    if model.adapters.is_empty() {
        return Err(RequestError::NoAdapters);
    }
    let mut figures = Vec::new();
    for (number, adapter) in model.adapters.iter().enumerate() {
        let parts = adapter.parts(&model.layout).unwrap_or_default();
        let rows = adapter.targets.iter().zip(parts).map(|(target, part)| {
            // Of what the model computes with, which may have the change in it.
            let (parameter, _) = model.parameter(target)?;
            row(adapter, target, part, norm(&model.weights.numbers(parameter).widen()))
        });
        let columns = ["matrix", "numbers", "norm of ΔW", "of the matrix", "singular values"];
        figures.push(Figure {
            title: format!(
                "Adapter {number}: rank {}, α {}, {}",
                adapter.rank,
                adapter.alpha,
                if adapter.is_on { "on" } else { "off" }
            ),
            note: "The change ΔW = α / rank · A B of each matrix: how many numbers A and B have, its Frobenius norm, that \
                   norm as a share of the matrix's, and its largest singular values."
                .into(),
            content: Content::Table(Table {
                columns: columns.map(str::to_owned).to_vec(),
                rows: rows.collect::<Result<_, _>>()?,
            }),
        });
    }
    Ok(figures)
}

fn row(
    adapter: &Adapter,
    target: &str,
    part: LowRank,
    norm: f64,
) -> Result<Vec<String>, RequestError> {
    let (LowRank { shape: [rows, columns], a, b, .. }, rank) = (part, adapter.rank);
    let matrix = |rows, columns, values: &[f32]| {
        Matrix::from_row_iterator(rows, columns, values.iter().map(|value| f64::from(*value)))
    };
    let left = matrix(rows, rank, &adapter.values[a.clone()]) * f64::from(adapter.scale());
    let change = FactoredMatrix::new(left, matrix(rank, columns, &adapter.values[b.clone()]));
    let values = change.svd(target)?.values;
    let size = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let shown: Vec<String> = values.iter().take(SHOWN).map(|value| show(*value as f32)).collect();
    Ok(vec![
        target.into(),
        (a.len() + b.len()).to_string(),
        show(size as f32),
        format!("{:.1}%", 100.0 * size / norm.max(f64::MIN_POSITIVE)),
        shown.join(" "),
    ])
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}
