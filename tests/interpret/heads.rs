//! Head scores of patterns that are known.

use confab::interp::analysis::heads::{Scoring, repeated_random, score_heads, score_pattern};
use confab::interp::analysis::{AnalysisError, Head, attention};

use crate::model::{Model, assert_near, induction_pair};

const HEAD: Head = Head { layer: 0, head: 0 };

/// A pattern `[seq, seq]` whose rows are `weight(query, key)` up to the query.
fn pattern(seq: usize, weight: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let at = |place: usize| (place / seq, place % seq);
    (0..seq * seq).map(at).map(|(q, k)| if k <= q { weight(q, k) } else { 0.0 }).collect()
}

#[test]
fn repeated_tokens_are_random_distinct_and_the_same_for_a_seed() {
    let ids = repeated_random(60, 50, 7);
    assert_eq!(ids.len(), 100);
    assert_eq!(ids[..50], ids[50..]);
    let mut distinct = ids[..50].to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 50);
    assert_eq!(ids, repeated_random(60, 50, 7));
    assert_ne!(ids, repeated_random(60, 50, 8));
    // A vocabulary that is too small is used again.
    let few = repeated_random(3, 7, 1);
    assert_eq!(few.len(), 14);
    assert!(few.iter().all(|id| *id < 3));
}

#[test]
fn even_attention_has_little_of_an_induction_stripe() {
    for (block, wanted) in [(16, 0.0435), (50, 0.0139), (100, 0.0069)] {
        let ids = repeated_random(200, block, 1);
        let even = pattern(2 * block, |q, _| 1.0 / (q + 1) as f32);
        let scores = score_pattern(HEAD, &even, &ids, block);
        assert_near(scores.induction.stripe.into(), wanted, 5e-5);
    }
}

#[test]
fn perfect_patterns_score_one() {
    let (block, ids) = (20, repeated_random(50, 20, 3));
    let seq = 2 * block;
    let one = |at: bool| if at { 1.0 } else { 0.0 };
    let score = |weight: &dyn Fn(usize, usize) -> f32| {
        score_pattern(HEAD, &pattern(seq, weight), &ids, block)
    };
    let previous = score(&|q, k| one(k + 1 == q)).previous_token;
    assert_eq!((previous.stripe, previous.mul, previous.abs), (1.0, 1.0, 1.0));
    let duplicate = score(&|q, k| one(k + block == q)).duplicate_token;
    assert_eq!((duplicate.stripe, duplicate.mul, duplicate.abs), (1.0, 1.0, 1.0));
    let induction = score(&|q, k| one(k + block == q + 1)).induction;
    assert_near(induction.stripe.into(), 1.0, 1e-6);
    // One query, the last of the first block, has no earlier copy: its weight is off the mask.
    assert_near(induction.mul.into(), 20.0 / 21.0, 1e-6);
    assert_near(induction.abs.into(), 1.0 - 1.0 / 40.0, 1e-6);
}

#[test]
fn a_head_that_looks_at_itself_matches_nothing() {
    let ids = repeated_random(50, 20, 3);
    let itself = pattern(40, |q, k| if q == k { 1.0 } else { 0.0 });
    let scores = score_pattern(HEAD, &itself, &ids, 20);
    for (kind, share) in [
        // What is missed of the mask counts beside what is off it.
        (scores.previous_token, 39.0 / 40.0),
        (scores.duplicate_token, 20.0 / 40.0),
        (scores.induction, 20.0 / 40.0),
    ] {
        assert_eq!((kind.stripe, kind.mul), (0.0, 0.0));
        assert_near(kind.abs.into(), -share, 1e-6);
    }
}

#[test]
fn a_previous_token_head_and_an_induction_head_are_found() {
    let block = 50;
    let model = induction_pair(block);
    let mut scoring = Scoring::new(&model.view(), block, 2, 5).unwrap();
    while scoring.next(&model.plain()) {}
    assert_eq!(scoring.done(), 2);
    let scores = scoring.scores();
    let heads: Vec<String> = scores.iter().map(|score| score.head.to_string()).collect();
    assert_eq!(heads, ["L0H0", "L1H0"]);
    assert_near(scores[0].previous_token.stripe.into(), 1.0, 1e-3);
    assert_near(scores[0].previous_token.mul.into(), 99.0 / 100.0, 1e-3);
    assert!(scores[0].induction.stripe < 0.03);
    // All of the second block but half of its first query, for the very first token has none
    // before it and so passes for its own; the query before the block can only guess.
    assert_near(scores[1].induction.stripe.into(), (49.5 + 0.02) / 51.0, 1e-3);
    assert!(scores[1].previous_token.stripe < 0.05 && scores[1].duplicate_token.stripe < 0.02);
}

#[test]
fn blocks_may_have_a_token_between_them() {
    let model = induction_pair(50);
    let (view, plain) = (model.view(), model.plain());
    let mut scoring = Scoring::new(&view, 40, 1, 5).unwrap().separated_by(&view, 7).unwrap();
    while scoring.next(&plain) {}
    let scores = scoring.scores();
    assert_near(scores[0].previous_token.stripe.into(), 1.0, 1e-3);
    // All of the second block but half of its first query; the separator, which is new, guesses.
    assert_near(scores[1].induction.stripe.into(), (39.5 + 1.0 / 41.0) / 41.0, 1e-3);
}

