//! Conditions on a configuration before a run begins.

use super::mixer::Mixer;
use crate::config::{
    ConfigError, KNOBS, LearnerKind, MAX_D_MODEL, MAX_HEADS_WIDTH, MemoryKind, MixerKind,
    ModelConfig, OptimizerKind, Positions, RunConfig, TaskKind, layers,
};

/// Length of the shortest record: one character to read and one to predict.
const SHORTEST: usize = 2;

impl RunConfig {
    /// Checks the range of every knob and the conditions between knobs, without making the task.
    ///
    /// # Errors
    /// The first invalid knob, with a valid value.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for knob in KNOBS {
            knob.check(&knob.get(self))?;
        }
        self.model.validate_heads()?;
        if self.train.heads.every > 0 && !self.model.head_gates {
            return Err(ConfigError::HeadGates);
        }
        if self.train.lora.rank > 0 {
            self.validate_lora()?;
        }
        if self.train.optimizer == OptimizerKind::Muon {
            self.validate_muon()?;
        }
        self.model.validate_memory_layers()?;
        if self.task.kind == TaskKind::Facts {
            self.task.facts.check()?;
        }
        if self.task.kind == TaskKind::Brackets {
            self.task.brackets.check()?;
        }
        if self.task.kind == TaskKind::Mqar {
            self.task.mqar.check()?;
        }
        Mixer::check(&self.model)?;
        self.validate_context(SHORTEST)
    }

    /// Checks that nothing else is to change, or keep, the weights that low-rank changes are added to.
    fn validate_lora(&self) -> Result<(), ConfigError> {
        let train = &self.train;
        let is_of_keys = train.lora.kinds().all(|kind| kind == "k");
        if is_of_keys && self.model.mixer.is_all(MixerKind::Conv, self.model.n_layers) {
            return Err(ConfigError::Parts {
                key: "train.lora.on",
                why: "LoRA on (train.lora.on) names the matrices of keys alone, and a model of which all layers have the Mixer \
                      (model.mixer) `conv` has none; set it to q,v",
            });
        }
        match train.frozen || train.keep_pruned || train.heads.every > 0 {
            true => Err(ConfigError::Parts {
                key: "train.lora.rank",
                why: "low-rank changes (train.lora.rank) do not go with train.frozen, train.keep_pruned and \
                      train.heads.every; set these to false and 0",
            }),
            false => Ok(()),
        }
    }

    /// Checks that there are whole matrices to orthogonalize the updates of, and a schedule for their rate.
    fn validate_muon(&self) -> Result<(), ConfigError> {
        let refuse = |why| Err(ConfigError::Parts { key: "train.optimizer", why });
        if self.train.lora.rank > 0 {
            return refuse(
                "Muon (train.optimizer) orthogonalizes updates of whole matrices, and low-rank changes \
                 (train.lora.rank) train factors in their place; set the optimizer to adamw or sgd, or the rank to 0",
            );
        }
        match self.train.lr > 0.0 {
            true => Ok(()),
            false => refuse(
                "Muon's rate (train.muon_lr) follows the schedule of the learning rate (train.lr), as a multiple of \
                 it; set the learning rate above 0, as to 0.01",
            ),
        }
    }

    /// Checks that sequences with memory tokens fit the context. `longest` is the length of the task's longest
    /// record, in characters.
    pub fn validate_context(&self, longest: usize) -> Result<(), ConfigError> {
        let ModelConfig { context, memory_tokens, .. } = self.model;
        // A codec has no context.
        let is_limited = self.learner == LearnerKind::Gpt;
        match is_limited && context < longest + memory_tokens {
            true => Err(ConfigError::Context { context, longest, memory_tokens }),
            false => Ok(()),
        }
    }
}

impl ModelConfig {
    fn validate_memory_layers(&self) -> Result<(), ConfigError> {
        let (memory, last) = (&self.memory, self.n_layers - 1);
        if memory.kind == MemoryKind::None {
            return Ok(());
        }
        if layers(&memory.layers).unwrap_or_default().iter().any(|layer| *layer > last) {
            return Err(ConfigError::MemoryLayers { layers: memory.layers.clone(), last });
        }
        let d_key = self.d_key();
        match memory.kind == MemoryKind::ProductKey && !d_key.is_multiple_of(2) {
            true => Err(ConfigError::KeyWidth { d_key, works: d_key + 1 }),
            false => Ok(()),
        }
    }

    fn validate_heads(&self) -> Result<(), ConfigError> {
        let (d_model, n_heads, kv_heads) = (self.d_model, self.n_heads, self.kv_heads());
        let largest_divisor = |of: usize, limit: usize| {
            (1..=limit).rev().find(|divisor| of.is_multiple_of(*divisor)).unwrap_or(1)
        };
        if self.d_head == 0 && !d_model.is_multiple_of(n_heads) {
            let works = largest_divisor(d_model, n_heads);
            let wider = d_model.next_multiple_of(n_heads);
            let width = if wider > MAX_D_MODEL { wider - n_heads } else { wider };
            return Err(ConfigError::Heads { d_model, n_heads, works, width });
        }
        if !n_heads.is_multiple_of(kv_heads) {
            let works = largest_divisor(n_heads, kv_heads);
            return Err(ConfigError::KeyHeads { n_heads, kv_heads, works });
        }
        let d_head = self.d_head();
        if n_heads * d_head > MAX_HEADS_WIDTH {
            let works = MAX_HEADS_WIDTH / n_heads;
            return Err(ConfigError::HeadWidth { n_heads, d_head, works });
        }
        let is_rotary = matches!(self.positions, Positions::Rotary | Positions::Xpos);
        if is_rotary && !d_head.is_multiple_of(2) {
            let works = (d_head - 1).max(2);
            return Err(ConfigError::Rotary { d_head, works });
        }
        Ok(())
    }
}
