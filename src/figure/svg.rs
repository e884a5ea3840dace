//! Figures as SVG.

use super::{Content, Figure, Grid, Plot, Series};
use crate::base::plot;
use crate::base::plot::{Anchor, Axes, Line, Point, Svg, size_of};

/// Height of a cell, its width with text, and approximate width of a character, in pixels.
const CELL: i32 = 16;
const WIDE: i32 = 46;
const CHARACTER: i32 = 8;
/// Space above the cells, and around them, in pixels.
const TOP: i32 = 44;
const GAP: i32 = 8;
/// Width and height of a plot, in pixels.
const SIZE: (u32, u32) = (640, 320);
/// Most cells of a picture: a square of 512 by 512.
const MAX_CELLS: usize = 1 << 18;
/// Height of a caption above a picture, in pixels.
const CAPTION: u32 = 24;

impl Figure {
    /// # Errors
    /// If it is a table, or has more cells than a picture can hold.
    pub fn to_svg(&self, is_dark: bool) -> Result<String, String> {
        match &self.content {
            Content::Grid(grid) => draw_grid(grid, &self.title, is_dark),
            Content::Plot(plot) => Ok(plot.to_svg(SIZE, is_dark)),
            Content::Table(_) => Err(format!("“{}” is a table, not a picture", self.title)),
        }
    }

    /// The picture under a caption; in `size` pixels, if that is given, and else as large as it is.
    ///
    /// # Errors
    /// As [`to_svg`](Self::to_svg).
    pub fn to_captioned_svg(
        &self,
        caption: &str,
        size: Option<(u32, u32)>,
        is_dark: bool,
    ) -> Result<String, String> {
        let picture = self.to_svg(is_dark)?;
        let own = size_of(&picture);
        let (width, height) = size.unwrap_or((own.0, own.1 + CAPTION));
        let theme = plot::theme(is_dark);
        let mut svg = Svg::new((width, height));
        svg.rectangle((0, 0), (width as i32, height as i32), theme.paper, 1.0);
        svg.text((GAP, CAPTION as i32 / 2), Anchor::Start, theme.text, caption);
        svg.nest(CAPTION, (width, height.saturating_sub(CAPTION)), &picture, own);
        Ok(svg.finish())
    }
}

fn draw_grid(grid: &Grid, title: &str, is_dark: bool) -> Result<String, String> {
    let (rows, columns) = (grid.rows.len(), grid.columns.len());
    if rows * columns > MAX_CELLS {
        return Err(format!("{rows} × {columns} cells are too many for a picture"));
    }
    let widest = |labels: &[String]| labels.iter().map(|label| label.chars().count()).max();
    let left = CHARACTER * widest(&grid.rows.labels).unwrap_or(0) as i32 + 12;
    let width = match grid.texts.is_empty() {
        true => CELL.max(CHARACTER * widest(&grid.columns.labels).unwrap_or(0) as i32),
        false => WIDE,
    };
    let size = (left + columns as i32 * width + GAP, TOP + rows as i32 * CELL + GAP);
    let theme = plot::theme(is_dark);
    let mut svg = Svg::new((size.0 as u32, size.1 as u32));
    svg.rectangle((0, 0), size, theme.paper, 1.0);
    svg.text((GAP, 12), Anchor::Start, theme.text, title);
    for (column, label) in (0..).zip(&grid.columns.labels) {
        let middle = left + column * width + width / 2;
        svg.text((middle, TOP - 8), Anchor::Middle, theme.text, label);
    }
    for (row, label) in grid.rows.labels.iter().enumerate() {
        let y = TOP + row as i32 * CELL;
        svg.text((left - 6, y + CELL / 2), Anchor::End, theme.text, label);
        for column in 0..columns {
            let value = grid.value(row, column).unwrap_or(f32::NAN);
            let Some(color) = grid.color(value) else { continue };
            let x = left + column as i32 * width;
            let [red, green, blue] = color;
            svg.rectangle((x, y), (width, CELL), &format!("rgb({red},{green},{blue})"), 1.0);
            let text = grid.text(row, column);
            if !text.is_empty() {
                let ink = if needs_white(color) { "white" } else { "black" };
                svg.text((x + width / 2, y + CELL / 2), Anchor::Middle, ink, text);
            }
        }
    }
    Ok(svg.finish())
}

/// True if white text reads better than black on this colour.
pub fn needs_white([red, green, blue]: [u8; 3]) -> bool {
    299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue) < 140_000
}

impl Plot {
    /// Draws the plot in `size`, in pixels.
    pub fn to_svg(&self, size: (u32, u32), is_dark: bool) -> String {
        let point = |[x, y]: &[f32; 2]| Point { x: (*x).into(), y: (*y).into(), spread: 0.0 };
        let line = |series: &Series| Line {
            name: series.name.clone(),
            points: series.points.iter().map(point).collect(),
            labels: series.labels.clone(),
        };
        let lines: Vec<Line> = self.series.iter().map(line).collect();
        let axes = Axes {
            x: &self.x,
            x_is_log: false,
            y: &self.y,
            y_is_share: false,
            has_legend: lines.len() > 1,
        };
        plot::draw(&[(axes, &lines)], size, is_dark)
    }
}
