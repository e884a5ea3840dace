//! All parameters of a model, and their places in the flat vector.
//!
//! Parameters, gradients and moments are flat vectors in the same order. Clipping and AdamW are then a handful of
//! operations, whatever the number of layers.

use std::collections::HashMap;
use std::ops::Range;

use super::feed_forward::FeedForward;
use super::mixer::Mixer;
use super::norm::Norm;
use super::spec::{Axes, Declaration, Dim, ParamSpec, PartKind, Role, Sink};
use crate::config::{ModelConfig, Positions};

/// All parameters of a model with a vocabulary of `vocab_size` tokens, in the order of the flat vector.
pub fn parameters(config: &ModelConfig, vocab_size: usize) -> Vec<ParamSpec> {
    declare(config, vocab_size, Vec::new())
}

/// Declares all parameters to a receiver, which is returned.
pub(super) fn declare<S: Sink>(config: &ModelConfig, vocab_size: usize, sink: S) -> S {
    let (model, vocab) = (Dim::Model.of(config.d_model), Dim::Other.of(vocab_size));
    let (norm, std) = (Norm::of(config), config.init_std);
    let mut out = Declaration {
        sink,
        vectors: Role::Neither,
        layer: None,
        part: "embed",
        kind: PartKind::Embedding,
        has_biases: config.bias,
    };
    out.matrix("W_E", vocab, model, std);
    if config.positions == Positions::Learned {
        out.part = "pos_embed";
        out.matrix("W_pos", Dim::Other.of(config.context), model, std);
    }
    for layer in 0..config.n_layers {
        out.layer = Some(layer);
        out.part("ln1", PartKind::Norm);
        norm.declare(config, &mut out);
        out.part("attn", PartKind::Mixer);
        Mixer::of(config, layer).declare(config, &mut out);
        let feed_forward = FeedForward::of(config, layer);
        if feed_forward != FeedForward::None {
            out.part("ln2", PartKind::Norm);
            norm.declare(config, &mut out);
            feed_forward.declare(config, &mut out);
        }
    }
    out.layer = None;
    out.part("ln_final", PartKind::Norm);
    if config.tied_head {
        // A tied head is the embedding, a matrix that writes. The final norm reads in its place.
        out.vectors = Role::Reads;
    }
    norm.declare(config, &mut out);
    if !config.tied_head {
        out.part("unembed", PartKind::Unembedding);
        out.matrix("W_U", model, vocab, std);
    }
    out.sink
}

/// A parameter in the flat vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    name: String,
    pub spec: ParamSpec,
    pub range: Range<usize>,
    /// Number in the order of the flat vector.
    pub position: usize,
}

impl Parameter {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shape: `[d]` or `[in, out]`.
    pub fn shape(&self) -> Vec<usize> {
        self.spec.shape()
    }
}

/// All parameters of a model, in the order of the flat vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    parameters: Vec<Parameter>,
    index: HashMap<String, usize>,
}

impl Layout {
    pub fn new(config: &ModelConfig, vocab_size: usize) -> Self {
        let mut out = Layout { parameters: Vec::new(), index: HashMap::new() };
        for spec in parameters(config, vocab_size) {
            let start = out.len();
            let (name, range) = (spec.name(), start..start.saturating_add(spec.len()));
            let position = out.parameters.len();
            out.index.insert(name.clone(), position);
            out.parameters.push(Parameter { name, spec, range, position });
        }
        out
    }

    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The parameter `name`, if the model has it.
    pub fn find(&self, name: &str) -> Option<&Parameter> {
        self.position(name).map(|position| &self.parameters[position])
    }

    /// Index of the parameter `name`, if the model has it.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// Length of the flat vector: the number of trained values.
    pub fn len(&self) -> usize {
        self.parameters.last().map_or(0, |last| last.range.end)
    }

    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// Mask of the values to train if pruned weights stay 0: 0 at weights of layer matrices that are 0 in `flat`,
    /// else 1.
    ///
    /// # Shapes
    /// `flat` and the result: `[len()]`
    pub fn non_zero(&self, flat: &[f32]) -> Vec<f32> {
        let mut mask = self.mask(ParamSpec::is_prunable);
        let marks = mask.iter_mut().zip(flat);
        marks.for_each(|(mark, value)| {
            *mark = if *mark == 1.0 && *value == 0.0 { 0.0 } else { 1.0 }
        });
        mask
    }

    /// Mask of weight decay: 1 where it applies, else 0.
    pub fn decay_mask(&self) -> Vec<f32> {
        self.mask(|spec| spec.decay)
    }

    /// Shapes `[in, out]` and places of the hidden matrices, in the order of the flat vector.
    pub fn hidden(&self) -> impl Iterator<Item = ([usize; 2], Range<usize>)> {
        let hidden = |of: &Parameter| match of.spec.axes {
            Axes::Matrix(axes) if of.spec.is_hidden() => {
                Some((axes.map(|axis| axis.size), of.range.clone()))
            }
            Axes::Matrix(_) | Axes::Vector(_) => None,
        };
        self.parameters.iter().filter_map(hidden)
    }

    /// Mask of the parameters chosen by `is_in`: 1 in these, else 0: `[len()]`.
    pub fn mask(&self, is_in: impl Fn(&ParamSpec) -> bool) -> Vec<f32> {
        let mark = |p: &Parameter| if is_in(&p.spec) { 1.0 } else { 0.0 };
        self.parameters.iter().flat_map(|p| vec![mark(p); p.range.len()]).collect()
    }
}
