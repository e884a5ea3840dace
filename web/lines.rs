//! Shares over a quantity, as lines in an SVG drawn with plotters.

use plotters::prelude::*;

use crate::chart::{FONT, pick_color, theme};

/// One line: its name and its points, shares from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub name: &'static str,
    pub points: Vec<(f64, f64)>,
}

/// Draws `lines` over `x`; [`color`] tells which is which.
///
/// # Errors
/// What plotters says, which it should not.
pub fn draw(
    lines: &[Line],
    x: &str,
    size: (u32, u32),
    is_dark: bool,
) -> Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    {
        let theme = theme(is_dark);
        let font = (FONT, 12).into_font().color(&theme.text);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&theme.paper).map_err(describe)?;
        let last =
            lines.iter().flat_map(|line| &line.points).fold(0.1, |m, (x, _)| f64::max(m, *x));
        let mut chart = ChartBuilder::on(&root)
            .margin_top(10)
            .margin_right(14)
            .x_label_area_size(38)
            .y_label_area_size(46)
            .build_cartesian_2d(0.0..last, 0.0..1.0)
            .map_err(describe)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(theme.grid)
            .axis_style(theme.grid)
            .x_desc(x)
            .y_labels(5)
            .y_label_formatter(&|share| format!("{:.0}%", 100.0 * share))
            .label_style(font.clone())
            .axis_desc_style(font.clone())
            .draw()
            .map_err(describe)?;
        for (index, Line { points, .. }) in lines.iter().enumerate() {
            let style = pick_color(index + 1, is_dark).stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style).point_size(3))
                .map_err(describe)?;
        }
        root.present().map_err(describe)?;
    }
    Ok(svg)
}

/// The colour of the line of this index, for a style sheet.
pub fn color(index: usize, is_dark: bool) -> String {
    let RGBColor(red, green, blue) = pick_color(index + 1, is_dark);
    format!("rgb({red},{green},{blue})")
}

fn describe(error: impl std::fmt::Display) -> String {
    error.to_string()
}
