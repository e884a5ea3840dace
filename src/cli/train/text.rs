//! The text of a run that goes on, where it is named.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use confab::config::{RunConfig, TaskKind, TextFile};

/// The text of a run, which is at another place now.
pub fn moved_text(config: &RunConfig, text: &Path, file: &Path) -> Result<TextFile> {
    let named = config.task.text.long().filter(|_| config.task.kind == TaskKind::Text);
    let Some(named) = named else {
        bail!(
            "resuming {}: it holds its task, which no --text-file changes; leave it out, or begin with --from",
            file.display()
        )
    };
    let moved = crate::cli::knobs::name_text(text)?;
    ensure!(
        moved.has_bytes_of(named),
        "resuming {}: {} is not the text that it was trained on, {} of {} bytes; name that, or begin with --from",
        file.display(),
        text.display(),
        named.path,
        named.bytes
    );
    Ok(moved)
}

/// Refuses a run whose text is not at hand.
pub fn check_texts(config: &RunConfig, file: &Path) -> Result<()> {
    match config.task.lost_text() {
        Some(text) => bail!(
            "training on with {}: its text {}, of {} bytes, is not there; put it back, or name its place with --text-file",
            file.display(),
            text.path,
            text.bytes
        ),
        None => Ok(()),
    }
}
