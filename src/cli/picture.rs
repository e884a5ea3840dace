//! Attention patterns as a PNG: a grid of layers by heads, each with its tokens along its edges; and
//! grids of analyses.

use anyhow::{Result, bail, ensure};
use confab::base::color::weight_color;
use confab::figure::{Content, Figure};
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
    /// White.
    fn new(width: usize, height: usize) -> Result<Self> {
        ensure!(
            width * height <= MAX_PIXELS,
            "the picture would be {width} by {height} pixels; use a shorter --prompt or JSON"
        );
        Ok(Self { width, pixels: vec![255; 3 * width * height] })
    }

    fn fill(&mut self, (x, y): (usize, usize), colour: [u8; 3]) {
        for (row, column) in (0..GLYPH).flat_map(|row| (0..GLYPH).map(move |column| (row, column)))
        {
            self.set(x + column, y + row, colour);
        }
    }

    fn png(&self) -> Result<Vec<u8>> {
        let height = self.pixels.len() / (3 * self.width);
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.pixels)?;
        Ok(bytes)
    }

    fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        let at = 3 * (y * self.width + x);
        self.pixels[at..at + 3].copy_from_slice(&colour);
    }

    fn write(&mut self, x: usize, y: usize, text: impl Iterator<Item = char>) {
        for (index, character) in text.enumerate() {
            let glyph = BASIC_FONTS.get(character).or_else(|| LATIN_FONTS.get(character));
            for (row, bits) in glyph.unwrap_or([0x7e; 8]).into_iter().enumerate() {
                for column in (0..GLYPH).filter(|column| bits >> column & 1 == 1) {
                    self.set(x + index * GLYPH + column, y + row, INK);
                }
            }
        }
    }
}

/// A PNG of every head of `trace`; a row is a query, a column the key it attends to.
pub fn heads(trace: &Trace) -> Result<Vec<u8>> {
    let seq = trace.tokens.len();
    let tile = GLYPH * (seq + 2) + GAP;
    let (width, height) = (tile * trace.n_heads + GAP, (tile + GLYPH) * trace.n_layers + GAP);
    let mut canvas = Canvas::new(width, height)?;
    for layer in 0..trace.n_layers {
        for head in 0..trace.n_heads {
            let (x, y) = (GAP + head * tile, GAP + layer * (tile + GLYPH));
            canvas.write(x, y, format!("L{layer}H{head}").chars().take(seq + 2));
            draw_head(&mut canvas, (x, y + GLYPH), trace, layer, head);
        }
    }
    canvas.png()
}

/// A PNG of a grid, a cell as high as a glyph and as wide as the longest label of a column.
pub fn grid(figure: &Figure) -> Result<Vec<u8>> {
    let Content::Grid(grid) = &figure.content else {
        bail!("“{}” is no grid; use --svg", figure.title);
    };
    let (rows, columns) = (grid.rows.len(), grid.columns.len());
    let longest = |labels: &[String]| labels.iter().map(|label| label.chars().count()).max();
    let left = GAP + GLYPH * (1 + longest(&grid.rows.labels).unwrap_or(0));
    let top = GAP + 2 * GLYPH;
    let wide = GLYPH * longest(&grid.columns.labels).unwrap_or(1).max(1);
    let mut canvas = Canvas::new(left + columns * wide + GAP, top + rows * GLYPH + GAP)?;
    for (column, label) in grid.columns.labels.iter().enumerate() {
        canvas.write(left + column * wide, GAP, label.chars());
    }
    for (row, label) in grid.rows.labels.iter().enumerate() {
        let y = top + row * GLYPH;
        canvas.write(GAP, y, label.chars());
        for column in 0..columns {
            let value = grid.value(row, column).unwrap_or(f32::NAN);
            let Some(colour) = grid.color(value) else { continue };
            for part in 0..wide / GLYPH {
                canvas.fill((left + column * wide + part * GLYPH, y), colour);
            }
        }
    }
    canvas.png()
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
    // There is room for the first character of a token.
    let shown = |token: &String| match token.chars().next() {
        Some(c) if !c.is_whitespace() => c,
        _ => '.',
    };
    canvas.write(left, y + GLYPH / 2, trace.tokens.iter().map(shown));
    for (query, token) in trace.tokens.iter().enumerate() {
        canvas.write(x + GLYPH / 2, top + query * GLYPH, std::iter::once(shown(token)));
    }
    for (index, value) in trace.pattern(layer, head).iter().enumerate() {
        let (query, key) = (index / seq, index % seq);
        if key > query {
            continue;
        }
        canvas.fill((left + key * GLYPH, top + query * GLYPH), weight_color(*value));
    }
}
