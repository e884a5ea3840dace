//! Layouts of other programs, and the parts of a model that each has no place for.

use super::ExportError;
use super::error::Obstacle;
use crate::checkpoint::Checkpoint;
use crate::config::{BlockKind, Knob, MemoryKind, MixerKind, MlpKind, ModelConfig, NormKind, Positions};
use crate::arch::Mlp;
use crate::surgery::head_gates;

/// A layout of Hugging Face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Gpt2,
    /// Llama's, or Qwen3's with norms of queries and keys.
    Llama,
}

/// Hugging Face's layout that has a place for every part of the model.
///
/// # Errors
/// The parts that the nearest layout has no place for.
pub fn hugging_face_shape(of: &Checkpoint) -> Result<Shape, ExportError> {
    let gpt2 = obstacles(of, Obstacles::of_gpt2);
    let llama = obstacles(of, Obstacles::of_llama);
    let (shape, layout, found) = match gpt2.len() <= llama.len() {
        true => (Shape::Gpt2, "Hugging Face's GPT-2, which comes nearest,", gpt2),
        false => (Shape::Llama, "Hugging Face's Llama, which comes nearest,", llama),
    };
    check(layout, found).map(|()| shape)
}

/// Checks that nanoGPT has a place for every part of the model.
///
/// # Errors
/// The parts that it has none for.
pub fn check_nanogpt(of: &Checkpoint) -> Result<(), ExportError> {
    check("nanoGPT", obstacles(of, Obstacles::of_nanogpt))
}

fn check(layout: &'static str, obstacles: Vec<Obstacle>) -> Result<(), ExportError> {
    match obstacles.is_empty() {
        true => Ok(()),
        false => Err(ExportError::Parts { layout, obstacles }),
    }
}

/// The settings of the model that no layout has a place for, or not the one that `of_layout` tells of.
fn obstacles<'a>(of: &'a Checkpoint, of_layout: fn(&mut Obstacles<'a>)) -> Vec<Obstacle> {
    let mut found = Obstacles { of, list: Vec::new() };
    found.of_every_layout();
    of_layout(&mut found);
    found.list
}

struct Obstacles<'a> {
    of: &'a Checkpoint,
    list: Vec<Obstacle>,
}

impl Obstacles<'_> {
    fn model(&self) -> &ModelConfig {
        &self.of.config.model
    }

    /// Notes the setting `key`, unless it is as the layout `takes` it.
    fn need(&mut self, key: &'static str, is_met: bool, takes: impl Into<String>) {
        if is_met {
            return;
        }
        let is = Knob::find(key).map(|knob| knob.get(&self.of.config)).unwrap_or_default();
        self.list.push(Obstacle { key, is, takes: takes.into() });
    }

    fn of_every_layout(&mut self) {
        let model = self.model().clone();
        self.need("model.mixer", model.mixer.is_all(MixerKind::Softmax, model.n_layers), "softmax");
        self.need("model.block", model.block == BlockKind::PreNorm, BlockKind::PreNorm.name());
        let has_memory = (0..model.n_layers).any(|layer| model.memory.of(layer).is_some());
        self.need("model.memory.kind", !has_memory, MemoryKind::None.name());
        self.need("model.memory_tokens", model.memory_tokens == 0, "0");
        self.need("model.feedback", !model.feeds_back(), "false");
        let gates = head_gates(self.of).unwrap_or_default();
        let are_open = gates.iter().flatten().all(|gate| *gate == 1.0);
        self.need("model.head_gates", are_open, "false, or gates that are all 1");
    }

    fn of_gpt2(&mut self) {
        let model = self.model().clone();
        let is_plain = Mlp::of(&model).is_some_and(|mlp| !mlp.is_gated);
        self.need("model.positions", model.positions == Positions::Learned, "learned");
        self.need("model.norm", model.norm == NormKind::Layer, "layer");
        self.need("model.mlp", is_plain, "gelu, gelu-tanh, relu, relu2 or sigmoid");
        self.need("model.kv_heads", model.kv_heads() == model.n_heads, "0: one for each head");
        let is_whole = model.n_heads * model.d_head() == model.d_model;
        self.need("model.d_head", is_whole, "0: the width, divided by the heads");
        self.need("model.qk_norm", !model.qk_norm, "false");
    }

    fn of_nanogpt(&mut self) {
        self.of_gpt2();
        let model = self.model().clone();
        self.list.retain(|obstacle| obstacle.key != "model.mlp");
        self.need("model.mlp", model.mlp == MlpKind::Gelu, "gelu");
        let is_usual = model.mlp == MlpKind::None || model.d_mlp() == 4 * model.d_model;
        self.need("model.d_mlp", is_usual, "0: four times the width");
        self.need("model.norm_eps", model.norm_eps == 1e-5, "0.00001");
        self.need("model.tied_head", model.tied_head, "true");
    }

    fn of_llama(&mut self) {
        let model = self.model().clone();
        let is_gated = Mlp::of(&model).is_some_and(|mlp| mlp.is_gated);
        self.need("model.positions", model.positions == Positions::Rotary, "rotary");
        self.need("model.norm", model.norm == NormKind::Rms, "rms");
        self.need("model.mlp", is_gated, "swiglu, geglu or reglu");
        self.need("model.bias", !(model.qk_norm && model.bias), "false beside QK norm");
    }
}
