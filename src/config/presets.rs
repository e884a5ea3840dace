//! Named sizes.

use super::{
    BlockKind, ByLayer, HeadsConfig, LoraConfig, MemoryConfig, MixerKind, MlpKind, ModelConfig,
    NormKind, OptimizerKind, Positions, RunConfig, TrainConfig,
};

/// A named size, with the batch and learning rate that train it well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    pub name: &'static str,
    pub n_layers: usize,
    pub n_heads: usize,
    pub d_model: usize,
    pub batch: usize,
    pub lr: f64,
    pub steps: usize,
}

/// The sizes of the published study. Their counts, of matrices and with 81 characters, are
/// 1,732, 29,968, 207,392 and 63.1 million.
pub const PRESETS: &[Preset] = &[
    Preset { name: "1.7k", n_layers: 2, n_heads: 2, d_model: 4, batch: 16, lr: 1e-2, steps: 2000 },
    Preset { name: "30k", n_layers: 8, n_heads: 8, d_model: 16, batch: 16, lr: 4e-3, steps: 2000 },
    Preset {
        name: "207k",
        n_layers: 16,
        n_heads: 16,
        d_model: 32,
        batch: 16,
        lr: 2e-3,
        steps: 2000,
    },
    Preset {
        name: "63m",
        n_layers: 20,
        n_heads: 16,
        d_model: 512,
        batch: 32,
        lr: 6e-4,
        steps: 20000,
    },
];

impl Preset {
    pub fn find(name: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// The preset whose layers, heads and width `model` has, and its parts.
    pub fn of(model: &ModelConfig) -> Option<&'static Preset> {
        let ModelConfig { context, dropout, tied_head, bias, .. } = *model;
        PRESETS
            .iter()
            .find(|p| ModelConfig { context, dropout, tied_head, bias, ..p.model() } == *model)
    }

    pub const fn model(&self) -> ModelConfig {
        ModelConfig {
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            d_model: self.d_model,
            context: 256,
            dropout: 0.0,
            tied_head: true,
            bias: false,
            mixer: ByLayer::all(MixerKind::Softmax),
            window: 16,
            block: BlockKind::PreNorm,
            ridge: 1.0,
            ridge_trained: false,
            conv_width: 3, // of Zoology's code
            norm: NormKind::Layer,
            norm_eps: 1e-5,
            mlp: MlpKind::Gelu,
            d_mlp: 0,
            positions: Positions::Learned,
            xpos_base: 512.0,
            rope_base: 1e4,
            kv_heads: 0,
            d_head: 0,
            qk_norm: false,
            head_gates: false,
            feedback: false,
            init_std: 0.02, // of GPT-2
            memory_tokens: 0,
            memory: MemoryConfig::NONE,
        }
    }

    pub fn train(&self) -> TrainConfig {
        TrainConfig {
            steps: self.steps,
            records: 0,
            batch: self.batch,
            accumulation: 1,
            shards: 0,
            optimizer: OptimizerKind::AdamW,
            lr: self.lr,
            min_lr: self.lr / 10.0,
            warmup: 100,
            beta1: 0.9,
            beta2: 0.95,
            momentum: 0.9,
            muon_lr: 0.02,
            weight_decay: 0.1,
            clip: 1.0,
            frozen: false,
            keep_pruned: false,
            heads: HeadsConfig::NEVER,
            lora: LoraConfig::default(),
            val_every: 100,
            val_batches: 4,
            stop_at: 0.0,
            output_l1: 0.0,
        }
    }

    /// Puts this preset's sizes and training settings into `config`; the task and seed stay.
    pub fn apply(&self, config: &mut RunConfig) {
        config.model = self.model();
        config.train = self.train();
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        PRESETS[0].model()
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        PRESETS[0].train()
    }
}
