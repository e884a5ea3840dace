//! Attention by type, against patterns added up by hand and closed forms.

mod common;

use std::collections::BTreeMap;

use confab::base::random::stream_rng;
use confab::config::{RunConfig, TaskKind};
use confab::interp::analysis::Averaging;
use confab::interp::trace::trace;
use confab::learn::Trainer;
use confab::report::AttentionByType;
use confab::run::Field;
use confab::task::Split;
use futures::executor::block_on;

fn trainer(change: impl Fn(&mut RunConfig)) -> Trainer {
    let mut config = RunConfig::default();
    change(&mut config);
    common::trainer(config)
}

fn average_of(run: &Trainer, records: usize) -> AttentionByType {
    let mut averaging = Averaging::new(run, None, records);
    while block_on(averaging.next()).unwrap() {}
    averaging.report().clone()
}

fn average(kind: TaskKind, records: usize) -> AttentionByType {
    average_of(&trainer(|config| config.task.kind = kind), records)
}

fn report(rows: &[(&str, &[(Field, f64)])]) -> AttentionByType {
    let sums = rows.iter().map(|(name, shares)| {
        (name.to_string(), vec![shares.iter().copied().collect::<BTreeMap<_, _>>()])
    });
    AttentionByType { n_layers: 1, n_heads: 1, sums: sums.collect(), ..Default::default() }
}

#[test]
fn shares_add_up_to_one_for_every_head_and_type() {
    let report = average(TaskKind::Phone, 3);
    assert_eq!(report.records, 3);
    for (layer, head) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let shares = report.shares(layer, head);
        let types: Vec<&str> = shares.iter().map(|(name, _)| *name).collect();
        assert_eq!(types, ["answer", "digit", "marker", "name", "separator"]);
        for (name, shares) in shares {
            assert!((shares.values().sum::<f64>() - 1.0).abs() < 1e-6, "{name}: {shares:?}");
        }
    }
    assert_eq!(report.ranking().len(), 4);
}

#[test]
fn a_marker_is_predicted_from_what_is_before_it() {
    // The first marker's characters have markers alone before them, the last also the list.
    let report = average(TaskKind::Phone, 2);
    let (_, shares) = report.shares(0, 0).into_iter().find(|(name, _)| *name == "marker").unwrap();
    assert!(shares[&Field::Marker] > shares[&Field::Separator]);
    assert!(shares[&Field::Digit] > 0.0 && shares[&Field::Name] > 0.0);
}

#[test]
fn facts_are_grouped_by_category() {
    let report = average(TaskKind::Facts, 30);
    assert!(report.sums.len() > 3, "{:?}", report.sums.keys());
    for (category, shares) in report.shares(1, 1) {
        assert!(shares[&Field::Question] > 0.0, "{category}");
        assert!((shares.values().sum::<f64>() - 1.0).abs() < 1e-6, "{category}");
    }
}

#[test]
fn divergence_is_that_of_jensen_and_shannon() {
    let alike = [(Field::Name, 3.0), (Field::Digit, 1.0)];
    assert!(report(&[("a", &alike), ("b", &alike)]).divergence(0, 0) < 1e-12);
    // Two types that share nothing differ by one bit, four by two.
    let apart =
        [[(Field::Name, 5.0)], [(Field::Digit, 2.0)], [(Field::Fact, 1.0)], [(Field::Text, 9.0)]];
    let two = report(&[("a", &apart[0]), ("b", &apart[1])]);
    assert!((two.divergence(0, 0) - 1.0).abs() < 1e-12);
    let four: Vec<(&str, &[(Field, f64)])> =
        ["a", "b", "c", "d"].into_iter().zip(apart.iter().map(|row| &row[..])).collect();
    assert!((report(&four).divergence(0, 0) - 2.0).abs() < 1e-12);
    assert_eq!(AttentionByType::default().divergence(0, 0), 0.0);
}

/// Each row's sum.
fn row_sums((names, shares): &(Vec<String>, Vec<f32>)) -> Vec<f32> {
    assert_eq!(shares.len(), names.len() * names.len());
    shares.chunks(names.len()).map(|row| row.iter().sum()).collect()
}

