//! Writing on, token by token: the logits after each.
//!
//! A token of a small model is less work than giving one operation to a GPU, so a small model is
//! read back once and decoded in plain loops; a large one is decoded where it is.

use burn::tensor::{Device, ExecutionError, Tensor};

use crate::config::ModelConfig;
use crate::kernel::is_cpu;
use crate::memory::Bank;
use crate::model::gpt::Caches;
use crate::model::{Gpt, Layout};
use crate::plain::{Cache, Plain};
use crate::sample::to_tensor;
use crate::trainer::{Trainer, floats};

/// The most parameters of a small model.
const MOST_PARAMETERS: usize = 8 << 20;

/// Decodes with the weights that the model had at first, whatever training does meanwhile.
pub struct Decoder {
    model: Model,
    /// Tokens decoded.
    len: usize,
    context: usize,
}

enum Model {
    /// To be decoded in loops, and not read back yet.
    Unread(Box<(ModelConfig, Layout, Tensor<1>, Bank)>),
    Plain(Plain, Cache),
    OnGpu {
        model: Box<Gpt>,
        caches: Caches,
        device: Device,
    },
}

impl Decoder {
    pub fn new(trainer: &Trainer) -> Self {
        let is_small = trainer.layout.len() <= MOST_PARAMETERS;
        let is_near = is_small || is_cpu(&trainer.parameters.device());
        if is_near { Self::in_loops(trainer) } else { Self::on_gpu(trainer) }
    }

    /// In plain loops.
    pub fn in_loops(trainer: &Trainer) -> Self {
        let config = trainer.config.model.clone();
        let context = config.context;
        let (layout, parameters) = (trainer.layout.clone(), trainer.parameters.clone());
        let unread = Box::new((config, layout, parameters, trainer.bank.clone()));
        Self { model: Model::Unread(unread), len: 0, context }
    }

    /// On the run's device, which is a GPU.
    pub fn on_gpu(trainer: &Trainer) -> Self {
        let model = Box::new(trainer.model());
        let (caches, device) = (model.caches(), trainer.parameters.device());
        let context = trainer.config.model.context;
        Self { model: Model::OnGpu { model, caches, device }, len: 0, context }
    }

    /// Tokens decoded since the last [`restart`](Self::restart).
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets the tokens decoded.
    pub fn restart(&mut self) {
        self.len = 0;
        match &mut self.model {
            Model::Unread(_) => {}
            Model::Plain(_, cache) => *cache = Cache::default(),
            Model::OnGpu { model, caches, .. } => *caches = model.caches(),
        }
    }

    /// Logits after the last of `ids`, which follow those decoded before.
    ///
    /// # Errors
    /// If the device failed.
    ///
    /// # Panics
    /// If `ids` is empty, or there are more of them than the context has room for; if there are
    /// several, though some were decoded before.
    pub async fn decode(&mut self, ids: &[u32]) -> Result<Vec<f32>, ExecutionError> {
        assert!(!ids.is_empty() && self.len + ids.len() <= self.context, "no room for {ids:?}");
        assert!(self.len == 0 || ids.len() == 1, "a prompt is decoded first");
        if let Model::Unread(unread) = &self.model {
            let (config, layout, parameters, bank) = &**unread;
            let values = floats(parameters.clone().into_data_async().await?);
            let plain = Plain::new(config, layout, &values).remember(bank);
            self.model = Model::Plain(plain, Cache::default());
        }
        self.len += ids.len();
        match &mut self.model {
            Model::Unread(_) => unreachable!("it has just been read"),
            Model::Plain(plain, cache) => Ok(plain.decode(ids, cache)),
            Model::OnGpu { model, caches, device } => {
                let logits = model.forward_cached(to_tensor(ids, device), caches);
                Ok(floats(logits.into_data_async().await?))
            }
        }
    }
}
