//! Atomic replacement of files.

use std::io::Write;
use std::path::Path;

/// Writes `bytes` beside `file` and renames, so that an interrupted save leaves the old file whole.
pub fn replace_file(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)] // as any new file, where a temporary one is its owner's alone
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|e| e.error)?;
    Ok(())
}
