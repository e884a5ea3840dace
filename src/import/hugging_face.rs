//! Models as Hugging Face keeps them: `config.json`, and tensors in safetensors files.

use serde_json::{Map, Value};

use super::ImportError;
use super::family::{GPT2, LLAMA, NANOGPT, is_tied, tie};
use super::model_files::ModelFiles;
use super::settings::{Settings, brief};
use super::tensors::Tensors;
use crate::config::{KNOBS, MlpKind, ModelConfig, NormKind, Positions, Range};

pub fn read<'a>(
    settings: &Settings<'a>,
    tensors: Tensors<'a>,
) -> Result<ModelFiles<'a>, ImportError> {
    let model_type: String = settings.need("model_type")?;
    let refuse = |why| {
        Err(ImportError::Family {
            file: settings.file.into(),
            found: model_type.chars().take(40).collect(),
            why,
        })
    };
    settings.expect("quantization_config", Value::Null)?;
    match model_type.as_str() {
        "gpt2" => gpt2(settings, tensors),
        "llama" | "mistral" | "qwen3" => llama(settings, model_type == "qwen3", tensors),
        "qwen2" => refuse("of which only queries, keys and values have biases"),
        _ => refuse("which is built of other parts than Confab's"),
    }
}

fn gpt2<'a>(
    settings: &Settings<'a>,
    mut tensors: Tensors<'a>,
) -> Result<ModelFiles<'a>, ImportError> {
    settings.expect("scale_attn_weights", true)?;
    settings.expect("scale_attn_by_inverse_layer_idx", false)?;
    settings.expect("add_cross_attention", false)?;
    let d_model = settings.need("n_embd")?;
    // nanoGPT's tensors, with settings in Hugging Face's words.
    let queries = tensors.find("h.0.attn.c_attn.weight");
    let is_linear = queries.is_some_and(|t| t.shape == [3usize.saturating_mul(d_model), d_model]);
    let activation: Option<String> = settings.get("activation_function")?;
    if is_linear && activation.is_none() {
        let what = "is missing, and nanoGPT's tensors have another than GPT-2's: add \
                    `\"activation_function\": \"gelu\"`";
        return Err(settings.refuse("activation_function", what));
    }
    let mlp = match activation.as_deref().unwrap_or("gelu_new") {
        "gelu_new" | "gelu_pytorch_tanh" => MlpKind::GeluTanh,
        "gelu" => MlpKind::Gelu,
        "relu" => MlpKind::Relu,
        "relu2" => MlpKind::Relu2,
        "sigmoid" => MlpKind::Sigmoid,
        other => {
            let what = format!(
                "is `{other}`; Confab has gelu_new, gelu_pytorch_tanh, gelu, relu, relu2 and sigmoid"
            );
            return Err(settings.refuse("activation_function", what));
        }
    };
    let may_be_tied = settings.get("tie_word_embeddings")?.unwrap_or(true);
    if may_be_tied {
        tie(&mut tensors, "wte.weight");
    }
    // Confab writes zeros for the biases that a model of its own has not.
    let has_biases = settings.get("bias")?.unwrap_or(true);
    if !has_biases {
        tensors.drop_zero_biases();
    }
    let config = ModelConfig {
        n_layers: settings.need("n_layer")?,
        n_heads: settings.need("n_head")?,
        d_model,
        context: settings.need("n_positions")?,
        dropout: 0.0,
        tied_head: may_be_tied && is_tied(&tensors, "wte.weight"),
        bias: has_biases && (!is_linear || tensors.find("ln_f.bias").is_some()),
        norm_eps: settings.get("layer_norm_epsilon")?.unwrap_or(1e-5),
        mlp,
        d_mlp: unless(settings.get("n_inner")?, 4usize.saturating_mul(d_model)),
        ..ModelConfig::default() // whose parts are GPT-2's
    };
    let vocab_size = settings.need("vocab_size")?;
    let family = if is_linear { &NANOGPT } else { &GPT2 };
    Ok(ModelFiles { file: settings.file, config, vocab_size, family, tensors })
}

