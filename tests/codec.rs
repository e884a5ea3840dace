//! The noise codec's parts against direct transcriptions, brute force and closed forms.

use confab::base::random::stream_rng;
use confab::codec::{
    Between, Cell, Fitter, Keys, Metric, Noise, Table, align, cost, distance, levenshtein,
};
use confab::config::{CodecConfig, Fitting, KeyDistance, NoiseKind};
use proptest::prelude::*;

const WHOLE: u32 = 1_000_000_000;

fn config(falloff: f64, closeness: f64) -> CodecConfig {
    CodecConfig { falloff, closeness, ..CodecConfig::default() }
}

fn digits(number: u32) -> Vec<i32> {
    format!("{number:09}").chars().map(|digit| digit.to_digit(10).unwrap() as i32).collect()
}

/// The formula as it stands in the documentation.
fn transcribed(a: u32, b: u32, f: f64, s: f64) -> f64 {
    let pairs = digits(a).into_iter().zip(digits(b)).enumerate();
    let cost = |(i, (a, b)): (usize, (i32, i32))| match a == b {
        true => 0.0,
        false => f.powi(i as i32) * (1.0 - s * (1.0 - f64::from((a - b).abs()) / 9.0)),
    };
    pairs.map(cost).sum()
}

fn number() -> impl Strategy<Value = u32> {
    0..WHOLE
}

proptest! {
    #[test]
    fn distances_are_those_of_the_formula(a in number(), b in number(), f in 0.05..0.95, s in 0.0..0.95) {
        let metric = Metric::new(&config(f, s));
        let own = distance(metric.of_numbers(a, b));
        prop_assert!((own - transcribed(a, b, f, s)).abs() < 1e-12, "{own}");
        // Prepared for many, it is the same to the last unit.
        prop_assert_eq!(metric.prepare(&[a]).to(&[b]), metric.of_numbers(a, b));
    }

    #[test]
    fn the_distance_is_a_metric_below_its_bound(
        [a, b, c] in prop::array::uniform3(number()),
        f in 0.05..0.95,
        s in 0.0..0.95,
    ) {
        let metric = Metric::new(&config(f, s));
        let to = |a, b| metric.of_numbers(a, b);
        prop_assert_eq!(to(a, b), to(b, a));
        prop_assert_eq!(to(a, b) == 0, a == b);
        // Each of nine places is rounded down by less than a unit.
        prop_assert!(to(a, c) <= to(a, b) + to(b, c) + 9);
        prop_assert!(distance(to(a, b)) <= (1.0 - f.powi(9)) / (1.0 - f) + 1e-12);
    }

    #[test]
    fn a_key_of_several_numbers_is_as_far_as_they_are_together(
        a in prop::collection::vec(number(), 3),
        b in prop::collection::vec(number(), 3),
        is_plain: bool,
    ) {
        let distance = if is_plain { KeyDistance::Plain } else { KeyDistance::Digits };
        let metric = Metric::new(&CodecConfig { distance, ..CodecConfig::default() });
        let each: u64 = a.iter().zip(&b).map(|(a, b)| metric.of_numbers(*a, *b)).sum();
        prop_assert_eq!(metric.of_keys(&a, &b), each);
        prop_assert_eq!(metric.prepare(&a).to(&b), each);
    }

    #[test]
    fn plain_distances_are_differences(a in number(), b in number()) {
        let metric = Metric::new(&CodecConfig { distance: KeyDistance::Plain, ..CodecConfig::default() });
        let wanted = f64::from(a.abs_diff(b)) / f64::from(WHOLE);
        // A unit of the distance is a little smaller than one of a number.
        prop_assert!((distance(metric.of_numbers(a, b)) / wanted.max(1e-9) - 1.0).abs() < 0.07 || a == b);
    }

    /// With three digits, all numbers can be tried.
    #[test]
    fn cells_are_the_numbers_that_are_nearest(
        seed: u32,
        tokens in 2..9_usize,
        f in 0.05..0.95,
        s in 0.0..0.95,
        is_plain: bool,
        width in 1..3_usize,
    ) {
        let distance = if is_plain { KeyDistance::Plain } else { KeyDistance::Digits };
        let config = CodecConfig { digits: 3, numbers: width, distance, ..config(f, s) };
        let keys = Keys::draw(tokens, &config, seed.into()).unwrap();
        let mut at: Vec<u32> = keys.of(0).to_vec();
        let axis = width - 1;
        let mut found = 0;
        for token in 0..tokens as u32 {
            let cell = Cell::of(&keys, token, &at, axis, usize::MAX);
            prop_assert!(cell.open.is_empty());
            for thousandth in 0..1000 {
                let number = thousandth * (WHOLE / 1000);
                let is_inside = cell.inside.iter().any(|range| range.contains(&number));
                at[axis] = number;
                prop_assert_eq!(is_inside, keys.nearest(&at).0 == token, "{} of {}", number, token);
                found += usize::from(is_inside);
            }
        }
        prop_assert_eq!(found, 1000, "each number is in one cell");
    }

    #[test]
    fn an_edit_distance_is_that_of_all_edits(
        a in prop::collection::vec(0..3_u8, 0..6),
        b in prop::collection::vec(0..3_u8, 0..6),
    ) {
        fn by_definition(a: &[u8], b: &[u8]) -> usize {
            match (a, b) {
                ([], rest) | (rest, []) => rest.len(),
                ([x, a_rest @ ..], [y, b_rest @ ..]) => {
                    let both = by_definition(a_rest, b_rest) + usize::from(x != y);
                    both.min(by_definition(a_rest, b) + 1).min(by_definition(a, b_rest) + 1)
                }
            }
        }
        prop_assert_eq!(levenshtein(&a, &b), by_definition(&a, &b));
    }

    /// Each item becomes a part of the output; the parts are the output, and their edits are as few as can be.
    #[test]
    fn an_alignment_is_a_shortest_path(
        a in prop::collection::vec(0..4_u8, 1..9),
        b in prop::collection::vec(0..4_u8, 0..9),
    ) {
        let parts = align(&a, &b);
        prop_assert_eq!(parts.len(), a.len());
        prop_assert_eq!(parts.concat(), b.clone());
        let edits = |(item, part): (&u8, &&[u8])| levenshtein(&[*item], part);
        let all: usize = a.iter().zip(&parts).map(edits).sum();
        prop_assert_eq!(all, levenshtein(&a, &b));
    }

    /// As cuckoo hashing has it, no point is lost however the table grows, and one that is there is found.
    #[test]
    fn a_table_finds_every_point_again(
        points in prop::collection::vec(prop::array::uniform2(0..50_u32), 1..600),
        is_spread: bool,
    ) {
        let scale = if is_spread { WHOLE / 50 } else { 1 };
        let mut table = Table::new(2);
        let points: Vec<[u32; 2]> = points.iter().map(|point| point.map(|x| x * scale)).collect();
        for point in &points {
            table.push(point);
        }
        let metric = Metric::new(&CodecConfig::default());
        for point in &points {
            let first = points.iter().position(|other| other == point);
            prop_assert_eq!(table.find(point), first);
            let found = table.nearest(&metric, point).unwrap();
            prop_assert_eq!((Some(found.point), found.cost), (first, 0));
            prop_assert_eq!(table.scan(&metric, point), Some(found));
        }
        prop_assert_eq!(table.find(&[WHOLE - 1, WHOLE - 1]), None);
    }
}

