//! Floors of written grammars against lists of all records, and against closed forms.

use confab::task::grammar::{Counted, Grammar};

use crate::example;
use crate::list::{
    List, Marks, answer, assert_near, assert_next, counted, floor_of, parsed, plain, rng,
};

/// Holds floor and next characters of a grammar against the list of its records.
fn assert_list(text: &str, list: &List) {
    let grammar = parsed(text);
    let total: f64 = list.iter().map(|(_, probability)| probability).sum();
    assert!((total - 1.0).abs() < 1e-9);
    assert_near(&counted(&grammar), &floor_of(list), text);
    assert_next(&grammar, list, text);
}

fn words(letters: &[char], length: usize) -> Vec<String> {
    let mut out = vec![String::new()];
    for _ in 0..length {
        out =
            out.iter().flat_map(|word| letters.iter().map(move |c| format!("{word}{c}"))).collect();
    }
    out
}

fn evenly(records: Vec<Vec<(char, Marks)>>) -> List {
    let share = 1.0 / records.len() as f64;
    records.into_iter().map(|record| (record, share)).collect()
}

#[test]
fn copying_costs_its_question_and_nothing_more() {
    let record = |word: &String| [plain(word), plain("|"), answer(word)].concat();
    let list = evenly(words(&['a', 'b', 'c'], 4).iter().map(record).collect());
    assert_list("letter = \"a\"..\"c\"\nrecord = letter * 4 as word \"|\" answer(word)", &list);
}

#[test]
fn copying_ten_of_26_letters_takes_few_states() {
    let grammar =
        parsed("letter = \"a\"..\"z\"\nrecord = letter * 10 as word \"|\" answer(word) \"\\n\"");
    let Counted::Exactly { floor, states } = grammar.floor(100_000) else { panic!() };
    // The first letter is given.
    assert!((floor.rest.nats - 9.0 * 26f64.ln()).abs() < 1e-6, "{floor:?}");
    assert!(
        (floor.rest.chars - 11.0).abs() < 1e-9 && (floor.answer.chars - 10.0).abs() < 1e-9,
        "{floor:?}"
    );
    assert_eq!(floor.answer.nats, 0.0);
    assert!(states < 50, "{states}");
}

#[test]
fn words_of_random_length_cost_their_length_too() {
    let grammar = parsed(
        "letter = \"a\"..\"z\"\nrecord = letter * 3..8 as word \"|\" answer(reverse(word)) \"\\n\"",
    );
    let floor = counted(&grammar);
    assert!((floor.rest.nats - (4.5 * 26f64.ln() + 6f64.ln())).abs() < 1e-6, "{floor:?}");
    assert_eq!(floor.answer.nats, 0.0);
}

#[test]
fn reversal_is_known_from_its_question() {
    let record = |word: &String| {
        [plain(word), answer("|"), answer(&word.chars().rev().collect::<String>())].concat()
    };
    let list = evenly(words(&['a', 'b'], 5).iter().map(record).collect());
    assert_list("letter = \"a\"..\"b\"\nrecord = letter * 5 as w answer(\"|\" reverse(w))", &list);
}

#[test]
fn sorting_is_known_from_its_question() {
    let record = |word: &String| {
        let mut sorted: Vec<char> = word.chars().collect();
        sorted.sort_unstable();
        [plain(word), plain("|"), answer(&sorted.iter().collect::<String>())].concat()
    };
    let list = evenly(words(&['a', 'b', 'c'], 4).iter().map(record).collect());
    assert_list("letter = \"a\"..\"c\"\nrecord = letter * 4 as w \"|\" answer(sort(w))", &list);
}

