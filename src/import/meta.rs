//! nanoGPT's `meta.pkl`, which names the tokens of its data sets of characters.

use super::pickle::{Pickle, Value};
use super::vocabulary::{Named, Names, Vocabulary};
use super::{File, ImportError};
use crate::base::text::only_character;

/// The names of `rows` tokens, by `itos`: a dict with the text of each id, or a list of texts.
pub fn read(file: &File, rows: usize) -> Result<Named, ImportError> {
    let (pickle, _) = Pickle::read(file.name, file.bytes)?;
    let refuse = |what: &str| ImportError::Vocabulary { file: file.name.into(), what: what.into() };
    let missing = || refuse("it has no `itos`; give the meta.pkl of the data set");
    let itos = pickle.root().get("itos").ok_or_else(missing)?.expect_read()?;
    let texts = texts(itos).ok_or_else(missing)?;
    let mut names = Names::new(file.name, rows);
    let mut known = 0;
    for (id, text) in texts {
        let text = text.expect_read()?.text();
        let text = text.ok_or_else(|| refuse("a token of its `itos` is no text"))?;
        names.put(id.map(|id| id as u64), text.into())?;
        known += 1;
    }
    let tokens = names.tokens;
    let characters: Vec<char> = tokens.iter().filter_map(|token| only_character(token)).collect();
    let mut order: Vec<usize> = (0..characters.len()).collect();
    order.sort_by_key(|id| characters[*id]);
    let is_distinct = order.windows(2).all(|two| characters[two[0]] < characters[two[1]]);
    if characters.len() < rows || known < rows || !is_distinct {
        let vocabulary = Vocabulary::Tokens { tokens, tokenizer: None };
        return Ok(Named { vocabulary, order: None, notes: Vec::new() });
    }
    let sorted = order.iter().map(|id| characters[*id]).collect();
    let vocabulary = Vocabulary::Characters(sorted);
    Ok(Named { vocabulary, order: Some(order), notes: Vec::new() })
}

/// Each id and its text; `None` if `itos` is neither a dict nor a list.
fn texts<'p, 'a>(itos: Value<'p, 'a>) -> Option<Vec<(Option<usize>, Value<'p, 'a>)>> {
    match itos.list() {
        Some(texts) => Some((0..).map(Some).zip(texts).collect()),
        None => Some(itos.pairs()?.map(|(id, text)| (id.size(), text)).collect()),
    }
}
