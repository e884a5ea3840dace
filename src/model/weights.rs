//! Where each parameter lies in the flat vector, and the tensors cut from it.
//!
//! Parameters, gradients and moments are flat vectors of one order, so that clipping and AdamW
//! are a handful of operations whatever the number of layers.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::config::{MemoryKind, MlpKind, ModelConfig, NormKind, Positions};
use crate::kernel::is_cpu;
use crate::kernel::linear::Linear;
use crate::kernel::param::{Memory, Param, Part};
use crate::plain::Plain;
use crate::trainer::floats;

/// One named parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// TransformerLens-like: `blocks.0.attn.W_Q`.
    pub name: String,
    /// `[d]`, or `[in, out]` of a matrix that is applied as `x @ W`.
    pub shape: Vec<usize>,
    /// Place in the flat vector.
    pub range: Range<usize>,
    init: Init,
}

impl Parameter {
    /// Whether its small weights can be done without: it is a matrix of a layer.
    pub fn is_prunable(&self) -> bool {
        self.shape.len() > 1 && self.name.starts_with("blocks.")
    }

    /// Standard deviation of its untrained values; 0 of those that are all the same.
    pub fn spread(&self) -> f32 {
        match self.init {
            Init::Normal(std) => std as f32,
            Init::Ones | Init::Zeros => 0.0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Init {
    Ones,
    Zeros,
    /// Normal with this standard deviation.
    Normal(f64),
}

/// Every parameter of a model, in the order of the flat vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    parameters: Vec<Parameter>,
    index: HashMap<String, usize>,
}

impl Layout {
    pub fn new(config: &ModelConfig, vocab_size: usize) -> Self {
        let (d, d_head, d_mlp) = (config.d_model, config.d_head(), config.d_mlp());
        let (read, kept) = (config.n_heads * d_head, config.kv_heads() * d_head);
        let std = config.init_std;
        let scaled = std / (2.0 * config.n_layers as f64).sqrt();
        let mut out = Layout { parameters: Vec::new(), index: HashMap::new() };
        out.push("embed.W_E", &[vocab_size, d], Init::Normal(std));
        if config.positions == Positions::Learned {
            out.push("pos_embed.W_pos", &[config.context, d], Init::Normal(std));
        }
        for layer in 0..config.n_layers {
            let name = |part: &str| format!("blocks.{layer}.{part}");
            out.push_norm(config, &name("ln1"));
            for (of, width) in [("Q", read), ("K", kept), ("V", kept)] {
                out.push_linear(config, &name("attn"), of, [d, width], std);
            }
            if config.qk_norm {
                out.push(&name("attn.q_norm.w"), &[d_head], Init::Ones);
                out.push(&name("attn.k_norm.w"), &[d_head], Init::Ones);
            }
            if config.contributions {
                out.push(&name("attn.contribution"), &[config.n_heads], Init::Zeros);
            }
            let memory = config.memory.of(layer);
            if memory == Some(MemoryKind::Memorizing) {
                // Half of what a head reads comes from its memory at first: both sides of a gate are trained.
                out.push(&name("attn.gate"), &[config.n_heads], Init::Zeros);
                out.push(&name("attn.sharpness"), &[1], Init::Ones);
            }
            out.push_linear(config, &name("attn"), "O", [read, d], scaled);
            if let Some(kind) = memory.filter(|kind| kind.replaces_mlp()) {
                out.push_norm(config, &name("ln2"));
                out.push_memory(config, &name("memory"), kind, [std, scaled]);
            } else if config.mlp != MlpKind::None {
                out.push_norm(config, &name("ln2"));
                if config.mlp == MlpKind::Swiglu {
                    out.push_linear(config, &name("mlp"), "gate", [d, d_mlp], std);
                }
                out.push_linear(config, &name("mlp"), "in", [d, d_mlp], std);
                out.push_linear(config, &name("mlp"), "out", [d_mlp, d], scaled);
            }
        }
        out.push_norm(config, "ln_final");
        if !config.tied_head {
            out.push("unembed.W_U", &[d, vocab_size], Init::Normal(std));
        }
        out
    }

    fn push_memory(
        &mut self,
        config: &ModelConfig,
        name: &str,
        kind: MemoryKind,
        [std, scaled]: [f64; 2],
    ) {
        let (d, d_key) = (config.d_model, config.d_key());
        self.push_linear(config, name, "Q", [d, d_key], std);
        if kind == MemoryKind::ProductKey {
            let half = config.memory.half_keys();
            // Keys as long as queries that were not trained, as those that are held against them.
            for of in ["first", "second"] {
                let spread = (d_key as f64).sqrt().recip();
                self.push(&format!("{name}.K_{of}"), &[half, d_key / 2], Init::Normal(spread));
            }
            return self.push(&format!("{name}.values"), &[half * half, d], Init::Normal(scaled));
        }
        if kind == MemoryKind::Associative {
            self.push_linear(config, name, "K", [d, d_key], std);
            self.push_linear(config, name, "V", [d, d_key], std);
        }
        self.push_linear(config, name, "O", [d_key, d], scaled);
        self.push(&format!("{name}.sharpness"), &[1], Init::Ones);
    }

    fn push_norm(&mut self, config: &ModelConfig, name: &str) {
        if config.norm != NormKind::None {
            self.push(&format!("{name}.w"), &[config.d_model], Init::Ones);
        }
        if config.norm == NormKind::Layer && config.bias {
            self.push(&format!("{name}.b"), &[config.d_model], Init::Zeros);
        }
    }

    fn push_linear(
        &mut self,
        config: &ModelConfig,
        name: &str,
        of: &str,
        shape: [usize; 2],
        std: f64,
    ) {
        self.push(&format!("{name}.W_{of}"), &shape, Init::Normal(std));
        if config.bias {
            self.push(&format!("{name}.b_{of}"), &shape[1..], Init::Zeros);
        }
    }

    fn push(&mut self, name: &str, shape: &[usize], init: Init) {
        let start = self.len();
        let range = start..start + shape.iter().product::<usize>();
        self.index.insert(name.into(), self.parameters.len());
        self.parameters.push(Parameter { name: name.into(), shape: shape.into(), range, init });
    }

    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The parameter `name`, if the model has it.
    pub fn find(&self, name: &str) -> Option<&Parameter> {
        self.index.get(name).map(|place| &self.parameters[*place])
    }

    /// Length of the flat vector: the number of trained values.
    pub fn len(&self) -> usize {
        self.parameters.last().map_or(0, |last| last.range.end)
    }

    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// Untrained parameters, the same for the same `seed` on every device.
    pub fn init(&self, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(INIT_STREAM);
        self.parameters.iter().flat_map(|p| draw(p, &mut rng)).collect()
    }

    /// 1 in the parameters that are trained where zeros are kept: all but the weights of layers' matrices
    /// that are 0 in `flat`.
    ///
    /// # Shapes
    /// `flat` and the result: `[len()]`
    pub fn non_zero(&self, flat: &[f32]) -> Vec<f32> {
        let mut mask = self.mask(Parameter::is_prunable);
        let marks = mask.iter_mut().zip(flat);
        marks.for_each(|(mark, value)| {
            *mark = if *mark == 1.0 && *value == 0.0 { 0.0 } else { 1.0 }
        });
        mask
    }

    /// 1 where weight decay applies: in matrices, embeddings among them.
    pub fn decay_mask(&self) -> Vec<f32> {
        self.mask(|parameter| parameter.shape.len() > 1)
    }

    /// 1 in the parameters that `is_in` chooses, 0 in all others: `[len()]`.
    pub fn mask(&self, is_in: impl Fn(&Parameter) -> bool) -> Vec<f32> {
        let of = |p: &Parameter| if is_in(p) { 1.0 } else { 0.0 };
        self.parameters.iter().flat_map(|p| vec![of(p); p.range.len()]).collect()
    }
}

/// A stream of the seed that no batch uses.
const INIT_STREAM: u64 = u64::MAX - 1;

fn draw(parameter: &Parameter, rng: &mut impl Rng) -> Vec<f32> {
    parameter
        .range
        .clone()
        .map(|_| match parameter.init {
            Init::Ones => 1.0,
            Init::Zeros => 0.0,
            Init::Normal(std) => {
                let value: f64 = StandardNormal.sample(rng);
                (std * value) as f32
            }
        })
        .collect()
}

/// The parameters as operations take them.
#[derive(Clone, Debug)]
pub struct Weights<'a> {
    layout: &'a Layout,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    /// A tensor a parameter, cut from the flat vector, and the gradient so far.
    Cut(Vec<Tensor<1>>, Option<Box<Tensor<1>>>),
    /// The flat vector as it is, on a GPU.
    Whole(Arc<Memory>),
}

impl<'a> Weights<'a> {
    /// Those of `flat`, for inference.
    ///
    /// # Shapes
    /// `flat`: `[layout.len()]`
    pub fn new(layout: &'a Layout, flat: &Tensor<1>) -> Self {
        let values = if is_cpu(&flat.device()) {
            Values::Cut(cut(layout, flat).collect(), None)
        } else {
            Values::Whole(Arc::new(Memory::new(flat)))
        };
        Self { layout, values }
    }

