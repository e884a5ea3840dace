//! Grammars that are refused, with the line and what to do; and texts that are no grammars.

use confab::task::grammar::Grammar;
use proptest::prelude::*;

use crate::list::{parsed, rng};

/// Holds the refusal of `text` against its line and a piece of its sentence.
fn assert_refused(text: &str, line: usize, piece: &str) {
    let refusal = Grammar::parse(text).map(|_| ()).expect_err(text);
    assert!(refusal.sentence.contains(piece), "{refusal}\n{text}");
    assert_eq!(refusal.line, line, "{refusal}\n{text}");
}

#[test]
fn an_empty_text_lacks_a_record() {
    assert_refused("", 1, "record");
    assert_refused("# only a comment\n\n", 1, "record");
    assert_refused("letter = \"a\"..\"z\"", 1, "record");
}

#[test]
fn recursion_without_a_depth_is_refused_in_its_line() {
    assert_refused("record = pair\npair = \"(\" pair \")\" | \"\"", 2, "pair depth 4");
    assert_refused("a = b\n\nb = \"x\" | c\nc = a \"y\"\nrecord = a", 1, "depth");
    assert_refused("start = loop\nloop = \"x\" loop\nrecord = \"y\"", 2, "depth");
}

#[test]
fn recursion_that_cannot_end_is_refused_in_its_line() {
    assert_refused("record = pair\npair depth 5 = \"(\" pair \")\"", 2, "no way to end");
}

#[test]
fn names_must_be_known_and_chosen_before() {
    assert_refused("record = \"a\"\n  letter", 2, "no rule is named `letter`");
    assert_refused("record = \"a\" word\n \"a\"..\"b\" as word", 1, "before it is chosen");
    assert_refused("record = (\"a\" as x | \"b\")\n x", 2, "not always chosen");
    assert_refused("record = (\"a\" as x) * 2\n x", 2, "not always chosen");
    assert_refused("r = \"a\" as x\nrecord = r\n x", 3, "another rule");
    assert_refused("record = \"a\" as x \"b\" as x", 1, "chosen twice");
    assert_refused("r = \"a\"\nrecord = \"a\" as r", 2, "name of a rule");
    assert_refused("r = \"a\"\nrecord = r as x x.y", 2, "no part `y`");
    assert_refused("r = \"a\"\nrecord = reverse(r)", 2, "draws anew");
    assert_refused("record = reverse(\"ab\")", 1, "chosen name");
    assert_refused("record = \"ab\" as x pick y from x y", 1, "no list");
    assert_refused("record = \"ab\" * 0..2 as x pick y from x y", 1, "may be empty");
    assert_refused("a = \"1\"\na = \"2\"\nrecord = a", 2, "two rules");
    assert_refused("pick = \"1\"\nrecord = pick", 1, "meaning of its own");
}

#[test]
fn draws_without_repetition_need_enough_texts() {
    assert_refused(
        "n = \"a\" | \"b\"\nrecord = \"-\"\n  unique n * 3",
        3,
        "only 2 different texts",
    );
    assert_refused("n = \"a\" | \"a\" \"\"\nrecord = unique n * 2", 2, "only 1 different");
    assert_refused("n = \"a\"..\"z\" * 6\nrecord = unique n", 2, "4096 texts or fewer");
    assert_refused("n = unique m\nm = \"a\"\nrecord = unique n", 3, "unique");
    parsed("n = \"a\" | \"b\"\nrecord = unique n * 2");
}

#[test]
fn weights_are_finite_numbers_above_zero() {
    for weight in ["0", "-1", "1e999", "0.0", "-0", "1e-999"] {
        assert_refused(&format!("x = \"a\"\nrecord = {weight}: x | \"b\""), 2, "weight");
    }
    assert_refused("record = 1e-30: \"a\" | \"b\"", 1, "too far apart");
    assert_refused("record = nan: \"a\" | \"b\"", 1, "`:`");
    assert_refused("record = 3 \"a\" | \"b\"", 1, "before `:`");
}

