//! Attention patterns as pictures.

use std::borrow::Cow;

use confab::base::color::{signed_color, weight_color};
use wasm_bindgen::Clamped;
use web_sys::{HtmlCanvasElement, ImageData};

use crate::browser;

/// Most cells a side that a pattern is painted with.
const MAX_CELLS: usize = 160;

/// The colour of a weight, for a style sheet.
pub fn css_color(weight: f32) -> String {
    let [red, green, blue] = weight_color(weight);
    format!("rgb({red},{green},{blue})")
}

/// Paints `patterns` side by side, each `size × size` as `[query, key]`, a pixel a cell or, if there are more than
/// `room` or [`MAX_CELLS`] a side, a mean of several: the style sheet scales without smoothing, which would skip
/// some. Keys after their query stay clear. A `room` of 0 is not known. Differences are signed.
pub fn paint(
    canvas: &HtmlCanvasElement,
    patterns: &[Cow<'_, [f32]>],
    size: usize,
    room: usize,
    is_signed: bool,
) {
    let color = if is_signed { signed_color } else { weight_color };
    let most = if room == 0 { MAX_CELLS } else { room.min(MAX_CELLS) };
    let cell = size.div_ceil(most).max(1);
    let side = size.div_ceil(cell);
    let width = patterns.len() * side;
    if width == 0 {
        return;
    }
    let mut pixels = vec![0; 4 * width * side];
    for (place, pattern) in patterns.iter().enumerate() {
        for query in 0..side {
            for key in 0..=query {
                let [red, green, blue] = color(average(pattern, size, cell, query, key));
                let at = 4 * (query * width + place * side + key);
                pixels[at..at + 4].copy_from_slice(&[red, green, blue, 255]);
            }
        }
    }
    let (width, side) = (width as u32, side as u32);
    if (canvas.width(), canvas.height()) != (width, side) {
        canvas.set_width(width);
        canvas.set_height(side);
    }
    let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), width, side);
    if let (Some(context), Ok(image)) = (browser::context_2d(canvas), image) {
        let _ = context.put_image_data(&image, 0.0, 0.0);
    }
}

/// Mean weight of the `cell × cell` block at `[query, key]` of the smaller picture.
fn average(pattern: &[f32], size: usize, cell: usize, query: usize, key: usize) -> f32 {
    let rows = query * cell..size.min((query + 1) * cell);
    let keys = key * cell..size.min((key + 1) * cell);
    let count = rows.len() * keys.len();
    let sum: f32 = rows.map(|row| pattern[row * size..][keys.clone()].iter().sum::<f32>()).sum();
    sum / count.max(1) as f32
}
