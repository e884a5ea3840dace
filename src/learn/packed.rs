//! Weights that travel in a link.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use half::f16;

use super::start::prepare;
use crate::arch::Layout;
use crate::checkpoint::Checkpoint;
use crate::config::{ConfigError, MemoryLimits, RunConfig};
use crate::memory::Bank;
use crate::run::{MAX_PACKED, Packed};

/// Reasons for which weights do not travel in a link.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PackError {
    #[error("its model has {0} parameters, and a link carries at most {MAX_PACKED}")]
    Large(usize),
    #[error("its model has memories or adapters, which no link carries")]
    Parts,
    #[error("its tokens are not those of its task, and no link carries them")]
    Tokens,
    #[error("its weights are not finite numbers in 16 bits")]
    Range,
    #[error("its weights are damaged or cut off")]
    Damaged,
    #[error("its {has} weights are not as many as the {wanted} of its model")]
    Count { has: usize, wanted: usize },
    #[error("{0}")]
    Config(ConfigError),
}

impl Packed {
    /// Packs the weights of a run.
    ///
    /// # Errors
    /// If the run is more than its settings and some weights, or has too many of them.
    pub fn of(run: &Checkpoint) -> Result<Self, PackError> {
        let Checkpoint { config, step, tokenizer, parameters, bank, adapters, .. } = run;
        if parameters.len() > MAX_PACKED {
            return Err(PackError::Large(parameters.len()));
        }
        if !adapters.is_empty() || *bank != Bank::new(&config.model) {
            return Err(PackError::Parts);
        }
        if prepare(config, None).map_err(PackError::Config)?.1 != *tokenizer {
            return Err(PackError::Tokens);
        }
        let halves: Vec<f16> = parameters.iter().map(|value| f16::from_f32(*value)).collect();
        if !halves.iter().all(|half| half.is_finite()) {
            return Err(PackError::Range);
        }
        let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        Ok(Self { step: *step, numbers: URL_SAFE_NO_PAD.encode(bytes) })
    }

    /// The run of `config` with these weights, without moments and losses.
    ///
    /// # Errors
    /// If the run does not work within `limits`, before memory is taken, or the weights are not those of its model.
    pub fn unpack(&self, config: RunConfig, limits: &MemoryLimits) -> Result<Checkpoint, PackError> {
        let (_, tokenizer) = prepare(&config, None).map_err(PackError::Config)?;
        config.validate_room(tokenizer.vocab_size(), limits).map_err(PackError::Config)?;
        let bytes = URL_SAFE_NO_PAD.decode(&self.numbers).map_err(|_| PackError::Damaged)?;
        let (halves, []) = bytes.as_chunks::<2>() else { return Err(PackError::Damaged) };
        let parameters: Vec<f32> =
            halves.iter().map(|half| f16::from_le_bytes(*half).to_f32()).collect();
        if !parameters.iter().all(|value| value.is_finite()) {
            return Err(PackError::Range);
        }
        let wanted = Layout::new(&config.model, tokenizer.vocab_size()).len();
        if parameters.len() != wanted {
            return Err(PackError::Count { has: parameters.len(), wanted });
        }
        Ok(Checkpoint {
            step: self.step,
            tokenizer,
            history: Vec::new(),
            edits: Vec::new(),
            parameters,
            moments: None,
            bank: Bank::new(&config.model),
            adapters: Vec::new(),
            config,
        })
    }
}
