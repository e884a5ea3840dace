//! Layers, heads and hidden numbers that are added or dropped: everything else keeps its values, and
//! AdamW's moments of them, in its new place.

use super::SurgeryError;
use super::operate::{refit, replace, seed};
use crate::checkpoint::{Checkpoint, Moments};
use crate::config::{MemoryKind, MemoryLimits, MlpKind, ModelConfig};
use crate::memory::{Bank, Store};
use crate::model::Layout;

/// Of what parts of the model before a model is made.
#[derive(Clone, Debug)]
pub struct Plan {
    pub model: ModelConfig,
    /// For each layer its number before; `None` is a new one. The same of the others.
    layers: Vec<Option<usize>>,
    heads: Vec<Option<usize>>,
    /// Heads of keys and values.
    keys: Vec<Option<usize>>,
    /// Of each layer before, its heads in the order in which they are counted here; nothing for theirs.
    order: Vec<Vec<usize>>,
    /// The MLP's numbers.
    hidden: Vec<Option<usize>>,
}

/// A value that the model before has not.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// As in a checkpoint: `blocks.0.attn.W_Q`.
    pub parameter: &'a str,
    /// Place in the parameter, of which a vector is one row.
    pub row: usize,
    pub column: usize,
    /// What an untrained model would have there.
    pub drawn: f32,
    /// What was drawn for that of a standard normal distribution; 0 where nothing is.
    pub normal: f32,
}

/// What the rows or the columns of a parameter are.
#[derive(Clone, Copy)]
enum Axis {
    /// `n_heads * d_head`
    Heads,
    /// `kv_heads * d_head`
    Keys,
    /// `n_heads`
    Head,
    Hidden,
    /// What no plan changes.
    Same,
}

impl Plan {
    fn same(model: &ModelConfig) -> Self {
        let all = |count: usize| (0..count).map(Some).collect();
        Self {
            layers: all(model.n_layers),
            heads: all(model.n_heads),
            keys: all(model.kv_heads()),
            hidden: all(model.d_mlp()),
            order: Vec::new(),
            model: model.clone(),
        }
    }

    /// A new layer before layer `at`.
    ///
    /// # Errors
    /// If there are fewer than `at` layers, or layers read from the one above: below a new one, a layer
    /// would read another stream, whatever the new one writes.
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
        Ok(plan.with_memories(model))
    }

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
        Ok(plan.with_memories(model))
    }

    /// New heads in every layer, after those there are: with keys and values of their own, or where
    /// these are shared, as many more that read each.
    ///
    /// # Errors
    /// If some keys would be read by more heads than others.
    pub fn add_heads(model: &ModelConfig, count: usize) -> Result<Self, SurgeryError> {
        let mut plan = Self::same(model);
        let (kv_heads, readers) = (model.kv_heads(), model.n_heads / model.kv_heads());
        if readers == 1 {
            plan.heads.extend(vec![None; count]);
            plan.keys.extend(vec![None; count]);
        } else if !count.is_multiple_of(kv_heads) {
            let works = count.next_multiple_of(kv_heads);
            return Err(SurgeryError::Uneven { asked: count, kv_heads, works });
        } else {
            let new = vec![None; count / kv_heads];
            let groups = plan.heads.chunks(readers);
            plan.heads = groups.flat_map(|group| [group, &new].concat()).collect();
        }
        Ok(plan.with_heads(model))
    }

    /// Every layer without its head of this number; where several heads share its keys and others have
    /// keys of their own, without all of those, for keys are shared evenly.
    ///
    /// # Errors
    /// If there is no such head, or no other.
    pub fn drop_head(model: &ModelConfig, head: usize) -> Result<Self, SurgeryError> {
        let last = model.n_heads - 1;
        match head {
            _ if head > last => return Err(SurgeryError::NoHead { asked: head, last }),
            _ if last == 0 => return Err(SurgeryError::OnlyHead),
            _ => {}
        }
        let mut plan = Self::same(model);
        let readers = model.n_heads / model.kv_heads();
        if model.kv_heads() == 1 {
            plan.heads.remove(head);
        } else {
            let group = head / readers;
            plan.heads.drain(group * readers..(group + 1) * readers);
            plan.keys.remove(group);
        }
        Ok(plan.with_heads(model))
    }

    /// Every layer without the `count` heads whose worth is least.
    ///
    /// # Shapes
    /// `worth`: `[layer][head]`
    ///
    /// # Errors
    /// If there are not more heads than that, or several but not all share keys.
    pub fn prune_heads(
        model: &ModelConfig,
        worth: &[Vec<f32>],
        count: usize,
    ) -> Result<Self, SurgeryError> {
        let (n_heads, kv_heads) = (model.n_heads, model.kv_heads());
        if count >= n_heads {
            return Err(SurgeryError::TooFewHeads { asked: count, n_heads });
        }
        if kv_heads != 1 && kv_heads != n_heads {
            return Err(SurgeryError::SharedKeys { n_heads, kv_heads });
        }
        let mut plan = Self::same(model);
        plan.order = worth.iter().map(|worth| greatest_first(worth)).collect();
        plan.heads.truncate(n_heads - count);
        if kv_heads > 1 {
            plan.keys.truncate(n_heads - count);
        }
        Ok(plan.with_heads(model))
    }

    /// A memory in the place of the MLP of `layer`: of the kind that the model has elsewhere, or featural.
    ///
    /// # Errors
    /// If there is no such layer, it has a memory, or memories leave MLPs where they are.
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

    /// Memories where their layers now are; those of a model that has them everywhere are everywhere.
    fn with_memories(mut self, before: &ModelConfig) -> Self {
        if !before.memory.is_everywhere() {
            let has =
                |layer: &Option<usize>| layer.is_some_and(|at| before.memory.of(at).is_some());
            let places = self.layers.iter().enumerate().filter(|(_, layer)| has(layer));
            self.model.memory.put_in(places.map(|(at, _)| at));
        }
        self
    }

    /// What is remembered, by the layers that there are now.
    ///
    /// # Errors
    /// If slots are not as wide as those of the layer are now.
    fn bank(&self, before: &Bank) -> Result<Bank, SurgeryError> {
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

    /// The settings of the heads; their width stays what it was `before`.
    fn with_heads(mut self, before: &ModelConfig) -> Self {
        self.model.n_heads = self.heads.len();
        self.model.d_head = before.d_head();
        if before.kv_heads > 0 {
            self.model.kv_heads = self.keys.len();
        }
        self
    }

    /// MLPs with `count` more hidden numbers.
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

    /// The name that a parameter had before, and its layer then; `None` of a new layer's.
    fn name_before(&self, name: &str) -> Option<(String, Option<usize>)> {
        let in_layer = name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'));
        let Some((layer, part)) = in_layer else { return Some((name.into(), None)) };
        let layer = layer.parse::<usize>().ok().and_then(|layer| *self.layers.get(layer)?)?;
        Some((format!("blocks.{layer}.{part}"), Some(layer)))
    }

    /// The place before of row or column `at` of a parameter of `layer`; `None` if it is new.
    fn place_before(&self, axis: Axis, layer: Option<usize>, at: usize) -> Option<usize> {
        let order = layer.and_then(|layer| self.order.get(layer));
        let of_head = |heads: &[Option<usize>], width: usize| {
            let head = heads[at / width]?;
            let head = order.map_or(head, |order| order[head]);
            Some(head * width + at % width)
        };
        match axis {
            Axis::Heads => of_head(&self.heads, self.model.d_head()),
            // A head that all share keeps its place.
            Axis::Keys if self.keys.len() == 1 => Some(at),
            Axis::Keys => of_head(&self.keys, self.model.d_head()),
            Axis::Head => of_head(&self.heads, 1),
            Axis::Hidden => self.hidden[at],
            Axis::Same => Some(at),
        }
    }

    /// `values`, in the order of the layout `before`, in that of `after`, as `drawn` is.
    fn carry(
        &self,
        [before, after]: [&Layout; 2],
        values: &[f32],
        drawn: &[f32],
        begin: impl Fn(&New) -> f32,
    ) -> Vec<f32> {
        let mut out = Vec::with_capacity(after.len());
        for parameter in after.parameters() {
            let name = parameter.name.as_str();
            let found = self.name_before(name);
            let layer = found.as_ref().and_then(|(_, layer)| *layer);
            let source = found.and_then(|(name, _)| before.find(&name));
            let spread = parameter.spread();
            let width = |shape: &[usize]| shape.last().copied().unwrap_or(1);
            let columns = width(&parameter.shape);
            let [of_rows, of_columns] = axes(name);
            for row in 0..parameter.range.len() / columns {
                let row_before = self.place_before(of_rows, layer, row);
                for column in 0..columns {
                    let value = source.zip(row_before).and_then(|(source, row)| {
                        let column = self.place_before(of_columns, layer, column)?;
                        Some(values[source.range.start + row * width(&source.shape) + column])
                    });
                    let drawn = drawn[out.len()];
                    let normal = if spread > 0.0 { drawn / spread } else { 0.0 };
                    let new = New { parameter: name, row, column, drawn, normal };
                    out.push(value.unwrap_or_else(|| begin(&new)));
                }
            }
        }
        out
    }
}

