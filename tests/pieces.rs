//! Training in tokens that are pieces of text: byte pairs of a text's own, and the tokens of a model from elsewhere.

mod common;

use std::collections::BTreeSet;
use std::iter::once;
use std::path::Path;

use common::terminal::{confab, ok};
use confab::base::random::stream_rng;
use confab::checkpoint::Checkpoint;
use confab::config::{TaskConfig, TaskKind, TextConfig, TokenKind};
use confab::data::Row;
use confab::run::Field;
use confab::task::{RecordSource, Split, Task, Text};
use confab::tokenizer::Tokenizer;
use proptest::prelude::*;
use serde_json::Value;

/// A text with words that come again, letters beyond ASCII, digits and blanks.
fn story() -> String {
    let line = |n: usize| {
        format!("The {n}th café sells {} squids 🦑 to\tthe naïve captain,  twice.\n", n * 37)
    };
    (0..60).map(line).collect()
}

fn byte_pairs(vocab: usize) -> Tokenizer {
    Tokenizer::byte_pairs(once(story()), vocab).unwrap()
}

fn json(tokenizer: &Tokenizer) -> String {
    let written = serde_json::to_value(tokenizer).unwrap();
    written["source"].as_str().unwrap().to_owned()
}

#[test]
fn byte_pairs_are_learned_by_how_often_they_occur() {
    let tokenizer = byte_pairs(300);
    assert_eq!(tokenizer.vocab_size(), 300);
    // Every byte is a token, so that no text is refused.
    let ids: BTreeSet<u32> = (0..=255u8)
        .map(|byte| tokenizer.tokenize(&char::from(byte).to_string()).unwrap()[0])
        .collect();
    assert!(ids.len() > 128);
    // Of two pairs, the more frequent is learned first (Sennrich et al. 2016, algorithm 1): `ab` 27 times, the space
    // before it 26 times, `cd` 18 times.
    let json: Value = serde_json::from_str(&json(
        &Tokenizer::byte_pairs(once("ab ab ab cd cd ".repeat(9)), 258).unwrap(),
    ))
    .unwrap();
    assert_eq!(json["model"]["merges"], serde_json::json!([["a", "b"], ["Ġ", "ab"]]));
    assert_eq!(byte_pairs(300), byte_pairs(300));
    // A short text has fewer pairs than were asked for.
    assert_eq!(Tokenizer::byte_pairs(once("abcdefgh".into()), 60_000).unwrap().vocab_size(), 256);
}

proptest! {
    #[test]
    fn byte_pairs_are_merged_as_the_library_merges_them(
        text in prop_oneof![any::<String>(), "[ a-c\n\t.é0-9🦑]{0,60}", "[a-z]{60,200}", "(The |naïve|captain, | ){0,30}"],
        vocab in 257..400usize,
    ) {
        let tokenizer = byte_pairs(vocab);
        let library: tokenizers::Tokenizer = json(&tokenizer).parse().unwrap();
        let ids = tokenizer.tokenize(&text).unwrap();
        let theirs = library.encode(text.as_str(), false).unwrap();
        prop_assert_eq!(&ids[..], theirs.get_ids());
        prop_assert_eq!(tokenizer.decode(&ids), text);
    }
}

fn text_config(text: String, tokens: TokenKind) -> TextConfig {
    TextConfig { text, tokens, vocab: 320, ..TextConfig::default() }
}

#[test]
fn windows_of_tokens_are_those_of_the_whole_text() {
    let text = story();
    let task = Text::new(&text_config(text.clone(), TokenKind::Bpe), None).unwrap();
    let tokenizer = task.tokenizer();
    let chars: Vec<char> = text.chars().collect();
    let (train, validation) = chars.split_at(chars.len() - chars.len() / 10);
    for (split, part) in [(Split::Train, train), (Split::Validation, validation)] {
        let part: String = part.iter().collect();
        let whole = tokenizer.tokenize(&part).unwrap();
        for stream in 0..200 {
            let record = task.draw(split, 24, &mut stream_rng(3, stream));
            let row = Row::new(&record, &tokenizer, 24);
            assert!(whole.windows(24).any(|window| window == row.ids), "{:?}", record.text);
            assert_eq!(record.fields, [Field::Text; 24]);
            assert_eq!(record.symbols().collect::<String>(), record.text);
            // A window may begin or end within a character.
            assert!(part.contains(record.text.trim_matches('\u{fffd}')));
        }
    }
}

#[test]
fn a_records_prompt_has_the_tokens_that_it_has_alone() {
    let facts: String = (0..20)
        .map(|n| format!("{{\"question\": \"Who is number {n}?\", \"fact\": \"{n} is Zoë {n}\", \"answer\": \"Zoë {n}\"}}\n"))
        .collect();
    let task = Text::new(&text_config(facts, TokenKind::Bpe), None).unwrap();
    let tokenizer = task.tokenizer();
    for stream in 0..40 {
        let record = task.draw(Split::Train, usize::MAX, &mut stream_rng(1, stream));
        let text: String = record.symbols().collect();
        assert_eq!(tokenizer.decode(&record.ids), text);
        let at = record.fields.iter().position(|field| *field == Field::Answer).unwrap();
        let prompt: String = record.symbols().take(at).collect();
        assert!(prompt.ends_with("): "), "{prompt}");
        assert_eq!(tokenizer.encode(&prompt).unwrap(), record.ids[..at]);
        assert!(record.part(Field::Answer).starts_with("Zoë"));
        assert_eq!(record.given, 1);
    }
    assert!(task.floor().is_none(), "a floor in characters is none of tokens");
}

