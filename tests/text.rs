//! Properties that the `text` task promises of its records.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use confab::base::random::stream_rng;
use confab::config::TextConfig;
use confab::run::Field;
use confab::task::{RecordSource, Split, Text};
use confab::tokenizer::Tokenizer;
use proptest::prelude::*;

const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

fn text(text: &str) -> Result<Text, String> {
    Text::new(&TextConfig { text: text.into(), ..TextConfig::default() }, None)
}

proptest! {
    #[test]
    fn any_text_is_taken_or_refused_with_a_sentence(
        input in prop_oneof![any::<String>(), "[ -~\n\r]{0,200}", "(\\{\"question\":\"a\"\\}\n|x\n){0,9}"],
        window in 0..300usize,
        seed in any::<u64>(),
    ) {
        match text(&input) {
            Ok(task) => for split in SPLITS {
                let record = task.draw(split, window, &mut stream_rng(seed, 0));
                prop_assert!(record.len() <= window);
                prop_assert_eq!(record.fields.len(), record.text.chars().count());
                prop_assert!(record.symbols().all(|symbol| task.tokenizer().id(symbol).is_some()));
            },
            Err(reason) => prop_assert!(reason.len() > 20, "{}", reason),
        }
    }
}

#[test]
fn plain_text_is_split_by_position() {
    let input: String = (0..1000).map(|i| char::from_u32(0x4e00 + i).unwrap()).collect();
    let task = text(&input).unwrap();
    let place = |c: char| c as usize - 0x4e00;
    let mut seen: BTreeMap<bool, BTreeSet<usize>> = BTreeMap::new();
    for (stream, split) in (0..2000).flat_map(|stream| SPLITS.map(|split| (stream, split))) {
        let record = task.draw(split, 20, &mut stream_rng(1, stream));
        assert_eq!(record.len(), 20);
        assert!(input.contains(&record.text));
        assert!(record.fields.iter().all(|field| *field == Field::Text));
        seen.entry(split == Split::Train).or_default().extend(record.text.chars().map(place));
    }
    assert_eq!(seen[&true], (0..900).collect());
    assert_eq!(seen[&false], (900..1000).collect());
    assert_eq!(task.longest(), 2);
    assert_eq!(task.draw(Split::Validation, 5000, &mut stream_rng(1, 1)).len(), 100);
}

#[test]
fn line_ends_are_made_one() {
    let task = text(&"a line\r\n".repeat(10)).unwrap();
    assert_eq!(task.tokenizer(), Tokenizer::new("\n aeiln"));
}

#[test]
fn jsonl_becomes_records() {
    let input: String = (0..50)
        .map(|i| match i % 2 {
            0 => format!(
                "{{\"instruction\": \"Say {i}\", \"output\": \"{i}\u{fc}\", \"id\": {i}}}\r\n\r\n"
            ),
            _ => format!(
                "{{\"question\": \"{i}?\", \"fact\": \"It is {i}.\", \"answer\": \"{i}\"}}\n"
            ),
        })
        .collect();
    let task = text(&input).unwrap();
    let mut seen: BTreeMap<bool, BTreeSet<String>> = BTreeMap::new();
    for (stream, split) in (0..2000).flat_map(|stream| SPLITS.map(|split| (stream, split))) {
        let record = task.draw(split, 100, &mut stream_rng(1, stream));
        assert_eq!(record.fields.len(), record.text.chars().count());
        seen.entry(split == Split::Train).or_default().insert(record.text);
    }
    assert_eq!((seen[&true].len(), seen[&false].len()), (45, 5));
    assert!(seen[&true].is_disjoint(&seen[&false]));
    let all: BTreeSet<&str> = seen.values().flatten().map(String::as_str).collect();
    assert!(all.contains("{B}Say 4: 4\u{fc}{E}\n"));
    assert!(all.contains("{B}7? (It is 7.): 7{E}\n"));
    assert_eq!(task.longest(), "{B}13? (It is 13.): 13{E}\n".len());
    let cut = task.draw(Split::Train, 6, &mut stream_rng(1, 1));
    assert_eq!((cut.len(), cut.text.chars().count()), (6, 6));
}

#[test]
fn equal_jsonl_records_stay_on_one_side() {
    let line = |i: usize| format!("{{\"instruction\": \"Say {i}\", \"output\": \"{i}\"}}\n");
    let task = text(&(0..40).map(|i| line(i % 4)).collect::<String>()).unwrap();
    let draws = |split| -> HashSet<String> {
        (0..300).map(|stream| task.draw(split, 99, &mut stream_rng(1, stream)).text).collect()
    };
    assert!(draws(Split::Train).is_disjoint(&draws(Split::Validation)));
    assert!(text(&line(1).repeat(9)).unwrap_err().contains("one record only"));
}

