//! Attention patterns as a PNG: a grid of layers by heads, each with its tokens along its edges.

use std::path::Path;

use anyhow::{Result, ensure};
use confab::color::weight_color;
use confab::protocol::Trace;
use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};

/// Edge of a glyph, in pixels.
const GLYPH: usize = 8;
const GAP: usize = 12;
/// A picture of more pixels is refused.
const MAX_PIXELS: usize = 400_000_000;
const INK: [u8; 3] = [40, 40, 40];

struct Canvas {
    width: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        let at = 3 * (y * self.width + x);
        self.pixels[at..at + 3].copy_from_slice(&colour);
    }

    fn write(&mut self, x: usize, y: usize, text: impl Iterator<Item = char>) {
        for (place, character) in text.enumerate() {
            let glyph = BASIC_FONTS.get(character).or_else(|| LATIN_FONTS.get(character));
            for (row, bits) in glyph.unwrap_or([0x7e; 8]).into_iter().enumerate() {
                for column in (0..GLYPH).filter(|column| bits >> column & 1 == 1) {
                    self.set(x + place * GLYPH + column, y + row, INK);
                }
            }
        }
    }
}

/// Writes every head of `trace`; a row is a query, a column the key it attends to.
pub fn write_png(file: &Path, trace: &Trace) -> Result<()> {
    let seq = trace.tokens.len();
    let tile = GLYPH * (seq + 2) + GAP;
    let (width, height) = (tile * trace.n_heads + GAP, (tile + GLYPH) * trace.n_layers + GAP);
    ensure!(
        width * height <= MAX_PIXELS,
        "the picture would be {width} by {height} pixels; use a shorter --prompt or an output ending in .json"
    );
    let mut canvas = Canvas { width, pixels: vec![255; 3 * width * height] };
    for layer in 0..trace.n_layers {
        for head in 0..trace.n_heads {
            let (x, y) = (GAP + head * tile, GAP + layer * (tile + GLYPH));
            canvas.write(x, y, format!("L{layer}H{head}").chars().take(seq + 2));
            draw_head(&mut canvas, (x, y + GLYPH), trace, layer, head);
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&canvas.pixels)?;
    confab::platform::replace_file(file, &bytes)?;
    Ok(())
}

fn draw_head(
    canvas: &mut Canvas,
    (x, y): (usize, usize),
    trace: &Trace,
    layer: usize,
    head: usize,
) {
    let seq = trace.tokens.len();
    let (left, top) = (x + 2 * GLYPH, y + 2 * GLYPH);
    let shown = |c: &char| if c.is_whitespace() { '.' } else { *c };
    canvas.write(left, y + GLYPH / 2, trace.tokens.iter().map(shown));
    for (query, token) in trace.tokens.iter().enumerate() {
        canvas.write(x + GLYPH / 2, top + query * GLYPH, std::iter::once(shown(token)));
    }
    for (place, value) in trace.pattern(layer, head).iter().enumerate() {
        let (query, key) = (place / seq, place % seq);
        if key > query {
            continue;
        }
        for (row, column) in (0..GLYPH).flat_map(|row| (0..GLYPH).map(move |column| (row, column)))
        {
            canvas.set(
                left + key * GLYPH + column,
                top + query * GLYPH + row,
                weight_color(*value),
            );
        }
    }
}
