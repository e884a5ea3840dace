//! Low-rank adapters as Hugging Face's PEFT keeps them: `adapter_config.json`, and of each module
//! `base_model.model.….lora_A.weight`, `[rank, in]`, and `….lora_B.weight`, `[out, rank]`, in
//! `adapter_model.safetensors` (<https://huggingface.co/docs/peft/developer_guides/checkpoint>).

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};

use super::family::{Family, GPT2, LLAMA};
use crate::arch::Layout;
use crate::config::{ModelConfig, Positions};
use crate::run::{Adapter, LowRank, MAX_RANK};

/// A module of PEFT's: its matrices as Confab's, and what it is scaled by.
struct Module {
    rank: usize,
    scale: f64,
    /// `[in, rank]`
    a: Vec<f32>,
    /// `[rank, out]`
    b: Vec<f32>,
}

/// Names of modules: those of GPT-2 for models with its parts, else of Llama.
fn family(model: &ModelConfig, layout: &Layout) -> (&'static Family, &'static str) {
    let is_gated = layout.find("blocks.0.mlp.W_gate").is_some();
    match model.positions == Positions::Learned && !is_gated {
        true => (&GPT2, "base_model.model.transformer."),
        false => (&LLAMA, "base_model.model.model."),
    }
}

/// The file's two parts, `adapter_config.json` and `adapter_model.safetensors`.
///
/// # Errors
/// A sentence, if the adapter is not of a model with this layout.
pub fn write(
    adapter: &Adapter,
    model: &ModelConfig,
    layout: &Layout,
) -> Result<(String, Vec<u8>), String> {
    let (family, prefix) = family(model, layout);
    let parts = adapter.parts(layout).map_err(|name| format!("the model has no matrix `{name}`"))?;
    // The matrices of each module, with their numbers of a third where three lie side by side.
    let mut modules: BTreeMap<String, Vec<(Option<usize>, LowRank)>> = BTreeMap::new();
    for (target, part) in adapter.targets.iter().zip(parts) {
        let source = family.source(target);
        let module = source.name.trim_end_matches(".weight").to_owned();
        modules.entry(module).or_default().push((source.third, part));
    }
    let (rank, mut tensors) = (adapter.rank, Vec::new());
    let (mut ranks, mut alphas) = (BTreeMap::new(), BTreeMap::new());
    for (module, matrices) in &modules {
        let count = matrices.len();
        let [rows, columns] = matrices[0].1.shape;
        let thirds = if matrices[0].0.is_some() { 3 } else { 1 };
        let all = rank * count;
        let (mut a, mut b) = (vec![0.0; all * rows], vec![0.0; thirds * columns * all]);
        for (index, (third, part)) in matrices.iter().enumerate() {
            let (of_a, of_b) = (&adapter.values[part.a.clone()], &adapter.values[part.b.clone()]);
            for inner in 0..rank {
                let at = index * rank + inner;
                for row in 0..rows {
                    a[at * rows + row] = of_a[row * rank + inner];
                }
                for column in 0..columns {
                    let out = third.unwrap_or(0) * columns + column;
                    b[out * all + at] = of_b[inner * columns + column];
                }
            }
        }
        if count > 1 {
            let name = module.rsplit('.').next().unwrap_or(module);
            ranks.insert(name.to_owned(), json!(all));
            alphas.insert(name.to_owned(), json!(adapter.alpha * count as f64));
        }
        tensors.push((format!("{prefix}{module}.lora_A.weight"), vec![all, rows], a));
        tensors.push((format!("{prefix}{module}.lora_B.weight"), vec![thirds * columns, all], b));
    }
    let names = modules.keys().filter_map(|module| module.rsplit('.').next());
    let names: std::collections::BTreeSet<&str> = names.collect();
    let config = json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": null,
        "r": rank, "lora_alpha": adapter.alpha, "rank_pattern": ranks, "alpha_pattern": alphas,
        "target_modules": names, "fan_in_fan_out": prefix.contains("transformer"), "bias": "none",
        "lora_dropout": 0.0, "inference_mode": true, "init_lora_weights": true, "use_rslora": false,
        "use_dora": false, "modules_to_save": null, "layers_to_transform": null,
    });
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape, values)| (name, shape, values.iter().flat_map(|x: &f32| x.to_le_bytes()).collect()))
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
    });
    let views: Result<Vec<_>, safetensors::SafeTensorError> = views.collect();
    let file = views.and_then(|views| safetensors::serialize(views, None));
    Ok((format!("{config:#}\n"), file.map_err(|why| why.to_string())?))
}

