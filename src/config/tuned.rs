//! Settings with which a run mostly learns its task, in less than five minutes on two cores.

use super::{MlpKind, NormKind, PhoneConfig, Positions, RunConfig, TaskKind, WordsConfig};

/// Name of these settings beside those of the presets.
pub const TUNED: &str = "tuned";

impl RunConfig {
    /// Settings tuned to a task. docs/training.md measures what they reach, at how many seeds, and how long they take.
    pub fn tuned(kind: TaskKind) -> Self {
        let mut config = Self::default();
        config.task.kind = kind;
        let Self { task, model, train, .. } = &mut config;
        (model.n_layers, model.n_heads, model.d_model) = (2, 4, 64);
        model.positions = Positions::Rotary;
        match kind {
            // Two layers of attention copy; see Olsson et al. 2022, <https://arxiv.org/abs/2209.11895>.
            TaskKind::Phone => {
                (task.phone.lines, task.phone.names) = (1, 100);
                // Without it the heads that copy form at some seeds only.
                model.qk_norm = true;
                (model.mlp, model.context) = (MlpKind::None, 96);
                (train.steps, train.batch, train.lr) = (1300, 16, 0.01);
            }
            // Two layers copy a number of the book, but seldom that of the name.
            TaskKind::Grammar => {
                (model.n_layers, model.n_heads, model.qk_norm) = (3, 8, true);
                (model.mlp, model.context) = (MlpKind::None, 128);
                (train.steps, train.batch, train.lr) = (2700, 16, 0.005);
            }
            TaskKind::Induction => {
                (model.mlp, model.context) = (MlpKind::None, 50);
                (train.steps, train.batch, train.lr) = (1200, 32, 0.01);
            }
            TaskKind::Copy | TaskKind::Reverse | TaskKind::Brackets => {
                model.context = 50;
                (train.steps, train.batch, train.lr) = (1500, 32, 0.005);
            }
            TaskKind::Mqar => {
                (task.mqar.vocab, task.mqar.length) = (128, 32);
                (model.mlp, model.qk_norm, model.context) = (MlpKind::None, true, 32);
                (train.steps, train.batch, train.lr) = (800, 128, 0.005);
            }
            // With two layers, or four heads, more words are mistaken.
            TaskKind::Spacing | TaskKind::Tagging => {
                (model.n_layers, model.n_heads, model.qk_norm) = (3, 8, true);
                model.context = 64;
                let batch = if kind == TaskKind::Spacing { 32 } else { 64 };
                (train.steps, train.batch, train.lr) = (4000, batch, 0.003);
            }
            TaskKind::Facts => {
                task.facts.facts = 50;
                (model.positions, model.context) = (Positions::Learned, 160);
                (train.steps, train.batch, train.lr) = (600, 16, 0.003);
            }
            TaskKind::Text => {
                model.context = 128;
                (train.steps, train.batch, train.lr) = (600, 16, 0.003);
            }
            // Weight decay of 1 and more, as in Nanda et al. 2023, <https://arxiv.org/abs/2301.05217>.
            TaskKind::Modular => {
                (task.modular.modulus, task.modular.fraction) = (43, 0.5);
                (model.n_layers, model.positions, model.init_std) = (1, Positions::Learned, 0.12);
                (model.mlp, model.norm) = (MlpKind::Relu, NormKind::None);
                (train.steps, train.batch, train.lr) = (1500, 925, 0.003);
                (train.weight_decay, train.beta2, train.warmup) = (1.0, 0.98, 10);
            }
        }
        train.min_lr = if kind == TaskKind::Modular { train.lr } else { train.lr / 10.0 };
        config
    }

    /// True if the model is that which is tuned to the task.
    pub fn has_tuned_model(&self) -> bool {
        self.model == Self::tuned(self.task.kind).model
    }

    /// Puts the settings that are tuned to its task in place. The user's text and names, the noise and the seed stay.
    pub fn tune(&mut self) {
        let Self { task, model, train, .. } = Self::tuned(self.task.kind);
        (self.model, self.train) = (model, train);
        match self.task.kind {
            TaskKind::Phone => {
                let own_names = std::mem::take(&mut self.task.phone.own_names);
                self.task.phone = PhoneConfig { own_names, ..task.phone };
            }
            TaskKind::Facts => self.task.facts = task.facts,
            TaskKind::Induction => self.task.induction = task.induction,
            TaskKind::Modular => self.task.modular = task.modular,
            TaskKind::Copy | TaskKind::Reverse => self.task.sequence = task.sequence,
            TaskKind::Brackets => self.task.brackets = task.brackets,
            TaskKind::Mqar => self.task.mqar = task.mqar,
            TaskKind::Spacing | TaskKind::Tagging => {
                let text = std::mem::take(&mut self.task.words.text);
                self.task.words = WordsConfig { text, ..task.words };
            }
            TaskKind::Text | TaskKind::Grammar => {}
        }
    }
}
