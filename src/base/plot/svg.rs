//! Lines, dots and text as SVG, in whole pixels.

use std::fmt::Write;

use crate::base::text::pictured;

const FONT: &str = "system-ui, sans-serif";

/// Style of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    pub color: &'static str,
    pub opacity: f64,
    pub width: u32,
    pub is_dashed: bool,
}

impl Stroke {
    pub fn solid(color: &'static str, width: u32) -> Self {
        Self { color, opacity: 1.0, width, is_dashed: false }
    }
}

/// Alignment of a text to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
    /// Centred, and rotated to read from bottom to top.
    Upwards,
}

/// Width and height that an SVG of ours begins with, in pixels.
pub fn size_of(svg: &str) -> (u32, u32) {
    let mut numbers = svg.split('"').filter_map(|part| part.parse().ok());
    (numbers.next().unwrap_or(640), numbers.next().unwrap_or(320))
}

/// An SVG under construction.
pub struct Svg {
    out: String,
}

impl Svg {
    pub fn new((width, height): (u32, u32)) -> Self {
        let out = format!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             xmlns=\"http://www.w3.org/2000/svg\">\n"
        );
        Self { out }
    }

    pub fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }

    /// Draws `svg`, which has `from` pixels, below `y`, as large as it fits there in `size` pixels.
    pub fn nest(&mut self, y: u32, (width, height): (u32, u32), svg: &str, from: (u32, u32)) {
        let (own_width, own_height) = from;
        self.write(format_args!(
            "<svg y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {own_width} {own_height}\" preserveAspectRatio=\"xMinYMin\">\n{svg}</svg>\n"
        ));
    }

    pub fn rectangle(
        &mut self,
        (x, y): (i32, i32),
        (width, height): (i32, i32),
        color: &str,
        opacity: f64,
    ) {
        self.write(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{color}\" \
             opacity=\"{opacity}\"/>\n"
        ));
    }

    pub fn line(&mut self, points: &[(i32, i32)], stroke: Stroke) {
        let Stroke { color, opacity, width, is_dashed } = stroke;
        let dashes = if is_dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        self.write(format_args!(
            "<polyline fill=\"none\" stroke=\"{color}\" opacity=\"{opacity}\" \
             stroke-width=\"{width}\"{dashes} points=\""
        ));
        for (x, y) in points {
            self.write(format_args!("{x},{y} "));
        }
        self.out.push_str("\"/>\n");
    }

    pub fn dot(&mut self, (x, y): (i32, i32), radius: u32, color: &str, opacity: f64) {
        self.write(format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{color}\" opacity=\"{opacity}\"/>\n"
        ));
    }

    /// Draws `text` with its middle at the height of `y`.
    pub fn text(&mut self, (x, y): (i32, i32), anchor: Anchor, color: &str, text: &str) {
        let turn = match anchor {
            Anchor::Upwards => format!(" transform=\"rotate(270, {x}, {y})\""),
            _ => String::new(),
        };
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle | Anchor::Upwards => "middle",
            Anchor::End => "end",
        };
        self.write(format_args!(
            "<text x=\"{x}\" y=\"{y}\" dy=\"0.35em\" text-anchor=\"{anchor}\" fill=\"{color}\" \
             font-family=\"{FONT}\" font-size=\"12\"{turn}>"
        ));
        for character in text.chars() {
            match character {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                _ => self.out.push(in_xml(character)),
            }
        }
        self.out.push_str("</text>\n");
    }

    fn write(&mut self, what: std::fmt::Arguments) {
        let _ = self.out.write_fmt(what); // a string takes all that is written
    }
}

/// `character`, or a sign for one that no XML may contain.
fn in_xml(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' => character,
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        _ => pictured(character),
    }
}
