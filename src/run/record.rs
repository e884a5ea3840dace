//! Records of tasks.

use super::Field;

/// One example of a task, `{B}…{E}`: a sequence of symbols, each of which is a token of the task's tokenizer.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub text: String,
    /// End of each symbol in `text`, in bytes.
    ends: Vec<u32>,
    /// One field per symbol.
    pub fields: Vec<Field>,
    /// Token of each symbol, in a record that was cut into pieces of text; empty where the symbols' texts tell them.
    pub ids: Vec<u32>,
    /// Number of given symbols at the beginning. A model learns to predict the rest. The first is always given,
    /// because nothing precedes it.
    pub given: usize,
    /// Category of the question, of `facts` and of a JSON record that has one.
    pub category: Option<String>,
    /// Targets in place of the next symbols: after the symbol at a place, the one to predict, and nothing elsewhere. The
    /// places rise. `None` where each symbol that is not given is the target of the one before.
    pub targets: Option<Vec<(usize, String)>>,
}

impl Record {
    /// An empty record, to be grown with [`Record::push`].
    pub fn new() -> Self {
        Self {
            text: String::new(),
            ends: Vec::new(),
            fields: Vec::new(),
            ids: Vec::new(),
            given: 1,
            category: None,
            targets: None,
        }
    }

    /// Appends each character of `text` as a symbol of `field`.
    pub fn push(&mut self, field: Field, text: &str) {
        for character in text.chars() {
            self.push_symbol(field, character.encode_utf8(&mut [0; 4]));
        }
    }

    /// Appends `text` as one symbol of `field`.
    pub fn push_symbol(&mut self, field: Field, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len() as u32);
        self.fields.push(field);
    }

    /// Appends token `id`, which completes `text`, as a symbol of `field`.
    pub fn push_token(&mut self, field: Field, id: u32, text: &str) {
        self.push_symbol(field, text);
        self.ids.push(id);
    }

    /// The symbols, in order.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start as usize..*end as usize])
    }

    /// Keeps the first `count` symbols.
    pub fn truncate(&mut self, count: usize) {
        self.ends.truncate(count);
        self.fields.truncate(count);
        self.ids.truncate(count);
        if let Some(targets) = &mut self.targets {
            targets.retain(|(place, _)| *place < count);
        }
        self.text.truncate(self.ends.last().copied().unwrap_or(0) as usize);
    }

    /// The symbols of `field`, joined.
    pub fn part(&self, field: Field) -> String {
        let symbols = self.symbols().zip(&self.fields);
        symbols.filter(|(_, of)| **of == field).map(|(symbol, _)| symbol).collect()
    }

    /// Length in symbols, equal to its length in tokens.
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
