//! Texts too long for a run to hold: named by it, and read in pieces.

mod common;

use std::fs;
use std::path::Path;

use common::terminal::{confab, ok, refused};
use confab::base::random::stream_rng;
use confab::checkpoint::Checkpoint;
use confab::config::{MAX_TEXT_BYTES, TextConfig, TokenKind};
use confab::task::{RecordSource, Split, Text, text_file};

/// Lines in which every number tells its place; the last tenth of the lines has letters of its own.
fn book(lines: usize, end: &str) -> String {
    let line = |n: usize| match n < lines * 9 / 10 {
        true => format!("line {n} café, of the beginning{end}"),
        false => format!("line {n} naïve, of the remainder{end}"),
    };
    (0..lines).map(line).collect()
}

fn named(path: &Path, tokens: TokenKind) -> TextConfig {
    let file = Some(text_file(path).unwrap());
    TextConfig { file, tokens, vocab: 400, ..TextConfig::default() }
}

#[test]
fn a_text_in_a_file_is_cut_as_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    for (end, mark) in [("\n", ""), ("\r\n", "\u{feff}"), ("\r", "")] {
        let text = book(100_000, end);
        assert!((3 << 20..MAX_TEXT_BYTES).contains(&text.len()), "{}", text.len());
        let path = folder.path().join("book.txt");
        fs::write(&path, format!("{mark}{text}")).unwrap();
        let held = if end == "\r" { text.replace('\r', "\n") } else { text };
        for tokens in [TokenKind::Characters, TokenKind::Bpe] {
            let whole = TextConfig { text: held.clone(), tokens, vocab: 400, file: None };
            let whole = Text::new(&whole, None).unwrap();
            let pieces = Text::new(&named(&path, tokens), None).unwrap();
            assert!(whole.tokenizer() == pieces.tokenizer());
            assert_eq!(whole.baseline(), pieces.baseline());
            for split in [Split::Train, Split::Validation] {
                for stream in 0..200 {
                    let of = |text: &Text| text.draw(split, 64, &mut stream_rng(3, stream));
                    assert_eq!(of(&whole).text, of(&pieces).text);
                    assert_eq!(of(&whole).ids, of(&pieces).ids);
                }
            }
        }
    }
}

#[test]
fn records_in_a_file_are_those_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let line = |n: usize| format!("{{\"question\":\"What is {n}?\",\"answer\":\"{}\"}}\n", n * 7);
    let text: String = (0..500).map(line).collect();
    fs::write(&path, &text).unwrap();
    let whole = Text::new(&TextConfig { text, ..TextConfig::default() }, None).unwrap();
    let file = Text::new(&named(&path, TokenKind::Characters), None).unwrap();
    for split in [Split::Train, Split::Validation] {
        assert!(!file.records(split).is_empty());
        assert_eq!(whole.records(split), file.records(split));
    }
}

#[test]
fn a_run_on_a_long_text_resumes_where_the_text_is_and_says_where_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = book(140_000, "\n");
    assert!(text.len() > MAX_TEXT_BYTES);
    fs::write(at.join("book.txt"), &text).unwrap();
    let train = |args: &[&str]| confab(at, &[&["train", "--device", "cpu"], args].concat());
    let new = [
        "--task",
        "text",
        "--text-file",
        "book.txt",
        "--n-layers",
        "1",
        "--n-heads",
        "2",
        "--d-model",
        "8",
    ];
    let short = ["--context", "32", "--batch", "4", "--val-every", "4"];
    ok(&train(&[&new[..], &short, &["--steps", "12", "--out", "whole.st"]].concat()));
    ok(&train(&[&new[..], &short, &["--steps", "6", "--out", "run.st"]].concat()));
    let run = || Checkpoint::from_bytes(&fs::read(at.join("run.st")).unwrap()).unwrap();
    assert!(
        fs::metadata(at.join("run.st")).unwrap().len() < 1 << 20,
        "the text is not in the file"
    );
    assert_eq!(run().config.task.text.file.as_ref().unwrap().bytes, text.len() as u64);

    fs::create_dir(at.join("elsewhere")).unwrap();
    fs::rename(at.join("book.txt"), at.join("elsewhere/moved.txt")).unwrap();
    let resume =
        ["train", "--device", "cpu", "--resume", "run.st", "--out", "run.st", "--steps", "12"];
    refused(at, &resume, &["book.txt", "is not there", "--text-file"]);
    let looked = confab(
        at,
        &["sample", "run.st", "--prompt", "line ", "--device", "cpu", "--max-chars", "4"],
    );
    ok(&looked);
    assert!(String::from_utf8_lossy(&looked.stderr).contains("book.txt, which is not there"));

    fs::write(at.join("other.txt"), format!("{text}.")).unwrap();
    refused(
        at,
        &[&resume[..], &["--text-file", "other.txt"]].concat(),
        &["other.txt", "not the text", "book.txt"],
    );
    ok(&confab(at, &[&resume[..], &["--text-file", "elsewhere/moved.txt"]].concat()));
    let whole = Checkpoint::from_bytes(&fs::read(at.join("whole.st")).unwrap()).unwrap();
    assert_eq!(run().parameters, whole.parameters, "the run that never stopped");

    fs::write(at.join("short.txt"), &text[..4000]).unwrap();
    let held = ["--task", "text", "--text-file", "short.txt", "--steps", "1", "--out", "held.st"];
    ok(&train(&[&held[..], &new[4..], &short].concat()));
    let other = ["train", "--resume", "held.st", "--out", "x.st", "--steps", "2", "--text-file"];
    refused(at, &[&other[..], &["elsewhere/moved.txt"]].concat(), &["held.st", "holds its task"]);

    fs::write(at.join("elsewhere/moved.txt"), text.replace("line 7 ", "line 8 ")).unwrap();
    let longer =
        ["train", "--device", "cpu", "--resume", "run.st", "--out", "run.st", "--steps", "14"];
    refused(at, &longer, &["moved.txt", "not the text that this run was begun with"]);
}

#[test]
fn a_long_text_in_another_encoding_is_refused_with_its_conversion() {
    let folder = tempfile::tempdir().unwrap();
    let wide: Vec<u8> = book(80_000, "\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(folder.path().join("wide.txt"), [&[0xff, 0xfe][..], &wide].concat()).unwrap();
    let args = ["train", "--task", "text", "--text-file", "wide.txt", "--out", "x.st"];
    refused(folder.path(), &args, &["wide.txt", "no UTF-8 text from byte 0 on", "iconv"]);
}
