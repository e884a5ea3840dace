//! Results of an analysis, for the page to draw and the terminal to print: grids, tables and plots.

mod save;
mod svg;

use serde::{Deserialize, Serialize};

use crate::base::plot::Line;
use crate::base::text::pictured;

pub use save::name_file;
pub use svg::needs_white;

/// A result with its title and explanation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub title: String,
    /// Meaning of the numbers: formula, unit, source.
    pub note: String,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    Grid(Grid),
    Table(Table),
    Plot(Plot),
}

/// Numbers by row and column, shown as colours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    pub rows: Axis,
    pub columns: Axis,
    /// `[row, column]`; NaN where there is no number.
    pub values: Vec<f32>,
    /// Text of each cell, `[row, column]`. Empty for a grid without texts; an empty string for a cell without one.
    pub texts: Vec<String>,
    /// True for an attention pattern: rows are queries, and columns are keys up to the query's own position.
    pub is_pattern: bool,
    /// Values at the ends of the colour scale: from 0 to the second or, if the first is below 0, both ways from 0.
    pub range: [f32; 2],
}

/// Name and labels of the rows or columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    pub name: String,
    pub labels: Vec<String>,
    /// Selection made by the index of a row or column.
    pub picks: Option<Pick>,
}

/// Setting of an analysis that a figure can select.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pick {
    Layer,
    /// Head of the selected layer.
    Head,
    /// Any head, as `layer · heads + head`.
    AnyHead,
    Position,
    /// Row of the selected parameter.
    Row,
    Column,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// Lines, or named points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    pub x: String,
    pub y: String,
    pub series: Vec<Series>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub name: String,
    pub points: Vec<[f32; 2]>,
    /// Name of each point, for points that are not joined; empty for a line.
    pub labels: Vec<String>,
}

impl From<&Line> for Series {
    fn from(line: &Line) -> Self {
        let points = line.points.iter().map(|point| [point.x as f32, point.y as f32]);
        Self { name: line.name.clone(), points: points.collect(), labels: line.labels.clone() }
    }
}

impl Axis {
    pub fn new(name: &str, labels: Vec<String>) -> Self {
        Self { name: name.into(), labels, picks: None }
    }

    pub fn picking(self, pick: Pick) -> Self {
        Self { picks: Some(pick), ..self }
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

impl Grid {
    /// Grid with colours scaled to the values: from 0 up, or both ways if some are negative.
    pub fn new(rows: Axis, columns: Axis, values: Vec<f32>) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let largest = finite().map(f32::abs).fold(0.0, f32::max);
        let smallest = if finite().any(|value| value < 0.0) { -largest } else { 0.0 };
        Self {
            rows,
            columns,
            values,
            texts: Vec::new(),
            is_pattern: false,
            range: [smallest, largest],
        }
    }

    /// Grid of an attention pattern, `[query, key]`, with NaN for keys after the query.
    pub fn pattern(rows: Axis, columns: Axis, mut values: Vec<f32>) -> Self {
        let keys = columns.len();
        for (query, row) in values.chunks_mut(keys.max(1)).enumerate() {
            row.iter_mut().skip(query + 1).for_each(|value| *value = f32::NAN);
        }
        Self { is_pattern: true, ..Self::new(rows, columns, values) }
    }

    /// True if every row is shares of 1, as those of attention by a softmax are: of some other mixers, weights may be negative.
    pub fn is_of_shares(&self) -> bool {
        let seen = |row: &[f32]| row.iter().copied().filter(|value| value.is_finite()).collect();
        let is_whole = |row: Vec<f32>| {
            row.iter().all(|value| *value >= 0.0) && (row.iter().sum::<f32>() - 1.0).abs() < 1e-3
        };
        self.values.chunks(self.columns.len().max(1)).map(seen).all(is_whole)
    }

    pub fn within(self, range: [f32; 2]) -> Self {
        Self { range, ..self }
    }

    /// Writes every value in its cell.
    pub fn written(self) -> Self {
        let texts = self.values.iter().map(|value| show(*value)).collect();
        Self { texts, ..self }
    }

    pub fn value(&self, row: usize, column: usize) -> Option<f32> {
        (column < self.columns.len())
            .then(|| self.values.get(row * self.columns.len() + column).copied())?
    }

    pub fn text(&self, row: usize, column: usize) -> &str {
        self.texts.get(row * self.columns.len() + column).map_or("", String::as_str)
    }

    /// Place of a value on the colour scale: 0 to 1, or −1 to 1.
    pub fn shade(&self, value: f32) -> f32 {
        let [smallest, largest] = self.range;
        let share = if largest > 0.0 { value / largest } else { 0.0 };
        share.clamp(if smallest < 0.0 { -1.0 } else { 0.0 }, 1.0)
    }

    /// Colour of a value; `None` if it is not finite.
    pub fn color(&self, value: f32) -> Option<[u8; 3]> {
        let shade = self.shade(value);
        value.is_finite().then(|| match self.range[0] < 0.0 {
            true => crate::base::color::signed_color(shade),
            false if self.is_pattern => crate::base::color::weight_color(shade),
            false => crate::base::color::share_color(shade),
        })
    }
}

/// Formats a number briefly: about three significant digits.
pub fn show(value: f32) -> String {
    let size = value.abs();
    match size {
        _ if value.is_nan() => String::new(),
        _ if size == 0.0 => "0".into(),
        // In double precision, like all other numbers with an exponent, which saves a formatting routine.
        _ if size < 0.0005 => format!("{:.0e}", f64::from(value)),
        _ if size < 0.005 => format!("{value:.4}"),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Text of a token, with control characters and spaces made visible.
pub fn show_token(token: &str) -> String {
    token.chars().map(show_character).collect()
}

fn show_character(character: char) -> char {
    match character {
        '\n' => '⏎',
        ' ' => '·',
        '\t' => '⇥',
        '\r' => '␍',
        other => pictured(other),
    }
}
