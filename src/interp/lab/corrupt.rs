//! A second prompt where none was typed: the prompt with one token changed.

use super::error::RequestError;
use super::subject::Subject;

/// Most changes that are tried: each is a forward pass.
const MAX_TRIES: usize = 16;

/// The prompt with that token changed which moves the logit difference most, of the last few before its position.
///
/// # Errors
/// If no change moves it.
pub(super) fn corrupt(subject: &Subject) -> Result<String, RequestError> {
    let of = subject.difference()?;
    let clean = of.of(&subject.record());
    // What follows the position's own token is moved by changing that, which tells the least.
    let places = (0..of.position).rev().chain([of.position]);
    let changed = places.filter_map(|place| change(subject, place)).take(MAX_TRIES);
    let moved = |ids: &[u32]| {
        let changed = subject.model.host.record(ids, subject.interventions);
        (of.of(&changed) - clean).abs()
    };
    changed
        .map(|(ids, text)| (moved(&ids), text))
        .filter(|(by, _)| *by > 0.0)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, text)| text)
        .ok_or(RequestError::NothingToCorrupt)
}

/// The prompt with another token of the same kind at `place`, and its text: one of the prompt's own, or else of the
/// vocabulary. `None` if there is none, or if its text would be cut into other tokens.
fn change(subject: &Subject, place: usize) -> Option<(Vec<u32>, String)> {
    let tokenizer = &subject.model.tokenizer;
    let start = tokenizer.memory_tokens() + tokenizer.start().len();
    let old = *subject.ids.get(place).filter(|_| place >= start)?;
    let kind = kind(tokenizer.token(old)?)?;
    let is_like = |id: &u32| *id != old && tokenizer.token(*id).and_then(self::kind) == Some(kind);
    let own = subject.ids[start..place].iter().rev().copied();
    let new = own.chain(0..tokenizer.text_size() as u32).find(is_like)?;
    let mut ids = subject.ids.to_vec();
    ids[place] = new;
    let text = tokenizer.decode(&ids[start..]);
    (tokenizer.encode(&text).ok()? == ids).then_some((ids, text))
}

/// Kind of a token: true if it begins a word, if it begins with a digit, and if it begins with a capital. `None` for
/// a token that begins with neither a letter nor a digit.
fn kind(token: &str) -> Option<(bool, bool, bool)> {
    let word = token.trim_start_matches([' ', '▁', 'Ġ']);
    let first = word.chars().next().filter(|first| first.is_alphanumeric())?;
    Some((word.len() < token.len(), first.is_numeric(), first.is_uppercase()))
}
