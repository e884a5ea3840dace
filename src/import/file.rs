//! A file that is given to be read.

/// A file's name, without folders, and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

impl File<'_> {
    /// The file without the byte order mark that some editors put before JSON.
    pub fn without_mark(&self) -> Self {
        let mark = self.bytes.strip_prefix("\u{feff}".as_bytes());
        let bytes = mark.filter(|_| self.name.ends_with(".json")).unwrap_or(self.bytes);
        Self { bytes, ..*self }
    }
}
