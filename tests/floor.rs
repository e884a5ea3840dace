//! The entropy floor: against closed forms, and against what the best of predictors pays.

use confab::base::random::stream_rng;
use confab::config::{
    AnswerRule, FactsConfig, FactsSplit, InductionConfig, ModularConfig, PhoneConfig, TaskConfig,
    TaskKind, TextConfig,
};
use confab::run::Field;
use confab::task::{Facts, RecordSource, Split, Task, surprisals};

fn phone(answer: AnswerRule) -> Task {
    let phone = PhoneConfig { lines: 5, names: 2000, answer, ..PhoneConfig::default() };
    Task::new(&TaskConfig { kind: TaskKind::Phone, phone, ..Default::default() }).unwrap()
}

fn facts(facts: usize, split: FactsSplit) -> Task {
    let facts = FactsConfig { facts, repetitions: 2, split, ..FactsConfig::default() };
    Task::new(&TaskConfig { kind: TaskKind::Facts, facts, ..Default::default() }).unwrap()
}

fn text(text: String) -> Task {
    let text = TextConfig { text, ..TextConfig::default() };
    Task::new(&TaskConfig { kind: TaskKind::Text, text, ..Default::default() }).unwrap()
}

fn induction(characters: usize, min_len: usize, max_len: usize) -> Task {
    let induction = InductionConfig { characters, min_len, max_len };
    Task::new(&TaskConfig { kind: TaskKind::Induction, induction, ..Default::default() }).unwrap()
}

fn modular(modulus: usize, fraction: f64) -> Task {
    let modular = ModularConfig { modulus, fraction };
    Task::new(&TaskConfig { kind: TaskKind::Modular, modular, ..Default::default() }).unwrap()
}

/// Entropy of a number: every digit evenly among those its rules allow.
fn number() -> f64 {
    let [ln8, ln9, ln10] = [8.0f64, 9.0, 10.0].map(f64::ln);
    let area = ln9 + 2.0 * ln10;
    let exchange = 2.0 * ln9 + (80.0 * ln9 + ln8) / 81.0;
    let last_four = 3.0 * ln10 + 0.99 * ln10 + 0.01 * ln9;
    area + exchange + last_four
}

#[test]
fn a_phone_record_costs_its_names_its_numbers_and_the_choice_of_a_line() {
    let lines = 5.0 * (2.0 * 2000f64.ln() + number());
    let recalled = phone(AnswerRule::List).floor().unwrap();
    assert!((recalled.total_nats - lines - 5f64.ln()).abs() < 1e-5, "{recalled:?}");
    let fresh = phone(AnswerRule::Random).floor().unwrap();
    assert!((fresh.total_nats - lines - 5f64.ln() - number()).abs() < 1e-5, "{fresh:?}");
    let digits = recalled.field(Field::Digit).unwrap();
    assert!((digits.nats - 5.0 * number()).abs() < 1e-9 && digits.chars == 50.0);
    assert_eq!(recalled.field(Field::Marker).unwrap().nats, 0.0);
    let answer = |floor: &confab::run::Floor| floor.field(Field::Answer).unwrap().nats;
    assert!((answer(&fresh) - answer(&recalled) - number()).abs() < 1e-5);
}

#[test]
fn a_fact_costs_the_choice_of_its_record() {
    for split in [FactsSplit::Facts, FactsSplit::Wording] {
        costs_the_choice_of_its_record(&facts(1000, split));
    }
}

fn costs_the_choice_of_its_record(task: &Task) {
    let Some(of_task) = task.downcast_ref::<Facts>() else { unreachable!() };
    let records = of_task.records(Split::Train);
    let floor = task.floor().unwrap();
    // Two facts may be worded alike; their records are then one.
    let mut texts: Vec<&str> = records.iter().map(|record| record.text.as_str()).collect();
    texts.sort_unstable();
    let count = texts.len() as f64;
    let entropy: f64 = texts
        .chunk_by(|a, b| a == b)
        .map(|same| same.len() as f64 / count * (count / same.len() as f64).ln())
        .sum();
    assert!((floor.total_nats - entropy).abs() < 1e-9);
    // Which question it is tells the answer.
    assert!(floor.field(Field::Answer).unwrap().nats < 1e-9);
    assert!(floor.field(Field::Question).unwrap().nats > 0.9 * entropy);
}

#[test]
fn the_best_predictor_pays_the_floor() {
    let tasks = [
        phone(AnswerRule::List),
        phone(AnswerRule::Random),
        facts(1000, FactsSplit::Facts),
        facts(1000, FactsSplit::Wording),
        induction(52, 8, 24),
    ];
    for task in tasks {
        let floor = task.floor().unwrap();
        let mut rng = stream_rng(1, 0);
        let (mut nats, mut chars) = (0.0, 0);
        for _ in 0..10_000 {
            let record = task.draw(Split::Train, usize::MAX, &mut rng);
            let costs = surprisals(&task, record.symbols());
            nats += costs[1..].iter().map(|cost| cost.unwrap()).sum::<f64>();
            chars += costs.len() - 1;
        }
        let paid = nats / f64::from(chars as u32);
        let error = (paid - floor.nats_per_char).abs() / floor.nats_per_char;
        assert!(error < 0.01, "paid {paid}, the floor is {}", floor.nats_per_char);
    }
}