#[test]
fn sizes_are_bounded() {
    assert_refused("a = \"x\" * 100\nrecord = a * 100", 2, "10000 characters");
    assert_refused("record = \"x\" * 5000", 1, "whole number from 0 to 4096");
    assert_refused("record = \"x\" * 3..2", 1, "counts down");
    assert_refused("a = \"\" * 4000\nb = a * 4000\nrecord = b * 4000", 3, "too many steps");
    assert_refused(
        &format!("record = {}\"x\"{}", "(".repeat(200), ")".repeat(200)),
        1,
        "parentheses",
    );
    assert_refused(&format!("record = \"{}\"", "x".repeat(20_000)), 1, "bytes long");
    assert_refused("a depth 101 = a | \"\"\nrecord = a", 1, "from 1 to 100");
    let deep: String = (0..400).map(|i| format!("r{i} = \"x\" (\"y\" | r{})\n", i + 1)).collect();
    assert_refused(&format!("record = r0\n{deep}r400 = \"z\""), 1, "too deep");
    let wide =
        "a depth 99 = b | \"\"\nb depth 99 = c | a | \"\"\nc depth 99 = a b c | \"\"\nrecord = a";
    assert_refused(wide, 4, "too large");
}

#[test]
fn syntax_errors_tell_their_line() {
    assert_refused("record = \"a\n", 1, "does not end");
    assert_refused("record = \"a\"\nb = (\"x\"\n", 2, "`)` is missing");
    assert_refused("record = \"a\")", 1, "closes nothing");
    assert_refused("record = \"a\" |\nb = \"x\"", 1, "nothing stands here");
    assert_refused("record =", 1, "nothing stands here");
    assert_refused("record = a; b", 1, "`;`");
    assert_refused("hello", 1, "starts with its name");
    assert_refused("record = \"z\"..\"a\"", 1, "swap");
    assert_refused("record = \"ab\"..\"c\"", 1, "one character");
    assert_refused("record = \"\\q\"", 1, "`\\`");
    assert_refused("record = \"a\" given(\"b\")", 1, "first thing");
    assert_refused("x = given(\"b\")\nrecord = x", 1, "first thing");
    assert_refused("record = \"a\" * \"b\"", 1, "a number is missing");
}

#[test]
fn layout_is_free() {
    let grammar = parsed(
        "  record = \"a\" # comment with \"quotes\" = |\r\n| 'b'\r\n\n  | \"#\" x\n\tx = \"\"",
    );
    let mut texts: Vec<String> = (0..50).map(|seed| grammar.draw(&mut rng(seed)).text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts, ["#", "a", "b"]);
}

/// Uses a grammar in every way, cheaply.
fn exercise(text: &str) {
    if let Ok(grammar) = Grammar::parse(text) {
        let drawn = grammar.draw(&mut rng(1));
        assert_eq!(drawn.text.chars().count(), drawn.is_answer.len());
        assert!(drawn.is_answer.len() <= grammar.longest(), "{text}");
        assert!(drawn.text.chars().all(|c| grammar.alphabet().contains(&c)), "{text}");
        let _ = grammar.floor(300);
        let start: String = drawn.text.chars().take(20).collect();
        if let Some(next) = grammar.next(&start, 500) {
            assert!(!next.is_empty(), "{start:?} in\n{text}");
        }
        let _ = grammar.next("no record", 500);
        let _ = grammar.estimate(1, 300, &mut rng(2));
    }
}

const SEEDS: [&str; 7] = [
    include_str!("../../assets/grammars/copying.txt"),
    include_str!("../../assets/grammars/reversal.txt"),
    include_str!("../../assets/grammars/sorting.txt"),
    include_str!("../../assets/grammars/brackets.txt"),
    include_str!("../../assets/grammars/phone_book.txt"),
    "a depth 3 = b a | \"x\"\nb depth 2 = a * 0..2 | 2: \"y\"\nrecord = given(a) pick q from (a * 2 as l) answer(b) q",
    "r = (\"a\"..\"c\" as k \"=\" \"0\"..\"9\" as v) * 3 separator \",\"\nrecord = r as t pick p from t p.k sort(t)",
];

const PIECES: [&str; 36] = [
    "record",
    "=",
    "|",
    "*",
    "(",
    ")",
    "..",
    ".",
    ":",
    "as",
    "unique",
    "pick",
    "from",
    "separator",
    "answer(",
    "given(",
    "reverse(",
    "sort(",
    "depth",
    "\n",
    "\"a\"",
    "\"\"",
    "\"a\"..\"z\"",
    "0",
    "3",
    "100",
    "4096",
    "1e9",
    "-1",
    "x",
    "y",
    "letter",
    "#",
    "\\",
    "é",
    "record = ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text: String) {
        exercise(&text);
    }

    #[test]
    fn any_words_are_read_or_refused(at in prop::collection::vec(0..PIECES.len(), 0..60)) {
        let words: Vec<&str> = at.iter().map(|at| PIECES[*at]).collect();
        exercise(&words.join(" "));
        exercise(&format!("x = \"b\"\nletter = \"a\"..\"z\"\nrecord = {}", words.join(" ")));
    }

    #[test]
    fn any_change_of_a_grammar_is_read_or_refused(
        seed in 0..SEEDS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..3, 0..PIECES.len()), 1..6),
    ) {
        let mut words: Vec<String> = SEEDS[seed].split_inclusive([' ', '\n', '(']).map(String::from).collect();
        for (at, how, piece) in changes {
            let at = at.index(words.len());
            match how {
                0 => words[at] = format!("{} ", PIECES[piece]),
                1 => words.insert(at, format!("{} ", PIECES[piece])),
                _ if words.len() > 1 => drop(words.remove(at)),
                _ => {}
            }
        }
        exercise(&words.concat());
    }
}

