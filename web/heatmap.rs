//! Attention patterns as pictures.

use std::sync::LazyLock;

use wasm_bindgen::Clamped;
use web_sys::{HtmlCanvasElement, ImageData};

use crate::browser;

/// A picture of more cells a side is averaged down to this.
const MOST_CELLS: usize = 160;

/// Viridis, which the colour-blind read as well, at 256 places; Matt Zucker's fit.
static VIRIDIS: LazyLock<Vec<[u8; 3]>> = LazyLock::new(|| {
    const FIT: [[f64; 3]; 7] = [
        [0.277_727_3, 0.005_407_3, 0.334_099_8],
        [0.105_093_0, 1.404_613_5, 1.384_590_2],
        [-0.330_861_8, 0.214_847_6, 0.095_095_2],
        [-4.634_230_5, -5.799_101_0, -19.332_441],
        [6.228_269_9, 14.179_933_4, 56.690_552_6],
        [4.776_385_0, -13.745_145_4, -65.353_032_6],
        [-5.435_455_9, 4.645_852_6, 26.312_435_2],
    ];
    let at = |t: f64, channel: usize| FIT.iter().rev().fold(0.0, |sum, c| sum * t + c[channel]);
    (0..256)
        .map(|index| {
            let t = f64::from(index) / 255.0;
            [0, 1, 2].map(|channel| (at(t, channel).clamp(0.0, 1.0) * 255.0) as u8)
        })
        .collect()
});

/// The colour of a weight. Its square root is taken, so that small weights can be told from none.
pub fn color(weight: f32) -> [u8; 3] {
    VIRIDIS[(weight.clamp(0.0, 1.0).sqrt() * 255.0) as usize]
}

/// Paints `pattern`, `size × size` as `[query, key]`, one pixel a cell; keys after their query
/// stay clear. Large patterns are averaged down if `may_shrink`.
pub fn paint(canvas: &HtmlCanvasElement, pattern: &[f32], size: usize, may_shrink: bool) {
    let cell = if may_shrink { size.div_ceil(MOST_CELLS).max(1) } else { 1 };
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

/// Mean weight of the `cell × cell` block at `[query, key]` of the smaller picture.
fn average(pattern: &[f32], size: usize, cell: usize, query: usize, key: usize) -> f32 {
    let rows = query * cell..size.min((query + 1) * cell);
    let keys = key * cell..size.min((key + 1) * cell);
    let count = rows.len() * keys.len();
    let sum: f32 = rows.map(|row| pattern[row * size..][keys.clone()].iter().sum::<f32>()).sum();
    sum / count.max(1) as f32
}
