//! The file of a sweep's outcomes, as JSON lines.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use confab::base::file::{FileLimit, open_to_append};
use confab::report::sweep;
use confab::report::sweep::{MAX_FILE_BYTES, OutcomeLine};

use crate::cli::files;

const OUTCOMES: FileLimit = FileLimit { name: "a file of outcomes", max_bytes: MAX_FILE_BYTES };
const CURVES: FileLimit = FileLimit { name: "a picture of curves", max_bytes: 4 << 20 };
/// Every outcome begins so.
const BEGIN: &[u8] = b"{\"link\":\"";
/// An axis of a sweep's curves, and of no other picture.
const AXIS: &str = "bits a parameter, at least";
/// The end of the curves of any settings, by which they are told from a picture of the user's.
pub const OF_SWEEP: &str = "<!-- confab sweep -->\n";

/// Outcomes, and the file to which more are written, which is this sweep's alone.
pub struct Outcomes<T> {
    pub all: Vec<T>,
    path: PathBuf,
    file: File,
}

impl<T: OutcomeLine> Outcomes<T> {
    /// # Errors
    /// If another sweep writes to the file, or it is not a sweep's.
    pub fn open(path: &Path) -> Result<Self> {
        let file = open_to_append(path).with_context(|| files::writing(path))?;
        let (all, whole) = read(path)?;
        // The outcome that a killed sweep had begun to write goes.
        file.set_len(whole).with_context(|| files::writing(path))?;
        Ok(Self { all, path: path.to_owned(), file })
    }

    pub fn has(&self, link: &str) -> bool {
        self.all.iter().any(|outcome| outcome.link() == link)
    }

    pub fn add(&mut self, outcome: T) -> Result<()> {
        let line = sweep::write(&outcome);
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.with_context(|| files::writing(&self.path))?;
        self.all.push(outcome);
        Ok(())
    }
}

/// Refuses a file that is not a sweep's.
pub fn check<T: OutcomeLine>(path: &Path) -> Result<()> {
    read::<T>(path).map(drop)
}

/// The outcomes in a file, and the bytes of its whole lines.
fn read<T: OutcomeLine>(path: &Path) -> Result<(Vec<T>, u64)> {
    if !path.exists() {
        return Ok((Vec::new(), 0));
    }
    let bytes = files::read(path, OUTCOMES)?;
    let reading = || format!("reading {}: it is not a sweep's file", path.display());
    let all = sweep::read(bytes.as_slice()).with_context(reading)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let rest = &bytes[whole..];
    let is_begun = rest.iter().zip(BEGIN).all(|(byte, of_outcome)| byte == of_outcome);
    ensure!(is_begun, "{}; name another --out", reading());
    Ok((all, whole as u64))
}

/// True if a file holds a sweep's curves.
pub fn is_plot(path: &Path) -> bool {
    let text = files::read(path, CURVES).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.is_some_and(|text| {
        text.starts_with("<svg") && (text.contains(AXIS) || text.ends_with(OF_SWEEP))
    })
}