    /// Those of `flat`, whose gradients can be taken.
    ///
    /// # Shapes
    /// `flat`: `[layout.len()]`
    pub fn trainable(layout: &'a Layout, flat: &Tensor<1>) -> Self {
        let values = if is_cpu(&flat.device()) {
            let leaf = |part: Tensor<1>| part.autodiff().require_grad();
            Values::Cut(cut(layout, flat).map(leaf).collect(), None)
        } else {
            Values::Whole(Arc::new(Memory::trainable(flat)))
        };
        Self { layout, values }
    }

    /// The same, whose gradients are not taken; `None` if none are anyway.
    pub fn constant(&self) -> Option<Self> {
        let values = match &self.values {
            Values::Cut(leaves, _) if leaves.iter().any(Tensor::is_autodiff) => {
                Values::Cut(leaves.iter().map(|leaf| leaf.clone().inner()).collect(), None)
            }
            Values::Whole(memory) => Values::Whole(Arc::new(memory.constant()?)),
            Values::Cut(..) => return None,
        };
        Some(Self { layout: self.layout, values })
    }

    /// In plain loops the same model, with nothing remembered; `None` on a GPU.
    pub fn plain(&self, config: &ModelConfig) -> Option<Plain> {
        let Values::Cut(leaves, _) = &self.values else { return None };
        let values = leaves.iter().flat_map(|leaf| floats(leaf.clone().into_data()));
        Some(Plain::new(config, self.layout, &values.collect::<Vec<f32>>()))
    }