#[test]
fn records_of_other_tasks_are_read_in_the_models_tokens() {
    let tokenizer = byte_pairs(300);
    let config = TaskConfig { kind: TaskKind::Facts, ..TaskConfig::default() };
    let task = Task::for_model(&config, &tokenizer).unwrap();
    let record = task.draw(Split::Train, usize::MAX, &mut stream_rng(1, 0));
    let row = Row::new(&record, &tokenizer, 400);
    assert_eq!(tokenizer.decode(&row.ids), record.text);
    assert_eq!(row.fields.len(), row.ids.len());
    let answer: Vec<u32> = row
        .ids
        .iter()
        .zip(&row.fields)
        .filter(|(_, field)| **field == Field::Answer)
        .map(|(id, _)| *id)
        .collect();
    assert!(tokenizer.decode(&answer).starts_with(&record.part(Field::Answer)));
}

#[test]
fn a_text_with_a_character_that_the_model_lacks_is_refused_by_it() {
    let config = TaskConfig {
        kind: TaskKind::Text,
        text: text_config(
            "a text with Greek λ in it, and long enough".into(),
            TokenKind::Characters,
        ),
        ..TaskConfig::default()
    };
    let told = Task::for_model(&config, &Tokenizer::new("abcdefghijklmnopqrstuvwxyz, T"))
        .unwrap_err()
        .to_string();
    assert!(told.contains('G'), "{told}");
}

/// Losses of the log of a run.
fn losses(folder: &Path, name: &str) -> Vec<(u64, f64, Option<f64>, Option<f64>)> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let loss = |key: &str| line[key].as_f64();
        (
            line["step"].as_u64().unwrap(),
            loss("train_loss").unwrap(),
            loss("val_loss"),
            loss("val_bits_per_byte"),
        )
    };
    text.lines().map(line).collect()
}

#[test]
fn a_run_of_byte_pairs_is_saved_resumed_and_told_per_byte() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("story.txt"), story()).unwrap();
    let run = |more: &[&str]| {
        let args = [&["train", "--device", "cpu", "--log"], more].concat();
        ok(&confab(folder, &args));
    };
    let new = [
        "--task",
        "text",
        "--text-file",
        "story.txt",
        "--tokens",
        "bpe",
        "--vocab",
        "300",
        "--n-layers",
        "1",
        "--n-heads",
        "2",
        "--d-model",
        "16",
        "--context",
        "32",
        "--batch",
        "4",
        "--val-every",
        "10",
        "--val-batches",
        "1",
    ];
    run(&[&["whole.jsonl"], &new[..], &["--steps", "20", "--out", "whole.safetensors"]].concat());
    run(&[&["half.jsonl"], &new[..], &["--steps", "10", "--out", "half.safetensors"]].concat());
    run(&[
        "half.jsonl",
        "--resume",
        "half.safetensors",
        "--steps",
        "20",
        "--out",
        "half.safetensors",
    ]);
    let whole = losses(folder, "whole.jsonl");
    assert_eq!(whole.last(), losses(folder, "half.jsonl").last());
    // Bits per byte are the loss per token, by tokens per byte: one to a few bytes here.
    let (_, _, Some(per_token), Some(per_byte)) = *whole.last().unwrap() else {
        panic!("{whole:?}")
    };
    let bytes = per_token / std::f64::consts::LN_2 / per_byte;
    assert!((1.2..4.0).contains(&bytes), "{bytes} bytes a token");
    let written = ok(&confab(
        folder,
        &[
            "sample",
            "whole.safetensors",
            "--prompt",
            "The 5th café",
            "--max-chars",
            "8",
            "--temperature",
            "0",
            "--device",
            "cpu",
        ],
    ));
    assert!(written.starts_with("The 5th café"), "{written}");
}

#[test]
fn an_imported_model_is_trained_on_in_its_own_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = " the cat sat on the mat; a naïve cat was on the map. the café sat; was the map on the mat.";
    std::fs::write(folder.join("story.txt"), text.repeat(30)).unwrap();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/import/gpt2");
    ok(&confab(folder, &["import", reference.to_str().unwrap(), "--out", "gpt2.safetensors"]));
    let none = confab(
        folder,
        &["train", "--from", "gpt2.safetensors", "--steps", "2", "--out", "t.safetensors"],
    );
    let none = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(none.contains("--text-file"), "{none}");
    let train = [
        "train",
        "--from",
        "gpt2.safetensors",
        "--task",
        "text",
        "--text-file",
        "story.txt",
        "--lr",
        "0.003",
        "--batch",
        "8",
        "--accumulation",
        "1",
        "--val-batches",
        "1",
        "--val-every",
        "30",
        "--device",
        "cpu",
    ];
    let told = confab(
        folder,
        &[&train[..], &["--steps", "60", "--out", "tuned.safetensors", "--log", "t.jsonl"]]
            .concat(),
    );
    ok(&told);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("Before training: "), "{told}");
    let tuned =
        Checkpoint::from_bytes(&std::fs::read(folder.join("tuned.safetensors")).unwrap()).unwrap();
    let imported =
        Checkpoint::from_bytes(&std::fs::read(folder.join("gpt2.safetensors")).unwrap()).unwrap();
    assert_eq!(tuned.tokenizer, imported.tokenizer);
    let before = tuned.history[0];
    assert_eq!(before.step, 0);
    let last = tuned.history.last().unwrap();
    assert!(last.val_loss < before.val_loss, "{before:?} {last:?}");
    // It is a run like others: resumed, and its losses told.
    ok(&confab(
        folder,
        &[
            "train",
            "--resume",
            "tuned.safetensors",
            "--steps",
            "62",
            "--out",
            "tuned.safetensors",
            "--device",
            "cpu",
        ],
    ));
    let table =
        ok(&confab(folder, &["eval", "tuned.safetensors", "--records", "8", "--device", "cpu"]));
    assert!(table.contains("Nats per token"), "{table}");
}
