//! What Confab shows of a model and a prompt, for a notebook to compare with.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use confab::figure::{Content, Figure, Grid};
use confab::interp::lab::{AnalysisJob, Snapshot};
use confab::learn::Trainer;
use confab::run::AnalysisRequest;
use futures::executor::block_on;
use serde_json::{Map, Value, json};

/// Most numbers of attention patterns in a notebook: about ten bytes each.
const MAX_PATTERNS: usize = 1 << 20;

/// Ids of `prompt`, and Confab's numbers for it: a list of rows for each grid that the page shows.
pub fn numbers(trainer: &Trainer, prompt: &str) -> Result<Value> {
    let model = &trainer.config.model;
    let ids = trainer.tokenizer.encode(prompt).context("reading the prompt")?;
    let heads = model.n_layers * model.n_heads;
    let longest = (MAX_PATTERNS / heads).isqrt().min(model.context);
    ensure!(
        ids.len() <= longest,
        "the prompt is {} tokens long; a notebook of this model holds at most {longest}: give a shorter one",
        ids.len()
    );
    let snapshot = Arc::new(block_on(Snapshot::read(trainer)).context("reading the weights")?);
    let figures = |analysis: &str, layer, head| -> Result<Vec<Figure>> {
        let (prompt, analysis) = (prompt.to_owned(), analysis.to_owned());
        let request =
            AnalysisRequest { analysis, prompt, layer, head, ..AnalysisRequest::default() };
        let mut job = AnalysisJob::new(snapshot.clone(), request)?;
        while job.advance()? {}
        Ok(job.figures()?)
    };
    let grids = |analysis: &str| -> Result<Vec<Value>> {
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