#[test]
fn unusable_texts_are_refused_with_what_to_do() {
    let good = "{\"instruction\": \"Say one\", \"output\": \"one\"}";
    let other = "{\"instruction\": \"Say two\", \"output\": \"two\"}";
    let many: String = (0..5000).map(|i| char::from_u32(0x4e00 + i).unwrap()).collect();
    for (input, part) in [
        ("", "paste or load"),
        (" \n\t ", "paste or load"),
        ("too short", "32 or more"),
        (&"x".repeat((4 << 20) + 1), "shorten it"),
        (&format!("{good}\n\nnot this\n{other}"), "line 3 of the JSON"),
        (&format!("{good}\n{other}\n{{\"instruction\": \"no output\"}}"), "line 3 of the JSON"),
        (&format!("{good}\n{{\"instruction\": [1], \"output\": 2}}"), "line 2 of the JSON"),
        ("{\"other\": \"keys are no record\"}\n", "line 1 of the JSON"),
        (&format!("[\n{good},\n{other},\n"), "ends before its array does"),
        (
            &format!("{good}\n{{\"question\": \"π\", \"answer\": 12345678901234567890123}}"),
            "line 2 of the JSON has a number",
        ),
        (&format!("{good}\n{{\"question\": \"price\", \"answer\": 1.50}}"), "become 1.5;"),
        (&format!("[\n{good}\n{other}\n]"), "line 3 of the JSON has no comma"),
        (&format!("{good}\n{}\n{other}", good.trim_end_matches('}')), "line 2 of the JSON"),
        (
            &format!("{good}\n{{\"instruction\": \"a\", \"output\": \"b\n{other}"),
            "line 2 of the JSON",
        ),
        (
            &format!("{good}\n{{\"instruction\": \"a\", \"input\": [1], \"output\": \"b\"}}"),
            "line 2",
        ),
        ("[\n  {\"question\": \"a\"},\n  {\"x\": 1}\n]", "line 2 of the JSON"),
        (&format!("[\n{good},\n{{\"instruction\": \"half\"\n"), "line 4 of the JSON"),
        (&format!("{good}\n[\"a\", \"b\"]"), "line 2 of the JSON"),
        (&format!("[\"a\", \"b\"]\n{good}\n{other}"), "line 1 of the JSON"),
        (good, "one record only"),
        (&many, "distinct characters"),
    ] {
        let reason = text(input).expect_err(part);
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn a_plain_text_may_begin_with_a_bracket() {
    for line in ["[[Anarchism]] is a movement", "{\"hello\" said she}", "[\"Come in,\" she said]"] {
        let task = text(&format!("{line}\n").repeat(20)).unwrap();
        assert!(task.draw(Split::Train, 64, &mut stream_rng(1, 0)).fields.contains(&Field::Text));
    }
}

#[test]
fn records_of_every_kind_are_read_a_line_each_or_in_an_array() {
    let kinds = [
        ("{\"instruction\": \"Add\", \"input\": \"1 2\", \"output\": 3}", "{B}Add (1 2): 3{E}\n"),
        ("{\"instruction\": \"Add\", \"input\": \"\", \"output\": \"3\"}", "{B}Add: 3{E}\n"),
        ("{\"question\": \"Q\", \"answer\": true, \"fact\": null}", "{B}Q: true{E}\n"),
        ("{\"prompt\": \"Once\", \"completion\": \" more\"}", "{B}Once more{E}\n"),
        ("{\"prompt\": \"Once\", \"completion\": \"more\"}", "{B}Once more{E}\n"),
        (
            "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, \
             {\"role\": \"assistant\", \"content\": [{\"type\": \"text\", \"text\": \"Ho\"}]}]}",
            "{B}user: Hi\nassistant: Ho\n{E}\n",
        ),
        ("{\"text\": \"as it is\"}", "{B}as it is{E}\n"),
        ("{\"question\": \"half\", \"answer\": 0.5}", "{B}half: 0.5{E}\n"),
    ];
    for (object, record) in kinds {
        let other = "{\"text\": \"another, so that one can be held out\"}";
        for input in [
            format!("{object}\n{other}\n"),
            format!("[\n  {object},\n  {other}\n]"),
            format!("\u{feff}{}\r\n{other}", object.replace(", ", ",\n ")),
        ] {
            let task = text(&input).unwrap();
            let texts: BTreeSet<String> = SPLITS
                .map(|split| task.draw(split, 999, &mut stream_rng(1, 0)).text)
                .into_iter()
                .collect();
            assert!(texts.contains(record), "{input}: {texts:?}");
        }
    }
}
