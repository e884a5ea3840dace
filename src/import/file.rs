//! A file that is given to be read.

/// A file's name, without folders, and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}