/// The places of `worth`, those of the greatest first.
fn greatest_first(worth: &[f32]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..worth.len()).collect();
    places.sort_by(|a, b| worth[*b].total_cmp(&worth[*a]));
    places
}

/// What the rows and columns of a parameter are.
fn axes(name: &str) -> [Axis; 2] {
    if name.contains(".memory.") {
        return [Axis::Same, Axis::Same];
    }
    match name.rsplit('.').next().unwrap_or_default() {
        "W_Q" | "b_Q" => [Axis::Same, Axis::Heads],
        "W_K" | "b_K" | "W_V" | "b_V" => [Axis::Same, Axis::Keys],
        "W_O" => [Axis::Heads, Axis::Same],
        "contribution" | "gate" => [Axis::Same, Axis::Head],
        "W_in" | "b_in" | "W_gate" | "b_gate" => [Axis::Same, Axis::Hidden],
        "W_out" => [Axis::Hidden, Axis::Same],
        _ => [Axis::Same, Axis::Same],
    }
}

/// The run of `before` with the model of `plan`, whose new values `begin` gives. Their moments are 0, as
/// those of a new run are.
///
/// # Errors
/// If the model does not work on a device with `limits`, or would not find what it remembers.
pub fn graft(
    before: &Checkpoint,
    plan: &Plan,
    limits: &MemoryLimits,
    begin: impl Fn(&New) -> f32,
) -> Result<Checkpoint, SurgeryError> {
    let config = refit(before, plan.model.clone(), limits)?;
    let bank = plan.bank(&before.bank)?;
    let layout = |model| Layout::new(model, before.tokenizer.vocab_size());
    let (from, to) = (layout(&before.config.model), layout(&config.model));
    let drawn = to.init(seed(before));
    let parameters = plan.carry([&from, &to], &before.parameters, &drawn, begin);
    let moment = |values: &[f32]| plan.carry([&from, &to], values, &drawn, |_| 0.0);
    let moments = before
        .moments
        .as_ref()
        .map(|Moments { first, second }| Moments { first: moment(first), second: moment(second) });
    Ok(replace(before, config, parameters, moments, bank))
}
