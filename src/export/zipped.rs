//! Files of an export in one zip, as the page saves them.

use super::zip::zip;
use super::{ExportError, OutFile};

/// The zip `name.zip` of `files` in a folder `name`, and of what is beside the folder.
///
/// # Errors
/// The zip writer's message.
pub fn zipped(
    name: &str,
    files: Vec<OutFile>,
    beside: Option<OutFile>,
) -> Result<OutFile, ExportError> {
    let bytes = files.iter().map(|file| file.bytes.len() + 256).sum();
    let inside = files.into_iter().map(|file| (format!("{name}/{}", file.name), file.bytes));
    let entries = inside.chain(beside.map(|file| (file.name, file.bytes)));
    match zip(entries, bytes) {
        Ok(bytes) => Ok(OutFile::new(&format!("{name}.zip"), bytes)),
        Err(why) => Err(ExportError::Format { file: "the zip", why: why.to_string() }),
    }
}
