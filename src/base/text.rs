//! Text in files, in whichever encoding their editor wrote.

/// A file's text, and what was converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileText {
    pub text: String,
    /// A sentence on a conversion that the reader of the text should know of.
    pub note: Option<&'static str>,
}

/// Share of bytes that are zero from which on a file is no UTF-8: one in this many.
const ZEROS: usize = 4;

impl FileText {
    /// Reads UTF-8, or UTF-16 in either order of bytes, with or without a mark in front. Line ends of old Macs become
    /// line breaks.
    ///
    /// # Errors
    /// If the bytes are neither.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let (text, is_converted) = match bytes {
            [0xef, 0xbb, 0xbf, rest @ ..] => (utf8(rest), false),
            [0xff, 0xfe, rest @ ..] => (utf16(rest, u16::from_le_bytes), true),
            [0xfe, 0xff, rest @ ..] => (utf16(rest, u16::from_be_bytes), true),
            _ => match utf8(bytes) {
                Some(text) => (Some(text), false),
                None => (unmarked_utf16(bytes), true),
            },
        };
        let text = text.ok_or("it is neither UTF-8 nor UTF-16; save it as UTF-8")?;
        let lone = text.replace("\r\n", "\n").contains('\r');
        let text = if lone { text.replace("\r\n", "\n").replace('\r', "\n") } else { text };
        let note = match (is_converted, lone) {
            (true, true) => Some("It was UTF-16 with line ends of old Macs, and was converted."),
            (true, false) => Some("It was UTF-16, and was converted."),
            (false, true) => Some("Its line ends were those of old Macs (CR), and were converted."),
            (false, false) => None,
        };
        Ok(Self { text, note })
    }
}

/// `bytes` as UTF-8, unless so many are zero that they are another encoding.
fn utf8(bytes: &[u8]) -> Option<String> {
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    (zeros * ZEROS <= bytes.len()).then(|| String::from_utf8(bytes.to_vec()).ok()).flatten()
}

fn utf16(bytes: &[u8], number: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let numbers: Vec<u16> = pairs.iter().map(|pair| number(*pair)).collect();
    rest.is_empty().then(|| String::from_utf16(&numbers).ok()).flatten()
}

/// `bytes` as UTF-16 in the order of bytes that gives more spaces, line breaks and ASCII letters.
fn unmarked_utf16(bytes: &[u8]) -> Option<String> {
    let plain = |text: &String| {
        text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '\n')).count()
    };
    let read = [u16::from_le_bytes, u16::from_be_bytes].map(|number| utf16(bytes, number));
    read.into_iter().flatten().max_by_key(plain).filter(|text| plain(text) > 0)
}
