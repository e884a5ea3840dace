//! Characters to ids and back.

use confab::config::MAX_MEMORY_TOKENS;
use confab::tokenizer::{TokenizeError, Tokenizer};
use proptest::prelude::*;

proptest! {
    #[test]
    fn text_of_the_alphabet_round_trips(text in any::<String>(), more in any::<String>()) {
        let tokenizer = Tokenizer::new(&format!("{text}{more}"));
        let ids = tokenizer.tokenize(&text).unwrap();
        prop_assert_eq!(tokenizer.encode(&text).is_ok(), !text.is_empty());
        prop_assert_eq!(ids.len(), text.chars().count());
        prop_assert!(ids.iter().all(|id| (*id as usize) < tokenizer.vocab_size()));
        prop_assert_eq!(tokenizer.decode(&ids), text);
    }

    #[test]
    fn memory_tokens_stand_in_front_and_are_in_no_text(
        text in "[a-c⟨⟩12]{1,20}", count in 0..=MAX_MEMORY_TOKENS,
    ) {
        let alphabet = Tokenizer::new("abc⟨⟩12");
        let tokenizer = alphabet.clone().with_memory(count);
        prop_assert_eq!(tokenizer.vocab_size(), 7 + count);
        prop_assert_eq!((tokenizer.text_size(), tokenizer.memory_tokens()), (7, count));
        let ids = tokenizer.encode(&text).unwrap();
        prop_assert_eq!(&ids[..count], (7..7 + count as u32).collect::<Vec<_>>());
        // The text itself is cut as it is without them, even where it looks like one.
        prop_assert_eq!(&ids[count..], alphabet.encode(&text).unwrap());
        prop_assert_eq!(&ids[count..], tokenizer.tokenize(&text).unwrap());
        let names: String = (1..=count).map(|number| format!("⟨{number}⟩")).collect();
        prop_assert_eq!(tokenizer.decode(&ids), names + &text);
        prop_assert!(tokenizer.characters().eq(alphabet.characters()));
        let written = serde_json::to_string(&tokenizer).unwrap();
        prop_assert_eq!(serde_json::from_str::<Tokenizer>(&written).unwrap(), tokenizer);
    }

    #[test]
    fn order_and_repetition_of_the_alphabet_do_not_matter(text in any::<String>()) {
        let reversed: String = text.chars().rev().chain(text.chars()).collect();
        prop_assert_eq!(Tokenizer::new(&text), Tokenizer::new(&reversed));
    }

    #[test]
    fn ids_outside_the_vocabulary_do_not_panic(ids in prop::collection::vec(any::<u32>(), 0..20)) {
        let tokenizer = Tokenizer::new("abc");
        let known = ids.iter().filter(|id| **id < 3).count();
        prop_assert_eq!(tokenizer.decode(&ids).len(), known);
    }
}

#[test]
fn each_character_has_one_id() {
    let tokenizer = Tokenizer::new("hello, w\u{f6}rld");
    assert_eq!(tokenizer.vocab_size(), 10);
    let characters: String = (0..10).filter_map(|id| tokenizer.token(id)).collect();
    assert_eq!(characters, " ,dehlorw\u{f6}");
    assert_eq!(tokenizer.token(10), None);
}

#[test]
fn what_was_written_before_there_were_memory_tokens_has_none_and_is_written_the_same() {
    let old = r#"{"alphabet":["a","b"]}"#;
    let tokenizer: Tokenizer = serde_json::from_str(old).unwrap();
    assert_eq!(tokenizer, Tokenizer::new("ab"));
    assert_eq!(serde_json::to_string(&tokenizer).unwrap(), old);
}

#[test]
fn a_damaged_number_of_memory_tokens_takes_no_memory() {
    let read = |number: &str| {
        let written = format!(r#"{{"alphabet":["a"],"memory_tokens":{number}}}"#);
        serde_json::from_str::<Tokenizer>(&written).map(|tokenizer| tokenizer.vocab_size())
    };
    assert_eq!(read("3").unwrap(), 4);
    assert_eq!(read("18446744073709551615").unwrap(), 1 + MAX_MEMORY_TOKENS);
    assert!(["-1", "0.5", "null", "\"3\""].iter().all(|number| read(number).is_err()));
}

#[test]
fn unknown_characters_are_named() {
    let error = Tokenizer::new("abc").encode("ab\u{2603}x").unwrap_err();
    assert_eq!(error, TokenizeError::Unknown('\u{2603}'));
    assert_eq!(error.to_string(), "this model has never seen “\u{2603}”");
}