/// The look-up of docs/codec.md: the nearest of 100,000 keys of one number.
#[test]
fn a_table_finds_the_nearest_of_many_as_a_scan_does() {
    use rand::RngExt;
    let metric = Metric::new(&CodecConfig::default());
    let mut rng = stream_rng(1, 0);
    let mut table = Table::new(1);
    for _ in 0..100_000 {
        table.push(&[rng.random_range(0..WHOLE)]);
    }
    let queries: Vec<u32> = (0..1000).map(|_| rng.random_range(0..WHOLE)).collect();
    let is_right = |query: &&u32| {
        let [near, scan] = [Table::nearest, Table::scan].map(|of| of(&table, &metric, &[**query]));
        near.unwrap().cost == scan.unwrap().cost
    };
    let right = queries.iter().filter(is_right).count();
    assert!(right >= 990, "{right} of 1000");
}

/// A draw is kept if it maps right, so the share of draws that are kept is the share of the cell.
#[test]
fn a_search_takes_as_many_draws_as_the_cell_is_small() {
    let config = CodecConfig { digits: 5, ..CodecConfig::default() };
    let keys = Keys::draw(8, &config, 3).unwrap();
    let mut rng = stream_rng(1, 0);
    let mut noise = Noise::new(&config, &mut rng);
    for wanted in 0..8 {
        let cell = Cell::of(&keys, wanted, keys.of(wanted), 0, usize::MAX);
        let (inside, open) = cell.sizes();
        assert_eq!(open, 0);
        let share = inside as f64 / f64::from(WHOLE);
        let mut fitter = Fitter::new(&config);
        let times = 400;
        for _ in 0..times {
            let found =
                fitter.fit(Between::within(&keys), 5, wanted, &mut noise, &mut rng).unwrap();
            assert_eq!(keys.map(5, &found), wanted);
        }
        // A geometric distribution: five standard deviations of the mean.
        let mean = fitter.draws as f64 / f64::from(times);
        let deviation = (1.0 - share).sqrt() / share / f64::from(times).sqrt();
        assert!((mean - 1.0 / share).abs() < 5.0 * deviation, "{mean} of {}", 1.0 / share);
    }
}

