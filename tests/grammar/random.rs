//! Random grammars against lists of all their records.

use confab::task::grammar::Grammar;
use proptest::prelude::*;

use crate::list::{assert_near, assert_next, counted, floor_of, rng};
use crate::lister::Lister;
use crate::writer::{Writer, source};

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_counted_is_what_the_list_of_records_tells(seed: u64) {
        let rules = Writer::rules(seed);
        let text = source(&rules);
        let Ok(list) = Lister::list(&rules) else { return Ok(()) };
        let grammar = match Grammar::parse(&text) {
            Ok(grammar) => grammar,
            Err(refusal) => {
                let is_expected = ["unique", "way to end"].iter().any(|what| refusal.sentence.contains(what));
                prop_assert!(is_expected, "{refusal} in\n{text}");
                return Ok(());
            }
        };
        assert_near(&counted(&grammar), &floor_of(&list), &text);
        let longest = list.iter().map(|(record, _)| record.len()).max().unwrap_or(0);
        prop_assert!(grammar.longest() >= longest, "{} {longest} in\n{text}", grammar.longest());
        for (record, _) in &list {
            for (c, _) in record {
                prop_assert!(grammar.alphabet().contains(c), "{c} in\n{text}");
            }
        }
        if list.len() < 200 {
            assert_next(&grammar, &list, &text);
        }
        let drawn = grammar.draw(&mut rng(seed));
        let is_listed = list.iter().any(|(record, _)| {
            record.iter().map(|(c, _)| *c).eq(drawn.text.chars())
                && record.iter().map(|(_, marks)| marks.is_answer).eq(drawn.is_answer.iter().copied())
        });
        prop_assert!(is_listed, "{drawn:?} in\n{text}");
    }
}
