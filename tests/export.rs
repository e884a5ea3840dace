//! Models for other programs: `tests/reference/check_exports.py` loaded the committed ones in PyTorch, and dumped the
//! logits that it has of them.
#![cfg(feature = "cli")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use confab::arch::Layout;
use confab::checkpoint::Checkpoint;
use confab::config::{ModelConfig, Positions, RunConfig, TaskKind};
use confab::export::{Film, OutFile, hugging_face, nanogpt};
use confab::host::HostModel;
use confab::import::{File, open};
use confab::memory::Bank;
use confab::protocol::FilmForm;
use confab::tokenizer::Tokenizer;
use proptest::prelude::*;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use common::terminal::{confab, ok};
use common::{Changes, apart, numbers, set};

const ALPHABET: &str = "\n aé€{}";

/// A run of random weights.
fn run_of(changes: Changes, tokenizer: Tokenizer, seed: u32) -> Checkpoint {
    let mut config = RunConfig::default();
    let small: Changes = &[
        ("model.n_layers", "2"),
        ("model.n_heads", "2"),
        ("model.d_model", "8"),
        ("model.context", "16"),
    ];
    set(&mut config, &[small, changes].concat());
    config.task.kind = TaskKind::Text; // with nothing to train on
    config.train.batch = 1;
    config.validate().unwrap();
    let layout = Layout::new(&config.model, tokenizer.vocab_size());
    Checkpoint {
        parameters: numbers(layout.len(), seed),
        bank: Bank::new(&config.model),
        step: 7,
        history: Vec::new(),
        edits: Vec::new(),
        moments: None,
        adapters: Vec::new(),
        config,
        tokenizer,
    }
}

fn run_with(changes: Changes) -> Checkpoint {
    run_of(changes, Tokenizer::new(ALPHABET), 1)
}

fn view(files: &[OutFile]) -> Vec<File<'_>> {
    files.iter().map(|file| File { name: &file.name, bytes: &file.bytes }).collect()
}

/// A model's settings with each size written out, and without those of training alone.
fn written_out(model: &ModelConfig) -> ModelConfig {
    ModelConfig {
        d_mlp: model.d_mlp(),
        d_head: model.d_head(),
        kv_heads: model.kv_heads(),
        dropout: 0.0,
        init_std: 0.0,
        // Of learned positions there is none.
        rope_base: if model.positions == Positions::Rotary { model.rope_base } else { 0.0 },
        ..model.clone()
    }
}

fn check_again(run: &Checkpoint, files: &[OutFile]) -> Result<Checkpoint, TestCaseError> {
    let again = open(&view(files)).unwrap().checkpoint;
    prop_assert_eq!(written_out(&again.config.model), written_out(&run.config.model));
    let bits = |of: &Checkpoint| of.parameters.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    prop_assert_eq!(bits(&again), bits(run));
    Ok(again)
}

fn choice(choices: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(choices)
}

const BOOL: &[&str] = &["true", "false"];

fn gpt2_parts() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    (
        choice(BOOL),
        choice(BOOL),
        choice(&["gelu", "gelu-tanh", "relu", "relu2", "sigmoid"]),
        choice(&["0", "5"]),
        choice(&["1e-5", "0.01"]),
        choice(&["1", "2", "4"]),
    )
        .prop_map(|(bias, tied, mlp, d_mlp, eps, heads)| {
            vec![
                ("model.bias", bias),
                ("model.tied_head", tied),
                ("model.mlp", mlp),
                ("model.d_mlp", d_mlp),
                ("model.norm_eps", eps),
                ("model.n_heads", heads),
            ]
        })
}

