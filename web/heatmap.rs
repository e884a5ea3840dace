//! Attention patterns as pictures.

use confab::base::color::{signed_color, weight_color};
use wasm_bindgen::Clamped;
use web_sys::{HtmlCanvasElement, ImageData};

use crate::browser;

/// A picture of more cells a side is averaged down to this, or to the pixels that it has on the screen.
const MAX_CELLS: usize = 160;

/// The colour of a weight, for a style sheet.
pub fn css_color(weight: f32) -> String {
    let [red, green, blue] = weight_color(weight);
    format!("rgb({red},{green},{blue})")
}

/// Paints `pattern`, `size × size` as `[query, key]`, a pixel a cell or, if it is large, a mean of
/// several; keys after their query stay clear. A difference `is_signed`.
pub fn paint(canvas: &HtmlCanvasElement, pattern: &[f32], size: usize, is_signed: bool) {
    let color = if is_signed { signed_color } else { weight_color };
    let cell = size.div_ceil(max_cells(canvas)).max(1);
    let side = size.div_ceil(cell);
    let mut pixels = vec![0; 4 * side * side];
    for query in 0..side {
        for key in 0..=query {
            let [red, green, blue] = color(average(pattern, size, cell, query, key));
            let at = 4 * (query * side + key);
            pixels[at..at + 4].copy_from_slice(&[red, green, blue, 255]);
        }
    }
    if side == 0 {
        return;
    }
    if canvas.width() as usize != side || canvas.height() as usize != side {
        canvas.set_width(side as u32);
        canvas.set_height(side as u32);
    }
    let image =
        ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), side as u32, side as u32);
    if let (Some(context), Ok(image)) = (browser::context_2d(canvas), image) {
        let _ = context.put_image_data(&image, 0.0, 0.0);
    }
}

/// Most cells a side that `canvas` can show: the style sheet scales it without smoothing, which would skip some.
fn max_cells(canvas: &HtmlCanvasElement) -> usize {
    let pixels = f64::from(canvas.client_width()) * browser::window().device_pixel_ratio();
    match pixels as usize {
        0 => MAX_CELLS, // it has not been laid out
        pixels => pixels.min(MAX_CELLS),
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
