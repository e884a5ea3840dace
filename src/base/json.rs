//! JSON as text, for the page, which has no library for it.

use std::fmt::Write;

/// JSON under construction. Each call adds one piece, with a comma in front where one belongs.
#[derive(Clone, Debug, Default)]
pub struct Json(String);

impl Json {
    /// Opens a list or an object: `[` or `{`.
    pub fn open(&mut self, bracket: char) {
        self.separate();
        self.0.push(bracket);
    }

    /// Closes what was opened last: `]` or `}`.
    pub fn close(&mut self, bracket: char) {
        self.0.push(bracket);
    }

    /// Names the next value of an object.
    pub fn key(&mut self, name: &str) {
        self.text(name);
        self.0.push(':');
    }

    pub fn text(&mut self, text: &str) {
        self.separate();
        self.0.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => self.0.extend(['\\', character]),
                '\0'..' ' => self.write(&format!("\\u{:04x}", u32::from(character))),
                _ => self.0.push(character),
            }
        }
        self.0.push('"');
    }

    /// A number with the fewest digits that give it back; `null` if it is not finite.
    pub fn number(&mut self, number: f32) {
        self.separate();
        match number.is_finite() {
            true => drop(write!(self.0, "{number}")),
            false => self.write("null"),
        }
    }

    pub fn count(&mut self, count: usize) {
        self.separate();
        self.write(&count.to_string());
    }

    pub fn null(&mut self) {
        self.number(f32::NAN);
    }

    /// A list of texts.
    pub fn texts(&mut self, texts: &[String]) {
        self.open('[');
        texts.iter().for_each(|text| self.text(text));
        self.close(']');
    }

    /// Nested lists of `values`, `[shape[0], shape[1], …]` in C order. Missing values are `null`.
    pub fn array(&mut self, values: &[f32], shape: &[usize]) {
        let Some((count, inner)) = shape.split_first() else {
            return self.number(values.first().copied().unwrap_or(f32::NAN));
        };
        let size: usize = inner.iter().product();
        self.open('[');
        for index in 0..*count {
            self.array(values.get(index * size..).unwrap_or_default(), inner);
        }
        self.close(']');
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.0
    }

    fn separate(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with(['[', '{', ':']) {
            self.0.push(',');
        }
    }

    fn write(&mut self, text: &str) {
        self.0.push_str(text);
    }
}
