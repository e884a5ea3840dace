//! Files of the user: read within a limit, and written without harm to what is there.

mod pieces;
mod place;
mod temporary;

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::Path;

pub use pieces::TextPieces;
pub use place::is_same;
use place::{Place, folder, is_one, kind, place};
use temporary::{clean, temporary};

/// The limit of a kind of file that is read whole.
#[derive(Clone, Copy, Debug)]
pub struct FileLimit {
    /// `a text`
    pub name: &'static str,
    pub max_bytes: u64,
}

/// Reads a regular file.
///
/// # Errors
/// If it is no regular file, or larger than its kind may be, before it is opened; or if it grows beyond that meanwhile.
pub fn read_file(file: &Path, of: FileLimit) -> Result<Vec<u8>> {
    let told = check_regular(file, of)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(told as usize)?;
    // It may grow meanwhile.
    File::open(file)?.take(of.max_bytes + 1).read_to_end(&mut bytes)?;
    let read = bytes.len() as u64;
    if read > of.max_bytes { Err(of.refuse(&format!("{read} bytes long"))) } else { Ok(bytes) }
}

/// Checks that a file is regular and no larger than its kind may be; its size, in bytes.
///
/// # Errors
/// If it is not.
fn check_regular(file: &Path, of: FileLimit) -> Result<u64> {
    let told = fs::metadata(file)?;
    if !told.is_file() {
        return Err(of.refuse(kind(&told)));
    }
    match told.len() {
        bytes if bytes > of.max_bytes => Err(of.refuse(&format!("{bytes} bytes long"))),
        bytes => Ok(bytes),
    }
}

impl FileLimit {
    fn refuse(self, what: &str) -> Error {
        let Self { name, max_bytes } = self;
        Error::other(format!(
            "it is {what}; {name} is read from a regular file of at most {max_bytes} bytes"
        ))
    }
}

/// Writes `bytes` beside `file` and renames, so that an interrupted save leaves the old file whole. A link is
/// followed, and a file that was there keeps its mode and its owner. A file with several names, a device and a pipe
/// are written into instead, for a rename would part them from what they are.
///
/// # Errors
/// If it is a folder, a named pipe or the like; as of the system.
pub fn replace_file(file: &Path, bytes: &[u8]) -> Result<()> {
    match place(file)? {
        Place::New(file) => replace(&file, None, bytes),
        Place::Old(file, there) if has_several_names(&there) => overwrite(&file, bytes),
        Place::Old(file, there) => replace(&file, Some(&there), bytes),
        Place::Stream => OpenOptions::new().write(true).open(file)?.write_all(bytes),
    }
}

/// Tries what [`replace_file`] will do to `file`, and leaves nothing of it behind.
///
/// # Errors
/// As of [`replace_file`].
pub fn check_writable(file: &Path) -> Result<()> {
    let open = |file: &Path| OpenOptions::new().write(true).open(file);
    match place(file)? {
        Place::New(file) => {
            let made = OpenOptions::new().write(true).create_new(true).open(&file);
            let made = made.map_err(|error| without_folder(&file, error))?.metadata()?;
            // Another program may have put a file of its own there meanwhile.
            let is_ours = fs::symlink_metadata(&file).is_ok_and(|there| is_one(&there, &made));
            if is_ours { fs::remove_file(&file) } else { Ok(()) }
        }
        Place::Old(file, there) => {
            open(&file)?;
            if !has_several_names(&there) {
                temporary(folder(&file), Some(&there))?;
            }
            Ok(())
        }
        Place::Stream => open(file).map(drop),
    }
}

/// Opens a file to add to what is in it. No other program can have it open so at the same time, where the file system
/// has locks.
///
/// # Errors
/// If another has; as of [`replace_file`].
pub fn open_to_append(file: &Path) -> Result<File> {
    if let Place::Stream = place(file)? {
        return OpenOptions::new().write(true).open(file);
    }
    let opened = OpenOptions::new().read(true).append(true).create(true).open(file);
    let opened = opened.map_err(|error| without_folder(file, error))?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(opened),
        Err(TryLockError::WouldBlock) => Err(Error::other(
            "another program is writing to it; wait for its end, or name another file",
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn replace(file: &Path, there: Option<&Metadata>, bytes: &[u8]) -> Result<()> {
    let mut new = temporary(folder(file), there)?;
    new.write_all(bytes)?;
    if let Some(there) = there
        && take_after(new.as_file(), there).is_err()
    {
        // Another user's file, which would become this one's.
        return overwrite(file, bytes);
    }
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    clean(folder(file));
    Ok(())
}

fn overwrite(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut open = OpenOptions::new().write(true).open(file)?;
    open.write_all(bytes)?;
    open.set_len(bytes.len() as u64)?;
    open.sync_all()
}

/// Gives a new file the mode and the owner of the one that was there.
#[cfg(unix)]
fn take_after(new: &File, there: &Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let own = new.metadata()?;
    if (own.uid(), own.gid()) != (there.uid(), there.gid()) {
        std::os::unix::fs::fchown(new, Some(there.uid()), Some(there.gid()))?;
    }
    new.set_permissions(there.permissions())
}

#[cfg(not(unix))]
fn take_after(_: &File, _: &Metadata) -> Result<()> {
    Ok(())
}

#[cfg(unix)]
fn has_several_names(there: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(there) > 1
}

#[cfg(not(unix))]
fn has_several_names(_: &Metadata) -> bool {
    false
}

/// Says which folder is not there.
fn without_folder(file: &Path, error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound if !folder(file).is_dir() => {
            let folder = folder(file).display();
            Error::other(format!("there is no folder {folder}; make it first, or name another"))
        }
        _ => error,
    }
}
