//! Films: many pictures as one file, an animated GIF or PNG files in a zip.

use color_quant::NeuQuant;
use gif::{Encoder, Frame, Repeat};

use super::zipped::zipped;
use super::{ExportError, OutFile};
use crate::protocol::FilmForm;

/// Most bytes of a film.
const MAX_BYTES: usize = 256 << 20;
/// Length of an animation, and least and most time that a picture is shown, in hundredths of a second.
const LENGTH: usize = 1500;
const SHORTEST: usize = 10;
const LONGEST: usize = 50;
/// Time that the last picture is shown, in hundredths of a second.
const LAST: u16 = 200;
/// Most colours of a picture; they are chosen by its every tenth pixel.
const COLORS: usize = 256;
const EVERY: i32 = 10;

/// A film under construction.
pub enum Film {
    Gif(Gif),
    /// PNG files so far.
    Zip(Vec<OutFile>),
}

impl Film {
    /// # Errors
    /// [`ExportError::Format`] with the encoder's message.
    pub fn begin(form: FilmForm) -> Result<Self, ExportError> {
        match form {
            FilmForm::Gif { width, height, pictures } => {
                let mut encoder = Encoder::new(Vec::new(), width, height, &[]).map_err(refuse)?;
                encoder.set_repeat(Repeat::Infinite).map_err(refuse)?;
                Ok(Self::Gif(Gif { encoder, size: (width, height), left: pictures, of: pictures }))
            }
            FilmForm::Zip => Ok(Self::Zip(Vec::new())),
        }
    }

    /// Adds a picture: pixels `[y, x, RGBA]` for a GIF, the PNG file `name` for a zip.
    ///
    /// # Errors
    /// [`ExportError::Format`] for pixels of another size, with the encoder's message, and beyond 256 MiB.
    pub fn add(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), ExportError> {
        let length = match self {
            Self::Gif(gif) => gif.add(bytes)?,
            Self::Zip(files) => {
                files.push(OutFile::new(name, bytes));
                files.iter().map(|file| file.bytes.len()).sum()
            }
        };
        match length > MAX_BYTES {
            true => Err(refuse("it would have more than 256 MiB; a shorter prompt makes it smaller")),
            false => Ok(()),
        }
    }

    /// The file, under `name` and an ending.
    ///
    /// # Errors
    /// [`ExportError::Format`] with the encoder's or the zip writer's message.
    pub fn finish(self, name: &str) -> Result<OutFile, ExportError> {
        match self {
            Self::Gif(Gif { encoder, .. }) => {
                let bytes = encoder.into_inner().map_err(refuse)?;
                Ok(OutFile::new(&format!("{name}.gif"), bytes))
            }
            Self::Zip(files) => zipped(name, files, None),
        }
    }
}

/// An animated GIF under construction.
pub struct Gif {
    encoder: Encoder<Vec<u8>>,
    /// Width and height, in pixels.
    size: (u16, u16),
    /// Pictures to come, and in all.
    left: usize,
    of: usize,
}

impl Gif {
    /// Adds the pixels `[y, x, RGBA]`, and gives the bytes so far.
    fn add(&mut self, pixels: Vec<u8>) -> Result<usize, ExportError> {
        let (width, height) = self.size;
        if pixels.is_empty() || pixels.len() != 4 * usize::from(width) * usize::from(height) {
            return Err(refuse("a picture has another size than the film"));
        }
        self.left = self.left.saturating_sub(1);
        let delay = match self.left {
            0 => LAST,
            _ => (LENGTH / self.of.max(1)).clamp(SHORTEST, LONGEST) as u16,
        };
        let colors = NeuQuant::new(EVERY, COLORS, &pixels);
        let indices: Vec<u8> =
            pixels.chunks_exact(4).map(|pixel| colors.index_of(pixel) as u8).collect();
        let palette = Some(colors.color_map_rgb());
        let frame = Frame { width, height, delay, palette, buffer: indices.into(), ..Frame::default() };
        self.encoder.write_frame(&frame).map_err(refuse)?;
        Ok(self.encoder.get_ref().len())
    }
}

fn refuse(why: impl ToString) -> ExportError {
    ExportError::Format { file: "the film", why: why.to_string() }
}
