//! Quantities as lines in an SVG, drawn with plotters, and the colours of every chart.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;

pub const FONT: &str = "system-ui, sans-serif";

/// The colours of a chart's own parts.
pub struct Theme {
    pub paper: RGBColor,
    pub text: RGBColor,
    pub grid: RGBColor,
}

const LIGHT: Theme = Theme {
    paper: RGBColor(255, 255, 255),
    text: RGBColor(82, 88, 102),
    grid: RGBColor(228, 231, 237),
};
const DARK: Theme = Theme {
    paper: RGBColor(24, 27, 34),
    text: RGBColor(163, 170, 184),
    grid: RGBColor(49, 54, 66),
};

/// Okabe and Ito's colours, told apart by the colour-blind too; the first is the example's.
const COLORS: [[RGBColor; 7]; 2] = [
    [
        RGBColor(120, 126, 140),
        RGBColor(0, 114, 178),
        RGBColor(213, 94, 0),
        RGBColor(0, 140, 105),
        RGBColor(190, 100, 150),
        RGBColor(190, 135, 0),
        RGBColor(40, 150, 200),
    ],
    [
        RGBColor(150, 156, 170),
        RGBColor(86, 180, 233),
        RGBColor(240, 130, 50),
        RGBColor(30, 190, 145),
        RGBColor(220, 140, 185),
        RGBColor(230, 180, 50),
        RGBColor(120, 150, 250),
    ],
];

pub fn theme(is_dark: bool) -> &'static Theme {
    if is_dark { &DARK } else { &LIGHT }
}

/// The colour of line `number`, from 1 on; 0 is that of the example.
pub fn pick_color(number: usize, is_dark: bool) -> RGBColor {
    let colors = &COLORS[usize::from(is_dark)];
    if number == 0 { colors[0] } else { colors[1 + (number - 1) % (colors.len() - 1)] }
}

/// One line: its name and its points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub name: String,
    pub points: Vec<Point>,
    /// A name for each point, which then are not joined; none for a line.
    pub labels: Vec<String>,
}

/// A value at `x`, with an error bar of `spread` up and down; none if that is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    pub spread: f64,
}

/// A line of more points has no mark at each.
const MOST_MARKED: usize = 60;

/// What the axes stand for.
#[derive(Clone, Copy, Debug)]
pub struct Axes<'a> {
    pub x: &'a str,
    pub x_is_log: bool,
    pub y: &'a str,
    /// Whether `y` is a share, 0 to 1, written in percent; else it begins at 0.
    pub y_is_share: bool,
    /// Whether the names of the lines stand in the chart.
    pub has_legend: bool,
}

/// Draws charts below each other, each in an equal part of `size`, in pixels.
///
/// # Errors
/// What plotters says, which it should not.
pub fn draw(charts: &[(Axes, &[Line])], size: (u32, u32), is_dark: bool) -> Result<String, String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    let parts = root.split_evenly((charts.len().max(1), 1));
    for ((axes, lines), part) in charts.iter().zip(&parts) {
        draw_lines(part, *axes, lines, is_dark).map_err(|error| error.to_string())?;
    }
    root.present().map_err(|error| error.to_string())?;
    drop(parts);
    drop(root);
    Ok(svg)
}

fn draw_lines<'a>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    axes: Axes,
    lines: &[Line],
    is_dark: bool,
) -> Result<(), Box<dyn std::error::Error + 'a>> {
    let theme = theme(is_dark);
    let font = (FONT, 12).into_font().color(&theme.text);
    area.fill(&theme.paper)?;
    let place = |x: f64| if axes.x_is_log { x.max(1e-9).log10() } else { x };
    let (across, up) = find_ranges(axes, lines, place);
    let mut chart = ChartBuilder::on(area)
        .margin_top(10)
        .margin_right(14)
        .x_label_area_size(38)
        .y_label_area_size(if axes.y.is_empty() { 46 } else { 62 })
        .build_cartesian_2d(across, up)?;
    let name_x = |x: &f64| if axes.x_is_log { format!("{:.0}", 10f64.powf(*x)) } else { trim(*x) };
    let name_y = |y: &f64| if axes.y_is_share { format!("{:.0}%", 100.0 * y) } else { trim(*y) };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(theme.grid)
        .axis_style(theme.grid)
        .x_desc(axes.x)
        .y_desc(axes.y)
        .y_labels(5)
        .x_label_formatter(&name_x)
        .y_label_formatter(&name_y)
        .label_style(font.clone())
        .axis_desc_style(font.clone())
        .draw()?;
    for (index, Line { name, points, labels }) in lines.iter().enumerate() {
        let style = pick_color(index + 1, is_dark).stroke_width(2);
        let at = |point: &Point| (place(point.x), point.y);
        let bars = points.iter().filter(|point| point.spread > 0.0).map(|point| {
            let (x, y) = at(point);
            PathElement::new([(x, y - point.spread), (x, y + point.spread)], style)
        });
        chart.draw_series(bars)?;
        let named = labels.iter().zip(points);
        let named = named.map(|(label, point)| Text::new(label.clone(), at(point), font.clone()));
        chart.draw_series(named)?;
        let points = if labels.is_empty() { &points[..] } else { &[] };
        let mark = if points.len() > MOST_MARKED { 0 } else { 3 };
        chart
            .draw_series(LineSeries::new(points.iter().map(at), style).point_size(mark))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], style));
    }
    if axes.has_legend && !lines.is_empty() {
        chart
            .configure_series_labels()
            .position(if axes.y_is_share {
                SeriesLabelPosition::LowerLeft
            } else {
                SeriesLabelPosition::UpperLeft
            })
            .margin(8)
            .legend_area_size(20)
            .background_style(theme.paper.mix(0.85))
            .label_font(font)
            .draw()?;
    }
    Ok(())
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
    let most = points().map(|point| point.y + point.spread).fold(0.0, f64::max);
    let least = points().map(|point| point.y - point.spread).fold(0.0, f64::min);
    let up = match axes.y_is_share {
        true => 0.0..1.0,
        false if most == least => 0.0..1.0,
        false => 1.05 * least..1.05 * most,
    };
    (across, up)
}

/// Up to three digits after the point, without zeros at the end.
fn trim(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The colour of the line of this index, for a style sheet.
pub fn css_color(index: usize, is_dark: bool) -> String {
    let RGBColor(red, green, blue) = pick_color(index + 1, is_dark);
    format!("rgb({red},{green},{blue})")
}