fn llama_parts() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    (
        choice(&["true", "false", "normed"]),
        choice(BOOL),
        choice(&["swiglu", "geglu", "reglu"]),
        choice(&["0", "5"]),
        choice(&["0", "6"]),
        choice(&["0", "1", "2"]),
        choice(&["100", "10000"]),
    )
        .prop_map(|(bias, tied, mlp, d_mlp, d_head, kv_heads, base)| {
            vec![
                ("model.positions", "rotary"),
                ("model.norm", "rms"),
                ("model.n_heads", "4"),
                ("model.bias", if bias == "true" { "true" } else { "false" }),
                ("model.qk_norm", if bias == "normed" { "true" } else { "false" }),
                ("model.tied_head", tied),
                ("model.mlp", mlp),
                ("model.d_mlp", d_mlp),
                ("model.d_head", d_head),
                ("model.kv_heads", kv_heads),
                ("model.rope_base", base),
            ]
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_hugging_face_gets_reads_again_to_the_same_bits(
        parts in prop_oneof![gpt2_parts(), llama_parts()],
        seed in any::<u32>(),
    ) {
        let run = run_of(&parts, Tokenizer::new(ALPHABET), seed);
        check_again(&run, &hugging_face(&run).unwrap())?;
    }

    #[test]
    fn what_nanogpt_gets_reads_again_to_the_same_bits_and_characters(
        bias in choice(BOOL),
        heads in choice(&["1", "2", "4"]),
        alphabet in any::<String>(),
        seed in any::<u32>(),
    ) {
        let tokenizer = Tokenizer::new(&(alphabet + "a"));
        let parts = [("model.bias", bias), ("model.n_heads", heads)];
        let run = run_of(&parts, tokenizer.clone(), seed);
        let again = check_again(&run, &nanogpt(&run).unwrap())?;
        prop_assert_eq!(again.tokenizer, tokenizer);
    }

    #[test]
    fn the_library_makes_the_tokens_of_a_text_that_confab_makes(
        alphabet in "[\\PC\n\t\u{0}\u{fffd} é́🦎]{1,20}",
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        stranger in any::<char>(),
    ) {
        let characters: Vec<char> = alphabet.chars().collect();
        let text: String = places.iter().map(|at| characters[at.index(characters.len())]).collect();
        let (ours, library) = both(Tokenizer::new(&alphabet));
        let ids = ours.tokenize(&text).unwrap();
        let theirs = library.encode(text.as_str(), false).unwrap();
        prop_assert_eq!(theirs.get_ids(), &ids[..]);
        prop_assert_eq!(library.decode(&ids, false).unwrap(), text.clone());
        if !characters.contains(&stranger) {
            let text = format!("{text}{stranger}");
            prop_assert!(ours.tokenize(&text).is_err());
            prop_assert!(library.encode(text.as_str(), false).is_err());
        }
    }

    #[test]
    fn of_tokens_of_several_characters_the_library_takes_the_longest_too(
        tokens in prop::collection::btree_set("[ab1+.é]{1,3}", 1..12),
        text in "[ab1+.é]{0,12}",
    ) {
        let (ours, library) = both(Tokenizer::of_tokens(tokens.into_iter().collect(), None));
        let theirs = library.encode(text.as_str(), false);
        match ours.tokenize(&text) {
            Ok(ids) => {
                let theirs = theirs.unwrap();
                prop_assert_eq!(theirs.get_ids(), &ids[..]);
                prop_assert_eq!(library.decode(&ids, false).unwrap(), text);
            }
            Err(_) => prop_assert!(theirs.is_err()),
        }
    }
}

/// Confab's tokenizer, and the one that is exported of it.
fn both(ours: Tokenizer) -> (Tokenizer, tokenizers::Tokenizer) {
    let files = hugging_face(&run_of(&[], ours.clone(), 1)).unwrap();
    let json = files.iter().find(|file| file.name == "tokenizer.json").unwrap();
    (ours, tokenizers::Tokenizer::from_bytes(&json.bytes).unwrap())
}

#[test]
fn a_character_that_an_exported_tokenizer_has_not_is_named_when_it_is_read_again() {
    let again = open(&view(&hugging_face(&run_with(&[])).unwrap())).unwrap().checkpoint.tokenizer;
    assert_eq!(again.tokenize("aé"), Tokenizer::new(ALPHABET).tokenize("aé"));
    let refused = again.tokenize("a♞").unwrap_err();
    assert_eq!(refused, confab::tokenizer::TokenizeError::Unknown('♞'));
}

#[test]
fn parts_without_a_place_are_refused_by_name_and_setting() {
    let llama: Changes =
        &[("model.positions", "rotary"), ("model.norm", "rms"), ("model.mlp", "swiglu")];
    let gates = &[("model.head_gates", "true")][..];
    let cases: &[(Changes, &str)] = &[
        (&[("model.feedback", "true")], "Feedback (`model.feedback`, `--feedback`) is true"),
        (&[("model.mixer", "linear")], "(`model.mixer`, `--mixer`) is linear"),
        (&[("model.norm", "none")], "(`model.norm`, `--norm`) is none"),
        (&[("model.norm", "scale")], "(`model.norm`, `--norm`) is scale"),
        (&[("model.positions", "none")], "(`model.positions`, `--positions`) is none"),
        (&[("model.memory_tokens", "2")], "(`model.memory_tokens`, `--memory-tokens`) is 2"),
        (
            &[("model.memory.kind", "product-key")],
            "(`model.memory.kind`, `--memory`) is product-key",
        ),
        (&[("model.memory.kind", "memorizing")], "is memorizing"),
        (&[("model.mlp", "none")], "(`model.mlp`, `--mlp`) is none"),
        (gates, "(`model.head_gates`, `--head-gates`) is true"),
    ];
    for (changes, told) in cases {
        let tokenizer = Tokenizer::new(ALPHABET);
        let tokens = if told.contains("memory_tokens") { 2 } else { 0 };
        let run = run_of(changes, tokenizer.with_memory(tokens), 1);
        let refusals = [hugging_face(&run).unwrap_err(), nanogpt(&run).unwrap_err()];
        for refusal in refusals.map(|error| error.to_string()) {
            assert!(refusal.contains(told), "{refusal}");
            assert!(refusal.contains("only this part stands in the way"), "{refusal}");
        }
    }
    // The layout that comes nearest is named.
    let refusal = |changes: &[_]| {
        hugging_face(&run_with(&[llama, changes].concat())).unwrap_err().to_string()
    };
    let relu = refusal(&[("model.mlp", "relu")]);
    assert!(
        relu.contains("Llama") && relu.contains("is relu, where it takes swiglu, geglu or reglu"),
        "{relu}"
    );
    let normed = refusal(&[("model.qk_norm", "true"), ("model.bias", "true")]);
    assert!(normed.contains("(`model.bias`, `--bias`) is true"), "{normed}");
    let untied = nanogpt(&run_with(&[("model.tied_head", "false")])).unwrap_err();
    assert!(untied.to_string().contains("(`model.tied_head`, `--tied-head`) is false"), "{untied}");
}

#[test]
fn head_gates_that_are_all_1_stand_in_nothing_s_way() {
    let mut run = run_with(&[("model.head_gates", "true")]);
    let layout = Layout::new(&run.config.model, run.tokenizer.vocab_size());
    for layer in 0..2 {
        let gates = layout.find(&format!("blocks.{layer}.attn.contribution")).unwrap();
        run.parameters[gates.range.clone()].fill(30.0);
    }
    let again = open(&view(&hugging_face(&run).unwrap())).unwrap().checkpoint;
    let ids = run.tokenizer.encode(ALPHABET).unwrap();
    assert_eq!(logits(&again, &ids), logits(&run, &ids));
}

fn logits(of: &Checkpoint, ids: &[u32]) -> Vec<f32> {
    let layout = Layout::new(&of.config.model, of.tokenizer.vocab_size());
    HostModel::new(&of.config.model, &layout, &of.parameters).record(ids, &[]).logits
}

#[test]
fn an_imported_model_goes_out_with_its_own_tokenizer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/import/gpt2");
    let read =
        |name: &str| OutFile { name: name.into(), bytes: fs::read(folder.join(name)).unwrap() };
    let files = ["config.json", "model.safetensors", "tokenizer.json"].map(read);
    let run = open(&view(&files)).unwrap().checkpoint;
    let out = hugging_face(&run).unwrap();
    assert!(out.contains(&files[2]));
    let of = |files: &[OutFile]| {
        let bytes =
            files.iter().find(|file| file.name == "model.safetensors").unwrap().bytes.clone();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = read.tensors().into_iter();
        tensors
            .map(|(name, view)| (name, view.shape().to_vec(), view.data().to_vec()))
            .collect::<BTreeSet<_>>()
    };
    assert!(of(&out) == of(&files), "tensors by name, shape and bytes, as transformers wrote them");
    let names: Vec<String> = nanogpt_files(&run).into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["ckpt.pt", "tokenizer.json"]);
}

