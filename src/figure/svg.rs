//! Figures as SVG.

use std::fmt::Write;

use super::{Content, Figure, Grid, Plot};
use crate::plot::{self, Axes, Line, Point};

/// Sides of a cell, in pixels, without and with text in it.
const CELL: usize = 14;
const WIDE: usize = 46;
const CHARACTER: usize = 8;
const SIZE: (u32, u32) = (640, 320);

impl Figure {
    /// # Errors
    /// If it is a table, or has more than fits in a picture.
    pub fn to_svg(&self, is_dark: bool) -> Result<String, String> {
        match &self.content {
            Content::Grid(grid) => draw_grid(grid, &self.title),
            Content::Plot(plot) => draw_plot(plot, SIZE, is_dark),
            Content::Table(_) => Err(format!("“{}” is a table, not a picture", self.title)),
        }
    }
}

/// Most cells of a picture: a square of 512 by 512.
const MOST_CELLS: usize = 1 << 18;

fn draw_grid(grid: &Grid, title: &str) -> Result<String, String> {
    let (rows, columns) = (grid.rows.len(), grid.columns.len());
    if rows * columns > MOST_CELLS {
        return Err(format!("{rows} × {columns} cells are too many for a picture"));
    }
    let widest = |labels: &[String]| labels.iter().map(|label| label.chars().count()).max();
    let left = CHARACTER * widest(&grid.rows.labels).unwrap_or(0) + 12;
    let top = 44;
    let width = if grid.texts.is_empty() { CELL } else { WIDE };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"{}\" \
         font-size=\"11\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\
         <text x=\"4\" y=\"16\" font-size=\"13\">{}</text>",
        left + columns * width + 8,
        top + rows * CELL + 8,
        plot::FONT,
        escape(title)
    );
    // Writing to a string cannot fail.
    for (column, label) in grid.columns.labels.iter().enumerate() {
        let x = left + column * width + width / 2;
        let _ = write!(
            svg,
            "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            top - 6,
            escape(label)
        );
    }
    for (row, label) in grid.rows.labels.iter().enumerate() {
        let y = top + row * CELL;
        let _ = write!(svg, "<text x=\"4\" y=\"{}\">{}</text>", y + 11, escape(label));
        for column in 0..columns {
            let value = grid.value(row, column).unwrap_or(f32::NAN);
            let Some([red, green, blue]) = grid.color(value) else { continue };
            let x = left + column * width;
            let _ = write!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{CELL}\" \
                 fill=\"rgb({red},{green},{blue})\"/>"
            );
            let text = grid.text(row, column);
            if !text.is_empty() {
                let ink = if is_dark([red, green, blue]) { "white" } else { "black" };
                let _ = write!(
                    svg,
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"{ink}\">{}</text>",
                    x + width / 2,
                    y + 11,
                    escape(text)
                );
            }
        }
    }
    svg.push_str("</svg>");
    Ok(svg)
}

/// Whether white can be read on a colour better than black.
pub(super) fn is_dark([red, green, blue]: [u8; 3]) -> bool {
    299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue) < 140_000
}

pub(super) fn draw_plot(plot: &Plot, size: (u32, u32), is_dark: bool) -> Result<String, String> {
    let point = |[x, y]: &[f32; 2]| Point { x: (*x).into(), y: (*y).into(), spread: 0.0 };
    let lines: Vec<Line> = plot
        .series
        .iter()
        .map(|series| Line {
            name: series.name.clone(),
            points: series.points.iter().map(point).collect(),
            labels: series.labels.clone(),
        })
        .collect();
    let axes = Axes {
        x: &plot.x,
        x_is_log: false,
        y: &plot.y,
        y_is_share: false,
        has_legend: plot.series.len() > 1,
    };
    plot::draw(&[(axes, &lines)], size, is_dark)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
