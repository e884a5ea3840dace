//! Parameters, as the parts of a model declare them.

/// A parameter of a model: name, axes, initial values, and role at the residual stream. Parameter counts, the
/// layout of the flat vector, checkpoint names, weight decay, surgery and masks derive from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamSpec {
    /// Name within its part: `W_Q`.
    pub own: &'static str,
    /// Name of the part: `attn`.
    pub part: &'static str,
    /// Layer of the parameter; `None` outside layers.
    pub layer: Option<usize>,
    pub axes: Axes,
    pub init: Init,
    pub role: Role,
    /// True if weight decay applies: to matrices, embeddings included.
    pub decay: bool,
    pub kind: PartKind,
}

/// The axes of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    Vector(Axis),
    /// Rows and columns, applied as `x @ W`.
    Matrix([Axis; 2]),
}

/// Part of a model that a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    Embedding,
    Norm,
    Mixer,
    Mlp,
    /// A memory in place of an MLP. Parameters of `Address` choose the slots of a store; those of `Memory` read
    /// and write them.
    Memory,
    Address,
    Unembedding,
}

/// An axis of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    pub dim: Dim,
    /// Length of the axis.
    pub size: usize,
}

/// Meaning of an axis, for surgery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Components of the residual stream.
    Model,
    /// Components of all heads, `n_heads * d_head`.
    Heads,
    /// Components of all KV heads, `kv_heads * d_head`.
    KvHeads,
    /// One number per head, `n_heads`.
    PerHead,
    /// Hidden units of the MLP.
    Hidden,
    /// Axes that surgery leaves unchanged: tokens, positions, keys.
    Other,
}

/// Initial values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Ones,
    Zeros,
    /// One number.
    Value(f64),
    /// `√d_model`.
    RootWidth,
    /// Samples of a normal distribution with this standard deviation.
    Normal(f64),
}

/// Role of a parameter at the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads from it, by its rows.
    Reads,
    /// Writes into it, by its columns.
    Writes,
    /// Neither: gains, biases, and matrices inside a part.
    Neither,
}

impl Dim {
    pub const fn of(self, size: usize) -> Axis {
        Axis { dim: self, size }
    }
}

impl Init {
    /// Standard deviation of the initial values; 0 if all are equal.
    pub fn std(self) -> f64 {
        match self {
            Init::Normal(std) => std,
            Init::Ones | Init::Zeros | Init::Value(_) | Init::RootWidth => 0.0,
        }
    }
}

impl ParamSpec {
    /// TransformerLens name, also used in checkpoints: `blocks.0.attn.W_Q`.
    pub fn name(&self) -> String {
        let Self { own, part, .. } = self;
        match self.layer {
            Some(layer) => format!("blocks.{layer}.{part}.{own}"),
            None => format!("{part}.{own}"),
        }
    }

    /// Shape: `[d]` or `[in, out]`.
    pub fn shape(&self) -> Vec<usize> {
        match self.axes {
            Axes::Vector(axis) => vec![axis.size],
            Axes::Matrix(axes) => axes.map(|axis| axis.size).into(),
        }
    }

    /// Number of values. Where that takes more than the 32 bits of the page's numbers, it is the largest that there
    /// is, which no device has room for.
    pub fn len(&self) -> usize {
        self.rows().saturating_mul(self.columns())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of rows; 1 for a vector.
    fn rows(&self) -> usize {
        match self.axes {
            Axes::Vector(_) => 1,
            Axes::Matrix([rows, _]) => rows.size,
        }
    }

    /// Number of columns; the length of a vector.
    pub fn columns(&self) -> usize {
        match self.axes {
            Axes::Vector(columns) | Axes::Matrix([_, columns]) => columns.size,
        }
    }

    /// True for matrices of layers, whose small weights can be pruned.
    pub fn is_prunable(&self) -> bool {
        matches!(self.axes, Axes::Matrix(_)) && self.layer.is_some()
    }

    /// True for matrices of layers that activations are multiplied with; the others are tables of keys and values.
    pub fn is_hidden(&self) -> bool {
        self.is_prunable() && self.own.starts_with("W_")
    }

    /// Meanings of rows and columns. A vector counts as one row.
    pub fn dims(&self) -> [Dim; 2] {
        match self.axes {
            Axes::Vector(columns) => [Dim::Other, columns.dim],
            Axes::Matrix(axes) => axes.map(|axis| axis.dim),
        }
    }
}

/// A receiver of declared parameters.
pub(super) trait Sink {
    fn push(&mut self, spec: ParamSpec);
}

impl Sink for Vec<ParamSpec> {
    fn push(&mut self, spec: ParamSpec) {
        self.push(spec);
    }
}

/// The number of all values declared: it needs no names, which the page is built without.
impl Sink for usize {
    fn push(&mut self, spec: ParamSpec) {
        *self = self.saturating_add(spec.len());
    }
}

/// A declaration under way: the part that declares the next parameter, and the receiver of all.
pub(super) struct Declaration<S> {
    pub(super) sink: S,
    /// Role of vectors: that of the final norm of a tied head is to read.
    pub(super) vectors: Role,
    pub(super) layer: Option<usize>,
    pub(super) part: &'static str,
    pub(super) kind: PartKind,
    pub(super) has_biases: bool,
}

impl<S: Sink> Declaration<S> {
    /// Turns to another part.
    pub(super) fn part(&mut self, part: &'static str, kind: PartKind) {
        (self.part, self.kind) = (part, kind);
    }

    /// A matrix. It reads from the residual stream if that is its rows, and writes into it if its columns.
    pub(super) fn matrix(&mut self, own: &'static str, rows: Axis, columns: Axis, std: f64) {
        let role = match (rows.dim, columns.dim) {
            (Dim::Model, _) => Role::Reads,
            (_, Dim::Model) => Role::Writes,
            _ => Role::Neither,
        };
        self.push(own, Axes::Matrix([rows, columns]), Init::Normal(std), role);
    }

    /// A matrix and, in a model with biases, the bias of its columns.
    pub(super) fn linear(
        &mut self,
        [matrix, bias]: [&'static str; 2],
        rows: Axis,
        columns: Axis,
        std: f64,
    ) {
        self.matrix(matrix, rows, columns, std);
        if self.has_biases {
            let role = if columns.dim == Dim::Model { Role::Writes } else { Role::Neither };
            self.push(bias, Axes::Vector(columns), Init::Zeros, role);
        }
    }

    /// A vector that is neither a bias of a matrix nor written into the residual stream.
    pub(super) fn vector(&mut self, own: &'static str, axis: Axis, init: Init) {
        self.push(own, Axes::Vector(axis), init, self.vectors);
    }

    fn push(&mut self, own: &'static str, axes: Axes, init: Init, role: Role) {
        let Self { layer, part, kind, .. } = *self;
        let decay = matches!(axes, Axes::Matrix(_));
        self.sink.push(ParamSpec { own, part, layer, axes, init, role, decay, kind });
    }
}
