//! Files that are damaged, and folders that lack files or have others: the right weights, or a message that names a
//! file of the folder, and never a panic.

use confab::base::file_kind::FileKind;
use confab::import::select;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{File, Files, MODELS, import, open};

/// Overwrites or cuts; what is left is often still a file of its kind.
pub fn damage(bytes: &mut Vec<u8>, changes: &[(Index, u8)], cut: Option<Index>) {
    for (place, value) in changes {
        let at = place.index(bytes.len());
        bytes[at] = *value;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
}

/// Imports; a refusal must say of which file it is.
pub fn try_import(files: &Files) -> Result<(), TestCaseError> {
    if let Err(error) = import(&files.view()) {
        let text = error.to_string();
        prop_assert!(files.0.iter().any(|(name, _)| text.contains(name.as_str())), "{}", text);
    }
    Ok(())
}

pub fn changes() -> impl Strategy<Value = Vec<(Index, u8)>> {
    // What instructions of pickles are, and anything else.
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(
            &b".(01NKMJGX)]tlaed}suqrhjcRbQ\x80\x85\x86\x87\x88\x8a\x8c\x93\x94"[..]
        ),
    ];
    prop::collection::vec((any::<Index>(), byte), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_meta_never_panics(changes in changes(), cut in any::<Option<Index>>()) {
        let mut files = Files::of("nanogpt");
        damage(files.bytes("meta.pkl"), &changes, cut);
        try_import(&files)?;
    }

    #[test]
    fn any_instructions_never_panic(
        pickle in prop::collection::vec(
            prop::sample::select(&b"(01NK\x01)]taed}suq\x01h\x01RbQ\x85\x86\x88\x93\x94"[..]), 0..60),
    ) {
        try_import(&Files::of("nanogpt").with("meta.pkl", &pickle))?;
    }

    #[test]
    fn a_damaged_checkpoint_never_panics(changes in changes(), is_pickle in any::<bool>()) {
        let mut files = Files::of("nanogpt_bias");
        let bytes = files.bytes("ckpt.pt");
        // The pickle comes first, and the list of entries last.
        let end = if is_pickle { 6_500 } else { bytes.len() };
        let rest = bytes.split_off(end);
        damage(bytes, &changes, None);
        bytes.extend(rest);
        try_import(&files)?;
    }

    #[test]
    fn a_damaged_list_of_entries_never_panics(changes in changes()) {
        let mut files = Files::of("nanogpt");
        let bytes = files.bytes("ckpt.pt");
        let start = bytes.windows(4).position(|found| found == b"PK\x01\x02").unwrap();
        let mut entries = bytes.split_off(start);
        damage(&mut entries, &changes, None);
        bytes.extend(entries);
        try_import(&files)?;
    }

    #[test]
    fn damaged_files_of_hugging_face_never_panic(
        model in prop::sample::select(&MODELS[..6]),
        file in any::<Index>(),
        changes in changes(),
        cut in any::<Option<Index>>(),
    ) {
        let mut files = Files::of(model);
        let at = file.index(files.0.len());
        damage(&mut files.0[at].1, &changes, cut);
        try_import(&files)?;
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    for (model, name) in
        [("gpt2", "model.safetensors"), ("nanogpt", "ckpt.pt"), ("nanogpt", "meta.pkl")]
    {
        let whole = Files::of(model);
        let length = whole.clone().bytes(name).len();
        for at in (0..length).step_by(length.div_ceil(97)) {
            let mut files = whole.clone();
            files.bytes(name).truncate(at);
            assert!(files.refusal().contains(name), "{name}, cut off at {at}");
        }
    }
}

/// A change to a folder.
#[derive(Clone, Debug)]
enum Change {
    Remove(Index),
    Cut(Index, Index),
    Rename(Index, &'static str),
    Add(&'static str, &'static [u8]),
    /// A second file of the same content.
    Copy(Index, &'static str),
}

const NAMES: &[&str] = &[
    "README.md",
    "adapter_model.safetensors",
    "ckpt.pt",
    "config.json",
    "consolidated.00.pth",
    "model-00002-of-00003.safetensors",
    "model.gguf",
    "model.safetensors",
    "model.safetensors.index.json",
    "optimizer.pt",
    "other.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "random_states_0.pkl",
    "tokenizer.json",
    "training_args.bin",
    "vocab.json",
];

const CONTENTS: &[&[u8]] = &[
    b"",
    b"{}",
    b"GGUF\x03\0\0\0",
    b"\x80\x02}.",
    b"version https://git-lfs.github.com/spec/v1\n",
    b"{\"weight_map\": {\"a\": \"model.safetensors\", \"b\": \"other.safetensors\"}}",
    b"\x08\0\0\0\0\0\0\0{}      ",
];

fn change() -> impl Strategy<Value = Change> {
    let name = || prop::sample::select(NAMES);
    prop_oneof![
        any::<Index>().prop_map(Change::Remove),
        any::<(Index, Index)>().prop_map(|(file, end)| Change::Cut(file, end)),
        (any::<Index>(), name()).prop_map(|(file, name)| Change::Rename(file, name)),
        (name(), prop::sample::select(CONTENTS)).prop_map(|(name, bytes)| Change::Add(name, bytes)),
        (any::<Index>(), name()).prop_map(|(file, name)| Change::Copy(file, name)),
    ]
}

fn apply(files: Files, change: Change) -> Files {
    let file = |at: Index| files.0[at.index(files.0.len())].clone();
    match change {
        Change::Add(name, bytes) => files.with(name, bytes),
        _ if files.0.is_empty() => files,
        Change::Remove(at) => files.clone().without(&file(at).0),
        Change::Rename(at, name) => {
            let (old, bytes) = file(at);
            files.clone().without(&old).with(name, &bytes)
        }
        Change::Copy(at, name) => files.clone().with(name, &file(at).1),
        Change::Cut(at, end) => {
            let (name, mut bytes) = file(at);
            let is_empty = bytes.is_empty();
            damage(&mut bytes, &[], Some(end).filter(|_| !is_empty));
            files.clone().with(&name, &bytes)
        }
    }
}

/// All weights, in no order: that of nanoGPT's tokens is its meta.pkl's.
fn weights(files: &Files) -> Result<Vec<u32>, String> {
    let imported = import(&files.view()).map_err(|error| error.to_string())?;
    let mut bits: Vec<u32> = imported.parameters.iter().map(|value| value.to_bits()).collect();
    bits.sort_unstable();
    Ok(bits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_changed_folder_gives_the_right_weights_or_names_a_file(
        model in prop::sample::select(&["gpt2", "llama", "mistral", "nanogpt"][..]),
        changes in prop::collection::vec(change(), 1..5),
    ) {
        let whole = Files::of(model);
        let changed = changes.into_iter().fold(whole.clone(), apply);
        let names_one =
            |error: &str| changed.0.iter().any(|(name, _)| error.contains(name.as_str()));
        match weights(&changed) {
            Ok(found) => prop_assert!(found == weights(&whole).unwrap(), "other weights"),
            Err(error) => prop_assert!(names_one(&error) || changed.0.is_empty(), "{}", error),
        }
        if let Err(error) = open(&changed.view()) {
            let error = error.to_string();
            prop_assert!(names_one(&error) || changed.0.is_empty(), "{}", error);
        }
    }

    #[test]
    fn files_are_chosen_by_their_beginnings_as_they_are_by_all_of_them(
        model in prop::sample::select(&["gpt2", "llama", "nanogpt"][..]),
        changes in prop::collection::vec(change(), 1..5),
    ) {
        let changed = changes.into_iter().fold(Files::of(model), apply);
        let whole = changed.view();
        let begun = whole.iter().map(|file| match file.name.ends_with(".index.json") {
            true => *file,
            false => File { bytes: &file.bytes[..file.bytes.len().min(FileKind::HEAD)], ..*file },
        });
        let begun: Vec<File> = begun.collect();
        let chosen = |files: &[File]| match select(files) {
            Ok(selection) => Ok((selection.names().join(" "), selection.note())),
            Err(error) => Err(error.to_string()),
        };
        prop_assert_eq!(chosen(&begun), chosen(&whole));
    }
}
