//! Tokenizers of imported models, held against Hugging Face's `tokenizers`.

use confab::tokenizer::{TextStream, TokenizeError, Tokenizer};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A tokenizer with `vocab`, ids in order, and other settings.
fn settings(vocab: &[&str], more: Value) -> Value {
    let ids: serde_json::Map<String, Value> =
        vocab.iter().zip(0..).map(|(token, id)| ((*token).to_owned(), Value::from(id))).collect();
    let mut json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "vocab": ids, "merges": []},
    });
    merge(&mut json, more);
    json
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn tokenizer(rows: usize, json: &Value) -> Tokenizer {
    let names = (0..rows).map(|id| format!("<{id}>")).collect();
    Tokenizer::of_tokens(names, Some(json.to_string()))
}

fn library(json: &Value) -> tokenizers::Tokenizer {
    json.to_string().parse().unwrap()
}

/// GPT-2's spelling of the bytes of `text`.
fn spelled(text: &str) -> Vec<String> {
    let of = |byte: u8| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        _ => {
            let is_unseen = |byte: &u8| !matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
            let before = (0..byte).filter(is_unseen).count() as u32;
            char::from_u32(0x100 + before).unwrap()
        }
    };
    text.bytes().map(|byte| of(byte).to_string()).collect()
}

fn of_bytes() -> Value {
    let all: Vec<String> = (0..=255u8)
        .map(|byte| {
            // A byte above 127 is spelled as the second half of a character that holds it.
            match byte {
                0..0x80 => spelled(&char::from(byte).to_string()).concat(),
                0x80..0xC0 => spelled(&char::from(byte).to_string())[1].clone(),
                _ => char::from(byte).to_string(),
            }
        })
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    settings(&all, json!({"pre_tokenizer": bytes, "decoder": bytes}))
}

const PIECES: [&str; 12] =
    ["▁a", "▁", "b", "##c", "d</w>", "e ", " 's", "<0xF0>", "<0xC3>", "<0xA9>", "<unk>", "|"];

fn decoders() -> impl Strategy<Value = Value> {
    let step = prop_oneof![
        Just(json!({"type": "ByteFallback"})),
        Just(json!({"type": "Fuse"})),
        Just(json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})),
        any::<bool>().prop_map(|cleanup| json!({"type": "WordPiece", "prefix": "##", "cleanup": cleanup})),
        prop_oneof!["always", "first", "never"].prop_map(
            |scheme| json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true})
        ),
        (0..2usize, 0..2usize)
            .prop_map(|(start, stop)| json!({"type": "Strip", "content": " ", "start": start, "stop": stop})),
        prop_oneof!["▁", "b", "</w>"].prop_map(
            |pattern| json!({"type": "Replace", "pattern": {"String": pattern}, "content": " "})
        ),
        Just(json!({"type": "BPEDecoder", "suffix": "</w>"})),
        any::<bool>().prop_map(|cleanup| json!({
            "type": "CTC", "pad_token": "<unk>", "word_delimiter_token": "|", "cleanup": cleanup
        })),
    ];
    let sequence = prop::collection::vec(step.clone(), 0..4)
        .prop_map(|decoders| json!({"type": "Sequence", "decoders": decoders}));
    prop_oneof![Just(Value::Null), step, sequence]
}

/// Words of published models: GPT-2, Llama 3, Qwen; and of Confab.
const WORDS: [&str; 3] = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

fn text_of_byte_pairs() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec!["a", "b", "ab", "aab", " ", "  ", "▁", "1", "12", "'s", "'S", "\n", "é", "🦑", "e\u{301}"]),
        1 => Just("<|x|>"), 1 => Just("<|x"),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

