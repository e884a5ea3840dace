//! The settings of a run: [`RunConfig`], the [`PRESETS`], and [`KNOBS`], the one table that the page's controls,
//! the terminal's flags and the keys of a link are made from.

mod brackets;
mod by_layer;
mod codec;
mod effect;
mod error;
mod heads;
mod kind;
mod knob;
mod knobs;
mod limits;
mod lora;
mod mapping;
mod memory;
mod memory_limits;
mod model;
mod number;
mod old;
mod optimizer;
mod presets;
mod recall;
mod run;
mod setting;
mod task;
mod train;
mod tuned;
mod variants;

pub use brackets::BracketsConfig;
pub use by_layer::{ByLayer, Named};
pub use codec::{CodecConfig, Fitting, KeyDistance, LearnerKind, NoiseKind};
pub use error::ConfigError;
pub use heads::{HeadsConfig, PruneBy};
pub use kind::TaskKind;
pub use knob::{Knob, Range};
pub use knobs::KNOBS;
pub use limits::{
    MAX_D_MODEL, MAX_GRAMMAR_BYTES, MAX_HEADS, MAX_HEADS_WIDTH, MAX_LAYERS, MAX_LONG_TEXT_BYTES,
    MAX_MEMORY_TOKENS, MAX_NAMES, MAX_NAMES_BYTES, MAX_RECORDS_BYTES, MAX_SENTENCES_BYTES,
    MAX_TEXT_BYTES,
};
pub use lora::LoraConfig;
pub use mapping::{SequenceConfig, WordsConfig};
pub use memory::{MemoryConfig, MemoryKind, layers};
pub use memory_limits::MemoryLimits;
pub use model::ModelConfig;
pub use old::{OLD_CHOICES, OLD_KEYS, has_old_keys};
pub use optimizer::OptimizerKind;
pub use presets::{PRESETS, Preset};
pub use recall::MqarConfig;
pub use run::{NoiseConfig, RunConfig};
pub use task::{
    AnswerRule, FactsConfig, FactsSplit, GrammarConfig, InductionConfig, ModularConfig,
    PhoneConfig, SupplementConfig, TaskConfig, TextConfig, TextFile, TokenKind,
};
pub use train::TrainConfig;
pub use tuned::TUNED;
pub use variants::{BlockKind, Distance, MixerKind, MlpKind, NormKind, Positions};
