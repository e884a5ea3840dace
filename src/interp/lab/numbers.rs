//! Numbers that the page shows of a model and a prompt, for a notebook to compare with.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{AnalysisJob, RequestError, Snapshot};
use crate::figure::{Content, Figure, Grid};
use crate::run::AnalysisRequest;

/// Most numbers of attention patterns in a notebook: about ten bytes each.
const MAX_PATTERNS: usize = 1 << 20;

/// Ids of `prompt`, and the numbers of every grid that the page shows for it, in rows.
///
/// # Errors
/// A prompt that the model cannot read or that is too long, and the errors of the analyses.
pub fn numbers(snapshot: &Arc<Snapshot>, prompt: &str) -> Result<Value, RequestError> {
    let model = &snapshot.config;
    let ids = snapshot.tokenizer.encode(prompt)?;
    let heads = model.n_layers * model.n_heads;
    let limit = (MAX_PATTERNS / heads).isqrt().min(model.context);
    if ids.len() > limit {
        return Err(RequestError::TooLongForNotebook { got: ids.len(), limit });
    }
    let figures = |analysis: &str, layer, head| -> Result<Vec<Figure>, RequestError> {
        let (prompt, analysis) = (prompt.to_owned(), analysis.to_owned());
        let request =
            AnalysisRequest { analysis, prompt, layer, head, ..AnalysisRequest::default() };
        let mut job = AnalysisJob::new(snapshot.clone(), request)?;
        while job.advance()? {}
        job.figures()
    };
    let grids = |analysis: &str| -> Result<Vec<Value>, RequestError> {
        let figures = figures(analysis, 0, 0)?;
        Ok(figures.iter().filter_map(grid).map(rows).collect())
    };
    let mut patterns = Vec::new();
    for layer in 0..model.n_layers {
        for head in 0..model.n_heads {
            patterns.push(figures("pattern", layer, head)?.first().and_then(grid).map(rows));
        }
    }
    let mut numbers = Map::new();
    numbers.insert("ids".into(), json!(ids));
    numbers.insert("patterns".into(), json!(patterns));
    for (analysis, names) in [
        ("lens", &["likeliest", "following"][..]),
        ("attribution", &["attribution"]),
        ("knockouts", &["knockouts"]),
        ("composition", &["Q-composition", "K-composition", "V-composition"]),
    ] {
        numbers.extend(names.iter().map(|name| (*name).to_owned()).zip(grids(analysis)?));
    }
    Ok(Value::Object(numbers))
}

fn grid(figure: &Figure) -> Option<&Grid> {
    if let Content::Grid(grid) = &figure.content { Some(grid) } else { None }
}

/// The rows of a grid, with null where there is no number.
fn rows(grid: &Grid) -> Value {
    let rows: Vec<&[f32]> = grid.values.chunks(grid.columns.len().max(1)).collect();
    json!(rows)
}
