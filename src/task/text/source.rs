//! Where a text comes from: out of the run's settings, or in pieces out of a file that they name.

use std::borrow::Cow;
#[cfg(not(target_family = "wasm"))]
use std::path::Path;

use super::records;
#[cfg(not(target_family = "wasm"))]
use crate::base::file::{FileLimit, TextPieces, read_file};
#[cfg(not(target_family = "wasm"))]
use crate::config::{MAX_LONG_TEXT_BYTES, MAX_RECORDS_BYTES};
use crate::config::{MAX_TEXT_BYTES, TextConfig, TextFile};
use crate::run::Record;

/// A text without a mark in front, its line ends made one.
pub enum Source<'a> {
    Held(Cow<'a, str>),
    #[cfg(not(target_family = "wasm"))]
    File {
        file: &'a TextFile,
        /// True if its lines end as on old Macs.
        is_of_mac: bool,
    },
}

/// Pieces of a text, or a sentence that says why there is no more.
pub type Pieces<'a> = Box<dyn Iterator<Item = Result<String, String>> + Send + 'a>;

impl<'a> Source<'a> {
    /// # Errors
    /// A sentence, if the text is too long, or if its file is not the one that the run names.
    pub fn new(config: &'a TextConfig) -> Result<Self, String> {
        if let Some(file) = config.long() {
            return Self::of_file(file);
        }
        if config.text.len() > MAX_TEXT_BYTES {
            return Err(format!(
                "the text is {} bytes long; shorten it to {MAX_TEXT_BYTES} or less, or train at the terminal, where \
                 --text-file takes longer ones",
                config.text.len()
            ));
        }
        let text = config.text.strip_prefix('\u{feff}').unwrap_or(&config.text);
        Ok(Self::Held(match text.contains("\r\n") {
            true => text.replace("\r\n", "\n").into(),
            false => text.into(),
        }))
    }

    #[cfg(target_family = "wasm")]
    fn of_file(file: &'a TextFile) -> Result<Self, String> {
        Err(format!("the text is the file {}, which is at the terminal; train there", file.path))
    }

    #[cfg(not(target_family = "wasm"))]
    fn of_file(file: &'a TextFile) -> Result<Self, String> {
        let (mut has_pair, mut has_return) = (false, false);
        let read = of(Path::new(&file.path), |piece| {
            has_pair |= piece.contains("\r\n");
            has_return |= piece.contains('\r');
        });
        let read =
            read.map_err(|why| format!("the text is read from the file {}: {why}", file.path))?;
        match read.has_bytes_of(file) {
            true => Ok(Self::File { file, is_of_mac: has_return && !has_pair }),
            false => Err(format!(
                "{} is not the text that this run was begun with, which had {} bytes (now {}); put that back, or begin a \
                 new run with --from",
                file.path, file.bytes, read.bytes
            )),
        }
    }

    /// The text from its beginning on.
    pub fn pieces(&self) -> Pieces<'_> {
        match self {
            Self::Held(text) => Box::new(std::iter::once(Ok(text.clone().into_owned()))),
            #[cfg(not(target_family = "wasm"))]
            Self::File { file, is_of_mac } => {
                match TextPieces::open(Path::new(&file.path), LIMIT) {
                    Err(why) => Box::new(std::iter::once(Err(reading(file, &why)))),
                    Ok(pieces) => Box::new(pieces.map(|piece| {
                        let piece = piece.map_err(|why| reading(file, &why))?;
                        Ok(match is_of_mac {
                            true => piece.replace('\r', "\n"),
                            false => piece.replace("\r\n", "\n"),
                        })
                    })),
                }
            }
        }
    }

    /// The records of a text in JSON; `None` if it is plain, which of a file its beginning tells.
    ///
    /// # Errors
    /// A sentence that names the line that is no record, or says that the file cannot be read.
    pub fn records(&self) -> Result<Option<Vec<Record>>, String> {
        match self {
            Self::Held(text) => records::are_in(text).then(|| records::read(text)).transpose(),
            #[cfg(not(target_family = "wasm"))]
            Self::File { file, .. } => {
                let first = self.pieces().next().transpose()?;
                if !first.is_some_and(|first| records::are_in(&first)) {
                    return Ok(None);
                }
                let of = FileLimit { name: "a file of JSON records", max_bytes: MAX_RECORDS_BYTES };
                let bytes =
                    read_file(Path::new(&file.path), of).map_err(|why| reading(file, &why))?;
                let text = str::from_utf8(&bytes).map_err(|why| reading(file, &why))?;
                records::read(text.strip_prefix('\u{feff}').unwrap_or(text)).map(Some)
            }
        }
    }
}

/// The file at `path`, to be named by a run: its size and its hash.
///
/// # Errors
/// A sentence, if it is no text in UTF-8, or too long.
#[cfg(not(target_family = "wasm"))]
pub fn text_file(path: &Path) -> Result<TextFile, String> {
    of(path, |_| ())
}

/// Reads the file at `path` to its end, a piece at a time.
#[cfg(not(target_family = "wasm"))]
fn of(path: &Path, mut look: impl FnMut(&str)) -> Result<TextFile, String> {
    let mut pieces = TextPieces::open(path, LIMIT).map_err(|why| why.to_string())?;
    for piece in &mut pieces {
        look(&piece.map_err(|why| why.to_string())?);
    }
    let (bytes, hash) = pieces.read_so_far();
    Ok(TextFile { path: path.display().to_string(), bytes, hash })
}

#[cfg(not(target_family = "wasm"))]
const LIMIT: FileLimit = FileLimit { name: "a text", max_bytes: MAX_LONG_TEXT_BYTES };

#[cfg(not(target_family = "wasm"))]
fn reading(file: &TextFile, why: &dyn std::fmt::Display) -> String {
    format!("reading {}: {why}", file.path)
}
