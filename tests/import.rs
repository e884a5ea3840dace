//! Other people's models: `tests/reference/make_imports.py` made them, and the logits that PyTorch
//! has of them.

mod common;

#[path = "import/damage.rs"]
mod damage;
#[path = "import/folders.rs"]
mod folders;
#[path = "import/names.rs"]
mod names;
#[cfg(feature = "cli")]
#[path = "import/pytorch.rs"]
mod pytorch;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use confab::arch::Layout;
use confab::checkpoint::Checkpoint;
use confab::config::{KNOBS, MemoryLimits, Range};
use confab::host::HostModel;
use confab::import::{File, Imported, Vocabulary, import, open, plan};
use confab::learn::Trainer;
use confab::tokenizer::Tokenizer;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value, json};

use common::{logits_of, resume};

const MODELS: &[&str] =
    &["gpt2", "gpt2_untied", "llama", "llama_bf16", "mistral", "qwen3", "nanogpt", "nanogpt_bias"];
/// Characters of nanoGPT's models, in the order of their ids.
const CHARACTERS: &str = "zyx\n é€cba";

/// A model's files by name.
#[derive(Clone)]
struct Files(Vec<(String, Vec<u8>)>);

impl Files {
    fn of(model: &str) -> Self {
        let entries = fs::read_dir(folder(model)).unwrap().map(|entry| entry.unwrap());
        let named = entries.map(|entry| entry.file_name().into_string().unwrap());
        let named = named.filter(|name| name != "expected.safetensors");
        let mut files: Vec<_> =
            named.map(|name| (name.clone(), fs::read(folder(model).join(name)).unwrap())).collect();
        files.sort();
        Self(files)
    }