#[test]
fn large_texts_take_bounded_time() {
    let many = |piece: &str| piece.repeat((16 * 1024 - 200) / piece.len());
    let chain: String = (0..500).map(|i| format!("r{i} = r{}\n", i + 1)).collect();
    let back: String = (0..500).rev().map(|i| format!("r{} = r{i} r{i}\n", i + 1)).collect();
    let names: String = (0..60).map(|i| format!("\"a\"..\"z\" as n{i} ")).collect();
    let read: String = (0..60).map(|i| format!("n{i} ")).collect();
    let deep: String =
        (0..30).map(|i| format!("d{i} depth 99 = \"x\" d{} d{i} | \"\"\n", (i + 1) % 30)).collect();
    let texts = [
        format!("{chain}r500 = \"x\"\nrecord = r0"),
        format!("{back}r0 = \"x\"\nrecord = r9"),
        format!("{back}r0 = \"\"\nrecord = r500"),
        format!("{deep}record = d0"),
        format!("record = {names}\n({read}) * 20"),
        format!("record = {names}\n{}\"\"", many("reverse(sort(n7)) | ")),
        format!("record = {}\"x\"", many("\"x\" | ")),
        format!("record = {}\"x\"", many("(\"\" | \"\" \"\") ")),
        format!("record = \"x\"{}", many(" as x * 2")),
        format!("{}\nrecord = a", many("a = b\n")),
        format!("record = {}", many("(")),
        format!("record = {}", many("\"\u{0}\"..\"\u{3ff}\" ")),
        many("\""),
        many("1"),
        "l = \"\u{0}\"..\"\u{3ff}\" * 4000\nrecord = unique l".to_owned(),
        "l = \"\u{100}\"..\"\u{4ff}\"\nrecord = unique l * 1024 separator \"\"".to_owned(),
        "l = \"a\"..\"p\" * 3\nrecord = unique l * 1000 as w answer(sort(w))".to_owned(),
        "l = \"a\"..\"z\"\nrecord = l * 2000 as w answer(sort(w))".to_owned(),
        "l = (\"a\"..\"z\" as c) * 1000\nrecord = l as w (pick x from w x.c) * 1000".to_owned(),
        "l = \"a\"..\"b\"\nrecord = l * 0..1000 (\"\" | l) * 1000".to_owned(),
        "l = (\"\" | \"a\") * 300\nrecord = pick x from (l) pick y from (l) x y".to_owned(),
        "l = \"a\"..\"z\" * 50\nrecord = (l as x | \"\" as x) * 10 as w (pick y from w y.x) * 10"
            .to_owned(),
        "record = (\"a\"..\"b\" as x x * 0..2) * 1..400 as w answer(reverse(w) | sort(w))"
            .to_owned(),
    ];
    for text in texts {
        let before = std::time::Instant::now();
        exercise(&text);
        let took = before.elapsed();
        assert!(
            took.as_secs() < 10,
            "{took:?} for\n{}",
            text.chars().take(300).collect::<String>()
        );
        println!(
            "{took:?} {:?} {}",
            Grammar::parse(&text).map(|g| g.longest()),
            text.chars().take(60).collect::<String>().escape_debug()
        );
    }
}

#[test]
fn a_small_stack_is_enough() {
    let chain: String = (0..190).map(|i| format!("r{i} = \"x\" | r{}\n", i + 1)).collect();
    let nested = format!("record = {}\"x\"{}", "(\"a\" | ".repeat(23), " * 1)".repeat(23));
    let brackets =
        "p depth 100 = \"(\" p * 0..1 \")\"\nrecord = p as w answer(reverse(w))".to_owned();
    for text in [format!("{chain}r190 = \"y\"\nrecord = r0"), nested, brackets] {
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
            parsed(&text);
            (0..10).for_each(|_| exercise(&text));
        });
        thread.unwrap().join().unwrap();
    }
}
