//! Files of PyTorch: `tests/reference/make_pytorch.py` made them.

use std::path::Path;

use proptest::prelude::*;

use super::damage::{changes, damage, try_import};
use super::{Files, fs};

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/pytorch");
    fs::read(folder.join(name)).unwrap()
}

/// A model whose tensors are in PyTorch's file `name` instead.
fn with_pytorch(model: &str, fixture_name: &str, name: &str) -> Files {
    Files::of(model).without("model.safetensors").with(name, &fixture(fixture_name))
}

fn with_checkpoint(name: &str) -> Files {
    Files::of("nanogpt").with("ckpt.pt", &fixture(name))
}

#[test]
fn models_of_hugging_face_are_read_from_pytorchs_files() {
    for (model, file, name) in [
        ("gpt2", "gpt2.bin", "pytorch_model.bin"),
        ("qwen3", "qwen3_before_1.6.bin", "pytorch_model.bin"),
        ("llama_bf16", "llama_bf16.ckpt", "last.ckpt"),
        ("llama_bf16", "llama_bf16.ckpt", "model.pth"),
    ] {
        assert!(with_pytorch(model, file, name).import() == Files::of(model).import(), "{file}");
    }
}

#[test]
fn shards_of_pytorch_are_read_by_their_index_and_a_missing_one_is_named() {
    let names = [
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model-00002-of-00002.bin",
        "pytorch_model.bin.index.json",
    ];
    let files = names.iter().fold(Files::of("mistral"), |files, name| {
        files.with(name, &fixture(&format!("mistral/{name}")))
    });
    let files = files.without("model.safetensors");
    let imported = files.import();
    assert!(imported == Files::of("mistral").import());
    assert!(files.clone().without(names[2]).import() == imported);
    let missing = files.without(names[1]).refusal();
    assert!(
        missing.contains(&format!("{} names {}, which is missing", names[2], names[1])),
        "{missing}"
    );
}

#[test]
fn plain_data_beside_the_weights_is_read_or_passed_over() {
    let same = Files::of("nanogpt").import();
    // Sizes are numpy's numbers there, and names of tensors have prefixes.
    assert!(with_checkpoint("nanogpt_wrapped.pt").import() == same);
    let listed = Files::of("nanogpt").with("meta.pkl", &fixture("meta_list.pkl"));
    assert!(listed.import() == same);
}

#[test]
fn an_unknown_class_is_passed_over_and_told_or_refused_where_it_matters() {
    let imported = with_checkpoint("nanogpt_fraction.pt").import();
    assert!(imported.parameters == Files::of("nanogpt").import().parameters);
    let [note] = imported.notes.as_slice() else { panic!("{:?}", imported.notes) };
    assert!(note.contains("ckpt.pt") && note.contains("fractions.Fraction"), "{note}");
    let refusal = with_checkpoint("nanogpt_no_tensors.pt").refusal();
    assert!(refusal.starts_with("ckpt.pt asks for `fractions.Fraction`"), "{refusal}");
}

#[test]
fn tensors_alone_are_read_with_a_config_as_the_advice_says() {
    let alone = with_checkpoint("nanogpt_tensors.pt");
    let refusal = alone.refusal();
    assert!(
        refusal.contains("ckpt.pt holds tensors without the settings of their model"),
        "{refusal}"
    );
    let files = alone.with("config.json", &fixture("nanogpt_model_args.json"));
    assert!(files.import() == Files::of("nanogpt").import());
}

#[test]
fn a_file_of_pytorch_without_tensors_is_refused_by_name() {
    let meta = fs::read(super::folder("nanogpt").join("meta.pkl")).unwrap();
    let pickle = Files::of("gpt2").without("model.safetensors").with("pytorch_model.bin", &meta);
    let refusal = pickle.refusal();
    assert!(refusal.contains("pytorch_model.bin cannot be read as a file of PyTorch"), "{refusal}");
}

#[test]
fn a_pickle_that_names_a_function_is_refused_by_that_name_and_runs_nothing() {
    let trace = std::env::temp_dir().join(format!("confab-import-{}", std::process::id()));
    let command = format!("touch {}", trace.display());
    let word = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes()].concat();
    let call = [&word(&command)[..], b"\x85R."].concat();
    let old = [b"\x80\x02cos\nsystem\n", &call[..]].concat();
    let new = [b"\x80\x04", &word("os")[..], &word("system"), b"\x93", &call].concat();
    for pickle in [old, new] {
        let refusal = Files::of("nanogpt").with("meta.pkl", &pickle).refusal();
        assert!(refusal.starts_with("meta.pkl asks for `os.system`"), "{refusal}");
        assert!(!trace.exists());
    }

    let mut files = Files::of("nanogpt");
    let bytes = files.bytes("ckpt.pt");
    let name = b"OrderedDict";
    let at = bytes.windows(name.len()).position(|found| found == name).unwrap();
    bytes[at..at + name.len()].copy_from_slice(b"OrderedCall");
    let refusal = files.refusal();
    assert!(refusal.starts_with("ckpt.pt asks for `collections.OrderedCall`"), "{refusal}");
}

#[test]
fn a_pickle_without_nanogpts_model_is_refused() {
    let mut files = Files::of("nanogpt");
    let bytes = files.bytes("ckpt.pt");
    let at = bytes.windows(10).position(|found| found == b"model_args").unwrap();
    bytes[at] = b'n';
    let refusal = files.refusal();
    assert!(refusal.starts_with("ckpt.pt holds tensors without the settings"), "{refusal}");
    let refusal = Files::of("nanogpt").with("ckpt.pt", b"\x80\x02.").refusal();
    assert!(refusal.contains("ckpt.pt cannot be read as a file of PyTorch"), "{refusal}");
}

#[test]
fn one_of_several_files_of_pytorch_has_to_be_named() {
    let bytes = fixture("gpt2.bin");
    let files =
        Files::of("gpt2").without("model.safetensors").with("a.pt", &bytes).with("b.pt", &bytes);
    let refusal = files.refusal();
    assert!(refusal.contains("a.pt, b.pt are several files of weights"), "{refusal}");
    assert!(files.without("b.pt").import() == Files::of("gpt2").import());
}

#[test]
fn a_file_before_pytorch_1_6_cut_off_anywhere_is_refused() {
    let whole = with_pytorch("qwen3", "qwen3_before_1.6.bin", "pytorch_model.bin");
    let length = whole.clone().bytes("pytorch_model.bin").len();
    for at in (0..length).step_by(length.div_ceil(97)) {
        let mut files = whole.clone();
        files.bytes("pytorch_model.bin").truncate(at);
        assert!(files.refusal().contains("pytorch_model.bin"), "cut off at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn damaged_files_of_pytorch_never_panic(
        file in prop::sample::select(&["nanogpt_wrapped.pt", "nanogpt_fraction.pt", "qwen3_before_1.6.bin"][..]),
        changes in changes(),
    ) {
        let mut files = match file {
            "qwen3_before_1.6.bin" => with_pytorch("qwen3", file, "pytorch_model.bin"),
            _ => with_checkpoint(file),
        };
        let name = if file.ends_with(".bin") { "pytorch_model.bin" } else { "ckpt.pt" };
        // The pickle comes first.
        let bytes = files.bytes(name);
        let rest = bytes.split_off(4_000);
        damage(bytes, &changes, None);
        bytes.extend(rest);
        try_import(&files)?;
    }
}
