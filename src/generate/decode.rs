//! Decoding token by token, with the logits after each.
//!
//! A token of a small model is less work than the launch of one GPU operation. A small model is therefore read
//! back once and decoded in plain loops. A large one is decoded on its device.

use burn::tensor::{Device, ExecutionError};

use super::host::{Shown, read_back};
use crate::host::{Cache, HostModel};
use crate::kernel::is_cpu;
use crate::kernel::transfer::{floats, to_tensor};
use crate::model::gpt::Caches;
use crate::model::{Gpt, Model};

/// Most parameters of a small model.
pub const MAX_HOST_PARAMETERS: usize = 8 << 20;

/// Decoder with the model's weights at its creation, even if training goes on.
pub struct Decoder {
    executor: Executor,
    /// Number of decoded tokens.
    len: usize,
    context: usize,
}

enum Executor {
    /// For decoding in loops, not read back yet.
    Unread(Box<Model>),
    Host(Box<HostModel>, Cache),
    OnGpu {
        gpt: Box<Gpt>,
        caches: Caches,
        device: Device,
    },
}

impl Decoder {
    pub fn new(model: &Model) -> Self {
        let is_near = model.layout.len() <= MAX_HOST_PARAMETERS || is_cpu(&model.device());
        if is_near { Self::in_loops(model) } else { Self::on_gpu(model) }
    }

    /// Decoder of what takes the model's place, or else of the model.
    pub fn of(model: &Model, shown: Option<Shown>) -> Self {
        match shown {
            Some((_, host)) => Self::on_host(host, model.config.context),
            None => Self::new(model),
        }
    }

    /// Decoder of a model on the host, of so many tokens of context.
    pub fn on_host(host: HostModel, context: usize) -> Self {
        Self { executor: Executor::Host(host.into(), Cache::default()), len: 0, context }
    }

    /// Decoder in plain loops.
    pub fn in_loops(model: &Model) -> Self {
        let unread = Executor::Unread(Box::new(model.clone()));
        Self { executor: unread, len: 0, context: model.config.context }
    }

    /// Decoder on the model's device, which is a GPU.
    pub fn on_gpu(model: &Model) -> Self {
        let gpt = Box::new(model.gpt());
        let (caches, device) = (gpt.caches(), model.device());
        let executor = Executor::OnGpu { gpt, caches, device };
        Self { executor, len: 0, context: model.config.context }
    }

    /// Longest sequence, in tokens.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Number of tokens decoded since the last [`restart`](Self::restart).
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Drops the decoded tokens.
    pub fn restart(&mut self) {
        self.len = 0;
        match &mut self.executor {
            Executor::Unread(_) => {}
            Executor::Host(_, cache) => *cache = Cache::default(),
            Executor::OnGpu { gpt, caches, .. } => *caches = gpt.caches(),
        }
    }

    /// Logits after the last of `ids`, which follow the tokens decoded before.
    ///
    /// # Errors
    /// If the device failed.
    ///
    /// # Panics
    /// If `ids` is empty or exceeds the room in the context, or has several tokens after others were decoded.
    pub async fn decode(&mut self, ids: &[u32]) -> Result<Vec<f32>, ExecutionError> {
        assert!(!ids.is_empty() && self.len + ids.len() <= self.context, "no room for {ids:?}");
        assert!(self.len == 0 || ids.len() == 1, "a prompt is decoded first");
        if let Executor::Unread(unread) = &self.executor {
            self.executor = Executor::Host(read_back(unread).await?.into(), Cache::default());
        }
        self.len += ids.len();
        match &mut self.executor {
            Executor::Unread(_) => unreachable!("it has just been read"),
            Executor::Host(host, cache) => Ok(host.decode(ids, cache)),
            Executor::OnGpu { gpt, caches, device } => {
                let logits = gpt.forward_cached(to_tensor(ids, device), caches);
                Ok(floats(logits.into_data_async().await?))
            }
        }
    }
}
