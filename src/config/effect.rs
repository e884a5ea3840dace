//! Knobs that change nothing while another is as it is.

use super::{
    Knob, LearnerKind, MemoryKind, MixerKind, MlpKind, NormKind, OptimizerKind, Positions,
    RunConfig, TaskKind, TokenKind,
};

/// Settings that every kind of learner has, beside those of the task.
const BOTH: [&str; 8] = [
    "learner",
    "seed",
    "train.steps",
    "train.records",
    "train.batch",
    "train.val_every",
    "train.val_batches",
    "train.stop_at",
];

impl Knob {
    /// False if no value of it changes the run that `config` asks for, as the RoPE base without rotary positions.
    pub fn has_effect(&self, config: &RunConfig) -> bool {
        let (model, train) = (&config.model, &config.train);
        let has_memory = model.memory.kind != MemoryKind::None;
        let is_of_codec = self.key.starts_with("codec.");
        let is_of_both = BOTH.contains(&self.key) || self.key.starts_with("task.");
        if is_of_codec != (config.learner == LearnerKind::Codec) && !is_of_both {
            return false;
        }
        match self.key {
            "task.kind" | "model.memory.kind" | "model.memory.lambda" | "train.heads.every" => true,
            "task.text.vocab" => config.task.text.tokens == TokenKind::Bpe,
            "task.words.text" => config.task.kind == TaskKind::Spacing,
            "task.words.max_letters" => self.is_of(config.task.kind),
            key if key.starts_with("task.words.") => {
                self.is_of(config.task.kind) && !config.task.has_own_sentences()
            }
            "codec.state_digits" | "codec.past" | "codec.mutations" => config.codec.chain,
            "model.window" => model.has_mixer(&[MixerKind::Window]),
            "model.rope_base" => matches!(model.positions, Positions::Rotary | Positions::Xpos),
            "model.xpos_base" => model.positions == Positions::Xpos,
            "model.ridge" => model.has_mixer(&[MixerKind::Intention, MixerKind::Mesa]),
            "model.ridge_trained" => model.has_mixer(&[MixerKind::Intention]),
            "model.conv_width" => model.has_mixer(&[MixerKind::Conv]),
            "model.norm_eps" => model.norm != NormKind::None,
            "model.block" | "model.d_mlp" => model.mlp != MlpKind::None,
            "train.beta1" | "train.beta2" => train.optimizer != OptimizerKind::Sgd,
            "train.momentum" => train.optimizer == OptimizerKind::Sgd,
            "train.muon_lr" => train.optimizer == OptimizerKind::Muon,
            "train.lora.alpha" | "train.lora.on" => train.lora.rank > 0,
            key if key.starts_with("train.heads.") => train.heads.every > 0,
            key if key.starts_with("model.memory.") => has_memory || model.memory.lambda > 0.0,
            _ => self.is_of(config.task.kind),
        }
    }
}