#[test]
fn numbers_are_sorted_by_value_and_keep_what_stands_between_them() {
    let numbers = ["2", "10", "9"];
    let mut list = List::new();
    for a in numbers {
        for b in numbers {
            let mut sorted = [a, b];
            sorted.sort_by_key(|number| number.parse::<u32>().unwrap());
            let record = [plain(&format!("{a}, {b} ")), answer(&sorted.join(", "))].concat();
            list.push((record, 1.0 / 9.0));
        }
    }
    assert_list(
        "number = \"2\" | \"10\" | \"9\"\nrecord = number * 2 separator \", \" as row \" \" answer(sort(row))",
        &list,
    );
    let falling = "number = \"2\" | \"10\" | \"9\"\nrecord = number * 3 separator \" \" as row \"=\" reverse(sort(row))";
    let text = parsed(falling).draw(&mut rng(4)).text;
    let (before, after) = text.split_once('=').unwrap();
    let mut sorted: Vec<u32> = before.split(' ').map(|number| number.parse().unwrap()).collect();
    sorted.sort_by_key(|number| std::cmp::Reverse(*number));
    assert_eq!(
        after.split(' ').map(|number| number.parse::<u32>().unwrap()).collect::<Vec<_>>(),
        sorted
    );
}

#[test]
fn brackets_have_probabilities_by_their_depth() {
    // Texts of one pair with up to `depth` inside each other, as the rule draws them.
    fn pair(depth: usize) -> Vec<(String, f64)> {
        if depth == 0 {
            return Vec::new();
        }
        let inner = pair(depth - 1);
        let mut bodies = vec![(String::new(), 1.0)];
        let mut longer = bodies.clone();
        if !inner.is_empty() {
            for _ in 0..2 {
                longer = longer
                    .iter()
                    .flat_map(|(text, p)| {
                        inner.iter().map(move |(more, q)| (format!("{text}{more}"), p * q))
                    })
                    .collect();
                bodies.extend(longer.clone());
            }
            bodies.iter_mut().for_each(|(_, p)| *p /= 3.0);
        }
        let closed = |(open, close, share): (char, char, f64)| {
            bodies
                .iter()
                .map(move |(text, p)| (format!("{open}{text}{close}"), p * share))
                .collect::<Vec<_>>()
        };
        [('(', ')', 0.75), ('[', ']', 0.25)].into_iter().flat_map(closed).collect()
    }
    let text =
        "pair depth 3 = 3: \"(\" pair * 0..2 \")\" | 1: \"[\" pair * 0..2 \"]\"\nrecord = pair";
    let list = pair(3).into_iter().map(|(text, p)| (plain(&text), p)).collect();
    assert_list(text, &list);
}

#[test]
fn a_phone_book_costs_its_lines_and_which_is_asked() {
    let names = ["Al", "Bo", "Alf"];
    let digits = words(&['0', '1'], 2);
    let mut list = List::new();
    for a in names {
        for b in names.into_iter().filter(|b| *b != a) {
            for x in &digits {
                for y in &digits {
                    for (name, number) in [(a, x), (b, y)] {
                        let record = [
                            plain(&format!("{a}: {x}\n{b}: {y}\n---\n{name}: ")),
                            answer(number),
                            plain("\n"),
                        ];
                        list.push((record.concat(), 1.0 / (6.0 * 16.0 * 2.0)));
                    }
                }
            }
        }
    }
    let text = "
        name   = \"Al\" | \"Bo\" | \"Alf\"
        digit  = \"0\"..\"1\"
        line   = unique name as who \": \" digit * 2 as number \"\\n\"
        record = line * 2 as book \"---\\n\" pick asked from book
                 asked.who \": \" answer(asked.number) \"\\n\"";
    assert_list(text, &list);
}

#[test]
fn a_larger_phone_book_is_counted_too() {
    let text = example("phone_book").replace("line * 2", "line * 3");
    let floor = counted(&parsed(&text));
    // The first letter, which tells one of six names, is given.
    let expected = (5f64 * 4.0 * 3.0).ln() + 12.0 * 10f64.ln();
    assert!((floor.rest.nats - expected).abs() < 1e-6, "{floor:?} {expected}");
    assert_eq!(floor.answer.nats, 0.0);
}

