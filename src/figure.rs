//! What an analysis found, as the page draws and the terminal prints it: grids, tables and plots.

mod svg;

use serde::{Deserialize, Serialize};

pub use svg::needs_white;

/// A result, and how it is to be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub title: String,
    /// What the numbers are: formula, unit, source.
    pub note: String,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    Grid(Grid),
    Table(Table),
    Plot(Plot),
}

/// Numbers by row and column, as colours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    pub rows: Axis,
    pub columns: Axis,
    /// `[row, column]`; not a number where there is none.
    pub values: Vec<f32>,
    /// What stands in each cell, `[row, column]`; nothing at all, or nothing in one.
    pub texts: Vec<String>,
    /// Whether rows are places that look at the columns, the same places up to their own.
    pub is_pattern: bool,
    /// What the ends of the colours stand for: from 0 to the second, or, if the first is below 0,
    /// both ways from 0.
    pub range: [f32; 2],
}

/// What rows or columns are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    pub name: String,
    pub labels: Vec<String>,
    /// What is chosen with one of them, by its number.
    pub picks: Option<Pick>,
}

/// What a look can be turned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pick {
    Layer,
    /// Of the layer that is looked at.
    Head,
    /// Any head: `layer · heads + head`.
    AnyHead,
    Position,
    /// Of the weights that are looked at.
    Row,
    Column,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// Lines, or points with names.
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
    /// A name for each point, which then are not joined; none for a line.
    pub labels: Vec<String>,
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
    /// With colours as far as the values go: from 0 up, or both ways if some are below it.
    pub fn new(rows: Axis, columns: Axis, values: Vec<f32>) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let greatest = finite().map(f32::abs).fold(0.0, f32::max);
        let least = if finite().any(|value| value < 0.0) { -greatest } else { 0.0 };
        Self {
            rows,
            columns,
            values,
            texts: Vec::new(),
            is_pattern: false,
            range: [least, greatest],
        }
    }

    /// Of attention, `[query, key]`; what lies after its query is nothing.
    pub fn pattern(rows: Axis, columns: Axis, mut values: Vec<f32>) -> Self {
        let keys = columns.len();
        for (query, row) in values.chunks_mut(keys.max(1)).enumerate() {
            row.iter_mut().skip(query + 1).for_each(|value| *value = f32::NAN);
        }
        Self { is_pattern: true, ..Self::new(rows, columns, values) }
    }

    pub fn within(self, range: [f32; 2]) -> Self {
        Self { range, ..self }
    }

    /// With every value written in its cell.
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

    /// A value's place among the colours: 0 to 1, or −1 to 1.
    pub fn shade(&self, value: f32) -> f32 {
        let [least, greatest] = self.range;
        let share = if greatest > 0.0 { value / greatest } else { 0.0 };
        share.clamp(if least < 0.0 { -1.0 } else { 0.0 }, 1.0)
    }

    /// The colour of a value; `None` where there is none.
    pub fn color(&self, value: f32) -> Option<[u8; 3]> {
        let shade = self.shade(value);
        value.is_finite().then(|| match self.range[0] < 0.0 {
            true => crate::color::signed_color(shade),
            false if self.is_pattern => crate::color::weight_color(shade),
            false => crate::color::share_color(shade),
        })
    }
}

/// A number in few characters: about three digits that count.
pub fn show(value: f32) -> String {
    let size = value.abs();
    match size {
        _ if value.is_nan() => String::new(),
        _ if size == 0.0 => "0".into(),
        // In double precision, as all else that is written with an exponent: one routine less.
        _ if size < 0.0005 => format!("{:.0e}", f64::from(value)),
        _ if size < 0.005 => format!("{value:.4}"),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A token's text with control characters and spaces as something to see.
pub fn show_token(token: &str) -> String {
    token.chars().map(show_character).collect()
}

fn show_character(character: char) -> char {
    match character {
        '\n' => '⏎',
        ' ' => '·',
        '\t' => '⇥',
        '\r' => '␍',
        other => other,
    }
}