#[test]
fn memory_tokens_in_front_are_neither_repeated_nor_scored() {
    let block = 40;
    let model = induction_pair(50);
    let (view, plain) = (model.view(), model.plain());
    let memory = vec![48, 49];
    let mut scoring =
        Scoring::new(&view, block, 2, 5).unwrap().after(&view, memory.clone()).unwrap();
    while scoring.next(&plain) {}
    let scores = scoring.scores();
    let wanted = [5, 6].map(|seed| {
        let ids = repeated_random(48, block, seed);
        let recording = plain.record(&[&memory[..], &ids].concat(), &[]);
        // What follows an earlier copy, over the whole pattern, and those after the memory tokens.
        let (seq, pattern) = (recording.seq, &recording.layers[1].pattern);
        let at = |query: usize| pattern[query * seq + query + 1 - block];
        (block - 1..2 * block).map(|query| at(query + memory.len())).sum::<f32>()
            / (block + 1) as f32
    });
    assert_near(scores[1].induction.stripe.into(), (wanted[0] + wanted[1]) as f64 / 2.0, 1e-5);
    assert!(scores[1].induction.stripe > 0.9 && scores[0].previous_token.stripe > 0.9);
    let full = || Scoring::new(&view, model.config.context / 2, 1, 0).unwrap();
    assert!(full().after(&view, memory).is_err() && full().after(&view, vec![1000]).is_err());
}

#[test]
fn averaging_is_over_draws() {
    let model = Model::random(20, 4, |_| {});
    let (plain, block) = (model.plain(), 8);
    let mut scoring = Scoring::new(&model.view(), block, 3, 11).unwrap();
    while scoring.next(&plain) {}
    for (place, mean) in scoring.scores().iter().enumerate() {
        let of_draw = |seed| {
            let ids = repeated_random(20, block, seed);
            f64::from(score_heads(&plain.record(&ids, &[]), &ids, block)[place].induction.mul)
        };
        let wanted = [11, 12, 13].map(of_draw).iter().sum::<f64>() / 3.0;
        assert_near(mean.induction.mul.into(), wanted, 1e-6);
    }
}

#[test]
fn a_block_must_fit_twice() {
    let model = Model::random(20, 4, |config| config.context = 30);
    let refused = Scoring::new(&model.view(), 16, 1, 0).unwrap_err();
    assert_eq!(refused, AnalysisError::Context { seq: 32, context: 30 });
    assert!(matches!(
        Scoring::new(&model.view(), 1, 1, 0).unwrap_err(),
        AnalysisError::TooFew { min: 2, got: 1, .. }
    ));
    assert!(Scoring::new(&model.view(), usize::MAX, 1, 0).is_err());
    let full = || Scoring::new(&model.view(), 15, 1, 0).unwrap();
    let refused = full().separated_by(&model.view(), 3).unwrap_err();
    assert_eq!(refused, AnalysisError::Context { seq: 31, context: 30 });
    assert!(full().separated_by(&model.view(), 20).is_err());
}

#[test]
fn a_pattern_weighted_by_values_is_what_the_head_writes() {
    let model = Model::random(20, 6, |_| {});
    let head = Head { layer: 1, head: 2 };
    // All is read from the only token.
    let one = model.record(&[7]);
    let out = &model.view().head_out(1, &one.layers[1])[2 * 16..3 * 16];
    let length = out.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let weighted = attention::value_weighted(&model.view(), &one, head).unwrap();
    assert_near(weighted.values[0].into(), length, 1e-5);
    // Lengths are those of keys alone.
    let several = model.record(&[7, 3, 9, 3]);
    let weighted = attention::value_weighted(&model.view(), &several, head).unwrap();
    let pattern = &several.layers[1].pattern[2 * 16..3 * 16];
    let length = |q: usize, k: usize| weighted.values[q * 4 + k] / pattern[q * 4 + k];
    for (q, k) in [(2, 1), (3, 1), (3, 2)] {
        assert_near(length(q, k).into(), length(k, k).into(), 1e-4);
    }
}

#[test]
fn patterns_are_averaged_and_compared() {
    let model = Model::random(20, 6, |_| {});
    let (a, b) = (model.record(&[1, 2, 3]), model.record(&[1, 2, 4]));
    let mean = attention::head_average(&model.view(), &a, 0).unwrap();
    for place in 0..9 {
        let wanted: f32 = (0..4).map(|head| a.layers[0].pattern[head * 9 + place]).sum();
        assert_near(mean.values[place].into(), f64::from(wanted) / 4.0, 1e-6);
    }
    let head = Head { layer: 1, head: 3 };
    let apart = attention::difference(&model.view(), &a, &b, head).unwrap();
    assert_eq!(apart.values[..6], [0.0; 6], "what came before the change is the same");
    assert!(apart.values[6..].iter().any(|x| *x != 0.0));
    assert_near(apart.values[6..].iter().map(|x| f64::from(*x)).sum(), 0.0, 1e-5);
    let longer = model.record(&[1, 2, 4, 5]);
    let refused = attention::difference(&model.view(), &a, &longer, head).unwrap_err();
    assert_eq!(refused, AnalysisError::Lengths { clean: 3, corrupted: 4 });
}
