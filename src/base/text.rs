//! Text in files, in whichever encoding their editor wrote.

/// A file's text, and what was converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileText {
    pub text: String,
    /// A sentence on a conversion that the reader of the text should know of.
    pub note: Option<&'static str>,
}

/// An encoding of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    /// Name on the web.
    pub fn label(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
        }
    }

    /// Encodings that the text in `bytes` may have, likeliest first: by a mark in front; else UTF-8; and UTF-16 if some
    /// bytes are zero, before UTF-8 if a quarter is. The zeros are upper halves.
    pub fn guess(bytes: &[u8]) -> [Self; 2] {
        let mut zeros = [0; 2];
        for (index, byte) in bytes.iter().enumerate() {
            zeros[index % 2] += usize::from(*byte == 0);
        }
        let [upper, lower] = zeros;
        let wide = if upper > lower { Self::Utf16Be } else { Self::Utf16Le };
        match bytes {
            [0xff, 0xfe, 0, 0, ..] => [Self::Utf8; 2], // UTF-32, which is refused
            [0xff, 0xfe, ..] => [Self::Utf16Le; 2],
            [0xfe, 0xff, ..] => [Self::Utf16Be; 2],
            _ if 4 * (upper + lower) > bytes.len() => [wide, Self::Utf8],
            _ if upper + lower > 0 => [Self::Utf8, wide],
            _ => [Self::Utf8; 2],
        }
    }

    /// The text of `bytes`, without a mark in front; `None` if they are in another encoding.
    #[cfg(feature = "compute")]
    fn decode(self, bytes: &[u8]) -> Option<String> {
        let number = if self == Self::Utf16Be { u16::from_be_bytes } else { u16::from_le_bytes };
        let text = match self {
            Self::Utf8 => String::from_utf8(bytes.to_vec()).ok()?,
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
                (Encoding::Utf8, false) => None,
                (Encoding::Utf8, true) => Some("Its line ends (CR) were converted."),
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

/// The character that is all of `text`.
pub fn only_character(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// `character`, or Unicode's picture of a control character. The pictures are in the order of what they show.
pub fn pictured(character: char) -> char {
    match character {
        '\0'..' ' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\x7f' => '␡',
        _ => character,
    }
}

/// `character` as a sentence names it: escaped if it cannot be seen.
pub fn named(character: char) -> String {
    match character {
        '"' | '\'' | '\\' => character.to_string(),
        _ => character.escape_debug().to_string(),
    }
}
