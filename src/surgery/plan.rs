//! Plans of surgery: for each part of the new model, its place in the model before.

use super::error::SurgeryError;
use crate::arch::{Dim, Layout, ParamSpec};
use crate::config::{MemoryKind, MlpKind, ModelConfig};
use crate::memory::{Bank, Store};

/// Sources of a new model's parts in the model before.
#[derive(Clone, Debug)]
pub struct Plan {
    pub model: ModelConfig,
    /// Number of each layer before; `None` for a new one. The other lists are alike.
    pub(super) layers: Vec<Option<usize>>,
    pub(super) heads: Vec<Option<usize>>,
    /// KV heads.
    pub(super) keys: Vec<Option<usize>>,
    /// All heads before read one KV head.
    one_key: bool,
    /// For each layer before, its heads in the order of this plan; empty for their own order.
    pub(super) order: Vec<Vec<usize>>,
    /// Hidden units of the MLP.
    pub(super) hidden: Vec<Option<usize>>,
}

/// A value that the model before lacks.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    pub spec: &'a ParamSpec,
    /// Place in the parameter; a vector is one row.
    pub row: usize,
    pub column: usize,
    /// Value in an untrained model.
    pub drawn: f32,
    /// Standard normal sample of the value; 0 where nothing is sampled.
    pub normal: f32,
}

impl Plan {
    pub(super) fn same(model: &ModelConfig) -> Self {
        let all = |count: usize| (0..count).map(Some).collect();
        Self {
            layers: all(model.n_layers),
            heads: all(model.n_heads),
            keys: all(model.kv_heads()),
            one_key: model.kv_heads() == 1,
            hidden: all(model.d_mlp()),
            order: Vec::new(),
            model: model.clone(),
        }
    }

    /// Adds a new layer before layer `at`.
    ///
    /// # Errors
    /// If there are fewer than `at` layers, or the model has feedback: a layer below the new one would get
    /// feedback from another stream, even if the new layer writes nothing.
    pub fn add_layer(model: &ModelConfig, at: usize) -> Result<Self, SurgeryError> {
        let n_layers = model.n_layers;
        if at > n_layers {
            return Err(SurgeryError::NoPlace { asked: at, n_layers });
        }
        if model.feedback {
            return Err(SurgeryError::Feedback);
        }
        let mut plan = Self::same(model);
        plan.layers.insert(at, None);
        plan.model.n_layers = n_layers + 1;
        Ok(plan.with_choices(model))
    }

    /// Drops a layer.
    ///
    /// # Errors
    /// If there is no such layer, or no other.
    pub fn drop_layer(model: &ModelConfig, layer: usize) -> Result<Self, SurgeryError> {
        let last = model.n_layers - 1;
        match layer {
            _ if layer > last => return Err(SurgeryError::NoLayer { asked: layer, last }),
            _ if last == 0 => return Err(SurgeryError::OnlyLayer),
            _ => {}
        }
        let mut plan = Self::same(model);
        plan.layers.remove(layer);
        plan.model.n_layers = last;
        Ok(plan.with_choices(model))
    }

    /// Puts a memory in place of the MLP of `layer`: of the kind elsewhere in the model, or featural.
    ///
    /// # Errors
    /// If there is no such layer, it has a memory, or memories of this kind leave MLPs in place.
    pub fn remember(model: &ModelConfig, layer: usize) -> Result<Self, SurgeryError> {
        let last = model.n_layers - 1;
        if layer > last {
            return Err(SurgeryError::NoLayer { asked: layer, last });
        }
        if model.memory.kind == MemoryKind::Memorizing {
            return Err(SurgeryError::Memorizing);
        }
        if model.memory.of(layer).is_some() {
            return Err(SurgeryError::IsMemory { layer });
        }
        let mut plan = Self::same(model);
        if model.memory.kind == MemoryKind::None {
            plan.model.memory.kind = MemoryKind::Featural;
        }
        let has = |at: &usize| *at == layer || model.memory.of(*at).is_some();
        plan.model.memory.put_in((0..model.n_layers).filter(has));
        Ok(plan)
    }

    /// Moves mixers and memories with their layers. A model with memories everywhere keeps them everywhere.
    fn with_choices(mut self, before: &ModelConfig) -> Self {
        self.model.mixer = before.mixer.moved(&self.layers);
        if !before.memory.is_everywhere() {
            let has =
                |layer: &Option<usize>| layer.is_some_and(|at| before.memory.of(at).is_some());
            let places = self.layers.iter().enumerate().filter(|(_, layer)| has(layer));
            self.model.memory.put_in(places.map(|(at, _)| at));
        }
        self
    }

