//! The place that a name stands for: a free one, a regular file, or something else.

use std::fs::{self, Metadata};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf, is_separator};

/// Links that lead to each other, at most; as many as Linux follows.
const MAX_LINKS: usize = 40;

/// A place to write to. Links to it have been followed.
pub enum Place {
    New(PathBuf),
    Old(PathBuf, Metadata),
    /// A device or a pipe, which is written into under the name that it was given.
    Stream,
}

/// # Errors
/// If nothing can be written there.
pub fn place(file: &Path) -> Result<Place> {
    match fs::metadata(file) {
        Ok(there) if there.is_dir() => Err(Error::other("it is a folder; name a file in it")),
        Ok(there) if there.is_file() => Ok(Place::Old(file.canonicalize()?, there)),
        Ok(there) if is_stream(file, &there) => Ok(Place::Stream),
        Ok(there) => Err(Error::other(format!("it is {}; name a regular file", kind(&there)))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Place::New(follow(file)?)),
        Err(error) => Err(error),
    }
}

/// The folder of a file.
pub fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// True if two names are of one regular file, be it there or not.
pub fn is_same(a: &Path, b: &Path) -> bool {
    match (place(a), place(b)) {
        (Ok(Place::Old(a, of_a)), Ok(Place::Old(b, of_b))) => {
            a == b || cfg!(unix) && is_one(&of_a, &of_b)
        }
        (Ok(Place::New(a)), Ok(Place::New(b))) => {
            let whole =
                |file: &Path| Some(folder(file).canonicalize().ok()?.join(file.file_name()?));
            whole(&a).is_some_and(|a| Some(a) == whole(&b))
        }
        _ => false,
    }
}

/// The end of links that lead to nothing yet.
fn follow(file: &Path) -> Result<PathBuf> {
    let last = file.as_os_str().as_encoded_bytes().last();
    if file.file_name().is_none() || last.is_some_and(|byte| is_separator(*byte as char)) {
        return Err(Error::other("it names a folder that is not there; name a file"));
    }
    let mut at = file.to_path_buf();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&at) {
            Ok(to) => at = folder(&at).join(to),
            Err(_) => return Ok(at),
        }
    }
    Err(Error::other("its links lead nowhere"))
}

/// A character device, or a pipe without a name: one with a name may have no reader, and would be waited for.
#[cfg(unix)]
fn is_stream(file: &Path, there: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let of = there.file_type();
    of.is_char_device() || of.is_fifo() && file.canonicalize().is_err()
}

#[cfg(not(unix))]
fn is_stream(_: &Path, _: &Metadata) -> bool {
    false
}

/// True if both are one file under two names.
#[cfg(unix)]
pub fn is_one(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
pub fn is_one(a: &Metadata, b: &Metadata) -> bool {
    (a.len(), a.created().ok()) == (b.len(), b.created().ok())
}

/// Something that is no regular file, in words.
#[cfg(unix)]
pub fn kind(there: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match there.file_type() {
        of if of.is_dir() => "a folder",
        of if of.is_fifo() => "a pipe (FIFO)",
        of if of.is_char_device() => "a character device",
        of if of.is_block_device() => "a block device",
        of if of.is_socket() => "a socket",
        _ => "no regular file",
    }
}

#[cfg(not(unix))]
pub fn kind(there: &Metadata) -> &'static str {
    if there.is_dir() { "a folder" } else { "no regular file" }
}
