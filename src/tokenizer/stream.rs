//! Text of tokens that come one by one.

use super::Tokenizer;

/// Most tokens that one character is split over.
const MAX_SPLIT: usize = 4;
/// Most tokens that are held back: bytes that are no text may have no end.
const MAX_HELD: usize = 16;

/// Tokens of a text in progress. A character split over several tokens is held back until it is whole.
#[derive(Clone, Debug)]
pub struct TextStream {
    /// Tokens of the last whole piece of text, and the new ones. What comes before does not change their text.
    window: Vec<u32>,
    /// Number of tokens of the last whole piece.
    whole: usize,
}

impl TextStream {
    /// Stream that goes on after `ids`.
    pub fn after(ids: &[u32]) -> Self {
        Self { window: ids.to_vec(), whole: ids.len() }
    }

    /// Text that `id` completes; empty while a character is not whole.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> String {
        self.window.push(id);
        let is_whole = !tokenizer.decode(&self.window).ends_with('\u{fffd}');
        let new = self.window.len() - self.whole;
        let count = match is_whole || new >= MAX_HELD {
            true => Some(new),
            // The first of so many are no part of a character that could still become whole.
            false => (new >= MAX_SPLIT).then(|| self.first_piece(tokenizer)).flatten(),
        };
        count.map(|count| self.emit(tokenizer, count)).unwrap_or_default()
    }

    /// The fewest of the new tokens that end where a character does.
    fn first_piece(&self, tokenizer: &Tokenizer) -> Option<usize> {
        let new = &self.window[self.whole..];
        let text = tokenizer.decode(new);
        (1..new.len()).find(|count| {
            let (first, rest) = new.split_at(*count);
            tokenizer.decode(first) + &tokenizer.decode(rest) == text
        })
    }

    /// The text held back, with U+FFFD for what is no whole character.
    pub fn finish(&mut self, tokenizer: &Tokenizer) -> String {
        self.emit(tokenizer, self.window.len() - self.whole)
    }

    /// Text of the first `count` new tokens, which are then the last whole piece.
    fn emit(&mut self, tokenizer: &Tokenizer, count: usize) -> String {
        let before = tokenizer.decode(&self.window[..self.whole]);
        let text = tokenizer.decode(&self.window[..self.whole + count]);
        self.window.drain(..self.whole);
        self.whole = count;
        let common = text.char_indices().zip(before.chars()).find(|((_, a), b)| a != b);
        text[common.map_or(before.len().min(text.len()), |((at, _), _)| at)..].to_owned()
    }
}