#[test]
fn a_repeated_block_costs_its_characters_and_its_length_once() {
    let floor = induction(10, 3, 7).floor().unwrap();
    // Lengths 3 to 7 are 5 on average; the first character is not predicted.
    assert!((floor.total_nats - 4.0 * 10f64.ln() - 5f64.ln()).abs() < 1e-9, "{floor:?}");
    assert_eq!(floor.field(Field::Answer).unwrap().nats, 0.0);
    assert!((floor.chars - (4.0 + 1.0 + 5.0 + 1.0)).abs() < 1e-9);
    let one_length = induction(10, 4, 4).floor().unwrap();
    assert!((one_length.total_nats - 3.0 * 10f64.ln()).abs() < 1e-9, "{one_length:?}");
}

#[test]
fn a_sum_is_known_and_its_terms_are_not_asked_for() {
    let task = modular(113, 0.3);
    let floor = task.floor().unwrap();
    assert_eq!((floor.total_nats, floor.chars), (0.0, 1.0));
    let record = task.draw(Split::Train, 0, &mut stream_rng(1, 0));
    let costs = surprisals(&task, record.symbols());
    let evenly = 113f64.ln();
    for (cost, expected) in costs.iter().zip([evenly, 0.0, evenly, 0.0, 0.0]) {
        assert!((cost.unwrap() - expected).abs() < 1e-12, "{costs:?}");
    }
    assert_eq!(record.given, 4);
}

#[test]
fn what_a_task_never_writes_has_no_floor_from_there_on() {
    let task = phone(AnswerRule::List);
    let costs = surprisals(&task, "{B}\nMary James: 012-".split_inclusive(|_: char| true));
    let impossible = "{B}\nMary James: ".len();
    assert!(costs[..impossible].iter().all(Option::is_some), "{costs:?}");
    assert!(costs[impossible..].iter().all(Option::is_none), "{costs:?}");
    assert!((costs[impossible - 1].unwrap()).abs() < 1e-12, "a space after the colon is certain");
}

#[test]
fn jsonl_has_a_floor_and_plain_text_a_baseline() {
    let line = |i: usize| format!("{{\"instruction\":\"Say {i}\",\"output\":\"{i} it is\"}}\n");
    let records = text((0..40).map(line).collect());
    assert!((records.floor().unwrap().total_nats - 36f64.ln()).abs() < 1e-9);
    assert_eq!(records.baseline(), None);

    let plain = text("the same again and ".repeat(200));
    assert_eq!(plain.floor(), None);
    assert!(plain.baseline().unwrap() < 0.05);
    assert!(surprisals(&plain, ["t", "h", "e"]).iter().all(Option::is_none));
}

#[test]
fn counting_predicts_no_dice() {
    use rand::RngExt;
    let mut rng = stream_rng(3, 0);
    let dice: String = (0..60_000).map(|_| char::from(b'1' + rng.random_range(0..6u8))).collect();
    let baseline = text(dice).baseline().unwrap();
    assert!(baseline > 6f64.ln() && baseline < 1.1 * 6f64.ln(), "{baseline}");
}

#[test]
fn asking_for_names_of_the_whole_book_costs_what_they_and_the_question_mark_do() {
    let phone = |unknown| {
        let phone = PhoneConfig { lines: 2, names: 30, unknown, ..PhoneConfig::default() };
        Task::new(&TaskConfig { kind: TaskKind::Phone, phone, ..Default::default() }).unwrap()
    };
    let answer = |unknown| phone(unknown).floor().unwrap().field(Field::Answer).copied().unwrap();
    let total = |unknown: f64| phone(unknown).floor().unwrap().total_nats;
    // Always asking: the name of a stranger, whose number is `?`, or a listed one's, which is a copy.
    let by_chance = 1.0 - (1.0 - 900f64.powi(-2)).powi(2);
    assert!((total(1.0) - total(0.0) - 2.0 * 30f64.ln() + 2f64.ln()).abs() < 0.01);
    assert!(by_chance < 1e-5 && answer(1.0).chars < answer(0.0).chars - 8.9);
    // The best of predictors pays the floor on average.
    let task = phone(0.25);
    let floor = task.floor().unwrap();
    let records = 10_000;
    let mut rng = stream_rng(1, 0);
    let (mut nats, mut unknown) = (0.0, 0);
    for _ in 0..records {
        let record = task.draw(Split::Train, 0, &mut rng);
        unknown += usize::from(record.text.contains(": ? \n{E}"));
        nats += surprisals(&task, record.symbols())
            .into_iter()
            .skip(1)
            .map(Option::unwrap)
            .sum::<f64>();
    }
    assert!((nats / f64::from(records) / floor.total_nats - 1.0).abs() < 0.01);
    assert!((unknown as f64 / f64::from(records) - 0.25).abs() < 0.015, "{unknown}");
}
