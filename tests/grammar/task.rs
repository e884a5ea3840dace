//! Grammars as tasks to train on.

use confab::base::random::stream_rng;
use confab::config::{ConfigError, GrammarConfig, RunConfig, TaskConfig, TaskKind};
use confab::run::link::{Link, decode, encode};
use confab::run::{Field, Found};
use confab::task::{Split, Task, surprisals};

use crate::example;

fn config(text: &str) -> TaskConfig {
    let grammar = GrammarConfig { text: text.into() };
    TaskConfig { kind: TaskKind::Grammar, grammar, ..TaskConfig::default() }
}

fn task(text: &str) -> Task {
    Task::new(&config(text)).unwrap()
}

fn refusal(text: &str) -> String {
    match Task::new(&config(text)) {
        Err(ConfigError::Task(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_best_of_predictors_pays_the_floor() {
    for text in [
        &example("phone_book"),
        &example("brackets"),
        "l = \"a\"..\"c\"\nrecord = l * 1..4 as w answer(w | l) | \"ab\" * 1..3",
    ] {
        let task = task(text);
        let floor = task.floor().unwrap();
        assert!(matches!(floor.found, Found::Counted { .. }) && floor.standard_error().is_none());
        let (mut nats, mut chars, mut costs) = (0.0, 0, Vec::new());
        for stream in 0..600 {
            let record = task.draw(Split::Train, 0, &mut stream_rng(7, stream));
            let costs_of = surprisals(&task, record.symbols());
            let cost: f64 = costs_of.iter().skip(record.given).map(|cost| cost.unwrap()).sum();
            nats += cost;
            chars += record.len() - record.given;
            costs.push((cost, (record.len() - record.given) as f64));
        }
        let mean = nats / chars as f64;
        let squares = costs.iter().map(|(cost, chars)| (cost - mean * chars).powi(2)).sum::<f64>();
        let error = squares.sqrt() / chars as f64;
        assert!(
            (mean - floor.nats_per_char).abs() < 4.0 * error + 1e-9,
            "{mean} {floor:?}\n{text}"
        );
    }
}

#[test]
fn a_question_ends_where_its_answer_begins() {
    let book = task(&example("phone_book"));
    let question = book.question(1, 3).unwrap();
    assert!(question.text.ends_with(": "), "{question:?}");
    assert_eq!(question.answer.len(), 4);
    let (name, _) = question.text.lines().last().unwrap().split_once(':').unwrap();
    assert!(question.text.contains(&format!("{name}: {}", question.answer)), "{question:?}");
    assert!(book.example_prompt(1).ends_with(": "));
    // A question has a character at least, and one without an answer is none.
    let first = task("record = answer(\"abc\")").question(1, 0).unwrap();
    assert_eq!((first.text.as_str(), first.answer.as_str()), ("a", "bc"));
    assert_eq!(task(&example("brackets")).question(1, 0), None);
}

#[test]
fn a_record_is_at_its_end_where_nothing_may_follow() {
    let book = task(&example("phone_book"));
    let record = book.draw(Split::Validation, 0, &mut stream_rng(1, 1));
    let (before, _) = record.text.split_at(record.text.len() - 1);
    assert!(book.is_at_end(&record.text) && !book.is_at_end(before));
    assert!(!book.is_at_end("no record") && book.is_at_end(&"no record ".repeat(11)));
    assert_eq!(book.probability(before, "\n"), 1.0);
    assert_eq!(book.probability("no record", "s"), 0.0);
    // Where it may end, it goes on, for an end is no token.
    let pairs = task("record = \"ab\" * 1..3");
    assert!(!pairs.is_at_end("abab") && pairs.is_at_end("ababab"));
    assert_eq!(pairs.probability("ab", "a"), 1.0);
}

#[test]
fn every_record_has_a_character_to_predict() {
    let task = task("record = \"a\" * 0..3");
    for stream in 0..200 {
        let record = task.draw(Split::Train, 0, &mut stream_rng(1, stream));
        assert!(
            record.len() > record.given && record.fields.iter().all(|of| *of == Field::Question)
        );
    }
    for text in ["record = \"a\" | \"b\"", "record = \"\"", "record = given(\"abc\")"] {
        assert!(refusal(text).contains("write more"), "{text}");
    }
}

#[test]
fn a_refusal_tells_the_line() {
    let why = refusal("# mine\nrecord = letter * 3");
    assert!(why.starts_with("line 2: ") && why.contains("`letter`"), "{why}");
}

#[test]
fn a_floor_over_too_many_states_is_estimated() {
    let floor =
        task("l = \"a\"..\"z\"\nrecord = l * 12 as w \"|\" (answer(w) | l * 1..12)").floor();
    let floor = floor.unwrap();
    let Found::Estimated { records, standard_error } = floor.found else { panic!("{floor:?}") };
    assert!(records > 1000 && standard_error < 0.02 * floor.total_nats, "{floor:?}");
    // Eleven letters that nothing tells, half of the records again, and whether they are copied.
    assert!(floor.total_nats > 11.0 * 26f64.ln(), "{floor:?}");
}

#[test]
fn a_grammar_travels_in_a_link_and_fits_its_tuned_settings() {
    let mut config = RunConfig::tuned(TaskKind::Grammar);
    let example_task = Task::new(&config.task).unwrap();
    config.validate_context(example_task.longest()).unwrap();
    config.task.grammar.text = example("sorting");
    let link = Link { config, ..Link::default() };
    assert_eq!(decode(&encode(&link).unwrap()).unwrap(), link);
}
