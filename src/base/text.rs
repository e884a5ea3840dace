//! Text in files, in whichever encoding their editor wrote.

/// A file's text, and what was converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileText {
    pub text: String,
    /// A sentence on a conversion that the reader of the text should know of.
    pub note: Option<&'static str>,
}

/// An encoding of text, by its name on the web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(pub &'static str);

const UTF_8: Encoding = Encoding("utf-8");
const UTF_16_LE: Encoding = Encoding("utf-16le");
const UTF_16_BE: Encoding = Encoding("utf-16be");

impl Encoding {
    /// Encodings that the text in `bytes` may have, likeliest first: by a mark in front; else UTF-8; and UTF-16 if some
    /// bytes are zero, before UTF-8 if a quarter is. The zeros are upper halves.
    pub fn guess(bytes: &[u8]) -> [Self; 2] {
        let mut zeros = [0; 2];
        for (index, byte) in bytes.iter().enumerate() {
            zeros[index % 2] += usize::from(*byte == 0);
        }
        let [upper, lower] = zeros;
        let wide = if upper > lower { UTF_16_BE } else { UTF_16_LE };
        match bytes {
            [0xff, 0xfe, 0, 0, ..] => [UTF_8; 2], // UTF-32, which is refused
            [0xff, 0xfe, ..] => [UTF_16_LE; 2],
            [0xfe, 0xff, ..] => [UTF_16_BE; 2],
            _ if 4 * (upper + lower) > bytes.len() => [wide, UTF_8],
            _ if upper + lower > 0 => [UTF_8, wide],
            _ => [UTF_8; 2],
        }
    }

    /// The text of `bytes`, without a mark in front; `None` if they are in another encoding.
    #[cfg(feature = "compute")]
    fn decode(self, bytes: &[u8]) -> Option<String> {
        let number = if self == UTF_16_BE { u16::from_be_bytes } else { u16::from_le_bytes };
        let text = match self {
            UTF_8 => String::from_utf8(bytes.to_vec()).ok()?,
            _ => {
                let (pairs, []) = bytes.as_chunks::<2>() else { return None };
                let numbers: Vec<u16> = pairs.iter().map(|pair| number(*pair)).collect();
                String::from_utf16(&numbers).ok()?
            }
        };
        Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
    }
}

impl FileText {
    /// Text that was decoded from `encoding`, with the line ends of old Macs as line breaks.
    pub fn new(text: String, encoding: Encoding) -> Self {
        let is_of_mac =
            text.contains('\r') && !text.as_bytes().windows(2).any(|two| two == b"\r\n");
        Self {
            text: if is_of_mac { text.replace('\r', "\n") } else { text },
            note: match (encoding, is_of_mac) {
                (UTF_8, false) => None,
                (UTF_8, true) => Some("Its line ends (CR) were converted."),
                _ => Some("It was converted from UTF-16."),
            },
        }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// If it is neither UTF-8 nor UTF-16.
    #[cfg(feature = "compute")]
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        Encoding::guess(bytes)
            .into_iter()
            .find_map(|encoding| Some(Self::new(encoding.decode(bytes)?, encoding)))
            .ok_or(NO_TEXT)
    }
}

/// The reason for which a file is not read as text.
pub const NO_TEXT: &str = "it is neither UTF-8 nor UTF-16 text";
