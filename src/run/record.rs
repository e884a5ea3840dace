//! Records of tasks.

use super::Field;

/// One example of a task, `{B}…{E}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub text: String,
    /// One field per character of `text`.
    pub fields: Vec<Field>,
    /// Number of given characters at the beginning. A model learns to predict the rest. The first is always given,
    /// because nothing precedes it.
    pub given: usize,
    /// Category of the question; for `facts` only.
    pub category: Option<String>,
}

impl Record {
    /// An empty record, to be grown with [`Record::push`].
    pub fn new() -> Self {
        Self { text: String::new(), fields: Vec::new(), given: 1, category: None }
    }

    /// Appends `text` as characters of `field`.
    pub fn push(&mut self, field: Field, text: &str) {
        self.text.push_str(text);
        self.fields.extend(text.chars().map(|_| field));
    }

    /// The characters of `field`, joined.
    pub fn part(&self, field: Field) -> String {
        let characters = self.text.chars().zip(&self.fields);
        characters.filter(|(_, of)| **of == field).map(|(character, _)| character).collect()
    }

    /// Length in characters, equal to its length in tokens.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}