#[test]
fn names_that_may_come_twice_leave_the_answer_open() {
    let mut list = List::new();
    for a in ["A", "B"] {
        for b in ["A", "B"] {
            for x in ["0", "1"] {
                for y in ["0", "1"] {
                    for (name, number) in [(a, x), (b, y)] {
                        let record = [plain(&format!("{a}{x}{b}{y}?{name}")), answer(number)];
                        list.push((record.concat(), 1.0 / 32.0));
                    }
                }
            }
        }
    }
    let text = "line = (\"A\" | \"B\") as who \"0\"..\"1\" as number
        record = line * 2 as book \"?\" pick asked from book asked.who answer(asked.number)";
    assert_list(text, &list);
    let floor = counted(&parsed(text));
    // Half of the records have one name twice, half of these with two numbers.
    assert!((floor.answer.nats - 0.25 * 2f64.ln()).abs() < 1e-9, "{floor:?}");
}

#[test]
fn where_a_record_ends_costs_nothing() {
    let floor = counted(&parsed("record = \"ab\" * 1..5"));
    assert!(floor.rest.nats.abs() < 1e-9 && (floor.rest.chars - 5.0).abs() < 1e-9, "{floor:?}");
    // After `xa` half of the records end, and of the others half go on with `a`.
    let text = "record = \"xa\" (2: \"\" | 1: \"a\" | 1: \"b\")";
    let floor = counted(&parsed(text));
    assert!((floor.rest.nats - 0.5 * 2f64.ln()).abs() < 1e-9, "{floor:?}");
    assert_list(text, &vec![(plain("xa"), 0.5), (plain("xaa"), 0.25), (plain("xab"), 0.25)]);
}

#[test]
fn a_text_with_several_derivations_counts_once() {
    let list = vec![
        (plain("ab"), 0.5),
        (answer("ab"), 0.125),
        ([plain("a"), answer("b")].concat(), 0.125),
        (plain("a"), 0.25),
    ];
    let text = "record = 4: \"ab\" | 1: answer(\"ab\") | 1: \"a\" answer(\"b\") | 2: \"a\"";
    assert_list(text, &list);
}

#[test]
fn equal_names_bound_in_different_orders_stay_apart() {
    let mut list = List::new();
    for a in ['a', 'b', 'c'] {
        for b in ['a', 'b', 'c'] {
            for again in [a, b] {
                list.push((plain(&format!("{a}{b}{again}")), 1.0 / 18.0));
            }
        }
    }
    let text = "l = \"a\"..\"c\"\nrecord = (l as x l as y | l as y l as x) x";
    assert_list(text, &list);
}

#[test]
fn weights_are_shares_of_their_sum() {
    let list = vec![(plain("xa"), 0.1), (plain("xb"), 0.6), (plain("xc"), 0.3)];
    assert_list("record = \"x\" (0.5: \"a\" | 3: \"b\" | 1.5: \"c\")", &list);
    let floor = counted(&parsed("record = \"x\" (3: \"a\" | \"b\")"));
    assert!((floor.rest.nats - (4f64.ln() - 0.75 * 3f64.ln())).abs() < 1e-9);
}

#[test]
fn what_is_given_is_not_counted() {
    let grammar = parsed("l = \"a\"..\"d\"\nrecord = given(l * 3 as w \"=\") answer(w l) \"\\n\"");
    let floor = counted(&grammar);
    assert!(
        (floor.answer.nats - 4f64.ln()).abs() < 1e-9 && (floor.answer.chars - 4.0).abs() < 1e-9
    );
    assert!(floor.rest.nats == 0.0 && (floor.rest.chars - 1.0).abs() < 1e-9, "{floor:?}");
    assert_eq!(grammar.draw(&mut rng(1)).given, 4);
}

