//! The README's lines on models from elsewhere, as they are printed.

mod common;

use std::path::Path;
use std::process::Command;

use common::numbers;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value, json};

const SECTION: &str = "## Use GPT-2, Llama and other people's models";
const WIDTH: usize = 16;
const CONTEXT: usize = 64;

/// The commands in the first block of code of the section.
fn lines(readme: &str) -> Vec<String> {
    let (_, section) = readme.split_once(SECTION).expect("the section is there");
    let (_, block) = section.split_once("```sh\n").expect("it has commands");
    let (block, _) = block.split_once("```").unwrap();
    block.replace("\\\n", " ").lines().map(str::to_owned).collect()
}

/// A small GPT-2 whose tokens are bytes, as Hugging Face keeps it.
fn write_gpt2(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let config = json!({
        "model_type": "gpt2", "activation_function": "gelu_new", "n_embd": WIDTH, "n_head": 2, "n_layer": 1,
        "n_positions": CONTEXT, "vocab_size": 256, "layer_norm_epsilon": 1e-5,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let is_seen = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let unseen = (0..=255u8).filter(|byte| !is_seen(byte));
    let spelled = (0..=255u8).filter(is_seen).map(char::from);
    let spelled = spelled.chain(unseen.zip('\u{100}'..).map(|(_, character)| character));
    let vocab: Map<String, Value> =
        spelled.zip(0..).map(|(c, id)| (c.to_string(), json!(id))).collect();
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let tokenizer = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": bytes, "post_processor": null,
        "decoder": bytes, "model": {"type": "BPE", "vocab": vocab, "merges": []},
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let shapes: Vec<(String, Vec<usize>)> = [
        ("wte.weight", vec![256, WIDTH]),
        ("wpe.weight", vec![CONTEXT, WIDTH]),
        ("h.0.attn.c_attn.weight", vec![WIDTH, 3 * WIDTH]),
        ("h.0.attn.c_attn.bias", vec![3 * WIDTH]),
        ("h.0.attn.c_proj.weight", vec![WIDTH, WIDTH]),
        ("h.0.attn.c_proj.bias", vec![WIDTH]),
        ("h.0.mlp.c_fc.weight", vec![WIDTH, 4 * WIDTH]),
        ("h.0.mlp.c_fc.bias", vec![4 * WIDTH]),
        ("h.0.mlp.c_proj.weight", vec![4 * WIDTH, WIDTH]),
        ("h.0.mlp.c_proj.bias", vec![WIDTH]),
    ]
    .into_iter()
    .map(|(name, shape)| (name.to_owned(), shape))
    .chain(
        ["h.0.ln_1", "h.0.ln_2", "ln_f"]
            .into_iter()
            .flat_map(|norm| ["weight", "bias"].map(|of| (format!("{norm}.{of}"), vec![WIDTH]))),
    )
    .collect();
    let values: Vec<Vec<u8>> = shapes
        .iter()
        .zip(1..)
        .map(|((_, shape), seed)| {
            let numbers = numbers(shape.iter().product(), seed);
            numbers.iter().flat_map(|value| (0.3 * value).to_le_bytes()).collect()
        })
        .collect();
    let views = shapes.iter().zip(&values).map(|((name, shape), bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let file = safetensors::serialize(views, None).unwrap();
    std::fs::write(folder.join("model.safetensors"), file).unwrap();
}

#[test]
fn the_lines_on_other_peoples_models_run_as_printed() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let lines = lines(&readme);
    assert_eq!(lines.len(), 8, "{lines:?}");
    for verb in ["import", "train --from", "--lora-rank", "export"] {
        assert!(lines.iter().any(|line| line.contains(verb)), "{verb}");
    }
    let folder = tempfile::tempdir().unwrap();
    write_gpt2(&folder.path().join("gpt2"));
    std::fs::write(
        folder.path().join("mine.txt"),
        "Some text of mine, to be read again.\n".repeat(40),
    )
    .unwrap();
    for line in lines {
        let rest = line.strip_prefix("confab ").unwrap_or_else(|| panic!("{line}"));
        let command = format!("'{}' {rest}", env!("CARGO_BIN_EXE_confab"));
        let done = Command::new("bash")
            .args(["-c", &command])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{line}\n{}", String::from_utf8_lossy(&done.stderr));
    }
}
