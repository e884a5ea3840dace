//! The log of a run: its losses as JSON lines.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use confab::base::file::open_to_append;
use confab::protocol::StepReport;
use confab::report::CodecPoint;
use confab::run::LossPoint;
use serde_json::{Value, json};

/// More than a line of a log is long.
const LINE: u64 = 1024;

/// A log that is opened once its run has been accepted, and is then this run's alone.
pub struct Log {
    path: PathBuf,
    /// True if it goes on after the lines that are there.
    is_resumed: bool,
    file: Option<File>,
}

impl Log {
    /// # Errors
    /// If the file is there and is no log.
    pub fn new(path: PathBuf, is_resumed: bool) -> Result<Self> {
        if path.is_file() {
            let reading = || format!("reading {}", path.display());
            let mut begin = Vec::new();
            let file = File::open(&path).with_context(reading)?;
            file.take(LINE).read_to_end(&mut begin).with_context(reading)?;
            let line = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let is_line = |line: &[u8]| {
                let line: Value = serde_json::from_slice(line).unwrap_or_default();
                line.get("step").is_some()
                    && (line.get("train_loss").is_some() || line.get("held_out").is_some())
            };
            ensure!(
                begin.is_empty() || is_line(line),
                "writing the log {}: it holds something else than a log; name another file",
                path.display()
            );
        }
        Ok(Self { path, is_resumed, file: None })
    }

    /// Opens the file, if it is not open yet.
    ///
    /// # Errors
    /// If another program writes to it.
    pub fn open(&mut self) -> Result<()> {
        if self.file.is_none() {
            let opened = open_to_append(&self.path).and_then(|file| prepare(file, self.is_resumed));
            self.file = Some(opened.with_context(|| self.writing())?);
        }
        Ok(())
    }

    /// Adds a line.
    pub fn write(&mut self, report: &StepReport) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let StepReport { loss, bits_per_byte, tokens_per_s, .. } = report;
        let LossPoint { step, train_loss, val_loss, accuracy, seconds } = loss;
        let line = json!({
            "step": step, "train_loss": train_loss, "val_loss": val_loss, "accuracy": accuracy,
            "val_bits_per_byte": bits_per_byte, "tokens_per_s": tokens_per_s, "seconds": seconds,
        });
        file.write_all(format!("{line}\n").as_bytes()).with_context(|| self.writing())
    }

    /// Adds a line on a noise codec.
    pub fn write_codec(&mut self, point: &CodecPoint) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let line = serde_json::to_string(point)?;
        file.write_all(format!("{line}\n").as_bytes()).with_context(|| self.writing())
    }

    fn writing(&self) -> String {
        format!("writing the log {}", self.path.display())
    }
}

/// Empties the log of a new run. That of one that is resumed gets the line break that a killed program left out.
fn prepare(mut file: File, is_resumed: bool) -> std::io::Result<File> {
    let told = file.metadata()?;
    if !told.is_file() || told.len() == 0 {
        return Ok(file);
    }
    if !is_resumed {
        file.set_len(0)?;
        return Ok(file);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(file)
}
