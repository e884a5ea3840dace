//! Records cut into the tokens of a model whose tokens are pieces of text.

use std::borrow::Cow;

use crate::run::{Field, Record};
use crate::tokenizer::{TextStream, TokenizeError, Tokenizer};

/// `record` as tokens of `tokenizer`. A prompt that ends where an answer begins has the same tokens alone, so the text is
/// cut there, but for tokenizers that put a space before a text. A token has the field of its first byte.
///
/// # Errors
/// The errors of [`Tokenizer::tokenize`].
pub fn cut(record: &Record, tokenizer: &Tokenizer) -> Result<Record, TokenizeError> {
    let mut out = begin(tokenizer);
    out.category = record.category.clone();
    let symbols: Vec<(&str, Field)> = record.symbols().zip(record.fields.iter().copied()).collect();
    let goes_on = |last: &(&str, Field), next: &(&str, Field)| {
        last.1 == Field::Answer || next.1 != Field::Answer
    };
    let parts = match tokenizer.has_first_space() {
        true => vec![symbols.as_slice()],
        false => symbols.chunk_by(goes_on).collect(),
    };
    for part in parts {
        let text: String = part.iter().map(|(symbol, _)| *symbol).collect();
        let fields: Vec<Field> =
            part.iter().flat_map(|(symbol, field)| symbol.bytes().map(|_| *field)).collect();
        let field = |at: usize| *fields.get(at).or(fields.last()).unwrap_or(&Field::Text);
        push(&mut out, &tokenizer.tokenize(&text)?, tokenizer, field);
    }
    let given: usize = record.symbols().take(record.given).map(str::len).sum();
    let ends = out.symbols().scan(0, |end, symbol| {
        *end += symbol.len();
        Some(*end)
    });
    out.given = out.given.max(ends.take_while(|end| *end <= given).count());
    Ok(out)
}

/// `record` as its model reads it: cut, if the model's tokens are pieces of text.
///
/// # Panics
/// If `tokenizer` has no tokens for the record's symbols: see [`Task::for_model`](super::Task::for_model).
pub fn in_tokens<'a>(record: &'a Record, tokenizer: &Tokenizer) -> Cow<'a, Record> {
    match tokenizer.is_of_pieces() && record.ids.is_empty() {
        true => Cow::Owned(cut(record, tokenizer).expect("a task's symbols have tokens")),
        false => Cow::Borrowed(record),
    }
}

/// Record of a piece of plain text, in tokens.
pub fn of_tokens(ids: &[u32], tokenizer: &Tokenizer) -> Record {
    let mut out = begin(tokenizer);
    push(&mut out, ids, tokenizer, |_| Field::Text);
    out
}

/// A record of the tokens that the model has in front of every text; they are given.
fn begin(tokenizer: &Tokenizer) -> Record {
    let mut out = Record::new();
    for id in tokenizer.start() {
        out.push_token(Field::Marker, *id, "");
    }
    out.given = tokenizer.start().len().max(1);
    out
}

/// Appends tokens, each of the field at its first byte. A character that is split over tokens is the text of the last.
fn push(record: &mut Record, ids: &[u32], tokenizer: &Tokenizer, field: impl Fn(usize) -> Field) {
    let mut stream = TextStream::after(&[]);
    let start = record.text.len();
    for (index, id) in ids.iter().enumerate() {
        let at = record.text.len() - start;
        let mut text = stream.push(tokenizer, *id);
        if index + 1 == ids.len() {
            text += &stream.finish(tokenizer);
        }
        record.push_token(field(at), *id, &text);
    }
}