/// Exports a copy of the run, with nanoGPT's own GELU, to nanoGPT.
fn nanogpt_files(run: &Checkpoint) -> Vec<OutFile> {
    let mut run = run.clone();
    set(&mut run.config, &[("model.mlp", "gelu")]);
    nanogpt(&run).unwrap()
}

/// The folders of `check_exports.py`.
fn references() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/export");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

#[test]
fn models_go_out_as_the_files_that_pytorch_has_loaded() {
    let mut compared = 0;
    for folder in references() {
        let run =
            Checkpoint::from_bytes(&fs::read(folder.join("run.safetensors")).unwrap()).unwrap();
        let mut out = vec![("hugging-face", hugging_face(&run).unwrap())];
        if folder.join("nanogpt").exists() {
            out.push(("nanogpt", nanogpt(&run).unwrap()));
        }
        for (program, files) in out {
            let place = folder.join(program);
            let names: BTreeSet<_> = files.iter().map(|file| file.name.clone()).collect();
            let there = fs::read_dir(&place).unwrap();
            let there = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            assert_eq!(names, there.collect::<BTreeSet<_>>(), "{}", place.display());
            for file in files {
                let committed = fs::read(place.join(&file.name)).unwrap();
                assert!(committed == file.bytes, "{}: {}", place.display(), file.name);
                compared += 1;
            }
        }
    }
    assert!(compared > 30, "{compared} files");
}

