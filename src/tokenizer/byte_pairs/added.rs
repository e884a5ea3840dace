//! Added tokens, which stand for their text wherever it is.

use serde_json::Value;

/// Texts and ids of added tokens, longest first.
#[derive(Debug)]
pub struct Added(Vec<(String, u32)>);

impl Added {
    /// The added tokens of a `tokenizer.json` that are looked for before the text is normalized, and after; `None` if one
    /// takes more than its own text.
    pub fn read(json: &Value) -> Option<[Self; 2]> {
        let mut both = [Vec::new(), Vec::new()];
        for token in json["added_tokens"].as_array().into_iter().flatten() {
            let is_plain =
                ["single_word", "lstrip", "rstrip"].iter().all(|key| token[*key] == false);
            let content =
                token["content"].as_str().filter(|content| is_plain && !content.is_empty())?;
            let id = u32::try_from(token["id"].as_u64()?).ok()?;
            both[usize::from(token["normalized"] == true)].push((content.to_owned(), id));
        }
        for tokens in &mut both {
            tokens.sort_by_key(|(content, _)| std::cmp::Reverse(content.len()));
        }
        Some(both.map(Self))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Parts of `text`: what stands between added tokens, and their ids.
    pub fn split<'a>(&self, text: &'a str) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < text.len() {
            let rest = &text[at..];
            match self.0.iter().find(|(content, _)| rest.starts_with(content.as_str())) {
                Some((content, id)) => {
                    parts.extend(Part::between(text, start, at));
                    parts.push(Part::Token(*id));
                    at += content.len();
                    start = at;
                }
                None => at += rest.chars().next().map_or(1, char::len_utf8),
            }
        }
        parts.extend(Part::between(text, start, at));
        parts
    }
}

/// A part of a text.
pub enum Part<'a> {
    Token(u32),
    Text { text: &'a str, is_first: bool },
}

impl<'a> Part<'a> {
    /// The text from `start` to `end`, if there is any.
    fn between(text: &'a str, start: usize, end: usize) -> Option<Self> {
        (start < end).then(|| Self::Text { text: &text[start..end], is_first: start == 0 })
    }
}
