//! Attention by type, against patterns added up by hand and closed forms.

use std::collections::BTreeMap;

use burn::tensor::Device;
use confab::analysis::Averaging;
use confab::config::{MemoryLimits, RunConfig};
use confab::report::AttentionByType;
use confab::task::{Field, TaskKind};
use confab::trainer::Trainer;
use futures::executor::block_on;

fn average(kind: TaskKind, records: usize) -> AttentionByType {
    let mut config = RunConfig::default();
    config.task.kind = kind;
    let limits = MemoryLimits { total: u64::MAX, buffer: u64::MAX };
    let run = Trainer::new(config, Device::flex(), &limits).unwrap();
    let mut averaging = Averaging::new(&run, records);
    while block_on(averaging.next()).unwrap() {}
    averaging.report().clone()
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