/// The adapter of a model with this layout.
///
/// # Errors
/// A sentence that names the setting or the tensor that Confab cannot take.
pub fn read(
    config: &str,
    tensors: &[u8],
    model: &ModelConfig,
    layout: &Layout,
) -> Result<Adapter, String> {
    let config: Value = serde_json::from_str(config).map_err(|why| format!("adapter_config.json: {why}"))?;
    check(&config)?;
    let tensors = SafeTensors::deserialize(tensors).map_err(|why| format!("adapter_model.safetensors: {why}"))?;
    let (family, prefix) = family(model, layout);
    let mut read = Vec::new();
    let mut modules: BTreeMap<String, Module> = BTreeMap::new();
    for parameter in layout.parameters().iter().filter(|of| Adapter::can_change(of)) {
        let source = family.source(parameter.name());
        let module = source.name.trim_end_matches(".weight");
        let name = |of: &str| format!("{prefix}{module}.lora_{of}.weight");
        if tensors.tensor(&name("A")).is_err() {
            continue;
        }
        let [rows, columns] = [parameter.shape()[0], parameter.shape()[1]];
        let (third, thirds) = (source.third.unwrap_or(0), if source.third.is_some() { 3 } else { 1 });
        let (rank, a) = matrix(&tensors, &name("A"), None, rows)?;
        let (_, b) = matrix(&tensors, &name("B"), Some(thirds * columns), rank)?;
        let of_a = (0..rows).flat_map(|row| (0..rank).map(move |inner| (row, inner)));
        let of_b = (0..rank).flat_map(|inner| (0..columns).map(move |column| (inner, column)));
        let transposed = Module {
            rank,
            scale: scale(&config, module, rank)?,
            a: of_a.map(|(row, inner)| a[inner * rows + row]).collect(),
            b: of_b.map(|(inner, column)| b[(third * columns + column) * rank + inner]).collect(),
        };
        read.extend(["A", "B"].map(name));
        modules.insert(parameter.name().to_owned(), transposed);
    }
    if let Some(other) = tensors.names().iter().find(|name| !read.iter().any(|of| of == *name)) {
        return Err(format!(
            "adapter_model.safetensors: `{other}` changes no matrix of this model's layers; take the model that the \
             adapter was trained on"
        ));
    }
    if modules.is_empty() {
        return Err("adapter_model.safetensors: it holds no adapter".into());
    }
    Ok(joined(modules, layout))
}

/// One adapter of modules that may have ranks and scales of their own: a smaller rank is filled up with zeros.
fn joined(modules: BTreeMap<String, Module>, layout: &Layout) -> Adapter {
    let rank = modules.values().map(|module| module.rank).max().unwrap_or(1);
    let first = modules.values().next().map_or(1.0, |module| module.scale);
    let is_one = modules.values().all(|module| module.scale == first);
    let scale = if is_one { first } else { 1.0 };
    let mut adapter = Adapter {
        rank,
        alpha: scale * rank as f64,
        is_on: true,
        targets: Vec::new(),
        values: Vec::new(),
        moments: None,
    };
    // In the order of the layout.
    let names = layout.parameters().iter().map(|parameter| parameter.name());
    for (name, module) in names.filter_map(|name| Some((name, modules.get(name)?))) {
        let columns = module.b.len() / module.rank;
        let factor = (module.scale / scale) as f32;
        for row in module.a.chunks(module.rank) {
            adapter.values.extend(row);
            adapter.values.extend(std::iter::repeat_n(0.0, rank - module.rank));
        }
        adapter.values.extend(module.b.iter().map(|value| value * factor));
        adapter.values.extend(std::iter::repeat_n(0.0, (rank - module.rank) * columns));
        adapter.targets.push(name.to_owned());
    }
    adapter
}

/// Checks that the adapter is plain LoRA.
fn check(config: &Value) -> Result<(), String> {
    let refuse = |key: &str, what: &str| {
        let value: String = config[key].to_string().chars().take(40).collect();
        Err(format!("adapter_config.json: `{key}` is {value}; Confab takes {what}"))
    };
    let is_off = |key: &str| matches!(config[key], Value::Null | Value::Bool(false));
    match config {
        _ if config["peft_type"] != "LORA" => refuse("peft_type", "LORA"),
        _ if !is_off("use_dora") => refuse("use_dora", "false"),
        _ if !config["bias"].is_null() && config["bias"] != "none" => refuse("bias", "none"),
        _ => Ok(()),
    }
}

/// Factor of a module: `alpha / rank`, or `alpha / √rank` with `use_rslora`.
fn scale(config: &Value, module: &str, rank: usize) -> Result<f64, String> {
    let pattern = config["alpha_pattern"].as_object().into_iter().flatten();
    let own = pattern.filter(|(name, _)| module.ends_with(name.as_str())).map(|(_, alpha)| alpha).next();
    let alpha = own.unwrap_or(&config["lora_alpha"]).as_f64().filter(|alpha| alpha.is_finite());
    let alpha = alpha.ok_or("adapter_config.json: `lora_alpha` is no number")?;
    let rank = rank as f64;
    Ok(if config["use_rslora"] == true { alpha / rank.sqrt() } else { alpha / rank })
}

/// Rows and finite numbers of the tensor `name`, `[rows, columns]`.
fn matrix(
    tensors: &SafeTensors,
    name: &str,
    rows: Option<usize>,
    columns: usize,
) -> Result<(usize, Vec<f32>), String> {
    let refuse = |what: String| format!("adapter_model.safetensors: `{name}` {what}; use another copy");
    let view = tensors.tensor(name).map_err(|_| refuse("is missing".into()))?;
    let (shape, dtype) = (view.shape(), view.dtype());
    let is_right = shape.len() == 2
        && shape[1] == columns
        && rows.map_or((1..=MAX_RANK).contains(&shape[0]), |rows| shape[0] == rows);
    if !is_right {
        let wanted = rows.map_or("rank".to_owned(), |rows| rows.to_string());
        return Err(refuse(format!("is {shape:?} where [{wanted}, {columns}] is expected")));
    }
    let values: Vec<f32> = match dtype {
        Dtype::F32 => view.data().as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect(),
        Dtype::F16 => {
            let values = view.data().as_chunks::<2>().0.iter();
            values.map(|x| half::f16::from_le_bytes(*x).to_f32()).collect()
        }
        Dtype::BF16 => {
            let values = view.data().as_chunks::<2>().0.iter();
            values.map(|x| half::bf16::from_le_bytes(*x).to_f32()).collect()
        }
        _ => return Err(refuse(format!("is of the type {dtype:?}; save it as F32"))),
    };
    match values.iter().all(|value| value.is_finite()) {
        true => Ok((shape[0], values)),
        false => Err(refuse("holds a value that is not a finite number".into())),
    }
}
