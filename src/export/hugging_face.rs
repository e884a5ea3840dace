//! Models as Hugging Face keeps them: `config.json`, `model.safetensors`, and the tokenizer's files.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use super::file::{OutFile, pretty};
use super::fit::{Shape, hugging_face_shape};
use super::tensors::{Tensor, tensors};
use super::{ExportError, tokenizer};
use crate::checkpoint::Checkpoint;
use crate::config::MlpKind;
use crate::import::{GPT2, LLAMA};

/// The files of the model, for `AutoModelForCausalLM` and `AutoTokenizer` of transformers: GPT-2's layout or Llama's,
/// whichever has all of its parts.
///
/// # Errors
/// The parts that the nearest layout has no place for.
pub fn hugging_face(of: &Checkpoint) -> Result<Vec<OutFile>, ExportError> {
    let shape = hugging_face_shape(of)?;
    let (config, tensors) = match shape {
        Shape::Gpt2 => (gpt2(of), tensors(of, &GPT2, true)),
        Shape::Llama => (llama(of), tensors(of, &LLAMA, of.config.model.bias)),
    };
    let mut files = vec![
        OutFile::new("config.json", pretty(&config)),
        OutFile::new("model.safetensors", safetensors(&tensors)?),
    ];
    files.extend(tokenizer::files(of));
    Ok(files)
}

fn gpt2(of: &Checkpoint) -> Value {
    let model = &of.config.model;
    let activation = match model.mlp {
        MlpKind::GeluTanh => "gelu_new",
        MlpKind::Relu => "relu",
        MlpKind::Relu2 => "relu2",
        MlpKind::Sigmoid => "sigmoid",
        _ => "gelu",
    };
    let mut config = common(of, "GPT2LMHeadModel", "gpt2");
    let own = json!({
        "n_layer": model.n_layers,
        "n_head": model.n_heads,
        "n_embd": model.d_model,
        "n_inner": model.d_mlp(),
        "n_positions": model.context,
        "activation_function": activation,
        "layer_norm_epsilon": model.norm_eps,
        "embd_pdrop": model.dropout,
        "attn_pdrop": model.dropout,
        "resid_pdrop": model.dropout,
        // Read by `confab import` alone: false if all biases are zeros that stand for none.
        "bias": model.bias,
    });
    extend(&mut config, own);
    config
}

fn llama(of: &Checkpoint) -> Value {
    let model = &of.config.model;
    let mut config = match model.qk_norm {
        true => common(of, "Qwen3ForCausalLM", "qwen3"),
        false => common(of, "LlamaForCausalLM", "llama"),
    };
    let activation = match model.mlp {
        MlpKind::Geglu => "gelu",
        MlpKind::Reglu => "relu",
        _ => "silu",
    };
    let own = json!({
        "num_hidden_layers": model.n_layers,
        "num_attention_heads": model.n_heads,
        "num_key_value_heads": model.kv_heads(),
        "hidden_size": model.d_model,
        "head_dim": model.d_head(),
        "intermediate_size": model.d_mlp(),
        "max_position_embeddings": model.context,
        "rope_theta": model.rope_base,
        "hidden_act": activation,
        "rms_norm_eps": model.norm_eps,
        "attention_bias": model.bias,
        "mlp_bias": model.bias,
        "attention_dropout": model.dropout,
    });
    extend(&mut config, own);
    config
}

fn common(of: &Checkpoint, class: &str, model_type: &str) -> Value {
    json!({
        "architectures": [class],
        "model_type": model_type,
        "vocab_size": of.tokenizer.vocab_size(),
        "tie_word_embeddings": of.config.model.tied_head,
        "torch_dtype": "float32",
        "bos_token_id": null,
        "eos_token_id": null,
        "exported_by": "confab",
    })
}

fn extend(config: &mut Value, own: Value) {
    if let (Some(config), Value::Object(own)) = (config.as_object_mut(), own) {
        config.extend(own);
    }
}

fn safetensors(tensors: &[Tensor]) -> Result<Vec<u8>, ExportError> {
    let refuse = |why: safetensors::SafeTensorError| ExportError::Format {
        file: "model.safetensors",
        why: why.to_string(),
    };
    let bytes = |tensor: &Tensor| tensor.values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let bytes: Vec<Vec<u8>> = tensors.iter().map(bytes).collect();
    let mut views = Vec::new();
    for (tensor, bytes) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map_err(refuse)?;
        views.push((tensor.name.as_str(), view));
    }
    let format = HashMap::from([("format".into(), "pt".into())]); // what transformers looks for
    safetensors::serialize(views, Some(format)).map_err(refuse)
}
