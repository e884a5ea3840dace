//! The machine that a pickle is a program for, as far as values and tensors need it.

use std::collections::HashMap;
use std::str::from_utf8;

use super::call::{Made, made};
use super::node::{Global, Id, Node, is_number_type};
use super::reader::Reader;

#[derive(Default)]
pub struct Machine<'a> {
    reader: Reader<'a>,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
    /// Modules and names of functions and classes that are not known.
    unknown: Vec<(&'a str, &'a str)>,
}

/// Result of an instruction, or the reason for which a pickle is not read on.
type Step<T = ()> = Result<T, String>;

fn broken(why: &str) -> String {
    why.into()
}

impl<'a> Machine<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader(bytes), ..Self::default() }
    }

    /// All values by their places, and the modules and names that are not known by their numbers.
    pub fn into_parts(self) -> (Vec<Node<'a>>, Vec<(&'a str, &'a str)>) {
        (self.nodes, self.unknown)
    }

    /// Bytes still to be read.
    pub fn left(&self) -> usize {
        self.reader.0.len()
    }

    /// The place of the value that the pickle is of.
    pub fn run(&mut self) -> Step<Id> {
        loop {
            match self.reader.byte()? {
                b'.' => return self.pop(),
                instruction => self.step(instruction)?,
            }
        }
    }

    fn step(&mut self, instruction: u8) -> Step {
        match instruction {
            0x80 => self.reader.take(1).map(drop), // PROTO
            0x95 => self.reader.take(8).map(drop), // FRAME
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.pop_to_mark().map(drop),
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'K' => self.push_int(1),
            b'M' => self.push_int(2),
            b'J' => {
                let int = i32::from_le_bytes(self.reader.array()?);
                self.push(Node::Int(int.into()))
            }
            0x8a => self.push_long(1),
            b'G' => {
                let float = f64::from_be_bytes(self.reader.array()?);
                self.push(Node::Float(float))
            }
            0x8b => self.push_long(4),
            0x8c => self.push_text(1),
            b'X' => self.push_text(4),
            0x8d => self.push_text(8),
            b'U' | b'C' => self.push_bytes(1),
            b'T' | b'B' => self.push_bytes(4),
            0x8e | 0x96 => self.push_bytes(8),
            b')' | b']' | 0x8f => self.push(Node::List(Vec::new())),
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(instruction - 0x84))?;
                self.push(Node::List(items))
            }
            b't' | b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Node::List(items))
            }
            b'a' => {
                let items = self.pop_many(1)?;
                self.append(items)
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.append(items)
            }
            b'}' => self.push(Node::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Dict(Vec::new()))?;
                self.set(&items)
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set(&items)
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(&items)
            }
            b'q' => self.keep(1),
            b'r' => self.keep(4),
            0x94 => self.keep_at(self.memo.len()),
            b'h' => self.recall(1),
            b'j' => self.recall(4),
            b'c' => {
                let (module, name) = (self.reader.line()?, self.reader.line()?);
                self.push_global(module, name)
            }
            0x93 => {
                let names = self.pop_many(2)?;
                match (&self.nodes[names[0]], &self.nodes[names[1]]) {
                    (Node::Text(module), Node::Text(name)) => self.push_global(module, name),
                    _ => Err(broken("a name is no text")),
                }
            }
            b'R' | 0x81 => self.call(),
            0x92 => {
                self.pop()?; // arguments by name
                self.call()
            }
            b'b' => self.set_state(),
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))
            }
            other => Err(format!("it has the instruction {other:#04x}, which models have not")),
        }
    }

    /// Calls nothing: pushes the value that a known function would return, or a mark that it is unread.
    fn call(&mut self) -> Step {
        let (arguments, function) = (self.pop()?, self.pop()?);
        match made(&self.nodes, function, arguments) {
            Some(Made::New(node)) => self.push(node),
            Some(Made::Old(id)) => {
                self.stack.push(id);
                Ok(())
            }
            None => Err(broken("it calls what is no function of a model's")),
        }
    }

    /// Gives an object its state. Attributes that Python sets beside the items of a dict, as a module does with its
    /// version, are passed over.
    fn set_state(&mut self) -> Step {
        let state = self.pop()?;
        let object = *self.stack.last().ok_or_else(|| broken("the stack is empty"))?;
        let byte_order = match &self.nodes[state] {
            Node::List(items) => items.get(1).map(|id| &self.nodes[*id]),
            _ => None,
        };
        let is_big = matches!(byte_order, Some(Node::Text(">")));
        match &mut self.nodes[object] {
            Node::Dict(_) | Node::Unread(_) | Node::Tensor(_) => {}
            Node::Namespace(attributes) => *attributes = Some(state),
            Node::NumberType { is_big_endian, .. } => *is_big_endian = is_big,
            _ => return Err(broken("it sets parts of a value that has none")),
        }
        Ok(())
    }

    fn push_global(&mut self, module: &'a str, name: &'a str) -> Step {
        if is_number_type(module, name) {
            return self.push(Node::Text(name));
        }
        let global = Global::find(module, name).unwrap_or_else(|| {
            self.unknown.push((module, name));
            Global::Unknown(self.unknown.len() - 1)
        });
        self.push(Node::Global(global))
    }

    fn push(&mut self, node: Node<'a>) -> Step {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    fn push_int(&mut self, width: usize) -> Step {
        let int = self.reader.length(width)?;
        self.push(Node::Int(int as i64))
    }

    /// A number with a sign.
    fn push_long(&mut self, width: usize) -> Step {
        let bytes = self.reader.counted(width)?;
        if bytes.len() > 8 {
            return Err(broken("it has a whole number of more than 64 bits"));
        }
        let fill = if bytes.last().is_some_and(|byte| *byte > 0x7f) { 0xff } else { 0 };
        let mut wide = [fill; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push(Node::Int(i64::from_le_bytes(wide)))
    }

    fn push_text(&mut self, width: usize) -> Step {
        let text = from_utf8(self.reader.counted(width)?);
        let text = text.map_err(|_| broken("a text is no UTF-8"))?;
        self.push(Node::Text(text))
    }

    /// Bytes, or what was a text in Python 2.
    fn push_bytes(&mut self, width: usize) -> Step {
        let bytes = self.reader.counted(width)?;
        self.push(Node::Bytes(bytes))
    }

    fn append(&mut self, more: Vec<Id>) -> Step {
        let list = *self.stack.last().ok_or_else(|| broken("the stack is empty"))?;
        match &mut self.nodes[list] {
            Node::List(items) => {
                items.extend(more);
                Ok(())
            }
            Node::Unread(_) => Ok(()),
            _ => Err(broken("it appends to what is no list")),
        }
    }

    fn set(&mut self, items: &[Id]) -> Step {
        let dict = *self.stack.last().ok_or_else(|| broken("the stack is empty"))?;
        match (&mut self.nodes[dict], items.as_chunks::<2>()) {
            (Node::Dict(pairs), (items, [])) => {
                pairs.extend(items.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            (Node::Unread(_), _) => Ok(()),
            _ => Err(broken("it sets items of what is no dict")),
        }
    }

    fn keep(&mut self, width: usize) -> Step {
        let key = self.reader.length(width)?;
        self.keep_at(key)
    }

    fn keep_at(&mut self, key: usize) -> Step {
        let id = *self.stack.last().ok_or_else(|| broken("the stack is empty"))?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Step {
        let key = self.reader.length(width)?;
        let id = self.memo.get(&key).ok_or_else(|| broken("it recalls what it did not keep"))?;
        self.stack.push(*id);
        Ok(())
    }

    fn pop(&mut self) -> Step<Id> {
        Ok(self.pop_many(1)?[0])
    }

    /// The last `count`, of those since the last mark.
    fn pop_many(&mut self, count: usize) -> Step<Vec<Id>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => Ok(self.stack.split_off(start)),
            _ => Err(broken("the stack is empty")),
        }
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| broken("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }
}