/// Drawn from the cell, a draw is right but for what is open.
#[test]
fn noise_from_the_cell_needs_hardly_more_than_one_draw() {
    for numbers in [1, 3] {
        let config = CodecConfig { fitting: Fitting::Cell, numbers, ..CodecConfig::default() };
        let keys = Keys::draw(12, &config, 3).unwrap();
        let mut rng = stream_rng(1, 0);
        let mut noise = Noise::new(&config, &mut rng);
        let mut fitter = Fitter::new(&config);
        for times in 0..200_u32 {
            let (token, wanted) = (times % 12, times * 7 % 12);
            let found =
                fitter.fit(Between::within(&keys), token, wanted, &mut noise, &mut rng).unwrap();
            assert_eq!(keys.map(token, &found), wanted);
        }
        assert!((200..400).contains(&fitter.draws), "{}", fitter.draws);
    }
}

#[test]
fn noise_that_cannot_be_found_is_given_up() {
    let config = CodecConfig { draws: 1, ..CodecConfig::default() };
    let keys = Keys::draw(200, &config, 3).unwrap();
    let mut rng = stream_rng(1, 0);
    let mut noise = Noise::new(&config, &mut rng);
    let mut fitter = Fitter::new(&config);
    let found = (0..100)
        .filter(|_| fitter.fit(Between::within(&keys), 0, 1, &mut noise, &mut rng).is_some());
    assert!(found.count() < 50);
    assert_eq!(fitter.draws, 100);
}

/// Mean power of noise at low frequencies and at high ones, by the definition of the Fourier transform.
fn powers(kind: NoiseKind) -> (f64, f64) {
    let config = CodecConfig { noise: kind, ..CodecConfig::default() };
    let (mut low, mut high) = (0.0, 0.0);
    const LENGTH: usize = 512;
    for stream in 0..40 {
        let mut rng = stream_rng(9, stream);
        let mut noise = Noise::new(&config, &mut rng);
        // Noise is on a circle. What is slow is followed on its way from draw to draw; of what is not, few leave it.
        let is_slow = matches!(kind, NoiseKind::Pink | NoiseKind::Black);
        let mut place = 0.0;
        let mut last = [0];
        noise.draw(&mut last, &mut rng);
        let mut values = Vec::new();
        for _ in 0..LENGTH {
            let mut next = [0];
            noise.draw(&mut next, &mut rng);
            let way = (f64::from(next[0]) - f64::from(last[0])) / f64::from(WHOLE);
            place += way - way.round();
            let alone = f64::from(next[0]) / f64::from(WHOLE);
            values.push(if is_slow { place } else { alone - alone.round() });
            last = next;
        }
        let mean = values.iter().sum::<f64>() / LENGTH as f64;
        let power = |frequency: usize| {
            let angle = |at: usize| std::f64::consts::TAU * (frequency * at) as f64 / LENGTH as f64;
            // Hann's window, or the ends would look like all frequencies.
            let weight =
                |at: usize| (std::f64::consts::PI * at as f64 / LENGTH as f64).sin().powi(2);
            let sum = |of: fn(f64) -> f64| -> f64 {
                let values = values.iter().enumerate();
                values.map(|(at, value)| weight(at) * (value - mean) * of(angle(at))).sum()
            };
            sum(f64::cos).powi(2) + sum(f64::sin).powi(2)
        };
        low += (4..12).map(power).sum::<f64>();
        high += (64..72).map(power).sum::<f64>();
    }
    (low, high)
}

/// From frequency 8 to 68, power falls by 8.5 where it goes as 1/f, and by 72 as 1/f².
#[test]
fn the_power_of_noise_hangs_on_its_colour() {
    let falls = |kind| {
        let (low, high) = powers(kind);
        low / high
    };
    let pink = falls(NoiseKind::Pink);
    assert!((5.0..25.0).contains(&pink), "{pink}");
    let black = falls(NoiseKind::Black);
    assert!(black > 72.0, "{black}");
    let blue = falls(NoiseKind::Blue);
    // It wraps around the circle now and then, which is white.
    assert!(blue < 0.7, "{blue}");
    let white = falls(NoiseKind::Gaussian);
    assert!((0.7..1.4).contains(&white), "{white}");
}

#[test]
fn keys_are_distinct_and_have_their_digits() {
    let config = CodecConfig { digits: 2, numbers: 2, ..CodecConfig::default() };
    let keys = Keys::draw(3000, &config, 1).unwrap();
    let all: std::collections::BTreeSet<&[u32]> = (0..3000).map(|token| keys.of(token)).collect();
    assert_eq!(all.len(), 3000);
    assert!(
        keys.numbers().iter().all(|number| number.is_multiple_of(10_000_000) && *number < WHOLE)
    );
    assert_ne!(keys, Keys::draw(3000, &config, 2).unwrap());
    let error = Keys::draw(6000, &config, 1).unwrap_err();
    assert!(error.contains("Key digits"), "{error}");
    assert_eq!(distance(cost(0.25)), 0.25);
}
