//! Files under which something is written before it gets its name.
//!
//! Each is locked by the program that writes it. One that is not locked was left by a program that was killed.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{Error, Result};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// `.confab-Xy12Ab.tmp`
const PREFIX: &str = ".confab-";
const SUFFIX: &str = ".tmp";
const DRAWN: usize = 6;

/// Makes a file in `folder`, to be seen by nobody who may not see `there`.
pub fn temporary(folder: &Path, there: Option<&Metadata>) -> Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(DRAWN);
    match there {
        Some(there) => builder.permissions(there.permissions()),
        #[cfg(unix)] // as any new file, where a temporary one is its owner's alone
        None => builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)),
        #[cfg(not(unix))]
        None => &mut builder,
    };
    loop {
        let new = builder.tempfile_in(folder).map_err(|error| {
            let why = format!("no file can be made in {}: {}", folder.display(), error.kind());
            Error::new(error.kind(), why)
        })?;
        // A program that cleans up may have come between its making and its lock.
        let is_taken = matches!(new.as_file().try_lock(), Err(TryLockError::WouldBlock));
        if !is_taken && new.path().exists() {
            return Ok(new);
        }
    }
}

/// Removes what killed programs left in `folder`. What cannot be removed is in nobody's way.
pub fn clean(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let drawn = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        let is_ours = drawn.is_some_and(|drawn| {
            drawn.len() == DRAWN && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        let is_file = || entry.file_type().is_ok_and(|of| of.is_file());
        if is_ours
            && is_file()
            && let Ok(left) = File::open(entry.path())
            && left.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}