/// Tokenizers of byte pairs, of bytes as GPT-2's and of characters as Llama's, some without tokens for `b`, `é` and `🦑`.
fn byte_pairs() -> impl Strategy<Value = Value> {
    let flags = prop::collection::vec(any::<bool>(), 8);
    let merges =
        prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..24);
    (any::<bool>(), 0..6usize, 0..3usize, flags, merges).prop_map(|(is_of_bytes, cut, normal, flags, merges)| {
        let space = flags[0];
        let bytes = |is_split: bool| json!({
            "type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": is_split,
        });
        let sequence = |first: Value, is_split: bool| json!({
            "type": "Sequence", "pretokenizers": [first, bytes(is_split)],
        });
        let split = |pattern: &str| json!({
            "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false,
        });
        let mark = |scheme: &str| json!({
            "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": flags[1],
        });
        let pre_tokenizer = match (is_of_bytes, cut) {
            (true, 0) => bytes(true),
            (true, 1) => bytes(false),
            (true, 2) => sequence(json!({"type": "Digits", "individual_digits": flags[1]}), true),
            (true, cut) => sequence(split(WORDS[cut - 3]), false),
            (false, 0) => mark("always"),
            (false, 1) => mark("first"),
            (false, 2) => mark("never"),
            (false, _) => Value::Null,
        };
        let prepend = json!({"type": "Prepend", "prepend": "▁"});
        let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
        let normalizer = match (is_of_bytes, normal) {
            (true, _) | (false, 0) => Value::Null,
            (false, 1) => json!({"type": "Sequence", "normalizers": [prepend, replace]}),
            (false, _) => replace,
        };
        let mut vocab: Vec<String> = match is_of_bytes {
            true => {
                let all = of_bytes()["model"]["vocab"].as_object().unwrap().clone();
                let is_known = |piece: &String| flags[2] || !["b", "Ã", "Ł"].contains(&piece.as_str());
                all.into_iter().map(|(piece, _)| piece).filter(is_known).collect()
            }
            false => "a▁ 12'sS\n<|x>e\u{301}".chars().map(String::from).collect(),
        };
        if !is_of_bytes && flags[2] {
            vocab.extend(["b", "<0xC3>", "<0xA9>", "<0xF0>", "<0x9F>"].map(String::from));
        }
        if !is_of_bytes && flags[2] && flags[3] {
            vocab.extend(["<0xA6>", "<0x91>"].map(String::from));
        }
        // Few tokens, so that pairs are found in texts.
        let mut parts: Vec<String> = match is_of_bytes {
            true => ["a", "b", "Ġ", "1", "2", "Ã", "©"].map(String::from).to_vec(),
            false => ["a", "b", "▁", "1", "2", "'"].map(String::from).to_vec(),
        };
        parts.retain(|part| vocab.contains(part));
        let mut learned: Vec<[String; 2]> = Vec::new();
        for (first, second) in merges {
            let pair = [first.get(&parts).clone(), second.get(&parts).clone()];
            if !learned.contains(&pair) {
                let whole = pair.concat();
                if !vocab.contains(&whole) {
                    vocab.push(whole.clone());
                }
                parts.push(whole);
                learned.push(pair);
            }
        }
        vocab.push("<unk>".into());
        vocab.push("<|x|>".into());
        let added = json!([{
            "id": vocab.len() - 1, "content": "<|x|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": flags[4], "special": true,
        }]);
        let vocab: Vec<&str> = vocab.iter().map(String::as_str).collect();
        settings(&vocab, json!({
            "pre_tokenizer": pre_tokenizer,
            "normalizer": normalizer,
            "added_tokens": added,
            "model": {
                "merges": learned,
                "unk_token": if flags[5] { json!("<unk>") } else { Value::Null },
                "fuse_unk": flags[6],
                "byte_fallback": !is_of_bytes && flags[3],
                "ignore_merges": flags[7],
            },
        }))
    })
}

