//! Frame of a chart: places of values in a picture, the axes and the legend.

use std::ops::Range;

use super::Theme;
use super::svg::{Anchor, Stroke, Svg};

/// Margins around the plot, in pixels.
const ABOVE: i32 = 10;
const BELOW: i32 = 38;
const RIGHT: i32 = 14;
/// Space around a legend, height of its lines, and approximate width of a character, in pixels.
const MARGIN: i32 = 8;
const LINE: i32 = 17;
const CHARACTER: i32 = 7;

pub struct Frame {
    /// Plot area in pixels: left to right, and top to bottom.
    pub plot: (Range<i32>, Range<i32>),
    across: Range<f64>,
    up: Range<f64>,
}

/// Name and ticks of an axis.
pub struct Axis<'a> {
    pub name: &'a str,
    pub ticks: Vec<Tick>,
}

pub struct Tick {
    pub at: f64,
    pub label: String,
}

/// Names and strokes of lines, in columns below the plot.
pub struct Legend<'a> {
    lines: Vec<(&'a str, Stroke)>,
    /// Width of a column, in pixels.
    column: i32,
    columns: usize,
}

impl<'a> Legend<'a> {
    /// Legend in a picture of `width`, whose plot begins at `left`.
    pub fn new(lines: Vec<(&'a str, Stroke)>, width: u32, left: i32) -> Self {
        let longest = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let column = 38 + CHARACTER * longest as i32;
        let columns = ((width as i32 - left - RIGHT) / column).max(1) as usize;
        Self { lines, column, columns }
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        match self.lines.len().div_ceil(self.columns) {
            0 => 0,
            rows => MARGIN as u32 + LINE as u32 * rows as u32,
        }
    }
}

impl Frame {
    /// Frame for the values `across` and `up` in a picture of `width`, between the rows `rows.start` and
    /// `rows.end`. `left` is the space for the labels at the left.
    pub fn new(
        (width, rows): (u32, Range<u32>),
        left: i32,
        across: Range<f64>,
        up: Range<f64>,
    ) -> Self {
        let plot = (
            left..(width as i32 - RIGHT).max(left + 1),
            rows.start as i32 + ABOVE..(rows.end as i32 - BELOW).max(rows.start as i32 + ABOVE + 1),
        );
        Self { plot, across, up }
    }

    /// Pixel of a value. Values beyond an axis go to its end.
    pub fn place(&self, (x, y): (f64, f64)) -> (i32, i32) {
        let (columns, rows) = &self.plot;
        let share = |value: f64, range: &Range<f64>| {
            ((value - range.start) / (range.end - range.start)).clamp(0.0, 1.0)
        };
        let (right, up) = (share(x, &self.across), share(y, &self.up));
        let column = f64::from(columns.start) + right * f64::from(columns.end - columns.start);
        let row = f64::from(rows.end) - up * f64::from(rows.end - rows.start);
        (column.round() as i32, row.round() as i32)
    }

    pub fn draw_axes(&self, svg: &mut Svg, theme: &Theme, x: &Axis, y: &Axis) {
        let (columns, rows) = &self.plot;
        let grid = Stroke::solid(theme.grid, 1);
        for Tick { at, label } in &x.ticks {
            let (column, _) = self.place((*at, self.up.start));
            svg.line(&[(column, rows.start), (column, rows.end + 4)], grid);
            svg.text((column, rows.end + 12), Anchor::Middle, theme.text, label);
        }
        for Tick { at, label } in &y.ticks {
            let (_, row) = self.place((self.across.start, *at));
            svg.line(&[(columns.start - 4, row), (columns.end, row)], grid);
            svg.text((columns.start - 7, row), Anchor::End, theme.text, label);
        }
        let (left, top) = (columns.start, rows.start);
        svg.line(&[(left, top), (left, rows.end), (columns.end, rows.end)], grid);
        let (middle, centre) = ((left + columns.end) / 2, (top + rows.end) / 2);
        svg.text((middle, rows.end + 28), Anchor::Middle, theme.text, x.name);
        svg.text((8, centre), Anchor::Upwards, theme.text, y.name);
    }

    /// Draws the legend below the axes.
    pub fn draw_legend(&self, svg: &mut Svg, theme: &Theme, legend: &Legend) {
        let (columns, rows) = &self.plot;
        for (index, (name, stroke)) in legend.lines.iter().enumerate() {
            let left = columns.start + legend.column * (index % legend.columns) as i32;
            let row = rows.end + BELOW + LINE / 2 + LINE * (index / legend.columns) as i32;
            svg.line(&[(left, row), (left + 14, row)], *stroke);
            svg.text((left + 20, row), Anchor::Start, theme.text, name);
        }
    }
}

/// Evenly spaced round numbers in `range`, about `most` at most.
pub fn list_ticks(range: &Range<f64>, limit: usize) -> Vec<f64> {
    let rough = (range.end - range.start) / limit.max(1) as f64;
    if !rough.is_finite() || rough <= 0.0 {
        return Vec::new();
    }
    let power = 10f64.powi(rough.log10().floor() as i32);
    let step = [1.0, 2.0, 5.0].map(|digit| digit * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((range.start / step).ceil() as i64, (range.end / step).floor() as i64);
    (first..=last).map(|count| count as f64 * step).collect()
}

/// Round numbers in `range`, for a logarithmic axis: as many per decade as give `most` at most, and one per decade
/// if there are more decades.
pub fn list_log_ticks(range: &Range<f64>, limit: usize) -> Vec<f64> {
    const DIGITS: [&[f64]; 3] =
        [&[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0], &[1.0, 2.0, 5.0], &[1.0]];
    // Both ends count, even if rounding moved their logarithms.
    let range = range.start * (1.0 - 1e-9)..range.end * (1.0 + 1e-9);
    let powers = range.start.log10().floor() as i32..=range.end.log10().floor() as i32;
    let mut ticks = Vec::new();
    for digits in DIGITS {
        let all = powers
            .clone()
            .flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)));
        ticks = all.filter(|tick| range.contains(tick)).collect();
        if ticks.len() <= limit {
            break;
        }
    }
    ticks
}
