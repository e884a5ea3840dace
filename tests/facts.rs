//! Properties that the `facts` task promises of its records.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use confab::config::{FactsConfig, FactsSplit, RunConfig, TaskConfig, TaskKind};
use confab::run::{Field, Record};
use confab::task::{Facts, RecordSource, Split};

const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

fn facts(facts: usize, repetitions: usize) -> Facts {
    Facts::new(&FactsConfig { facts, repetitions, ..FactsConfig::default() }).unwrap()
}

fn field(record: &Record, wanted: Field) -> String {
    let chars = record.text.chars().zip(&record.fields);
    chars.filter(|(_, field)| **field == wanted).map(|(c, _)| c).collect()
}

#[test]
fn there_are_five_thousand_facts_and_the_hand_written_come_first() {
    assert!(Facts::hand_written() >= 240);
    for (count, repetitions) in [(10, 4), (1000, 1), (5000, 4)] {
        let task = facts(count, repetitions);
        let records: usize = SPLITS.iter().map(|split| task.records(*split).len()).sum();
        let hand_written = Facts::hand_written().min(count);
        assert_eq!(records, hand_written + (count - hand_written) * repetitions);
    }
    let most = |task: Facts| SPLITS.iter().map(|split| task.records(*split).len()).sum::<usize>();
    assert_eq!(most(facts(usize::MAX, 1)), 5000);
    assert_eq!(most(facts(0, 0)), 2);
}

#[test]
fn facts_follow_the_grammar_and_state_their_answers() {
    let task = facts(5000, 4);
    let mut questions = HashSet::new();
    for record in SPLITS.iter().flat_map(|split| task.records(*split)) {
        let [question, sentence, answer] =
            [Field::Question, Field::Fact, Field::Answer].map(|wanted| field(record, wanted));
        assert_eq!(record.text, format!("{{B}}{question} ({sentence}): {answer}{{E}}\n"));
        assert_eq!(field(record, Field::Marker), "{B}{E}\n");
        assert_eq!(field(record, Field::Separator), " (): ");
        assert_eq!(record.fields.len(), record.text.chars().count());
        assert!(question.ends_with('?') && question.matches('?').count() == 1, "{question}");
        assert!(sentence.ends_with('.') && !answer.is_empty(), "{sentence}");
        assert!(sentence.contains(&answer), "{sentence} {answer}");
        assert!(!sentence.starts_with(|c: char| c.is_ascii_lowercase()), "{sentence}");
        assert!(!format!("{question}{sentence}{answer}").contains(['(', ')', '{', '}', '\t']));
        assert!(record.text.is_ascii() && record.len() <= 200, "{}", record.text);
        assert!(!question.contains("  ") && !sentence.contains("  "));
        assert!(questions.insert(question.clone()), "asked twice: {question}");
        assert!(record.len() <= task.longest());
    }
}

#[test]
fn facts_are_varied_from_the_start() {
    let categories = |count| -> BTreeMap<String, usize> {
        let task = facts(count, 1);
        let mut out = BTreeMap::new();
        for record in SPLITS.iter().flat_map(|split| task.records(*split)) {
            *out.entry(record.category.clone().expect("a category")).or_default() += 1;
        }
        out
    };
    assert!(categories(Facts::hand_written()).len() >= 8);
    let first = categories(1000);
    assert!(first.len() >= 20, "{first:?}");
    assert!(first.values().all(|count| *count <= 200), "{first:?}");
    let distinct: BTreeSet<_> = categories(40).into_keys().collect();
    assert!(distinct.len() >= 8);
}

#[test]
fn training_and_validation_share_no_fact() {
    for (count, repetitions) in [(2, 1), (10, 1), (1000, 1), (1000, 4), (5000, 2)] {
        let task = facts(count, repetitions);
        let [train, validation] = SPLITS.map(|split| task.records(split));
        let questions = |records: &[Record]| -> HashSet<String> {
            records.iter().map(|record| field(record, Field::Question)).collect()
        };
        assert!(questions(train).is_disjoint(&questions(validation)));
        let share = validation.len() as f64 / (train.len() + validation.len()) as f64;
        assert!(!train.is_empty() && !validation.is_empty());
        assert!(count < 100 || (0.08..0.12).contains(&share), "{share}");
    }
    // A capital's country tells a country's capital: the two are held out together.
    let task = facts(5000, 1);
    let mut splits: BTreeMap<BTreeSet<String>, HashSet<bool>> = BTreeMap::new();
    for split in SPLITS {
        for record in task.records(split) {
            let question = field(record, Field::Question);
            let asked = ["What is the capital of ", "Which country has the capital "]
                .iter()
                .find_map(|start| question.strip_prefix(start));
            if let Some(asked) = asked.filter(|asked| !asked.starts_with("the US state")) {
                let pair = [asked.trim_end_matches('?').to_string(), field(record, Field::Answer)];
                splits.entry(pair.into()).or_default().insert(split == Split::Train);
            }
        }
    }
    assert!(splits.len() > 150);
    assert!(splits.values().all(|sides| sides.len() == 1));
}