proptest! {
    #[test]
    fn tokens_decode_as_the_library_decodes_them(
        decoder in decoders(),
        ids in prop::collection::vec(0..PIECES.len() as u32, 1..12),
    ) {
        let json = settings(&PIECES, json!({"decoder": decoder}));
        // The library fails where it strips an empty token.
        let theirs = std::panic::catch_unwind(|| library(&json).decode(&ids, false).unwrap());
        if let Ok(theirs) = theirs {
            prop_assert_eq!(tokenizer(PIECES.len(), &json).decode(&ids), theirs);
        }
    }

    #[test]
    fn texts_are_tokenized_as_the_library_does_and_come_back(text in any::<String>()) {
        let json = of_bytes();
        let tokenizer = tokenizer(256, &json);
        let ids = tokenizer.tokenize(&text).unwrap();
        let encoding = library(&json).encode(text.as_str(), false).unwrap();
        prop_assert_eq!(&ids[..], encoding.get_ids());
        prop_assert_eq!(tokenizer.decode(&ids), text.clone());
        // The pieces of a stream are whole characters, and together the text.
        let mut stream = TextStream::after(&[]);
        let pieces: Vec<String> = ids.iter().map(|id| stream.push(&tokenizer, *id)).collect();
        prop_assert_eq!(pieces.concat() + &stream.finish(&tokenizer), text.clone());
        if !text.contains('\u{fffd}') {
            let is_whole = |piece: &String| !piece.contains('\u{fffd}');
            prop_assert!(pieces.iter().all(is_whole));
        }
    }

    #[test]
    fn byte_pairs_are_merged_as_the_library_merges_them(json in byte_pairs(), text in text_of_byte_pairs()) {
        let rows = json["model"]["vocab"].as_object().unwrap().len();
        let theirs = library(&json).encode(text.as_str(), false).unwrap();
        let tokenizer = tokenizer(rows, &json);
        let is_added_normalized = json["added_tokens"][0]["normalized"] == true;
        prop_assert_eq!(tokenizer.is_of_byte_pairs(), json["normalizer"].is_null() || !is_added_normalized);
        match tokenizer.tokenize(&text) {
            Ok(ids) => prop_assert_eq!(&ids[..], theirs.get_ids()),
            // The library loses it without a word.
            Err(TokenizeError::Unknown(lost)) => {
                prop_assert!(json["model"]["unk_token"].is_null() && "bé🦑".contains(lost), "{lost:?}");
            }
            Err(why) => prop_assert!(false, "{why}"),
        }
    }

    #[test]
    fn what_no_token_stands_for_is_named(text in "[abz !]{1,12}") {
        let json = settings(&["a", "b", "!", " "], json!({}));
        let read = tokenizer(4, &json).tokenize(&text);
        match text.contains('z') {
            true => prop_assert_eq!(read, Err(TokenizeError::Unknown('z'))),
            false => prop_assert_eq!(read.unwrap().len(), text.len()),
        }
    }
}

#[test]
fn of_a_character_only_some_bytes_may_be_known() {
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let json = settings(&["!", "ð", "Ł"], json!({"pre_tokenizer": bytes, "decoder": bytes}));
    assert_eq!(tokenizer(3, &json).tokenize("!🦎"), Err(TokenizeError::Unknown('🦎')));
}

