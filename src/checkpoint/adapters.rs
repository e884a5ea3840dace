//! The adapters of a model, as tensors of its file: of each number and target `adapters.0.blocks.1.attn.W_Q.A`,
//! `[in, rank]`, and `….B`, `[rank, out]`; the moments of what is trained as `adapters.0.optim.first` and `….second`.

use rand::RngExt;
use safetensors::tensor::SafeTensors;

use super::CheckpointError;
use super::tensors::{Part, find};
use crate::arch::Layout;
use crate::base::numbers::Numbers;
use crate::base::random::stream_rng;
use crate::config::{OptimizerKind, RunConfig};
use crate::run::{Adapter, LowRank, MAX_ADAPTERS, MAX_RANK, Moments};

/// Key of the adapters in a file's metadata, in JSON without their values.
pub const KEY: &str = "confab.adapters";

/// An adapter that changes nothing yet: `A` is drawn evenly from ±1 / √in, as `torch.nn.Linear` and Hugging Face's PEFT do,
/// and `B` is 0. `number` tells those of one model apart.
pub fn drawn_adapter(config: &RunConfig, layout: &Layout, number: usize) -> Adapter {
    let mut adapter = Adapter::new(&config.train.lora, layout);
    let mut rng = stream_rng(config.seed, STREAM - number as u64);
    for LowRank { shape: [rows, _], a, b, .. } in adapter.parts(layout).unwrap_or_default() {
        let most = 1.0 / (rows as f32).sqrt();
        adapter.values.extend(a.map(|_| rng.random_range(-most..=most)));
        adapter.values.extend(b.map(|_| 0.0));
    }
    adapter
}

/// Stream of a seed that the first adapter is drawn from; later ones have those before it.
const STREAM: u64 = u64::MAX - 1000;

/// The tensors that a file holds of `adapters`.
pub fn parts<'a>(
    adapters: &'a [Adapter],
    layout: &Layout,
) -> Result<Vec<(String, Part<'a>)>, CheckpointError> {
    let mut out = Vec::new();
    let mut push = |name, shape, values: &'a [f32]| {
        out.push((name, Part::Numbers(shape, Numbers::F32(values))));
    };
    for (number, adapter) in adapters.iter().enumerate() {
        for (target, part) in adapter.targets.iter().zip(read_parts(adapter, layout)?) {
            let (LowRank { shape: [rows, columns], a, b, .. }, rank) = (part, adapter.rank);
            let name = |of: &str| format!("adapters.{number}.{target}.{of}");
            push(name("A"), vec![rows, rank], &adapter.values[a]);
            push(name("B"), vec![rank, columns], &adapter.values[b]);
        }
        let moments = adapter.moments.iter().flat_map(Moments::vectors);
        for (of, values) in ["first", "second"].into_iter().zip(moments) {
            push(moment(number, of), vec![values.len()], values);
        }
    }
    Ok(out)
}

/// The adapters of a file, with their values.
pub fn read(
    adapters: Vec<Adapter>,
    tensors: &SafeTensors,
    layout: &Layout,
    optimizer: OptimizerKind,
) -> Result<Vec<Adapter>, CheckpointError> {
    let refuse = |why: String| CheckpointError::Metadata { key: KEY, why };
    if adapters.len() > MAX_ADAPTERS {
        return Err(refuse(format!("there are {} adapters, more than {MAX_ADAPTERS}", adapters.len())));
    }
    let with_values = |(number, adapter): (usize, Adapter)| {
        let Adapter { rank, alpha, .. } = adapter;
        if rank == 0 || rank > MAX_RANK || !alpha.is_finite() {
            return Err(refuse(format!("adapter {number} has the rank {rank} and alpha {alpha}")));
        }
        let mut values = Vec::new();
        for (target, part) in adapter.targets.iter().zip(read_parts(&adapter, layout)?) {
            let [rows, columns] = part.shape;
            for (of, shape) in [("A", [rows, rank]), ("B", [rank, columns])] {
                let name = format!("adapters.{number}.{target}.{of}");
                values.extend_from_slice(&find(tensors, name, &shape)?.widen());
            }
        }
        let shape = [values.len()];
        let moment = |of: &str| -> Result<Vec<f32>, CheckpointError> {
            Ok(find(tensors, moment(number, of), &shape)?.widen().into_owned())
        };
        let has_moments = tensors.names().contains(&self::moment(number, "first").as_str());
        let moments = match has_moments {
            true => {
                let second = optimizer.has_second().then(|| moment("second")).transpose()?;
                Some(Moments { first: moment("first")?, second })
            }
            false => None,
        };
        Ok(Adapter { values, moments, ..adapter })
    };
    adapters.into_iter().enumerate().map(with_values).collect()
}

fn moment(number: usize, of: &str) -> String {
    format!("adapters.{number}.optim.{of}")
}

/// The changes of an adapter, each of a matrix of its own.
fn read_parts(adapter: &Adapter, layout: &Layout) -> Result<Vec<LowRank>, CheckpointError> {
    let refuse = |why: String| CheckpointError::Metadata { key: KEY, why };
    let parts = adapter.parts(layout);
    let parts = parts.map_err(|name| refuse(format!("the model has no matrix `{name}`")))?;
    let distinct: std::collections::BTreeSet<&String> = adapter.targets.iter().collect();
    match distinct.len() == parts.len() {
        true => Ok(parts),
        false => Err(refuse("an adapter changes a matrix twice".into())),
    }
}