#[test]
fn arithmetic_facts_are_right() {
    let task = facts(5000, 1);
    let mut checked = 0;
    for record in SPLITS.iter().flat_map(|split| task.records(*split)) {
        let question = field(record, Field::Question);
        let words: Vec<&str> = question.trim_end_matches('?').split(' ').collect();
        if let ["What", "is", a, sign @ ("plus" | "minus" | "times"), b] = words[..] {
            let (a, b): (i64, i64) = (a.parse().unwrap(), b.parse().unwrap());
            let result = match sign {
                "plus" => a + b,
                "minus" => a - b,
                _ => a * b,
            };
            assert_eq!(field(record, Field::Answer), result.to_string(), "{question}");
            checked += 1;
        }
    }
    assert!(checked > 1000);
}

#[test]
fn held_out_wordings_are_of_facts_that_are_trained_on_in_others() {
    for (facts, repetitions, shuffle) in [(10, 2, 0), (200, 2, 0), (1000, 4, 0), (300, 3, 7)] {
        let of = |split| {
            let config = FactsConfig { facts, repetitions, shuffle, hand_written: 0, split };
            Facts::new(&config).unwrap()
        };
        // Whole facts keep their wordings together, so these tell which wordings are of one fact.
        let whole = of(FactsSplit::Facts);
        let all = SPLITS.iter().flat_map(|split| whole.records(*split).chunks(repetitions));
        let fact: BTreeMap<&str, usize> = all
            .enumerate()
            .flat_map(|(fact, wordings)| {
                wordings.iter().map(move |record| (record.text.as_str(), fact))
            })
            .collect();
        let task = of(FactsSplit::Wording);
        let [train, held_out] = SPLITS.map(|split| task.records(split));
        let count = train.len() + held_out.len();
        assert_eq!(count, facts * repetitions);
        let texts = |records: &[Record]| {
            records.iter().map(|record| record.text.clone()).collect::<BTreeSet<_>>()
        };
        assert!(texts(train).is_disjoint(&texts(held_out)));
        assert_eq!(held_out.len(), (count / 10).max(1));
        let trained: HashSet<usize> =
            train.iter().map(|record| fact[record.text.as_str()]).collect();
        let lacking: HashSet<usize> =
            held_out.iter().map(|record| fact[record.text.as_str()]).collect();
        assert_eq!(trained.len(), facts);
        assert_eq!(task.trained(), facts);
        assert_eq!(lacking.len(), held_out.len(), "no more than one wording of a fact");
    }
}

#[test]
fn a_fact_in_one_wording_is_not_held_out_by_wording() {
    let config = FactsConfig {
        facts: 300,
        repetitions: 2,
        split: FactsSplit::Wording,
        ..FactsConfig::default()
    };
    let task = Facts::new(&config).unwrap();
    let hand_written: HashSet<String> = facts(Facts::hand_written(), 1)
        .records(Split::Train)
        .iter()
        .map(|record| record.text.clone())
        .collect();
    let held_out = task.records(Split::Validation);
    assert!(held_out.iter().all(|record| !hand_written.contains(&record.text)));
    assert_eq!(held_out.len(), (256 + 44 * 2) / 10);
    assert_eq!(task.trained(), 300);
    for config in [
        FactsConfig { repetitions: 1, ..config.clone() },
        FactsConfig { facts: 200, ..config.clone() },
    ] {
        let refused = Facts::new(&config).unwrap_err().to_string();
        assert!(
            refused.contains("Split by wording") && refused.contains("2 Repetitions"),
            "{refused}"
        );
        let task = TaskConfig { kind: TaskKind::Facts, facts: config, ..TaskConfig::default() };
        let run = RunConfig { task, ..RunConfig::default() };
        assert_eq!(run.validate().unwrap_err().to_string(), refused);
    }
}

#[test]
fn hand_written_facts_are_as_many_as_are_asked_for() {
    let first = |hand_written| {
        let task =
            Facts::new(&FactsConfig { facts: 20, hand_written, ..FactsConfig::default() }).unwrap();
        SPLITS
            .iter()
            .flat_map(|split| task.records(*split))
            .map(|record| record.text.clone())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(FactsConfig::default().hand_written, Facts::hand_written());
    let (all, none) = (first(256), first(0));
    assert!(all.is_disjoint(&none) && none.len() == 20);
    assert_eq!(first(5).intersection(&all).count(), 5);
    assert_eq!(first(5).intersection(&none).count(), 15);
}