    fn view(&self) -> Vec<File<'_>> {
        self.0.iter().map(|(name, bytes)| File { name, bytes }).collect()
    }

    fn import(&self) -> Imported {
        import(&self.view()).unwrap()
    }

    /// Why they are refused, before a weight is converted.
    fn refusal(&self) -> String {
        match plan(&self.view()) {
            Ok(plan) => panic!("{:?} is taken", plan.config),
            Err(error) => error.to_string(),
        }
    }

    fn bytes(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.0.iter_mut().find(|(found, _)| found == name).unwrap().1
    }

    fn with(mut self, name: &str, bytes: &[u8]) -> Self {
        self = self.without(name);
        self.0.push((name.into(), bytes.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.0.retain(|(found, _)| found != name);
        self
    }

    fn set(mut self, key: &str, value: Value) -> Self {
        let bytes = self.bytes("config.json");
        let mut config: Map<String, Value> = serde_json::from_slice(bytes).unwrap();
        config.insert(key.into(), value);
        *bytes = serde_json::to_vec(&config).unwrap();
        self
    }

    /// With the tensors of model.safetensors as `change` has them.
    fn change(mut self, change: impl Fn(&mut Tensors)) -> Self {
        let bytes = self.bytes("model.safetensors");
        let read = SafeTensors::deserialize(bytes).unwrap();
        let owned = |(name, view): (String, TensorView)| {
            (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        };
        let mut tensors: Tensors = read.tensors().into_iter().map(owned).collect();
        change(&mut tensors);
        let views = tensors.iter().map(|(name, (dtype, shape, data))| {
            (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        *bytes = safetensors::serialize(views, None).unwrap();
        self
    }
}

type Tensors = HashMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn folder(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/import").join(model)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn tokens(imported: &Imported) -> &[String] {
    match &imported.vocabulary {
        Vocabulary::Tokens { tokens, .. } => tokens,
        Vocabulary::Characters(_) => panic!("tokens are characters"),
    }
}

fn logits(imported: &Imported, ids: &[u32]) -> Vec<f32> {
    let layout = Layout::new(&imported.config, imported.vocabulary.size());
    HostModel::new(&imported.config, &layout, &imported.parameters).record(ids, &[]).logits
}

/// PyTorch's ids and logits, `[seq, vocab]`, by the ids of the imported vocabulary.
fn expected(model: &str, imported: &Imported) -> (Vec<u32>, Vec<f32>) {
    let bytes = fs::read(folder(model).join("expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let ids = expected.tensor("ids").unwrap().data().chunks(4).map(|id| usize::from(id[0]));
    let size = imported.vocabulary.size();
    // Where each of the file's tokens is in Confab's vocabulary.
    let place: Vec<usize> = match &imported.vocabulary {
        Vocabulary::Characters(sorted) => {
            let place = |c| sorted.chars().position(|found| found == c).unwrap();
            CHARACTERS.chars().map(place).collect()
        }
        Vocabulary::Tokens { .. } => (0..size).collect(),
    };
    let mut logits = floats(expected.tensor("logits").unwrap().data());
    for row in logits.chunks_mut(size) {
        let of_file = row.to_vec();
        place.iter().zip(of_file).for_each(|(place, logit)| row[*place] = logit);
    }
    (ids.map(|id| place[id] as u32).collect(), logits)
}

fn assert_near(model: &str, got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len(), "{model}");
    for (got, expected) in got.iter().zip(expected) {
        assert!((expected - got).abs() < 1e-4, "{model}: {expected} and {got}");
    }
}

#[test]
fn logits_are_those_of_pytorch() {
    for model in MODELS {
        let imported = Files::of(model).import();
        let (ids, expected) = expected(model, &imported);
        assert_near(model, &logits(&imported, &ids), &expected);
    }
}

#[test]
fn a_head_is_tied_if_it_is_the_embedding() {
    let is_tied = |files: &Files| files.import().config.tied_head;
    assert!(is_tied(&Files::of("gpt2")));
    assert!(is_tied(&Files::of("nanogpt")));
    assert!(!is_tied(&Files::of("gpt2_untied")));
    let with_head = |first: f32| {
        Files::of("gpt2").change(|tensors| {
            let mut head = tensors["transformer.wte.weight"].clone();
            head.2[..4].copy_from_slice(&first.to_le_bytes());
            tensors.insert("lm_head.weight".into(), head);
        })
    };
    assert!(!is_tied(&with_head(9.0)));
    let first = Files::of("gpt2").import().parameters[0];
    assert!(is_tied(&with_head(first)));
}

#[test]
fn doubles_and_names_without_a_prefix_are_read_too_and_constants_are_not() {
    let files = Files::of("gpt2");
    let changed = files.clone().change(|tensors| {
        *tensors = tensors
            .drain()
            .map(|(name, (_, shape, data))| {
                let wide = floats(&data).into_iter().flat_map(|v| f64::from(v).to_le_bytes());
                (name.replace("transformer.", ""), (Dtype::F64, shape, wide.collect()))
            })
            .collect();
        tensors.insert("h.0.attn.bias".into(), (Dtype::U8, vec![1, 1, 2, 2], vec![1; 4]));
    });
    assert!(files.import() == changed.import());
}

#[test]
fn tokens_of_bytes_are_told_as_text() {
    let imported = Files::of("gpt2").import();
    let tokens = tokens(&imported);
    let shown = [0, 16, 24, 49, 50, 61].map(|id| tokens[id].as_str());
    assert_eq!(shown, ["<|endoftext|>", "<0xA9>", " the", " café", "<50>", "<61>"]);
    let text = fs::read_to_string(folder("gpt2").join("tokenizer.json")).unwrap();
    assert!(
        matches!(&imported.vocabulary, Vocabulary::Tokens { tokenizer: Some(t), .. } if *t == text)
    );
}

#[test]
fn tokens_of_sentence_piece_are_told_as_text() {
    let tokenizer = json!({
        "added_tokens": [{
            "id": 5, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }],
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}]},
        "model": {
            "type": "BPE", "merges": [],
            "vocab": {"<unk>": 0, "▁the": 1, "<0xE4>": 2, "<0x0A>": 3, "Ġ": 4},
        },
    });
    let files = Files::of("llama").with("tokenizer.json", tokenizer.to_string().as_bytes());
    let pieces = ["<unk>", " the", "<0xE4>", "\n", "Ġ", "</s>", "<6>", "<7>"];
    assert_eq!(tokens(&files.import())[..8], pieces);
}

#[test]
fn a_vocab_json_tokenizes_with_its_merges_and_is_refused_without() {
    let vocab = json!({"a": 0, "b": 1, "c": 2, "Ġ": 3, "bc": 4, "ab": 5}).to_string();
    let alone = Files::of("gpt2").without("tokenizer.json").with("vocab.json", vocab.as_bytes());
    let refusal = alone.refusal();
    assert!(refusal.contains("vocab.json is given without merges.txt"), "{refusal}");
    let imported = alone.with("merges.txt", b"#version: 0.2\nb c\na b\n").import();
    assert_eq!(tokens(&imported)[..6], ["a", "b", "c", " ", "bc", "ab"]);
    let Vocabulary::Tokens { tokens, tokenizer } = imported.vocabulary else { unreachable!() };
    let tokenizer = Tokenizer::of_tokens(tokens, tokenizer);
    // The longest token first would be `ab`.
    assert_eq!(tokenizer.tokenize("abc ab").unwrap(), [0, 4, 3, 5]);
}

#[test]
fn a_vocabulary_larger_than_the_embedding_is_refused() {
    let vocab = json!({"a": 0, "b": 40}).to_string();
    let files = Files::of("llama").with("vocab.json", vocab.as_bytes());
    let refusal = files.with("merges.txt", b"#version: 0.2\n").refusal();
    assert!(refusal.contains("vocab.json: the token \"b\" has the id 40"), "{refusal}");
}

#[test]
fn characters_of_nanogpt_are_sorted_and_numbered_without_a_meta() {
    let files = Files::of("nanogpt");
    assert_eq!(files.import().vocabulary, Vocabulary::Characters("\n abcxyzé€".into()));
    let unnamed = files.without("meta.pkl").import();
    assert_eq!(tokens(&unnamed)[..2], ["<0>", "<1>"]);
}

#[test]
fn a_rotary_model_is_read_for_as_long_a_context_as_confab_has() {
    let files = Files::of("llama");
    assert_eq!(files.import().config.context, 32);
    let longest = KNOBS.iter().find(|knob| knob.key == "model.context").unwrap().range;
    let context = files.set("max_position_embeddings", json!(1u64 << 40)).import().config.context;
    assert!(matches!(longest, Range::Int { max, .. } if max == context as u64));
}

#[test]
fn what_confab_has_not_is_refused_by_name() {
    let yarn = json!({"rope_type": "yarn", "factor": 2.0});
    let cases: &[(&str, &str, Value, &str)] = &[
        ("gpt2", "model_type", json!("bert"), "model_type `bert`"),
        ("llama", "model_type", json!("qwen2"), "only queries, keys and values have biases"),
        ("gpt2", "model_type", json!(null), "`model_type` is missing"),
        ("gpt2", "scale_attn_weights", json!(false), "`scale_attn_weights` is false"),
        ("gpt2", "scale_attn_by_inverse_layer_idx", json!(true), "_by_inverse_layer_idx` is true"),
        ("gpt2", "activation_function", json!("mish"), "`activation_function` is `mish`"),
        ("gpt2", "n_layer", json!("two"), "`n_layer` cannot be read: invalid type: string"),
        ("gpt2", "n_layer", json!(1u64 << 40), "Layers was set to"),
        ("gpt2", "n_embd", json!(0), "Width (d_model) was set to `0`"),
        ("gpt2", "n_head", json!(0), "Heads was set to `0`"),
        ("gpt2", "n_layer", json!(3), "`h.2.ln_1.weight` is missing"),
        ("gpt2", "n_layer", json!(1), "`transformer.h.1.attn.c_attn.bias` has no place"),
        ("gpt2", "vocab_size", json!(300_000), "`vocab_size` is 300000"),
        ("gpt2", "vocab_size", json!(63), "wte.weight` is [62, 16] where [63, 16] is expected"),
        (
            "llama",
            "rope_scaling",
            yarn,
            "`rope_scaling` is {\"factor\":2.0,\"rope_type\":\"yarn\"}",
        ),
        ("gpt2", "bias", json!(false), "has no place in the model"),
        ("llama", "hidden_act", json!("relu2"), "`hidden_act` is `relu2`"),
        (
            "llama",
            "attention_bias",
            json!(true),
            "`attention_bias` is true and its `mlp_bias` false",
        ),
        (
            "llama",
            "quantization_config",
            json!({"bits": 4}),
            "`quantization_config` is {\"bits\":4}",
        ),
        ("mistral", "sliding_window", json!(16), "`sliding_window` is 16"),
        ("llama", "num_key_value_heads", json!(3), "KV heads (model.kv_heads)"),
    ];
    for (model, key, value, expected) in cases {
        let refusal = Files::of(model).set(key, value.clone()).refusal();
        assert!(refusal.contains(expected), "{key} = {value}: {refusal}");
        assert!(refusal.contains("config.json") || refusal.contains(".safetensors"), "{refusal}");
    }
    let gentle = Files::of("llama").set("rope_scaling", json!({"rope_type": "default"}));
    assert!(gentle.import() == Files::of("llama").import());
    let windowed = Files::of("mistral").set("sliding_window", json!(32));
    assert!(windowed.import() == Files::of("mistral").import());
}

#[test]
fn odd_tensors_are_refused_by_name() {
    const NAME: &str = "transformer.h.1.mlp.c_fc.weight";
    let refusal = |change: fn(&mut Tensors)| Files::of("gpt2").change(change).refusal();
    let missing = refusal(|tensors| drop(tensors.remove(NAME)));
    assert!(missing.contains("`h.1.mlp.c_fc.weight` is missing"), "{missing}");
    let turned = refusal(|tensors| tensors.get_mut(NAME).unwrap().1.reverse());
    assert!(turned.contains("c_fc.weight` is [64, 16] where [16, 64] is expected"), "{turned}");
    let whole = refusal(|tensors| tensors.get_mut(NAME).unwrap().0 = Dtype::I32);
    assert!(whole.contains("c_fc.weight` is not in F64, F32, F16 or BF16"), "{whole}");

    let endless = Files::of("gpt2").change(|tensors| {
        tensors.get_mut(NAME).unwrap().2[8..12].copy_from_slice(&f32::INFINITY.to_le_bytes());
    });
    let files = endless.view();
    let refusal = plan(&files).unwrap().parameters().unwrap_err().to_string();
    assert!(refusal.contains("c_fc.weight` holds a value that is not a finite"), "{refusal}");
}

#[test]
fn files_that_are_no_model_are_refused_with_what_is_lacking() {
    let refusal = |files: Files| files.refusal();
    let alone = refusal(Files::of("gpt2").without("config.json"));
    assert!(alone.contains("model.safetensors is given without config.json"), "{alone}");
    let empty = refusal(Files::of("gpt2").without("model.safetensors"));
    assert!(empty.contains("config.json is given without a .safetensors"), "{empty}");
    let nothing = refusal(Files(vec![("cat.jpg".into(), vec![1])]));
    assert!(nothing.contains("no model among the files (cat.jpg)"), "{nothing}");
    let bytes = fs::read(folder("mistral").join("model.safetensors")).unwrap();
    let two = Files::of("mistral").without("model.safetensors");
    let twice = refusal(two.with("a.safetensors", &bytes).with("b.safetensors", &bytes));
    assert!(twice.contains("is there twice"), "{twice}");
}

#[test]
fn an_imported_model_is_kept_as_a_checkpoint_and_run_on_a_device() {
    for model in MODELS {
        let opened = open(&Files::of(model).view()).unwrap().checkpoint;
        let bytes = opened.to_bytes().unwrap();
        let again = open(&[File { name: "kept.safetensors", bytes: &bytes }]).unwrap().checkpoint;
        assert!(again == opened, "{model}");
        let run = resume(again);
        assert!(run.finished(), "{model} brought nothing to train on");
        let (ids, expected) = expected(model, &Files::of(model).import());
        assert_near(model, &logits_of(run.model(), &ids), &expected);
    }
}

#[test]
fn text_is_cut_as_its_makers_did() {
    let imported = Files::of("gpt2").import();
    let Vocabulary::Tokens { tokens, tokenizer } = imported.vocabulary else { panic!() };
    // Byte pairs are joined by their rank: `a`, `sat`. The longest first would be `as`, `at`.
    let (exact, longest) =
        (Tokenizer::of_tokens(tokens.clone(), tokenizer), Tokenizer::of_tokens(tokens, None));
    assert_eq!(exact.encode("asat").unwrap(), [3, 27]);
    assert_eq!(longest.encode("asat").unwrap(), [34, 21]);
    for tokenizer in [exact, longest] {
        let ids = tokenizer.encode("the cat sat").unwrap();
        assert_eq!(ids, [23, 30, 29]);
        assert_eq!(tokenizer.decode(&ids), "the cat sat");
    }
}

#[test]
fn a_model_too_large_for_a_device_is_refused_with_its_size() {
    let limits = MemoryLimits { total: 1 << 10, buffer: u64::MAX };
    let checkpoint: Checkpoint = open(&Files::of("gpt2").view()).unwrap().checkpoint;
    let error = Trainer::resume(checkpoint, Device::flex(), &limits).err().unwrap().to_string();
    assert!(error.contains("7840 parameters"), "{error}");
    assert!(error.contains("MiB"), "{error}");
}
