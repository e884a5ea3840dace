//! Figures as files of numbers: CSV, JSON and NPY.

use super::{Axis, Content, Figure, Grid, Plot, Series, Table};
use crate::base::json::Json;

/// Most letters of a file's name, without its ending.
const MAX_NAME: usize = 60;
/// Bytes that the header of an NPY file is padded to a multiple of.
const NPY_ALIGNMENT: usize = 64;

/// Name of a file without its ending: lower-case ASCII letters and digits of `parts`, with single hyphens between. At
/// most 60 letters, cut between words where that is possible; `figure` if none is left.
pub fn name_file(parts: &[&str]) -> String {
    let mut name = String::new();
    for character in parts.join("-").chars() {
        match character.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => name.push(letter),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    if name.len() > MAX_NAME {
        let end = name[..=MAX_NAME].rfind('-').unwrap_or(MAX_NAME);
        name.truncate(end);
    }
    match name.trim_end_matches('-') {
        "" => "figure".into(),
        trimmed => trimmed.into(),
    }
}

impl Figure {
    /// CSV as in RFC 4180.
    ///
    /// A grid has the labels of its columns in the first line and of its rows in the first column. A plot has a line
    /// `series,x,y,label` per point. Numbers have the fewest digits that give them back, and NaN is an empty field. A
    /// text that a spreadsheet would take for a formula has `'` in front.
    pub fn to_csv(&self) -> String {
        let mut csv = Csv::default();
        match &self.content {
            Content::Grid(grid) => write_grid(&mut csv, grid),
            Content::Table(Table { columns, rows }) => {
                for row in std::iter::once(columns).chain(rows) {
                    csv.texts(row);
                    csv.end();
                }
            }
            Content::Plot(plot) => write_points(&mut csv, plot),
        }
        csv.0
    }

    /// JSON with title, note, kind and content; a number that is not finite is `null`.
    pub fn to_json(&self) -> String {
        let mut json = Json::default();
        json.open('{');
        for (key, text) in [("title", &self.title), ("note", &self.note)] {
            json.key(key);
            json.text(text);
        }
        json.key("kind");
        match &self.content {
            Content::Grid(grid) => describe_grid(&mut json, grid),
            Content::Table(Table { columns, rows }) => {
                json.text("table");
                json.key("columns");
                json.texts(columns);
                json.key("rows");
                json.open('[');
                rows.iter().for_each(|row| json.texts(row));
                json.close(']');
            }
            Content::Plot(plot) => describe_plot(&mut json, plot),
        }
        json.close('}');
        json.finish()
    }

    /// NPY 1.0 of 32-bit floats in C order; `None` for a table.
    ///
    /// # Shapes
    /// Grid: `[row, column]`. Plot: `[point, 3]`, with the index of the series, x and y of each point.
    pub fn to_npy(&self) -> Option<Vec<u8>> {
        match &self.content {
            Content::Grid(grid) => {
                let values: Vec<f32> = cells(grid).flatten().collect();
                Some(write_npy(&values, [grid.rows.len(), grid.columns.len()]))
            }
            Content::Plot(plot) => {
                let points = plot.series.iter().enumerate().flat_map(|(index, series)| {
                    series.points.iter().map(move |[x, y]| [index as f32, *x, *y])
                });
                let points: Vec<[f32; 3]> = points.collect();
                Some(write_npy(points.as_flattened(), [points.len(), 3]))
            }
            Content::Table(_) => None,
        }
    }
}

/// Rows of a grid's values.
fn cells(grid: &Grid) -> impl Iterator<Item = impl Iterator<Item = f32>> {
    let value = |row, column| grid.value(row, column).unwrap_or(f32::NAN);
    (0..grid.rows.len())
        .map(move |row| (0..grid.columns.len()).map(move |column| value(row, column)))
}

fn write_grid(csv: &mut Csv, grid: &Grid) {
    csv.text(&grid.rows.name);
    csv.texts(&grid.columns.labels);
    csv.end();
    for (label, row) in grid.rows.labels.iter().zip(cells(grid)) {
        csv.text(label);
        row.for_each(|value| csv.number(value));
        csv.end();
    }
}

fn write_points(csv: &mut Csv, plot: &Plot) {
    csv.0.push_str("series,x,y,label\r\n");
    for Series { name, points, labels } in &plot.series {
        for (index, [x, y]) in points.iter().enumerate() {
            csv.text(name);
            csv.number(*x);
            csv.number(*y);
            csv.text(labels.get(index).map_or("", String::as_str));
            csv.end();
        }
    }
}

fn describe_grid(json: &mut Json, grid: &Grid) {
    let shape = [grid.rows.len(), grid.columns.len()];
    json.text("grid");
    for (key, Axis { name, labels, .. }) in [("rows", &grid.rows), ("columns", &grid.columns)] {
        json.key(key);
        json.open('{');
        json.key("name");
        json.text(name);
        json.key("labels");
        json.texts(labels);
        json.close('}');
    }
    json.key("values");
    json.array(&grid.values, &shape);
    if !grid.texts.is_empty() {
        json.key("texts");
        json.open('[');
        grid.texts.chunks(shape[1].max(1)).for_each(|row| json.texts(row));
        json.close(']');
    }
}

fn describe_plot(json: &mut Json, plot: &Plot) {
    json.text("plot");
    for (key, text) in [("x", &plot.x), ("y", &plot.y)] {
        json.key(key);
        json.text(text);
    }
    json.key("series");
    json.open('[');
    for Series { name, points, labels } in &plot.series {
        json.open('{');
        json.key("name");
        json.text(name);
        json.key("points");
        json.array(points.as_flattened(), &[points.len(), 2]);
        json.key("labels");
        json.texts(labels);
        json.close('}');
    }
    json.close(']');
}

fn write_npy(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // The length of the header takes two bytes, its line break one.
    let length = MAGIC.len() + 2 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', length.next_multiple_of(NPY_ALIGNMENT) - length));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    bytes
}

/// Lines of comma-separated fields.
#[derive(Default)]
struct Csv(String);

impl Csv {
    fn text(&mut self, text: &str) {
        let guard = if is_formula(text) { "'" } else { "" };
        match text.contains([',', '"', '\r', '\n']) {
            true => self.0 += &format!("\"{guard}{}\",", text.replace('"', "\"\"")),
            false => self.0 += &format!("{guard}{text},"),
        }
    }

    fn texts(&mut self, texts: &[String]) {
        texts.iter().for_each(|text| self.text(text));
    }

    fn number(&mut self, number: f32) {
        if !number.is_nan() {
            self.0 += &number.to_string();
        }
        self.0.push(',');
    }

    /// Ends the line, which has a comma too many.
    fn end(&mut self) {
        if self.0.ends_with(',') {
            self.0.pop();
        }
        self.0 += "\r\n";
    }
}

/// True if a spreadsheet would take `text` for a formula, with or without guards in front. A sign alone and a number
/// are none.
fn is_formula(text: &str) -> bool {
    let bare = text.trim_start_matches('\'');
    bare.len() > 1
        && bare.starts_with(['=', '+', '-', '@', '\t', '\r'])
        && bare.parse::<f64>().is_err()
}