#[test]
fn pytorch_computes_of_an_export_what_confab_computes_of_the_run() {
    for folder in references() {
        let run =
            Checkpoint::from_bytes(&fs::read(folder.join("run.safetensors")).unwrap()).unwrap();
        let bytes = fs::read(folder.join("expected.safetensors")).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let prompt = &header.metadata().as_ref().unwrap()["prompt"];
        let expected = SafeTensors::deserialize(&bytes).unwrap();
        let words = |name: &str| {
            let data = expected.tensor(name).unwrap().data().to_vec();
            data.chunks(4).map(|word| word.try_into().unwrap()).collect::<Vec<[u8; 4]>>()
        };
        let ids: Vec<u32> = words("ids").into_iter().map(u32::from_le_bytes).collect();
        assert_eq!(run.tokenizer.encode(prompt).unwrap(), ids, "{}", folder.display());
        let theirs: Vec<f32> = words("logits").into_iter().map(f32::from_le_bytes).collect();
        let far = apart(&logits(&run, &ids), &theirs);
        assert!(far < 1e-5, "{}: {far}", folder.display());
    }
}

#[test]
fn the_terminal_exports_and_writes_over_nothing_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("run.safetensors"), run_with(&[]).to_bytes().unwrap()).unwrap();
    let export =
        |to: &str, out: &str| confab(folder, &["export", "run.safetensors", "--to", to, out]);
    let refused = |to: &str, out: &str| {
        let output = export(to, out);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    ok(&export("hugging-face", "new/model"));
    ok(&export("hugging-face", "new/model"));
    ok(&confab(folder, &["import", "new/model", "--out", "again.safetensors"]));
    let here = refused("hugging-face", ".");
    assert!(here.contains("which is of no export; name a new folder"), "{here}");
    fs::write(folder.join("new/model/config.json"), "{\"model_type\": \"gpt2\"}").unwrap();
    let other = refused("hugging-face", "new/model");
    assert!(other.contains("the model in it was not exported by Confab"), "{other}");

    ok(&export("nanogpt", "ckpt.pt"));
    ok(&confab(folder, &["import", "ckpt.pt", "meta.pkl", "--out", "again.safetensors"]));
    fs::write(folder.join("meta.pkl"), "mine").unwrap();
    let meta = refused("nanogpt", "ckpt.pt");
    assert!(meta.contains("meta.pkl: another file of that name is there"), "{meta}");
    assert_eq!(fs::read(folder.join("meta.pkl")).unwrap(), b"mine");
    fs::remove_file(folder.join("meta.pkl")).unwrap();
    let same = refused("nanogpt", "run.safetensors");
    assert!(same.contains("are one file"), "{same}");
}

