//! Python's pickles, as data: a reader of what `torch.save` and `pickle.dump` write of plain values
//! and tensors (protocols 2 to 5, <https://docs.python.org/3/library/pickletools.html>).
//!
//! A pickle is a program for a machine with a stack that may name any function of Python and call
//! it. This machine knows few names, calls none, and refuses every other. Values lie in one list and
//! refer to each other by their place there, so that a value in itself is no loop and a deep one no
//! deep call.

mod machine;
mod node;

use super::ImportError;
use machine::{Machine, Stop};
use node::{Global, Id, Node};

/// Pickles of models are far shorter; guards memory, of which each byte may take about fifty.
const MAX_BYTES: usize = 8 << 20;

pub struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: Id,
}

/// A value of a pickle.
#[derive(Clone, Copy)]
pub struct Value<'p, 'a> {
    pickle: &'p Pickle<'a>,
    node: &'p Node<'a>,
}

impl<'a> Pickle<'a> {
    /// # Errors
    /// If the bytes are no whole pickle, are too many, or name what is not on the list.
    pub fn read(file: &str, bytes: &'a [u8]) -> Result<Self, ImportError> {
        let refuse = |why: String| ImportError::Format { file: file.into(), kind: "a pickle", why };
        if bytes.len() > MAX_BYTES {
            return Err(refuse(format!("it is longer than {} MiB", MAX_BYTES >> 20)));
        }
        let mut machine = Machine::new(bytes);
        match machine.run() {
            Ok(root) => Ok(Self { nodes: machine.into_nodes(), root }),
            Err(Stop::Global(name)) => Err(ImportError::Global { file: file.into(), name }),
            Err(Stop::Broken(why)) => {
                Err(refuse(format!("{why}, {} bytes before its end", machine.left())))
            }
        }
    }

    pub fn root(&self) -> Value<'_, 'a> {
        self.value(self.root)
    }

    fn value(&self, id: Id) -> Value<'_, 'a> {
        Value { pickle: self, node: &self.nodes[id] }
    }
}

impl<'p, 'a> Value<'p, 'a> {
    pub fn text(self) -> Option<&'a str> {
        if let Node::Text(text) = self.node { Some(text) } else { None }
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

    /// The keys and values of a dict.
    pub fn pairs(self) -> Option<impl Iterator<Item = (Value<'p, 'a>, Value<'p, 'a>)>> {
        let Node::Dict(pairs) = self.node else { return None };
        Some(pairs.iter().map(move |(key, value)| {
            let value_of = |id: &Id| self.pickle.value(*id);
            (value_of(key), value_of(value))
        }))
    }

    /// The value of a dict under `key`; the last that was set.
    pub fn get(self, key: &str) -> Option<Self> {
        self.pairs()?.filter(|(found, _)| found.text() == Some(key)).last().map(|(_, value)| value)
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
