//! Values that functions and classes of Python would make, where Confab knows them.

use half::f16;

use super::node::{Global, Id, Node};

/// Bytes of numpy's longest number that is read.
const LONGEST: usize = 8;

/// A value that a call stands for.
pub enum Made<'a> {
    New(Node<'a>),
    Old(Id),
}

/// The value of `function` with `arguments`, which is not called; `None` if it cannot be known.
pub fn made<'a>(nodes: &[Node<'a>], function: Id, arguments: Id) -> Option<Made<'a>> {
    if let Node::Global(Global::Unknown(name)) | Node::Unread(name) = nodes[function] {
        return Some(Made::New(Node::Unread(name)));
    }
    let (Node::Global(global), Node::List(items)) = (&nodes[function], &nodes[arguments]) else {
        return None;
    };
    let node = |at: usize| items.get(at).map(|id| &nodes[*id]);
    let new = match (global, items.as_slice()) {
        // Of a dict its kind, or what makes values that are missing.
        (Global::Dict, [] | [_]) if !matches!(node(0), Some(Node::List(_) | Node::Dict(_))) => {
            Node::Dict(Vec::new())
        }
        (Global::Same, [item]) | (Global::RebuildParameter, [item, ..]) => {
            return Some(Made::Old(*item));
        }
        (Global::Same, _) => return Some(Made::Old(arguments)),
        (Global::Namespace, []) => Node::Namespace(None),
        (Global::RebuildTensor, _) => Node::Tensor(arguments),
        (Global::RebuildSubclass, [function, _, arguments, ..]) => match nodes[*function] {
            Node::Global(Global::RebuildTensor) => Node::Tensor(*arguments),
            _ => return None,
        },
        (Global::EncodeBytes, _) => match node(0)? {
            Node::Text(text) => Node::Latin(text),
            _ => return None,
        },
        (Global::NumberType, _) => match node(0)? {
            Node::Text(code) => Node::NumberType { code, is_big_endian: false },
            _ => return None,
        },
        (Global::Number, _) => match node(0)? {
            Node::NumberType { code, is_big_endian } => {
                let mut bytes = bytes(node(1)?)?;
                if *is_big_endian {
                    bytes.reverse();
                }
                number(code, &bytes).unwrap_or(Node::None)
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(Made::New(new))
}

fn bytes(node: &Node) -> Option<Vec<u8>> {
    match node {
        Node::Bytes(bytes) => Some(bytes[..bytes.len().min(LONGEST + 1)].to_vec()),
        Node::Latin(text) => {
            text.chars().take(LONGEST + 1).map(|c| u8::try_from(u32::from(c)).ok()).collect()
        }
        _ => None,
    }
}

/// A number of numpy's type `code`, of bytes that begin with the least.
fn number<'a>(code: &str, bytes: &[u8]) -> Option<Node<'a>> {
    let (kind, size) = (code.chars().next()?, code.get(1..)?.parse::<usize>().ok()?);
    if size != bytes.len() || !(1..=LONGEST).contains(&size) {
        return None;
    }
    let is_negative = kind == 'i' && bytes[size - 1] > 0x7f;
    let mut wide = [if is_negative { 0xff } else { 0 }; LONGEST];
    wide[..size].copy_from_slice(bytes);
    let whole = i64::from_le_bytes(wide);
    match (kind, size) {
        ('f', 8) => Some(Node::Float(f64::from_le_bytes(wide))),
        ('f', 4) => Some(Node::Float(f32::from_bits(whole as u32).into())),
        ('f', 2) => Some(Node::Float(f16::from_bits(whole as u16).into())),
        ('b', 1) => Some(Node::Bool(whole != 0)),
        ('i', _) => Some(Node::Int(whole)),
        ('u', _) => (whole >= 0).then_some(Node::Int(whole)),
        _ => None,
    }
}
