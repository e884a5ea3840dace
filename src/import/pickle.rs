//! Python's pickles, as data: a reader of what `torch.save` and `pickle.dump` write of plain values
//! and tensors (protocols 2 to 5, <https://docs.python.org/3/library/pickletools.html>).
//!
//! A pickle is a program for a machine with a stack that may name any function of Python and call
//! it. This machine knows few names and calls none; a value that only another name could make stays
//! unread, and is refused by that name where it is asked for. Values lie in one list and refer to each
//! other by their place there, so that a value in itself is no loop and a deep one no deep call.

mod call;
mod machine;
mod node;
mod reader;

use std::collections::BTreeSet;

use super::ImportError;
use machine::Machine;
use node::{Global, Id, Node};
use reader::ENDS_EARLY;

/// Pickles of models are far shorter; guards memory, of which each byte may take about fifty.
const MAX_BYTES: usize = 8 << 20;

/// More values than a tensor has arguments or axes.
const FEW: usize = 16;

pub struct Pickle<'a> {
    file: String,
    nodes: Vec<Node<'a>>,
    root: Id,
    /// Modules and names that are not known.
    unknown: Vec<(&'a str, &'a str)>,
}

/// A value of a pickle.
#[derive(Clone, Copy)]
pub struct Value<'p, 'a> {
    pickle: &'p Pickle<'a>,
    node: &'p Node<'a>,
}

impl<'a> Pickle<'a> {
    /// The pickle that `bytes` begin with, and the bytes after it.
    ///
    /// # Errors
    /// If it is not whole, is too long, or is of a value that Confab does not know.
    pub fn read(file: &str, bytes: &'a [u8]) -> Result<(Self, &'a [u8]), ImportError> {
        let refuse = |why: String| ImportError::Format { file: file.into(), kind: "a pickle", why };
        let (read, is_long) = match bytes.get(..MAX_BYTES) {
            Some(first) => (first, bytes.len() > MAX_BYTES),
            None => (bytes, false),
        };
        let mut machine = Machine::new(read);
        let root = machine.run().map_err(|why| match why.as_str() {
            ENDS_EARLY if is_long => refuse(format!("it is longer than {} MiB", MAX_BYTES >> 20)),
            _ => refuse(format!("{why}, {} bytes before its end", machine.left())),
        })?;
        let rest = &bytes[read.len() - machine.left()..];
        let (nodes, unknown) = machine.into_parts();
        let pickle = Self { file: file.into(), nodes, root, unknown };
        pickle.root().expect_read()?;
        Ok((pickle, rest))
    }

    /// Names of Python that it has and Confab does not know, each once.
    pub fn unknown(&self) -> BTreeSet<String> {
        (0..self.unknown.len()).map(|number| self.unknown_name(number)).collect()
    }

    /// Descriptions of all storages that are kept elsewhere.
    pub fn persistent(&self) -> impl Iterator<Item = Value<'_, 'a>> {
        (0..self.nodes.len()).filter_map(|id| self.value(id).persistent())
    }

    fn unknown_name(&self, number: usize) -> String {
        let (module, name) = self.unknown[number];
        let name: String = format!("{module}.{name}").chars().take(80).collect();
        name.escape_debug().to_string()
    }

    pub fn root(&self) -> Value<'_, 'a> {
        self.value(self.root)
    }

    fn value(&self, id: Id) -> Value<'_, 'a> {
        Value { pickle: self, node: &self.nodes[id] }
    }
}

impl<'p, 'a> Value<'p, 'a> {
    /// The value itself, which must not be one that only an unknown name of Python could make.
    ///
    /// # Errors
    /// That name.
    pub fn expect_read(self) -> Result<Self, ImportError> {
        match *self.node {
            Node::Unread(number) | Node::Global(Global::Unknown(number)) => {
                let (file, name) = (self.pickle.file.clone(), self.pickle.unknown_name(number));
                Err(ImportError::Global { file, name })
            }
            _ => Ok(self),
        }
    }

    pub fn text(self) -> Option<&'a str> {
        match self.node {
            Node::Text(text) => Some(text),
            Node::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn size(self) -> Option<usize> {
        if let Node::Int(int) = self.node { usize::try_from(*int).ok() } else { None }
    }

    /// The values of a list or tuple.
    pub fn list(self) -> Option<Vec<Value<'p, 'a>>> {
        let Node::List(items) = self.node else { return None };
        Some(items.iter().map(|id| self.pickle.value(*id)).collect())
    }

    /// The values of a list or tuple of few: guards time, for one list may be met at every byte.
    pub fn short_list(self) -> Option<Vec<Value<'p, 'a>>> {
        let Node::List(items) = self.node else { return None };
        (items.len() <= FEW).then(|| self.list()).flatten()
    }

    /// The keys and values of a dict, or the attributes of a namespace.
    pub fn pairs(self) -> Option<impl Iterator<Item = (Value<'p, 'a>, Value<'p, 'a>)>> {
        let node = match self.node {
            Node::Namespace(Some(attributes)) => &self.pickle.nodes[*attributes],
            node => node,
        };
        let Node::Dict(pairs) = node else { return None };
        Some(pairs.iter().map(move |(key, value)| {
            let value_of = |id: &Id| self.pickle.value(*id);
            (value_of(key), value_of(value))
        }))
    }

    /// The value of a dict under `key`; the last that was set.
    pub fn get(self, key: &str) -> Option<Self> {
        self.pairs()?.filter(|(found, _)| found.text() == Some(key)).last().map(|(_, value)| value)
    }

    pub fn is_none(self) -> bool {
        matches!(self.node, Node::None)
    }

    pub fn storage(self) -> Option<&'a str> {
        if let Node::Global(Global::Storage(name)) = self.node { Some(name) } else { None }
    }

    /// Description of a storage that is kept elsewhere.
    pub fn persistent(self) -> Option<Self> {
        if let Node::Persistent(id) = self.node { Some(self.pickle.value(*id)) } else { None }
    }

    /// Arguments that a tensor is rebuilt from.
    pub fn tensor(self) -> Option<Self> {
        if let Node::Tensor(id) = self.node { Some(self.pickle.value(*id)) } else { None }
    }

    pub fn is_tensor(self) -> bool {
        matches!(self.node, Node::Tensor(_))
    }

    /// JSON of the value, if it is one number, word or truth.
    pub fn scalar(self) -> Option<serde_json::Value> {
        match self.node {
            Node::None => Some(serde_json::Value::Null),
            Node::Bool(value) => Some((*value).into()),
            Node::Int(value) => Some((*value).into()),
            Node::Float(value) => Some((*value).into()),
            Node::Text(value) => Some((*value).into()),
            _ => None,
        }
    }
}
