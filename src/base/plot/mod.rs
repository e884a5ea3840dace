//! Line charts as SVG, and the colours of every chart.

mod frame;
mod svg;

use std::ops::Range;

pub use frame::{Axis, Frame, Legend, Tick, list_log_ticks, list_ticks};
pub use svg::{Anchor, Stroke, Svg, size_of};

/// Colours of a chart's background, text and grid.
pub struct Theme {
    pub paper: &'static str,
    pub text: &'static str,
    pub grid: &'static str,
}

const LIGHT: Theme = Theme { paper: "#ffffff", text: "#525866", grid: "#e4e7ed" };
const DARK: Theme = Theme { paper: "#181b22", text: "#a3aab8", grid: "#313642" };

/// Okabe and Ito's colours, which colour-blind readers can distinguish. The first is the colour of the example.
const COLORS: [[&str; 7]; 2] = [
    ["#787e8c", "#0072b2", "#d55e00", "#008c69", "#be6496", "#be8700", "#2896c8"],
    ["#969caa", "#56b4e9", "#f08232", "#1ebe91", "#dc8cb9", "#e6b432", "#7896fa"],
];

pub fn theme(is_dark: bool) -> &'static Theme {
    if is_dark { &DARK } else { &LIGHT }
}

/// Colour of line `number`, from 1; 0 is the example.
pub fn pick_color(number: usize, is_dark: bool) -> &'static str {
    let colors = &COLORS[usize::from(is_dark)];
    if number == 0 { colors[0] } else { colors[1 + (number - 1) % (colors.len() - 1)] }
}

/// A line: name and points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub name: String,
    pub points: Vec<Point>,
    /// Name of each point, for points that are not joined; empty for a line.
    pub labels: Vec<String>,
}

/// A value at `x`, with an error bar of ±`spread`; no bar if `spread` is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    pub spread: f64,
}

/// Most points of a line that has a mark at each.
const MAX_MARKED: usize = 60;

/// Names and scales of the axes.
#[derive(Clone, Copy, Debug)]
pub struct Axes<'a> {
    pub x: &'a str,
    pub x_is_log: bool,
    pub y: &'a str,
    /// True if `y` is a share, 0 to 1, shown in percent; otherwise the axis begins at 0.
    pub y_is_share: bool,
    /// True if the chart has a legend with the names of the lines.
    pub has_legend: bool,
}

/// Draws charts one below the other, each in an equal part of `size`, in pixels.
pub fn draw(charts: &[(Axes, &[Line])], size: (u32, u32), is_dark: bool) -> String {
    let mut svg = Svg::new(size);
    let (width, height) = size;
    svg.rectangle((0, 0), (width as i32, height as i32), theme(is_dark).paper, 1.0);
    let part = height / charts.len().max(1) as u32;
    for (index, (axes, lines)) in (0..).zip(charts) {
        draw_lines(&mut svg, (width, index * part..(index + 1) * part), *axes, lines, is_dark);
    }
    svg.finish()
}

fn draw_lines(svg: &mut Svg, area: (u32, Range<u32>), axes: Axes, lines: &[Line], is_dark: bool) {
    let theme = theme(is_dark);
    let place = |x: f64| if axes.x_is_log { x.max(1e-9).log10() } else { x };
    let (across, up) = find_ranges(axes, lines, place);
    let tick = |value: f64| Tick { at: place(value), label: trim(value) };
    let x_ticks = match axes.x_is_log {
        true => list_log_ticks(&(10f64.powf(across.start)..10f64.powf(across.end)), 8),
        false => list_ticks(&across, 10),
    };
    let name_y = |y: f64| if axes.y_is_share { format!("{:.0}%", 100.0 * y) } else { trim(y) };
    let y_ticks = list_ticks(&up, 5);
    let left = if axes.y.is_empty() { 46 } else { 62 };
    let strokes = (1..).map(|index| Stroke::solid(pick_color(index, is_dark), 2));
    let names = lines.iter().filter(|_| axes.has_legend).map(|line| line.name.as_str());
    let legend = Legend::new(names.zip(strokes.clone()).collect(), area.0, left);
    let (width, rows) = area;
    let frame =
        Frame::new((width, rows.start..rows.end.saturating_sub(legend.height())), left, across, up);
    frame.draw_legend(svg, theme, &legend);
    frame.draw_axes(
        svg,
        theme,
        &Axis { name: axes.x, ticks: x_ticks.into_iter().map(tick).collect() },
        &Axis {
            name: axes.y,
            ticks: y_ticks.into_iter().map(|y| Tick { at: y, label: name_y(y) }).collect(),
        },
    );
    for (Line { points, labels, .. }, stroke) in lines.iter().zip(strokes) {
        let at = |point: &Point, off: f64| frame.place((place(point.x), point.y + off));
        for point in points.iter().filter(|point| point.spread > 0.0) {
            svg.line(&[at(point, -point.spread), at(point, point.spread)], stroke);
        }
        let places: Vec<_> = points.iter().map(|point| at(point, 0.0)).collect();
        for (place, label) in places.iter().zip(labels) {
            svg.text(*place, Anchor::Middle, theme.text, label);
        }
        if labels.is_empty() {
            svg.line(&places, stroke);
        }
        if labels.is_empty() && places.len() <= MAX_MARKED {
            places.iter().for_each(|place| svg.dot(*place, 3, stroke.color, 1.0));
        }
    }
}

fn find_ranges(axes: Axes, lines: &[Line], place: impl Fn(f64) -> f64) -> (Range<f64>, Range<f64>) {
    let points = || lines.iter().flat_map(|line| &line.points);
    let right = points().map(|point| place(point.x)).fold(f64::NEG_INFINITY, f64::max);
    let left = points().map(|point| place(point.x)).fold(f64::INFINITY, f64::min);
    let across = match axes.x_is_log {
        true if left < right => left..right,
        true if left.is_finite() => left - 0.5..left + 0.5,
        true => 0.0..1.0,
        false => left.min(0.0)..right.max(0.1),
    };
    let largest = points().map(|point| point.y + point.spread).fold(0.0, f64::max);
    let smallest = points().map(|point| point.y - point.spread).fold(0.0, f64::min);
    let up = match axes.y_is_share {
        true => 0.0..1.0,
        false if largest == smallest => 0.0..1.0,
        false => 1.05 * smallest..1.05 * largest,
    };
    (across, up)
}

/// Formats with at most three decimals, without trailing zeros.
fn trim(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