fn llama<'a>(
    settings: &Settings<'a>,
    qk_norm: bool,
    mut tensors: Tensors<'a>,
) -> Result<ModelFiles<'a>, ImportError> {
    let mlp = match settings.get::<String>("hidden_act")?.as_deref().unwrap_or("silu") {
        "silu" => MlpKind::Swiglu,
        "gelu" => MlpKind::Geglu,
        "relu" => MlpKind::Reglu,
        other => {
            let what = format!("is `{other}`; of gated MLPs, Confab has silu, gelu and relu");
            return Err(settings.refuse("hidden_act", what));
        }
    };
    let bias = settings.get("attention_bias")?.unwrap_or(false);
    let mlp_bias = settings.get("mlp_bias")?.unwrap_or(false);
    if bias != mlp_bias {
        let what = format!(
            "is {bias} and its `mlp_bias` {mlp_bias}, but Confab's models have biases everywhere or \
             nowhere"
        );
        return Err(settings.refuse("attention_bias", what));
    }
    let may_be_tied = settings.get("tie_word_embeddings")?.unwrap_or(false);
    if may_be_tied {
        tie(&mut tensors, "embed_tokens.weight");
    }
    let (d_model, n_heads) = (settings.need("hidden_size")?, settings.need("num_attention_heads")?);
    let config = ModelConfig {
        n_layers: settings.need("num_hidden_layers")?,
        n_heads,
        d_model,
        context: context(settings)?,
        dropout: 0.0,
        tied_head: may_be_tied && is_tied(&tensors, "embed_tokens.weight"),
        bias,
        norm: NormKind::Rms,
        norm_eps: settings.get("rms_norm_eps")?.unwrap_or(1e-6),
        mlp,
        d_mlp: unless(Some(settings.need("intermediate_size")?), d_model.saturating_mul(4)),
        positions: Positions::Rotary,
        rope_base: rope_base(settings)?,
        kv_heads: unless(settings.get("num_key_value_heads")?, n_heads),
        d_head: unless(settings.get("head_dim")?, d_model / n_heads.max(1)),
        qk_norm,
        ..ModelConfig::default()
    };
    let vocab_size = settings.need("vocab_size")?;
    Ok(ModelFiles { file: settings.file, config, vocab_size, family: &LLAMA, tensors })
}

/// A size, or 0 if it is the one that is meant anyway.
fn unless(found: Option<usize>, usual: usize) -> usize {
    found.filter(|found| *found != usual).unwrap_or(0)
}

/// The model's context, cut to the longest of Confab's: rotary positions have no table to be cut.
fn context(settings: &Settings) -> Result<usize, ImportError> {
    let longest = KNOBS.iter().find_map(|knob| match (knob.key, knob.range) {
        ("model.context", Range::Int { max, .. }) => usize::try_from(max).ok(),
        _ => None,
    });
    let own: usize = settings.need("max_position_embeddings")?;
    let context = own.min(longest.unwrap_or(own));
    let is_windowed = settings.get("use_sliding_window")?.unwrap_or(true);
    match settings.get::<usize>("sliding_window")? {
        Some(window) if is_windowed && window < context => {
            let what =
                format!("is {window}, but only models that see all {context} tokens are imported");
            Err(settings.refuse("sliding_window", what))
        }
        _ => Ok(context),
    }
}

/// Turns as published; what stretches them for longer contexts is refused.
fn rope_base(settings: &Settings) -> Result<f64, ImportError> {
    let is_usual = |rope: &Map<String, Value>| {
        let kind = rope.get("rope_type").or(rope.get("type")).and_then(Value::as_str);
        kind == Some("default")
    };
    let share: f64 = settings.get("partial_rotary_factor")?.unwrap_or(1.0);
    if share != 1.0 {
        let what = format!("is {share}, but Confab's rotary positions turn whole heads");
        return Err(settings.refuse("partial_rotary_factor", what));
    }
    let mut base = settings.get("rope_theta")?;
    for key in ["rope_scaling", "rope_parameters"] {
        let Some(rope) = settings.get::<Map<String, Value>>(key)? else { continue };
        if !is_usual(&rope) {
            let found = brief(&Value::Object(rope));
            let what = format!("is {found}, but Confab's rotary positions are not scaled");
            return Err(settings.refuse(key, what));
        }
        base = base.or(rope.get("rope_theta").and_then(Value::as_f64));
    }
    Ok(base.unwrap_or(10_000.0))
}