#[test]
fn a_notebook_holds_confab_s_numbers_and_finds_the_export_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = run_with(&[]);
    fs::write(folder.join("run.safetensors"), run.to_bytes().unwrap()).unwrap();
    let export = |more: &[&str]| {
        confab(folder, &[&["export", "run.safetensors", "--device", "cpu"], more].concat())
    };
    let prompt = "aé\n€{}";
    let lab = ["--notebook", "lab.ipynb", "--prompt", prompt];
    ok(&export(&[&["--to", "hugging-face", "model"], &lab[..]].concat()));
    let json: Value = serde_json::from_slice(&fs::read(folder.join("lab.ipynb")).unwrap()).unwrap();
    assert_eq!(json["nbformat"], 4);
    let cells = json["cells"].as_array().unwrap();
    let ids: BTreeSet<&str> = cells.iter().map(|cell| cell["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), cells.len(), "each cell has an id of its own");
    let data = cells.iter().map(|cell| cell["source"].as_str().unwrap());
    let data = data.filter(|text| text.starts_with("FOLDER = ")).collect::<Vec<_>>();
    let lines: Vec<&str> = data[0].lines().collect();
    assert_eq!(lines[..2], ["FOLDER = \"model\"", "PROMPT = \"aé\\n€{}\""]);
    let text = lines[2].strip_prefix("confab = json.loads(").unwrap().strip_suffix(')').unwrap();
    let text: String = serde_json::from_str(text).unwrap();
    let numbers: Value = serde_json::from_str(&text).unwrap();

    let ids = run.tokenizer.encode("aé\n€{}").unwrap();
    assert_eq!(numbers["ids"], json!(ids));
    let row = |of: &Value| -> Vec<f32> { serde_json::from_value(of.clone()).unwrap() };
    let last = &numbers["patterns"][3][5]; // of L1H1
    assert!((row(last).iter().sum::<f32>() - 1.0).abs() < 1e-5, "{last}");
    let probabilities = |logits: &[f32]| {
        let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
        logits.iter().map(|logit| logit.exp() / sum).fold(0.0, f32::max)
    };
    let size = run.tokenizer.vocab_size();
    let likeliest: Vec<f32> = logits(&run, &ids).chunks(size).map(probabilities).collect();
    assert!(
        apart(&row(&numbers["likeliest"][0]), &likeliest) < 1e-5,
        "the output's stage is first"
    );
    assert_eq!(row(&numbers["knockouts"][1]).len(), 3, "two heads and the MLP");

    let nanogpt = export(&[&["--to", "nanogpt", "ckpt.pt"], &lab[..]].concat());
    let refusal = String::from_utf8(nanogpt.stderr).unwrap();
    assert!(refusal.contains("give --notebook with --to hugging-face"), "{refusal}");
    let long = "a".repeat(17);
    let lab = ["--notebook", "lab.ipynb", "--prompt", &long];
    let long = export(&[&["--to", "hugging-face", "model"], &lab[..]].concat());
    let refusal = String::from_utf8(long.stderr).unwrap();
    assert!(
        refusal.contains("17 tokens long; a notebook of this model holds at most 16"),
        "{refusal}"
    );
}

#[test]
fn a_film_is_a_gif_with_a_picture_a_step() {
    let form = FilmForm::Gif { width: 40, height: 30, pictures: 3 };
    let mut film = Film::begin(form).unwrap();
    let of = |color: [u8; 4]| color.repeat(40 * 30);
    let colors = [[200, 0, 0, 255], [0, 200, 0, 255], [0, 0, 200, 255]];
    assert!(film.add("", of(colors[0])[4..].to_vec()).is_err(), "a picture of another size");
    for color in colors {
        film.add("", of(color)).unwrap();
    }
    let file = film.finish("steps").unwrap();
    assert_eq!(file.name, "steps.gif");

    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut read = options.read_info(&file.bytes[..]).unwrap();
    assert_eq!((read.width(), read.height()), (40, 30));
    for (index, color) in colors.iter().enumerate() {
        let frame = read.read_next_frame().unwrap().unwrap();
        // The last stays in sight before the film begins anew.
        assert_eq!(frame.delay, if index == 2 { 200 } else { 50 });
        assert_eq!(frame.buffer.len(), 4 * 40 * 30);
        for (got, asked) in frame.buffer.iter().zip(color.iter().cycle()) {
            assert!(got.abs_diff(*asked) < 12, "{index}: {got} for {asked}");
        }
    }
    assert!(read.read_next_frame().unwrap().is_none());
}
