//! The names of a model's tokens.

#[cfg(feature = "cli")]
use super::ImportError;

/// The text of every token.
#[derive(Clone, Debug, PartialEq)]
pub enum Vocabulary {
    /// One character a token, ids in sorted order.
    Characters(String),
    /// The text of each token by its id, with `<0xE4>` for a byte that is no UTF-8, and the `tokenizer.json` that they
    /// are from, if they are.
    Tokens { tokens: Vec<String>, tokenizer: Option<String> },
}

impl Vocabulary {
    /// Number of tokens: the rows of the embedding.
    pub fn size(&self) -> usize {
        match self {
            Self::Characters(characters) => characters.chars().count(),
            Self::Tokens { tokens, .. } => tokens.len(),
        }
    }
}

/// A vocabulary, and the row of the file's embedding that each of its ids has, if not its own.
pub struct Named {
    pub vocabulary: Vocabulary,
    pub order: Option<Vec<usize>>,
    /// Lines for the user.
    pub notes: Vec<String>,
}

/// Names of `rows` tokens of which nothing is known: `<id>`.
pub fn unnamed(rows: usize) -> Vec<String> {
    (0..rows).map(|id| format!("<{id}>")).collect()
}

/// The text of each token as it is found, `<id>` before.
#[cfg(feature = "cli")]
pub struct Names<'a> {
    file: &'a str,
    pub tokens: Vec<String>,
}

#[cfg(feature = "cli")]
impl<'a> Names<'a> {
    pub fn new(file: &'a str, rows: usize) -> Self {
        Self { file, tokens: unnamed(rows) }
    }

    pub fn put(&mut self, id: Option<u64>, text: String) -> Result<(), ImportError> {
        let rows = self.tokens.len();
        let place = id.and_then(|id| self.tokens.get_mut(usize::try_from(id).ok()?));
        let Some(place) = place else {
            let id = id.map_or("none".into(), |id| id.to_string());
            let token: String = text.chars().take(40).collect();
            let what = format!(
                "the token {token:?} has the id {id}, but the model has {rows} tokens, from 0 on; \
                 give the vocabulary that it was trained with"
            );
            return Err(ImportError::Vocabulary { file: self.file.into(), what });
        };
        *place = text;
        Ok(())
    }
}
