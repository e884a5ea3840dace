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
    Bytes(&'a [u8]),
    /// Bytes as a text of as many characters.
    Latin(&'a str),
    /// A list, tuple or set.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// An object that is nothing but its attributes, in a dict.
    Namespace(Option<Id>),
    Global(Global<'a>),
    /// Description of a storage that is kept elsewhere.
    Persistent(Id),
    /// Arguments that a tensor is rebuilt from.
    Tensor(Id),
    /// numpy's type of a number: `f8`.
    NumberType {
        code: &'a str,
        is_big_endian: bool,
    },
    /// A value that only an unknown function or class could make, by the number of its name.
    Unread(usize),
}

/// A name of Python in a pickle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Global<'a> {
    /// A class of dicts.
    Dict,
    /// A class whose objects are as good as what they are made from.
    Same,
    Namespace,
    RebuildTensor,
    /// A function that returns its first argument with more to it.
    RebuildParameter,
    RebuildSubclass,
    /// A class of storages by its name: `FloatStorage`.
    Storage(&'a str),
    EncodeBytes,
    NumberType,
    Number,
    /// Any other, by its number.
    Unknown(usize),
}

impl<'a> Global<'a> {
    pub fn find(module: &str, name: &'a str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict" | "defaultdict") => Some(Self::Dict),
            ("builtins" | "__builtin__", "dict") => Some(Self::Dict),
            ("builtins" | "__builtin__", "set" | "frozenset" | "list" | "tuple") => Some(Self::Same),
            ("torch", "Size" | "device") => Some(Self::Same),
            ("pathlib" | "pathlib._local", "PosixPath" | "WindowsPath") => Some(Self::Same),
            ("argparse", "Namespace") | ("types", "SimpleNamespace") => Some(Self::Namespace),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Some(Self::RebuildParameter)
            }
            ("torch._tensor", "_rebuild_from_type_v2") => Some(Self::RebuildSubclass),
            ("torch" | "torch.cuda", _) if name.ends_with("Storage") => Some(Self::Storage(name)),
            ("_codecs", "encode") => Some(Self::EncodeBytes),
            ("numpy", "dtype") => Some(Self::NumberType),
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Some(Self::Number),
            _ => None,
        }
    }
}

/// True for PyTorch's types of numbers, which are names alone.
pub fn is_number_type(module: &str, name: &str) -> bool {
    let digits = name.trim_start_matches(|c: char| c.is_ascii_lowercase());
    module == "torch"
        && (matches!(digits, "8" | "16" | "32" | "64" | "128") || matches!(name, "bool" | "half"))
}
