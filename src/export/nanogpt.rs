//! Models as nanoGPT keeps them (Karpathy, <https://github.com/karpathy/nanoGPT>): `ckpt.pt`, and `meta.pkl` of
//! characters.

use super::fit::check_nanogpt;
use super::pickle::{Item, pickle};
use super::tensors::tensors;
use super::{ExportError, OutFile, torch};
use crate::checkpoint::Checkpoint;
use crate::import::NANOGPT;

const FILE: &str = "ckpt.pt";
/// Name of nanoGPT's data set, in whose folder `sample.py` looks for `meta.pkl`.
const DATASET: &str = "confab";
/// nanoGPT's loss before there was one.
const NO_LOSS: f64 = 1e9;

/// The checkpoint as `train.py` saves it, without an optimizer; and what names its tokens: `meta.pkl`,
/// or an imported model's `tokenizer.json`.
///
/// # Errors
/// The parts that nanoGPT's model has not.
pub fn nanogpt(of: &Checkpoint) -> Result<Vec<OutFile>, ExportError> {
    check_nanogpt(of)?;
    let tensors = tensors(of, &NANOGPT, of.config.model.bias);
    let storages: Vec<&[f32]> = tensors.iter().map(|tensor| &*tensor.values).collect();
    let mut state = Vec::new();
    for (key, tensor) in tensors.iter().enumerate() {
        let item = || Item::Tensor { key, shape: tensor.shape.clone() };
        state.push((Item::Text(tensor.name.clone()), item()));
        if tensor.name == "transformer.wte.weight" {
            state.push(("lm_head.weight".into(), item())); // one storage
        }
    }
    let losses = of.history.iter().filter_map(|point| point.val_loss);
    let best = losses.map(f64::from).fold(NO_LOSS, f64::min);
    let value = Item::Dict(vec![
        ("model".into(), Item::Dict(state)),
        ("model_args".into(), model_args(of)),
        ("iter_num".into(), Item::Int(of.step)),
        ("best_val_loss".into(), Item::Float(best)),
        ("config".into(), Item::Dict(vec![("dataset".into(), DATASET.into())])),
    ]);
    let bytes = torch::save("ckpt", &value, &storages);
    let bytes =
        bytes.map_err(|why| ExportError::Format { file: FILE, why: why.to_string() })?;
    let tokens = match of.tokenizer.json() {
        Some(json) => OutFile::new("tokenizer.json", json),
        None => OutFile::new("meta.pkl", meta(of)),
    };
    Ok(vec![OutFile::new(FILE, bytes), tokens])
}

fn model_args(of: &Checkpoint) -> Item {
    let model = &of.config.model;
    Item::Dict(vec![
        ("n_layer".into(), Item::Int(model.n_layers)),
        ("n_head".into(), Item::Int(model.n_heads)),
        ("n_embd".into(), Item::Int(model.d_model)),
        ("block_size".into(), Item::Int(model.context)),
        ("bias".into(), Item::Bool(model.bias)),
        ("vocab_size".into(), Item::Int(of.tokenizer.vocab_size())),
        ("dropout".into(), Item::Float(model.dropout)),
    ])
}

/// `stoi` and `itos`, as nanoGPT's `prepare.py` of characters keeps them.
fn meta(of: &Checkpoint) -> Vec<u8> {
    let tokens: Vec<&str> = (0..).map_while(|id| of.tokenizer.token(id)).collect();
    let stoi = tokens.iter().enumerate().map(|(id, token)| ((*token).into(), Item::Int(id)));
    let itos = tokens.iter().enumerate().map(|(id, token)| (Item::Int(id), (*token).into()));
    pickle(&Item::Dict(vec![
        ("vocab_size".into(), Item::Int(tokens.len())),
        ("itos".into(), Item::Dict(itos.collect())),
        ("stoi".into(), Item::Dict(stoi.collect())),
    ]))
}
