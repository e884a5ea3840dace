//! The chain of noises: its transitions, its stationary distribution and its mutations.

use confab::base::random::stream_rng;
use confab::codec::{Chain, Codec, Example, Fitter, Noise, levenshtein, stationary};
use confab::config::{CodecConfig, Fitting};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

const DAMPING: f64 = 0.85;

/// A matrix of counts, some of whose rows are empty.
fn counts() -> impl Strategy<Value = (usize, Vec<f64>)> {
    (1_usize..24).prop_flat_map(|states| {
        let row = prop_oneof![
            Just(vec![0.0; states]),
            prop::collection::vec(prop_oneof![Just(0.0), 0.0..100.0], states)
        ];
        prop::collection::vec(row, states).prop_map(move |rows| (states, rows.concat()))
    })
}

/// The matrix that a random surfer follows, `[from, to]`: each row sums to 1.
fn surfer(states: usize, counts: &[f64]) -> DMatrix<f64> {
    let even = 1.0 / states as f64;
    DMatrix::from_fn(states, states, |from, to| {
        let row = &counts[from * states..][..states];
        let sum: f64 = row.iter().sum();
        let share = if sum > 0.0 { row[to] / sum } else { even };
        DAMPING * share + (1.0 - DAMPING) * even
    })
}

proptest! {
    #[test]
    fn the_stationary_distribution_solves_its_equations((states, counts) in counts()) {
        let rank = stationary(&counts, states);
        // π (P − 1) = 0, with the last equation replaced by Σ π = 1.
        let mut equations = (surfer(states, &counts) - DMatrix::identity(states, states)).transpose();
        equations.row_mut(states - 1).fill(1.0);
        let mut right = DVector::zeros(states);
        right[states - 1] = 1.0;
        let solved = equations.lu().solve(&right).unwrap();
        for (rank, solved) in rank.iter().zip(solved.iter()) {
            prop_assert!((rank - solved).abs() < 1e-12, "{rank} {solved}");
        }
        prop_assert!((rank.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert!(rank.iter().all(|share| *share > 0.0));
    }

    #[test]
    fn transitions_are_counted(
        digits in 1_usize..3,
        walks in prop::collection::vec(prop::collection::vec(prop::option::of(0_usize..10), 0..20), 0..8),
    ) {
        let config = CodecConfig { state_digits: digits, ..CodecConfig::default() };
        let mut chain = Chain::new(&config);
        walks.iter().for_each(|walk| chain.count(walk));
        let states = chain.states();
        prop_assert_eq!(states, 10_usize.pow(digits as u32));
        for from in 0..states {
            let mut all = 0.0;
            for to in 0..states {
                let pairs = walks.iter().flat_map(|walk| walk.iter().zip(walk.iter().skip(1)));
                let met = pairs.filter(|pair| *pair == (&Some(from), &Some(to))).count();
                prop_assert_eq!(chain.transitions()[from * states + to], met as f64);
                all += chain.probability(Some(from), to);
            }
            prop_assert!((all - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_state_is_the_first_digits(noise in 0_u32..1_000_000_000, digits in 1_usize..3) {
        let config = CodecConfig { state_digits: digits, ..CodecConfig::default() };
        let state = Chain::new(&config).state(&[noise, 7]).unwrap();
        let written = format!("{noise:09}");
        prop_assert_eq!(state, written[..digits].parse::<usize>().unwrap());
    }
}

#[test]
fn a_state_that_nothing_follows_is_followed_by_what_is_common() {
    let mut chain = Chain::new(&CodecConfig::default());
    chain.count(&[Some(1), Some(2), Some(1), Some(2), Some(3)]);
    for to in 0..10 {
        assert!((chain.probability(Some(3), to) - chain.rank()[to]).abs() < 1e-15);
        assert!((chain.probability(None, to) - chain.rank()[to]).abs() < 1e-15);
    }
    let expected = DAMPING + (1.0 - DAMPING) * chain.rank()[2];
    assert!((chain.probability(Some(1), 2) - expected).abs() < 1e-15);
}

/// A token is doubled after another of its kind, so what it becomes hangs on what was written before it.
fn examples(count: u64) -> Vec<Example> {
    let of = |number| {
        let mut rng = stream_rng(11, number);
        let mut digits = [0; 12];
        let noise = CodecConfig { digits: 1, ..CodecConfig::default() };
        let mut noise = Noise::new(&noise, &mut rng);
        digits.chunks_mut(1).for_each(|one| noise.draw(one, &mut rng));
        let input: Vec<u32> = digits.iter().map(|digit| digit / 200_000_000).collect();
        let mut output = Vec::new();
        for (at, token) in input.iter().enumerate() {
            let is_after = at > 0 && input[at - 1] % 2 == token % 2;
            output.extend(std::iter::repeat_n(*token, 1 + usize::from(is_after)));
        }
        Example { input, output }
    };
    (0..count).map(of).collect()
}

fn learn(codec: &mut Codec, examples: &[Example], passes: usize) {
    let config = codec.config.clone();
    let mut fitter = Fitter::new(&config);
    for pass in 0..passes {
        for (number, example) in examples.iter().enumerate() {
            let mut rng = stream_rng(12, number as u64);
            let mut noise = Noise::new(&config, &mut rng);
            let noise = (pass == 0).then_some(&mut noise);
            codec.learn((number as u32, example), &mut fitter, noise, &mut rng);
        }
    }
}

fn config() -> CodecConfig {
    CodecConfig { chain: true, noises: 16, fitting: Fitting::Cell, ..CodecConfig::default() }
}

#[test]
fn training_records_are_written_exactly_with_a_chain() {
    let examples = examples(60);
    let mut codec = Codec::new(5, &config(), 1).unwrap();
    learn(&mut codec, &examples, 12);
    for example in &examples {
        assert_eq!(codec.write(&example.input), example.output);
    }
}

#[test]
fn each_step_takes_the_likelier_proposal() {
    let examples = examples(60);
    let mut codec = Codec::new(5, &config(), 1).unwrap();
    learn(&mut codec, &examples, 2);
    let mut taken = [0, 0];
    for example in &examples {
        let mut before = None;
        for step in codec.trace(&example.input) {
            let choice = step.choice.unwrap();
            let [layer, past] = choice.proposals.map(|of| of.map_or(-1.0, |of| of.likelihood));
            assert!(layer.max(past) > 0.0 && layer.max(past) <= 1.0);
            assert_eq!(choice.is_past, past > layer);
            let (near, mode) = step.taken().unwrap();
            assert_eq!(mode.mean, step.noises);
            // No mode of either context is likelier.
            let chain = codec.chain.as_ref().unwrap();
            let contexts = step.near.iter().chain(&choice.past);
            for other in
                contexts.flat_map(|near| near.entry.modes.iter().map(move |mode| (near, mode)))
            {
                let state = chain.state(&other.1.mean).unwrap();
                let likelihood = other.0.entry.share(other.1) * chain.probability(before, state);
                assert!(likelihood <= layer.max(past));
            }
            assert!(near.entry.modes.contains(mode));
            before = chain.state(&step.noises);
            taken[usize::from(choice.is_past)] += 1;
        }
    }
    assert!(taken.into_iter().all(|count| count > 0), "{taken:?}");
}

#[test]
fn a_mutation_never_raises_the_distance() {
    let examples = examples(60);
    let mut codec = Codec::new(5, &config(), 1).unwrap();
    learn(&mut codec, &examples, 1);
    let distance = |codec: &Codec| {
        let edits = |of: &Example| levenshtein(&codec.write(&of.input), &of.output);
        examples.iter().map(edits).sum::<usize>()
    };
    let mut last = distance(&codec);
    assert!(last > 0);
    let mut all = 0;
    for round in 0..40 {
        let before = codec.clone();
        let stayed = codec.mutate(&examples, 5, &mut stream_rng(13, round));
        let now = distance(&codec);
        assert!(if stayed > 0 { now < last } else { now == last });
        assert_eq!(stayed == 0, codec == before);
        (last, all) = (now, all + stayed);
    }
    assert!(all > 0);
}

#[test]
fn without_a_chain_nothing_mutates() {
    let mut codec = Codec::new(5, &CodecConfig { chain: false, ..config() }, 1).unwrap();
    assert_eq!(codec.mutate(&examples(3), 10, &mut stream_rng(1, 1)), 0);
    assert!(codec.trace(&[1, 2]).iter().all(|step| step.choice.is_none()));
}
