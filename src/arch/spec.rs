//! Parameters, as the parts of a model declare them.

/// A parameter of a model: name, axes, initial values, and role at the residual stream. Parameter counts, the
/// layout of the flat vector, checkpoint names, weight decay, surgery and masks derive from it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// TransformerLens name, also used in checkpoints: `blocks.0.attn.W_Q`.
    pub name: String,
    /// One axis for a vector; rows and columns for a matrix, which is applied as `x @ W`.
    pub axes: Vec<Axis>,
    pub init: Init,
    pub role: Role,
    /// True if weight decay applies: to matrices, embeddings included.
    pub decay: bool,
    /// Layer of the parameter; `None` outside layers.
    pub layer: Option<usize>,
    pub kind: PartKind,
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
            Init::Ones | Init::Zeros | Init::RootWidth => 0.0,
        }
    }
}

impl ParamSpec {
    /// A matrix, `[rows, columns]`. It reads from the residual stream if its rows are [`Dim::Model`], and writes
    /// into it if its columns are.
    pub fn matrix(name: &str, rows: Axis, columns: Axis, std: f64) -> Self {
        let role = match (rows.dim, columns.dim) {
            (Dim::Model, _) => Role::Reads,
            (_, Dim::Model) => Role::Writes,
            _ => Role::Neither,
        };
        let axes = vec![rows, columns];
        Self { role, decay: true, ..Self::new(name, axes, Init::Normal(std)) }
    }

    /// A vector other than a gain or an output bias.
    pub fn vector(name: &str, axis: Axis, init: Init) -> Self {
        Self::new(name, vec![axis], init)
    }

    /// The bias of a matrix with these columns.
    pub fn bias(name: &str, columns: Axis) -> Self {
        let role = if columns.dim == Dim::Model { Role::Writes } else { Role::Neither };
        Self { role, ..Self::vector(name, columns, Init::Zeros) }
    }

    /// Matrix `W_{of}` and, if `has_bias`, bias `b_{of}`.
    pub fn linear(of: &str, rows: Axis, columns: Axis, std: f64, has_bias: bool) -> Vec<Self> {
        let mut out = vec![Self::matrix(&format!("W_{of}"), rows, columns, std)];
        if has_bias {
            out.push(Self::bias(&format!("b_{of}"), columns));
        }
        out
    }

    fn new(name: &str, axes: Vec<Axis>, init: Init) -> Self {
        let (name, role, kind) = (name.into(), Role::Neither, PartKind::Mixer);
        Self { name, axes, init, role, decay: false, layer: None, kind }
    }

    /// Lengths of the axes: `[d]`, or `[in, out]`.
    pub fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.size).collect()
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.size).product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True for a matrix of a layer, whose small weights can be pruned.
    pub fn is_prunable(&self) -> bool {
        self.axes.len() > 1 && self.layer.is_some()
    }

    /// Meanings of the rows and columns; a vector counts as one row.
    pub fn dims(&self) -> [Dim; 2] {
        match self.axes[..] {
            [rows, columns] => [rows.dim, columns.dim],
            [columns] => [Dim::Other, columns.dim],
            _ => [Dim::Other; 2],
        }
    }
}

/// Puts `{place}.` before the names of a part's parameters, and sets their kind.
pub(super) fn place(specs: Vec<ParamSpec>, place: &str, kind: PartKind) -> Vec<ParamSpec> {
    let prefix = |spec: ParamSpec| ParamSpec { name: format!("{place}.{}", spec.name), kind, ..spec };
    specs.into_iter().map(prefix).collect()
}