#[test]
fn an_average_pattern_goes_from_part_to_part_of_a_record() {
    let facts = average(TaskKind::Facts, 5).pattern(0, 1);
    assert_eq!(facts.0, ["marker", "question", "separator", "fact", "answer"]);
    assert!(row_sums(&facts).iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{facts:?}");

    let phone = average(TaskKind::Phone, 3).pattern(1, 0);
    let first = ["line 0 marker", "line 1 name", "line 1 separator", "line 1 digit", "line 2 name"];
    assert_eq!(phone.0[..5], first);
    assert_eq!(
        phone.0[phone.0.len() - 3..],
        ["line 7 answer", "line 7 separator", "line 8 marker"]
    );
    assert!(row_sums(&phone).iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{phone:?}");
    assert_eq!(phone.1[1], 0.0, "what is to come is not read");
    assert_eq!(AttentionByType::default().pattern(0, 0), (vec![], vec![]));
}

#[test]
fn an_average_pattern_is_that_of_the_traces_of_its_records() {
    const RECORDS: usize = 3;
    for kind in [TaskKind::Phone, TaskKind::Facts, TaskKind::Text] {
        let mut run = trainer(|config| {
            config.task.kind = kind;
            config.task.text.text = "so it goes and goes and goes\n\nuntil it is gone\n".repeat(80);
        });
        // Large weights, so that the heads read unevenly.
        let model = &mut run.learner.model;
        model.parameters = model.parameters.clone() * 8.0;
        let report = average_of(&run, RECORDS);
        assert_ne!(report.pattern(0, 0), report.pattern(0, 1));
        for (layer, head) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let (names, shares) = report.pattern(layer, head);
            let expected = brute_force(&run, RECORDS, (layer, head));
            for (place, share) in shares.iter().enumerate() {
                let (query, key) = (&names[place / names.len()], &names[place % names.len()]);
                let wanted = expected.get(&(query.clone(), key.clone())).copied().unwrap_or(0.0);
                assert!((share - wanted).abs() < 1e-4, "{query}, {key}: {share}, not {wanted}");
            }
            assert!(
                expected.keys().all(|(query, key)| names.contains(query) && names.contains(key))
            );
        }
    }
}

/// Mean attention by the names of query and key, from traces of the records averaged over.
fn brute_force(
    run: &Trainer,
    records: usize,
    (layer, head): (usize, usize),
) -> BTreeMap<(String, String), f32> {
    let (mut sums, mut counts) = (BTreeMap::new(), BTreeMap::new());
    // The stream that the average draws record 0 from is u64::MAX - 4.
    for index in 0..records as u64 {
        let mut rng = stream_rng(run.config.seed, u64::MAX - 4 - index);
        let context = run.config.model.context;
        let record = run.task.draw(Split::Validation, context, &mut rng);
        let name = |at: usize| {
            let field = record.fields[at].name();
            match run.config.task.kind {
                TaskKind::Facts => field.to_owned(),
                _ => {
                    let before = record.text.chars().take(at);
                    format!("line {} {field}", before.filter(|c| *c == '\n').count())
                }
            }
        };
        let (trace, _) = block_on(trace(run, &record.text)).unwrap();
        let (seq, pattern) = (trace.tokens.len(), trace.pattern(layer, head));
        for query in 0..seq.min(record.len() - 1) {
            *counts.entry(name(query + 1)).or_insert(0.0) += 1.0;
            for key in 0..=query {
                let pair = (name(query + 1), name(key));
                *sums.entry(pair).or_insert(0.0) += pattern[query * seq + key];
            }
        }
    }
    for (pair, sum) in &mut sums {
        *sum /= counts[&pair.0];
    }
    sums
}

#[test]
fn what_is_sent_of_average_patterns_is_bounded() {
    // Two hundred lines: more parts than are told apart.
    let lines = average_of(
        &trainer(|config| {
            config.task.kind = TaskKind::Text;
            config.task.text.text = "a\n".repeat(2000);
        }),
        2,
    );
    let pattern = lines.pattern(0, 0);
    assert_eq!(pattern.0.len(), 25);
    assert_eq!((pattern.0[0].as_str(), pattern.0[24].as_str()), ("line 0 text", "others"));
    assert!(row_sums(&pattern).iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{pattern:?}");

    let heads = trainer(|config| {
        (config.model.n_layers, config.model.n_heads, config.model.d_model) = (4, 64, 64);
    });
    let bytes = postcard::to_stdvec(&average_of(&heads, 2)).unwrap().len();
    assert!(bytes < 500_000, "{bytes} bytes for 256 heads");
}
