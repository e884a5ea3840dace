use confab::figure::{Axis, Grid, needs_white};
use wasm_bindgen::Clamped;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use crate::browser;

/// Sizes of a label's letters and of a cell with text, in pixels.
const LETTER: usize = 8;
const HEIGHT: usize = 18;
/// Narrowest cell without text, and the room that a label down or across takes, in pixels.
const SMALLEST: usize = 9;
/// With more columns than this, their labels stand upright.
const FEW: usize = 12;
/// Pixels of a canvas by one of the page, and the longest side of a canvas.
pub const SHARPNESS: usize = 2;
const LONGEST: usize = 16_000;

/// Layout of a grid on its canvases, in pixels of the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    pub rows: usize,
    pub columns: usize,
    pub left: usize,
    pub top: usize,
    pub width: f64,
    pub height: f64,
    pub is_upright: bool,
    pub has_texts: bool,
}

impl Layout {
    /// Lays `grid` out. A pattern is fitted into a `room` of this width and height, in pixels, or its cells have a
    /// readable size.
    pub fn of(grid: &Grid, room: Option<(usize, usize)>) -> Self {
        let longest = |labels: &[String]| labels.iter().map(|label| label.chars().count()).max();
        let (rows, columns) = (grid.rows.len(), grid.columns.len());
        let left = LETTER * longest(&grid.rows.labels).unwrap_or(0) + 8;
        let label = LETTER * longest(&grid.columns.labels).unwrap_or(1) + 4;
        let text = longest(&grid.texts).map_or(0, |length| LETTER * length + 6);
        let is_upright = columns > FEW && label > 2 * LETTER + 4;
        let width = if is_upright { text } else { text.max(label) };
        let width = width.max(if columns > FEW { SMALLEST } else { HEIGHT });
        let top = if is_upright { label + 4 } else { HEIGHT };
        let side = |room: usize, before: usize, count: usize| {
            room.saturating_sub(before + 4) as f64 / count.max(1) as f64
        };
        let (width, height) = match (grid.is_pattern, room) {
            (true, Some((wide, high))) => {
                let side = side(wide, left, columns).min(side(high, top, rows)).max(0.1);
                (side, side)
            }
            (true, None) => (HEIGHT as f64, HEIGHT as f64),
            (false, _) if rows > 40 && text == 0 => (width as f64, 12.0),
            (false, _) => (width as f64, HEIGHT as f64),
        };
        Self { rows, columns, left, top, width, height, is_upright, has_texts: text > 0 }
    }

    pub fn size(&self) -> (usize, usize) {
        let size = |count: usize, side: f64| (count as f64 * side).round() as usize;
        (size(self.columns, self.width), size(self.rows, self.height))
    }

    /// The row and column at a place of the cells.
    pub fn cell(&self, x: i32, y: i32) -> Option<(usize, usize)> {
        let at = |place: i32, side: f64| {
            u32::try_from(place).ok().map(|place| (f64::from(place) / side) as usize)
        };
        let (row, column) = (at(y, self.height)?, at(x, self.width)?);
        (row < self.rows && column < self.columns).then_some((row, column))
    }
}

/// Gives a canvas this size, in pixels of the page, and a pen with which to write on it.
pub fn prepare(
    canvas: &HtmlCanvasElement,
    (width, height): (usize, usize),
    is_dark: bool,
) -> Option<CanvasRenderingContext2d> {
    let sharpness = if width.max(height) * SHARPNESS > LONGEST { 1 } else { SHARPNESS };
    canvas.set_width((width * sharpness) as u32);
    canvas.set_height((height * sharpness) as u32);
    let context = browser::context_2d(canvas)?;
    let _ = context.scale(sharpness as f64, sharpness as f64);
    context.set_font("12px ui-monospace, monospace");
    context.set_text_baseline("middle");
    context.set_fill_style_str(if is_dark { "#c9cfdb" } else { "#3a4150" });
    Some(context)
}

/// Labels along one side, on a canvas of their own so that they stay while cells scroll. Of cells too narrow for a
/// label each, only some have theirs.
pub fn paint_labels(
    canvas: &HtmlCanvasElement,
    axis: &Axis,
    layout: Layout,
    is_down: bool,
    is_dark: bool,
) {
    let (width, height) = layout.size();
    let Layout { left, top, .. } = layout;
    let size = if is_down { (left, height) } else { (width, top) };
    let Some(context) = prepare(canvas, size, is_dark) else { return };
    let is_centred = !is_down && !layout.is_upright;
    context.set_text_align(if is_centred {
        "center"
    } else if is_down {
        "right"
    } else {
        "left"
    });
    let side = if is_down { layout.height } else { layout.width };
    let every = (SMALLEST as f64 / side).ceil() as usize;
    let size = match layout.is_upright && !is_down {
        true => 12.0,
        false => (side * every as f64 + 1.0).min(12.0),
    };
    context.set_font(&format!("{size}px ui-monospace, monospace"));
    for (index, label) in axis.labels.iter().enumerate().step_by(every) {
        let along = (index as f64 + 0.5) * side;
        context.save();
        let (x, y) = if is_down { (left as f64 - 4.0, along) } else { (along, top as f64 - 6.0) };
        let _ = context.translate(x, y);
        if !is_down && layout.is_upright {
            let _ = context.rotate(-std::f64::consts::FRAC_PI_2);
        }
        let _ = context.fill_text(label, 0.0, 0.0);
        context.restore();
    }
}

fn css(color: [u8; 3]) -> String {
    let [red, green, blue] = color;
    format!("rgb({red},{green},{blue})")
}

pub fn paint_texts(canvas: &HtmlCanvasElement, grid: &Grid, layout: Layout) {
    let Some(context) = prepare(canvas, layout.size(), false) else { return };
    context.set_text_align("center");
    let Layout { width: w, height: h, .. } = layout;
    for row in 0..layout.rows {
        for column in 0..layout.columns {
            let value = grid.value(row, column).unwrap_or(f32::NAN);
            let Some(color) = grid.color(value) else { continue };
            let (x, y) = (column as f64 * w, row as f64 * h);
            context.set_fill_style_str(&css(color));
            context.fill_rect(x, y, w, h);
            context.set_fill_style_str(if needs_white(color) { "#fff" } else { "#000" });
            let _ = context.fill_text(grid.text(row, column), x + w / 2.0, y + h / 2.0);
        }
    }
}

/// A pixel a cell, which the style sheet scales.
pub fn paint_pixels(canvas: &HtmlCanvasElement, grid: &Grid) {
    let (width, height) = (grid.columns.len(), grid.rows.len());
    let mut pixels = vec![0; 4 * width * height];
    for (pixel, value) in pixels.chunks_exact_mut(4).zip(&grid.values) {
        if let Some([red, green, blue]) = grid.color(*value) {
            pixel.copy_from_slice(&[red, green, blue, 255]);
        }
    }
    canvas.set_width(width as u32);
    canvas.set_height(height as u32);
    let image = ImageData::new_with_u8_clamped_array(Clamped(&pixels), width as u32);
    if let (Some(context), Ok(image)) = (browser::context_2d(canvas), image) {
        let _ = context.put_image_data(&image, 0.0, 0.0);
    }
}