    /// Stored slots, by the new numbers of the layers.
    ///
    /// # Errors
    /// If slots differ in width from those of the new layer.
    pub(super) fn bank(&self, before: &Bank) -> Result<Bank, SurgeryError> {
        let mut bank = Bank::new(&self.model);
        for (at, layer) in self.layers.iter().enumerate() {
            let Some((layer, memory)) = layer.and_then(|at| Some((at, before.layer(at)?))) else {
                continue;
            };
            let fits = bank.layer(at).is_none_or(|new| new.store.shape() == memory.store.shape());
            match memory.store.ids().len() {
                _ if fits => bank.restore(at, memory.clone()),
                0 => {}
                _ => return Err(SurgeryError::Memorized { layer }),
            }
        }
        if let Some(memory) = before.output() {
            bank.restore(self.layers.len(), memory.clone());
        }
        Ok(bank)
    }

    /// Adds `count` hidden units to the MLPs.
    ///
    /// # Errors
    /// If there are no MLPs.
    pub fn widen_mlp(model: &ModelConfig, count: usize) -> Result<Self, SurgeryError> {
        if model.mlp == MlpKind::None {
            return Err(SurgeryError::NoMlp);
        }
        let mut plan = Self::same(model);
        plan.hidden.extend(vec![None; count]);
        plan.model.d_mlp = plan.hidden.len();
        Ok(plan)
    }

    /// Name of a parameter before, and its layer then; `None` for a new layer.
    fn name_before(&self, name: &str) -> Option<(String, Option<usize>)> {
        let in_layer = name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'));
        let Some((layer, part)) = in_layer else { return Some((name.into(), None)) };
        let layer = layer.parse::<usize>().ok().and_then(|layer| *self.layers.get(layer)?)?;
        Some((format!("blocks.{layer}.{part}"), Some(layer)))
    }

    /// Index before of row or column `at` of a parameter of `layer`; `None` if it is new.
    fn place_before(&self, dim: Dim, layer: Option<usize>, at: usize) -> Option<usize> {
        let order = layer.and_then(|layer| self.order.get(layer));
        let of_head = |heads: &[Option<usize>], width: usize| {
            let head = heads[at / width]?;
            let head = order.map_or(head, |order| order[head]);
            Some(head * width + at % width)
        };
        match dim {
            Dim::Heads => of_head(&self.heads, self.model.d_head()),
            // A KV head that all heads share keeps its place.
            Dim::KvHeads if self.one_key && self.keys.len() == 1 => Some(at),
            Dim::KvHeads => of_head(&self.keys, self.model.d_head()),
            Dim::PerHead => of_head(&self.heads, 1),
            Dim::Hidden => self.hidden[at],
            Dim::Other | Dim::Model => Some(at),
        }
    }

    /// Moves `values` from the order of the layout `before` to that of `after`, the order of `drawn`. `begin`
    /// gives new values.
    pub(super) fn transplant(
        &self,
        [before, after]: [&Layout; 2],
        values: &[f32],
        drawn: &[f32],
        begin: impl Fn(&New) -> f32,
    ) -> Vec<f32> {
        let mut out = Vec::with_capacity(after.len());
        for parameter in after.parameters() {
            let spec = &parameter.spec;
            let found = self.name_before(parameter.name());
            let layer = found.as_ref().and_then(|(_, layer)| *layer);
            let source = found.and_then(|(name, _)| before.find(&name));
            let std = spec.init.std() as f32;
            let columns = spec.columns();
            let [of_rows, of_columns] = spec.dims();
            for row in 0..parameter.range.len() / columns {
                let row_before = self.place_before(of_rows, layer, row);
                for column in 0..columns {
                    let value = source.zip(row_before).and_then(|(source, row)| {
                        let column = self.place_before(of_columns, layer, column)?;
                        Some(values[source.range.start + row * source.spec.columns() + column])
                    });
                    let drawn = drawn[out.len()];
                    let normal = if std > 0.0 { drawn / std } else { 0.0 };
                    let new = New { spec, row, column, drawn, normal };
                    out.push(value.unwrap_or_else(|| begin(&new)));
                }
            }
        }
        out
    }
}
