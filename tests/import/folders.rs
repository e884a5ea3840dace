//! Folders as other tools leave them: which files count, and what is told of the others.

use serde_json::json;

use super::{File, Files, Value, fs, open};

/// A checkpoint of Hugging Face's Trainer beside the model of `files`.
fn with_trainer(files: Files) -> Files {
    let names = ["optimizer.pt", "rng_state.pth", "scheduler.pt", "training_args.bin"];
    let files = names.iter().fold(files, |files, name| files.with(name, b"not a model"));
    files.with("trainer_state.json", b"{}").with("generation_config.json", b"{}")
}

fn refusal(files: &[(&str, &[u8])]) -> String {
    let files: Vec<File> = files.iter().map(|(name, bytes)| File { name, bytes }).collect();
    open(&files).unwrap_err().to_string()
}

fn config() -> Vec<u8> {
    fs::read(super::folder("gpt2").join("config.json")).unwrap()
}

#[test]
fn an_index_decides_which_weights_count() {
    let files = Files::of("llama");
    let more = with_trainer(files.clone())
        .with("model.safetensors", b"an older model")
        .with("consolidated.safetensors", b"the same in other names")
        .with("pytorch_model.bin", b"the same in PyTorch's format")
        .with("params.json", b"{}");
    let imported = more.import();
    assert!(imported.parameters == files.import().parameters);
    // The other is that its tokens have no names.
    let [note, _] = imported.notes.as_slice() else { panic!("{:?}", imported.notes) };
    for name in
        ["model.safetensors", "consolidated.safetensors", "pytorch_model.bin", "optimizer.pt"]
    {
        assert!(note.contains(name), "{note}");
    }
    assert!(!note.contains(".json") && !note.contains("-of-"), "{note}");
    assert_eq!(files.import().notes.len(), 1);
}

#[test]
fn a_trainers_checkpoint_is_read_without_what_is_only_the_trainers() {
    let files = with_trainer(Files::of("gpt2"));
    let imported = files.import();
    assert!(imported.parameters == Files::of("gpt2").import().parameters);
    assert_eq!(
        imported.notes,
        ["Passed over: optimizer.pt, rng_state.pth, scheduler.pt, training_args.bin"]
    );
    assert_eq!(open(&files.view()).unwrap().notes, imported.notes);
}

#[test]
fn a_missing_shard_is_named() {
    const FIRST: &str = "model-00001-of-00002.safetensors";
    const SECOND: &str = "model-00002-of-00002.safetensors";
    let files = Files::of("llama").without(SECOND);
    let by_index = files.refusal();
    let expected = format!("model.safetensors.index.json names {SECOND}, which is missing");
    assert!(by_index.contains(&expected), "{by_index}");
    let by_number = files.without("model.safetensors.index.json").refusal();
    assert!(
        by_number.contains(&format!("{FIRST} is a part with {SECOND}, which is missing")),
        "{by_number}"
    );
    let unindexed = Files::of("llama").without("model.safetensors.index.json");
    assert!(unindexed.import() == Files::of("llama").import());

    // A shard that has less in it than the index says.
    let first = fs::read(super::folder("llama").join(FIRST)).unwrap();
    let twice = Files::of("llama").with(SECOND, &first).refusal();
    assert!(twice.contains(SECOND), "{twice}");
    let empty =
        safetensors::serialize(Vec::<(String, safetensors::tensor::TensorView)>::new(), None);
    let lacking = Files::of("llama").with(SECOND, &empty.unwrap()).refusal();
    assert!(lacking.contains(&format!("{SECOND}: the tensor ")), "{lacking}");
    assert!(lacking.contains("which model.safetensors.index.json has in it"), "{lacking}");
}

#[test]
fn an_index_that_is_all_that_is_left_of_its_weights_gives_way_to_others() {
    let index = fs::read(super::folder("llama").join("model.safetensors.index.json")).unwrap();
    let imported = Files::of("gpt2").with("model.safetensors.index.json", &index).import();
    assert!(imported.parameters == Files::of("gpt2").import().parameters);
    assert_eq!(imported.notes, ["Passed over: model.safetensors.index.json"]);
    let alone = Files::of("llama").without("model-00001-of-00002.safetensors");
    let alone = alone.without("model-00002-of-00002.safetensors").refusal();
    assert!(
        alone.contains("index.json names model-00001-of-00002.safetensors, model-0000"),
        "{alone}"
    );
    let odd = Files::of("gpt2").with("model.safetensors.index.json", b"[]").refusal();
    assert!(odd.contains("model.safetensors.index.json cannot be read as an index"), "{odd}");
}

