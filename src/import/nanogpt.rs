//! Checkpoints of nanoGPT (Karpathy, <https://github.com/karpathy/nanoGPT>): `ckpt.pt`, a dict with
//! `model_args` and the tensors of `model` (and of an optimizer, which are passed over), and the
//! `meta.pkl` of its data sets of characters.

use super::family::{NANOGPT, is_tied};
use super::model_files::ModelFiles;
use super::pickle::Pickle;
use super::settings::Settings;
use super::tensors::Tensors;
use super::torch::Archive;
use super::vocabulary::{Named, Names, Vocabulary};
use super::{File, ImportError};
use crate::config::ModelConfig;

pub fn read<'a>(file: &File<'a>) -> Result<ModelFiles<'a>, ImportError> {
    let archive = Archive::open(file)?;
    let root = archive.pickle.root();
    let lacks = |key| ImportError::Setting {
        file: file.name.into(),
        key,
        what: "is missing; of PyTorch's files, Confab reads nanoGPT's checkpoints only".into(),
    };
    let arguments = root.get("model_args").and_then(|dict| dict.pairs());
    let arguments = arguments.ok_or_else(|| lacks("model_args"))?;
    let arguments =
        arguments.filter_map(|(key, value)| Some((key.text()?.into(), value.scalar()?)));
    let settings = Settings::new(file.name, arguments.collect());
    let state = root.get("model").and_then(|dict| dict.pairs()).ok_or_else(|| lacks("model"))?;
    let mut tensors = Tensors::new(vec![*file]);
    for (name, value) in state {
        tensors.insert(archive.tensor(name.text().unwrap_or_default(), value)?)?;
    }
    let config = ModelConfig {
        n_layers: settings.need("n_layer")?,
        n_heads: settings.need("n_head")?,
        d_model: settings.need("n_embd")?,
        context: settings.need("block_size")?,
        dropout: settings.get("dropout")?.unwrap_or(0.0),
        tied_head: is_tied(&tensors, "wte.weight"),
        bias: settings.get("bias")?.unwrap_or(true), // older checkpoints are as GPT-2
        ..ModelConfig::default()                     // whose parts are nanoGPT's
    };
    let vocab_size = settings.need("vocab_size")?;
    Ok(ModelFiles { file: file.name, config, vocab_size, family: &NANOGPT, tensors })
}

/// The names of `rows` tokens from a `meta.pkl`, whose dict `itos` has the text of each id.
pub fn vocabulary(file: &File, rows: usize) -> Result<Named, ImportError> {
    let pickle = Pickle::read(file.name, file.bytes)?;
    let refuse = |what: &str| ImportError::Vocabulary { file: file.name.into(), what: what.into() };
    let texts = pickle.root().get("itos").and_then(|dict| dict.pairs());
    let texts =
        texts.ok_or_else(|| refuse("it has no `itos`; give the meta.pkl of the data set"))?;
    let mut names = Names::new(file.name, rows);
    let mut known = 0;
    for (id, text) in texts {
        let text = text.text().ok_or_else(|| refuse("a token of its `itos` is no text"))?;
        names.put(id.size().map(|id| id as u64), text.into())?;
        known += 1;
    }
    let tokens = names.tokens;
    let characters: Vec<char> = tokens.iter().filter_map(|token| only_character(token)).collect();
    let mut order: Vec<usize> = (0..characters.len()).collect();
    order.sort_by_key(|id| characters[*id]);
    let is_distinct = order.windows(2).all(|two| characters[two[0]] < characters[two[1]]);
    if characters.len() < rows || known < rows || !is_distinct {
        let vocabulary = Vocabulary::Tokens { tokens, tokenizer: None };
        return Ok(Named { vocabulary, order: None });
    }
    let sorted = order.iter().map(|id| characters[*id]).collect();
    Ok(Named { vocabulary: Vocabulary::Characters(sorted), order: Some(order) })
}

/// The character that is all of `token`.
fn only_character(token: &str) -> Option<char> {
    let mut characters = token.chars();
    characters.next().filter(|_| characters.next().is_none())
}