    /// Adds the gradient of `loss` to those taken before, and tells those by what are no parameters.
    pub fn backward(&mut self, loss: &Tensor<1>) -> Gradients {
        match &mut self.values {
            Values::Cut(leaves, sum) => {
                let mut gradients = loss.backward();
                let of_leaf = |leaf: &Tensor<1>| {
                    let gradient = leaf.grad_remove(&mut gradients);
                    gradient.unwrap_or_else(|| leaf.clone().inner().zeros_like())
                };
                let gradient = Tensor::cat(leaves.iter().map(of_leaf).collect(), 0);
                *sum = Some(Box::new(match sum.take() {
                    Some(sum) => *sum + gradient,
                    None => gradient,
                }));
                gradients
            }
            Values::Whole(memory) => Arc::make_mut(memory).backward(loss),
        }
    }

    /// The gradients taken, in the layout's order: `[layout.len()]`. A parameter that no loss
    /// depended on has gradient 0.
    ///
    /// # Panics
    /// If no gradient was taken.
    pub fn into_gradient(self) -> Tensor<1> {
        match self.values {
            Values::Cut(_, sum) => *sum.expect("a gradient is taken before it is asked for"),
            Values::Whole(memory) => memory.gradient(),
        }
    }

    /// The matrix `name`: `[in, out]`.
    ///
    /// # Panics
    /// If the layout has no matrix of that name.
    pub fn matrix(&self, name: &str) -> Param<2> {
        let place = self.layout.index[name];
        let [rows, columns] = self.layout.parameters[place].shape[..] else {
            panic!("{name} is not a matrix");
        };
        self.param(place, [rows, columns])
    }

    /// The vector `name`: `[d]`; `None` if the model has none, as without biases.
    pub fn vector(&self, name: &str) -> Option<Param<1>> {
        let place = *self.layout.index.get(name)?;
        Some(self.param(place, [self.layout.parameters[place].range.len()]))
    }

    /// The matrix `{name}.W_{of}`, with the bias `{name}.b_{of}` if the model has it.
    ///
    /// # Panics
    /// If the layout has no such matrix.
    pub fn linear(&self, name: &str, of: &str) -> Linear {
        let (w, b) = (format!("{name}.W_{of}"), format!("{name}.b_{of}"));
        Linear { w: self.matrix(&w), b: self.vector(&b) }
    }

    fn param<const D: usize>(&self, place: usize, shape: [usize; D]) -> Param<D> {
        match &self.values {
            Values::Cut(leaves, _) => Param::Own(Box::new(leaves[place].clone().reshape(shape))),
            Values::Whole(memory) => {
                let start = self.layout.parameters[place].range.start;
                Param::Part(Part { memory: memory.clone(), start, shape })
            }
        }
    }
}

fn cut<'a>(layout: &'a Layout, flat: &'a Tensor<1>) -> impl Iterator<Item = Tensor<1>> + 'a {
    layout.parameters.iter().map(|p| flat.clone().slice(p.range.clone()))
}

/// A flat vector on the device: `[values.len()]`.
pub(crate) fn to_device(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}