#[test]
fn weights_that_are_only_of_another_layout_are_refused_by_name() {
    let bytes = fs::read(super::folder("mistral").join("model.safetensors")).unwrap();
    let files = Files::of("mistral").without("model.safetensors");
    let refusal = files.with("consolidated.safetensors", &bytes).refusal();
    assert!(
        refusal.contains("consolidated.safetensors holds no weights as Hugging Face"),
        "{refusal}"
    );
}

#[test]
fn one_file_given_twice_is_refused() {
    let files = Files::of("gpt2");
    let twice = [files.view(), files.view()].concat();
    let refusal = open(&twice).unwrap_err().to_string();
    assert!(refusal.contains("config.json is given twice"), "{refusal}");
}

#[test]
fn files_of_other_kinds_are_named_for_what_they_are() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0f0f\nsize 548105171\n";
    let cases: [(&[u8], &str); 6] = [
        (pointer, "is a Git LFS pointer"),
        (b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0", "is a GGUF file of llama.cpp"),
        (b"\x08\x07\x12\x07pytorch\x1a\x052.1.0", "is an ONNX graph"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        (b"\n<!DOCTYPE html><html>", "is a web page"),
        (b"", "is empty"),
    ];
    let config = config();
    for (bytes, expected) in cases {
        for name in ["model.safetensors", "model.gguf", "model.onnx", "pytorch_model.bin"] {
            let among = refusal(&[("config.json", &config), (name, bytes)]);
            assert!(among.starts_with(&format!("{name} {expected}")), "{among}");
            let alone = refusal(&[(name, bytes)]);
            assert!(alone.starts_with(&format!("{name} {expected}")), "{alone}");
        }
        let of_config = Files::of("gpt2").with("config.json", bytes).refusal();
        assert!(of_config.starts_with(&format!("config.json {expected}")), "{of_config}");
    }
    let alone = refusal(&[("config.json", &config)]);
    assert!(alone.starts_with("config.json is given without a .safetensors"), "{alone}");
    let text = refusal(&[("README.md", b"# A model")]);
    assert!(text.starts_with("there is no model among the files (README.md)"), "{text}");
}

#[test]
fn a_byte_order_mark_before_json_is_skipped() {
    let marked = |files: Files, name: &str| {
        let bytes = files.clone().bytes(name).clone();
        files.with(name, &[b"\xef\xbb\xbf", &bytes[..]].concat())
    };
    let files = marked(marked(Files::of("gpt2"), "config.json"), "tokenizer.json");
    assert!(files.import() == Files::of("gpt2").import());
    let indexed = marked(Files::of("llama"), "model.safetensors.index.json");
    assert!(indexed.import() == Files::of("llama").import());
}

#[test]
fn an_added_token_without_a_row_is_dropped_and_told() {
    let mut files = Files::of("gpt2");
    let bytes = files.bytes("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(bytes).unwrap();
    let token = json!({"id": 62, "content": "[PAD]", "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": true});
    tokenizer["added_tokens"].as_array_mut().unwrap().push(token);
    tokenizer["model"]["vocab"]["[PAD]"] = json!(62);
    *bytes = serde_json::to_vec(&tokenizer).unwrap();

    let opened = open(&files.view()).unwrap();
    let [note] = opened.notes.as_slice() else { panic!("{:?}", opened.notes) };
    assert!(note.contains("tokenizer.json") && note.contains("\"[PAD]\""), "{note}");
    let tokens = opened.checkpoint.tokenizer;
    assert_eq!(tokens.vocab_size(), 62);
    let same = open(&Files::of("gpt2").view()).unwrap().checkpoint.tokenizer;
    for text in ["the cat sat", "[PAD]"] {
        assert_eq!(tokens.encode(text), same.encode(text), "{text}");
    }
}