#[test]
fn a_batch_s_padding_and_truncation_do_not_touch_a_prompt() {
    let plain = of_bytes();
    let expected = tokenizer(256, &plain).tokenize("a prompt of 26 characters!").unwrap();
    assert_eq!(expected.len(), 26);
    for (key, value) in [
        (
            "truncation",
            json!({"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}),
        ),
        (
            "padding",
            json!({
                "strategy": {"Fixed": 1_000_000_000_000u64}, "direction": "Left", "pad_to_multiple_of": null,
                "pad_id": 900, "pad_type_id": 0, "pad_token": "<pad>",
            }),
        ),
    ] {
        let mut json = plain.clone();
        json[key] = value;
        assert_eq!(tokenizer(256, &json).tokenize("a prompt of 26 characters!").unwrap(), expected);
    }
}

#[test]
fn tokens_in_front_of_every_text_stand_in_front_of_a_prompt() {
    let special = json!({"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}});
    let template = json!({"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
    ], "pair": [], "special_tokens": special});
    let json = settings(&["a", "<s>"], json!({"post_processor": template}));
    let of = tokenizer(2, &json);
    assert_eq!(of.encode("aa").unwrap(), [1, 0, 0]);
    assert_eq!(of.encode("").unwrap(), [1]);
    assert_eq!(of.tokenize("aa").unwrap(), [0, 0], "a piece of a text has none");
    assert_eq!(
        tokenizer(2, &settings(&["a", "<s>"], json!({}))).encode(""),
        Err(TokenizeError::Nothing)
    );
}

#[test]
fn words_without_a_decoder_are_set_apart() {
    let json = settings(
        &["<unk>", "the", "cat", "sat"],
        json!({
            "pre_tokenizer": {"type": "Whitespace"},
            "model": {"type": "WordLevel", "unk_token": "<unk>", "merges": null},
        }),
    );
    let of = tokenizer(4, &json);
    let prompt = of.encode("the cat").unwrap();
    assert_eq!(prompt, [1, 2]);
    let mut stream = TextStream::after(&prompt);
    assert_eq!(stream.push(&of, 3), " sat");
    assert_eq!(of.encode(" "), Err(TokenizeError::Nothing));
}

#[test]
fn settings_that_cannot_be_applied_are_refused_before_they_are_used() {
    let vocab = ["a", "b"];
    let grow = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    let bomb = json!({"type": "Sequence", "normalizers": vec![grow; 40]});
    let added = |id| {
        json!([{
            "id": id, "content": "[PAD]", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }])
    };
    let shout = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "a".repeat(1000)});
    let louder = json!({"type": "Sequence", "decoders": vec![shout; 4]});
    for (more, part) in [
        (json!({"normalizer": bomb}), "`normalizer`"),
        (json!({"decoder": louder}), "`decoder`"),
        (json!({"model": {"vocab": {"c": 0}}}), "one id"),
        (json!({"added_tokens": added(2)}), "2 tokens"),
        (json!({"added_tokens": added(0)}), "[PAD]"),
        (json!({"pre_tokenizer": {"type": "ByteLevelV2"}}), "ByteLevelV2"),
        (json!({"model": {"vocab": {"c": 2}}}), "the id 2"),
        (json!({"model": {"vocab": null}}), "`model.vocab`"),
        (
            json!({"decoder": {"type": "Replace", "pattern": {"Regex": "a"}, "content": ""}}),
            "`decoder`",
        ),
    ] {
        let refused = tokenizer(2, &settings(&vocab, more)).check().expect_err(part);
        assert!(refused.contains(part), "{refused}");
    }
    assert_eq!(tokenizer(2, &settings(&vocab, json!({}))).check(), Ok(()));
    assert!(tokenizer(0, &settings(&[], json!({}))).check().is_err());
}

#[test]
fn a_panic_of_the_library_is_a_message() {
    let json = settings(
        &["a"],
        json!({
            "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAAAA=="},
        }),
    );
    let of = tokenizer(1, &json);
    let refused =
        of.check().err().or_else(|| of.tokenize("aab!").err().map(|error| error.to_string()));
    assert!(refused.is_some_and(|text| text.contains("librar")), "told as the library's failure");
}

#[test]
fn a_character_that_is_never_whole_holds_nothing_back_for_long() {
    let tokenizer = tokenizer(256, &of_bytes());
    let ids: Vec<u32> = (0..40).map(|_| 0x80).chain([0x61]).collect();
    let mut stream = TextStream::after(&[]);
    let pieces: Vec<String> = ids.iter().map(|id| stream.push(&tokenizer, *id)).collect();
    assert_eq!(pieces.concat(), "\u{fffd}".repeat(40) + "a");
    assert!(pieces[..8].concat().contains('\u{fffd}'), "{pieces:?}");
}
