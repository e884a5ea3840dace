//! Tokens by the text that they stand for.

use super::error::TokenizeError;
use super::settings::Settings;

/// Tokens in the order of their bytes.
#[derive(Debug)]
pub struct Index {
    /// Bytes and ids, for binary search; of tokens with the same bytes only the first.
    tokens: Vec<(Vec<u8>, u32)>,
    /// Length of the longest token, in bytes.
    longest: usize,
}

impl Index {
    /// Index of tokens' bytes and ids. Tokens without bytes are left out.
    pub fn new(tokens: impl Iterator<Item = (Vec<u8>, u32)>) -> Self {
        let mut tokens: Vec<_> = tokens.filter(|(bytes, _)| !bytes.is_empty()).collect();
        tokens.sort_unstable();
        tokens.dedup_by(|a, b| a.0 == b.0);
        let longest = tokens.iter().map(|(bytes, _)| bytes.len()).max().unwrap_or(0);
        Self { tokens, longest }
    }

    /// Id of the token of `bytes`.
    pub fn find(&self, bytes: &[u8]) -> Option<u32> {
        let found = self.tokens.binary_search_by(|(other, _)| other.as_slice().cmp(bytes));
        found.ok().map(|index| self.tokens[index].1)
    }

    /// Tokens of `text`, each the longest that fits. A model with `settings` may put a space in front, skip spaces, and
    /// have a token for what it does not know.
    ///
    /// # Errors
    /// The first character that no token stands for.
    pub fn tokenize(
        &self,
        text: &str,
        settings: Option<&Settings>,
    ) -> Result<Vec<u32>, TokenizeError> {
        let spaced = settings.filter(|settings| settings.has_first_space && !text.is_empty());
        let spaced = spaced.map(|_| format!(" {text}"));
        let text = spaced.as_deref().unwrap_or(text);
        let bytes = text.as_bytes();
        let mut ids = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let ends = (at + 1..=bytes.len().min(at + self.longest)).rev();
            let fitting = ends.filter_map(|end| Some((end, self.find(&bytes[at..end])?))).next();
            if let Some((end, id)) = fitting {
                ids.push(id);
                at = end;
                continue;
            }
            let start = text.floor_char_boundary(at);
            let character = text[start..].chars().next();
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            match settings {
                Some(_) if character.is_whitespace() => {}
                Some(Settings { unknown: Some(unknown), .. }) => ids.push(*unknown),
                _ => return Err(TokenizeError::Unknown(character)),
            }
            at = start + character.len_utf8();
        }
        Ok(ids)
    }
}
