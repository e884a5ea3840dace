//! Nodes: the values that a pickle builds.

/// Place of a node in the list of all.
pub type Id = usize;

/// A value and the places of those in it.
#[derive(Debug)]
pub enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// A list or a tuple.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global<'a>),
    /// Description of a storage that is kept elsewhere.
    Persistent(Id),
    /// Arguments that a tensor is rebuilt from.
    Tensor(Id),
}

/// A name of Python that a pickle may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Global<'a> {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// A class of storages by its name: `FloatStorage`.
    Storage(&'a str),
}

impl<'a> Global<'a> {
    pub fn find(module: &str, name: &'a str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", _) if name.ends_with("Storage") => Some(Self::Storage(name)),
            _ => None,
        }
    }
}