#[test]
fn what_is_hidden_is_inferred_from_what_is_written() {
    // One of two coins is thrown three times.
    let mut list = List::new();
    for bias in [0.9, 0.2] {
        for word in words(&['h', 't'], 3) {
            let p: f64 = word.chars().map(|c| if c == 'h' { bias } else { 1.0 - bias }).product();
            list.push((plain(&word), p / 2.0));
        }
    }
    let text = "one = 9: \"h\" | 1: \"t\"\ntwo = 2: \"h\" | 8: \"t\"\nrecord = one * 3 | two * 3";
    assert_list(text, &list);
    let mut list = List::new();
    for c in ['a', 'b', 'c'] {
        for d in ['a', 'b'] {
            list.push(([plain(&d.to_string()), answer(&format!("{c}{c}"))].concat(), 1.0 / 6.0));
        }
    }
    assert_list(
        "record = pick secret from (\"a\"..\"c\") \"a\"..\"b\" answer(secret secret)",
        &list,
    );
}

#[test]
fn the_entropies_of_all_parts_and_of_the_end_sum_to_that_of_the_record() {
    let text = "l = \"a\"..\"c\"\nrecord = \"x\" (l * 0..4 as w answer(w | l) | \"ab\" * 0..3)";
    let floor = counted(&parsed(text));
    let grammar = parsed(text);
    let mut stack = vec![(String::new(), 1.0)];
    let mut entropy = 0.0;
    // Cost of whether the record ends, after each beginning.
    let mut ends = 0.0;
    while let Some((prefix, reached)) = stack.pop() {
        let next = grammar.next(&prefix, 10_000).unwrap();
        let end = next.iter().find(|(c, _)| c.is_none()).map_or(0.0, |(_, p)| *p);
        ends -= [end, 1.0 - end]
            .into_iter()
            .filter(|p| *p > 0.0)
            .map(|p| reached * p * p.ln())
            .sum::<f64>();
        for (c, probability) in next {
            match c {
                Some(c) => stack.push((format!("{prefix}{c}"), reached * probability)),
                None => entropy -= reached * probability * (reached * probability).ln(),
            }
        }
    }
    assert!((floor.record().nats + ends - entropy).abs() < 1e-9);
}

#[test]
fn what_is_too_unlikely_to_be_a_number_counts_as_impossible() {
    let mut text = String::from("record = r0 \"x\"\n");
    (0..40).for_each(|i| text += &format!("r{i} = 1e-11: r{} | \"a\"\n", i + 1));
    text += "r40 = \"b\"\n";
    let grammar = parsed(&text);
    let floor = counted(&grammar);
    assert!((floor.rest.chars - 1.0).abs() < 1e-9 && floor.rest.nats.abs() < 1e-6, "{floor:?}");
    assert_eq!(grammar.next("", 1000), Some(vec![(Some('a'), 1.0)]));
    let pool = text.replace("r0 \"x\"", "unique r0 \"x\"");
    assert!(Grammar::parse(&pool.replace("unique r0", "unique r0 * 2")).is_err());
    assert_eq!(parsed(&pool).draw(&mut rng(1)).text, "ax");
}

#[test]
fn many_states_are_counted_in_seconds_and_more_are_beyond() {
    // Which letters were seen must be known, and in which order they come again.
    let text = "l = \"a\"..\"e\"\nrecord = l * 6 as w \"|\" (w | l * 6)";
    let grammar = parsed(text);
    let before = std::time::Instant::now();
    let Counted::Exactly { states, .. } = grammar.floor(100_000) else { panic!() };
    assert!(states > 20_000, "{states}");
    assert!(before.elapsed().as_secs() < 20, "{:?}", before.elapsed());
    assert_eq!(grammar.floor(1000), Counted::Beyond);
    let large = parsed("l = \"a\"..\"z\"\nrecord = l * 40 as w \"|\" (w | l * 40)");
    assert_eq!(large.floor(100_000), Counted::Beyond);
}
