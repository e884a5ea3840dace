//! Characters to ids and back.

use confab::tokenizer::Tokenizer;
use proptest::prelude::*;

proptest! {
    #[test]
    fn text_of_the_alphabet_round_trips(text in any::<String>(), more in any::<String>()) {
        let tokenizer = Tokenizer::new(&format!("{text}{more}"));
        let ids = tokenizer.encode(&text).unwrap();
        prop_assert_eq!(ids.len(), text.chars().count());
        prop_assert!(ids.iter().all(|id| (*id as usize) < tokenizer.vocab_size()));
        prop_assert_eq!(tokenizer.decode(&ids), text);
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
fn unknown_characters_are_named() {
    let error = Tokenizer::new("abc").encode("ab\u{2603}x").unwrap_err();
    assert_eq!(error.found, '\u{2603}');
    assert_eq!(error.to_string(), "the character '\u{2603}' is not in this model's alphabet: abc");
}
