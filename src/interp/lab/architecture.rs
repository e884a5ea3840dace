//! The parameters of a model, and the operations done to it.

use super::analysis::AtOnce;
use super::error::RequestError;
use super::subject::Subject;
use crate::arch::Layout;
use crate::base::numbers::Numbers;
use crate::config::ModelConfig;
use crate::figure::{Content, Figure, Table, show};
use crate::host::ParameterSource;
use crate::run::{AppliedOperation, Group};

pub(super) static ARCHITECTURE: AtOnce =
    AtOnce::new("architecture", "Architecture", Group::Architecture, &[], draw);

fn draw(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let Subject { model, .. } = subject;
    Ok(architecture(&model.config, &model.layout, &model.weights, &model.edits))
}

/// Every parameter, and every operation in the model's history.
pub fn architecture(
    config: &ModelConfig,
    layout: &Layout,
    weights: &impl ParameterSource,
    edits: &[AppliedOperation],
) -> Vec<Figure> {
    let ModelConfig { n_layers, n_heads, d_model, .. } = config;
    let row = |name: &str, shape: &[usize], values: Numbers| {
        let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
        let count = values.len();
        let share = 100.0 * count as f64 / layout.len().max(1) as f64;
        let [norm, deviation] = spread(values);
        let (norm, deviation) = (show(norm), show(deviation));
        let (shape, share) = (shape.join(" × "), format!("{share:.1}%"));
        vec![name.into(), shape, count.to_string(), share, norm, deviation]
    };
    let rows = layout
        .parameters()
        .iter()
        .map(|p| row(p.name(), &p.shape(), weights.numbers(p)))
        .collect();
    let done = edits.iter().map(|AppliedOperation { operation, step, loss }| {
        let label = operation.kind.procedure().label.into();
        let [before, after] = loss.map_or([const { String::new() }; 2], |loss| loss.map(show));
        vec![step.to_string(), label, operation.number.to_string(), before, after]
    });
    vec![
        Figure {
            title: format!(
                "{n_layers} layers of {n_heads} heads, {} wide, on a residual stream of {d_model}: {} \
                 parameters",
                config.d_head(),
                layout.len()
            ),
            note: "Each by its rows and columns, how many numbers it has and what share that is of all; \
                   the root of the sum of their squares, and their standard deviation."
                .into(),
            content: table(&["parameter", "shape", "numbers", "share", "norm", "deviation"], rows),
        },
        Figure {
            title: match edits.len() {
                1 => "1 operation so far".into(),
                count => format!("{count} operations so far"),
            },
            note: "What was done to this model, after which step; of what training did by itself, with the \
                   validation loss before and after."
                .into(),
            content: table(
                &["step", "operation", "number", "loss before", "after"],
                done.collect(),
            ),
        },
    ]
}

fn table(columns: &[&str], rows: Vec<Vec<String>>) -> Content {
    Content::Table(Table { columns: columns.iter().map(|name| name.to_string()).collect(), rows })
}

/// Numbers in 32 bits at once.
const PART: usize = 1 << 16;

/// The Euclidean norm and the standard deviation.
fn spread(values: Numbers) -> [f32; 2] {
    let count = values.len().max(1) as f64;
    let (mut total, mut squares) = (0.0, 0.0);
    for part in values.rows(PART) {
        for value in part.iter().map(|value| f64::from(*value)) {
            total += value;
            squares += value * value;
        }
    }
    let variance = squares / count - (total / count).powi(2);
    [squares.sqrt() as f32, variance.max(0.0).sqrt() as f32]
}
