//! A film: pictures of one figure at several steps, which become one file.

use serde::{Deserialize, Serialize};

/// Parts of a film, in the order in which the page sends them. One at a time is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Film {
    /// Begins a film, in place of one that was not finished.
    Begin(FilmForm),
    /// Adds a picture: pixels `[y, x, RGBA]` for a GIF, the PNG file `name` for a zip.
    Add { name: String, bytes: Vec<u8> },
    /// Requests the file of this name, without its ending: `Event::Film`.
    Finish { name: String },
    /// Forgets the film.
    Drop,
}

/// Form of a film's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilmForm {
    /// Animated GIF of so many pictures, each of `width` by `height` pixels.
    Gif { width: u16, height: u16, pictures: usize },
    /// Zip of PNG files.
    Zip,
}
