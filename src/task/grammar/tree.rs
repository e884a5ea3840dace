//! Grammars as they are written.

/// A line `name = …`, with its continuations.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub name: String,
    pub line: usize,
    /// Most calls of it inside each other.
    pub depth: Option<u32>,
    pub body: Expr,
}

/// A part of a rule.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub line: usize,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Text(String),
    /// One character of those from the first to the last, evenly.
    Range(char, char),
    /// A rule or a chosen name, and a part of it if there is a point: `asked.number`.
    Name(String, Option<String>),
    Sequence(Vec<Expr>),
    /// Alternatives with their weights.
    Choice(Vec<(f64, Expr)>),
    Repeat {
        body: Box<Expr>,
        least: u32,
        most: u32,
        separator: String,
    },
    /// A text of a rule that this record has not drawn yet.
    Unique(String),
    /// `body as name`.
    As(Box<Expr>, String),
    /// `pick name from …`.
    Pick(String, Box<Expr>),
    /// A chosen name, written in another order.
    Ordered(Order, Box<Expr>),
    Answer(Box<Expr>),
    Given(Box<Expr>),
}

/// Order in which a chosen text or list is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Order {
    Written,
    Reversed,
    Rising,
    Falling,
}

impl Order {
    /// `reverse` of this order.
    pub fn reverse(self) -> Self {
        match self {
            Self::Written => Self::Reversed,
            Self::Reversed => Self::Written,
            Self::Rising => Self::Falling,
            Self::Falling => Self::Rising,
        }
    }
}
