//! Output vectors against closed forms.

use confab::interp::analysis::AnalysisError;
use confab::interp::analysis::output::{
    BINS, Output, Spread, Truncation, component, output, top_of_mind, truncate,
};
use confab::interp::analysis::vocabulary::{distances, outliers, principal_components};

use crate::model::{Model, assert_near, vocabulary};

const IDS: [u32; 4] = [3, 1, 4, 1];

#[test]
fn a_spread_counts_what_it_is_given() {
    let values: Vec<f32> = (0..400).map(|x| x as f32).collect();
    let spread = Spread::of(&values);
    assert_eq!((spread.min, spread.mean, spread.max), (0.0, 199.5, 399.0));
    // A uniform sequence of n values varies by (n² − 1) / 12.
    assert_near(spread.sd.into(), (159_999.0f64 / 12.0).sqrt(), 1e-3);
    assert_eq!(spread.histogram, [10; BINS]);
    assert_eq!((spread.sorted[0], spread.values[0]), (399.0, 0.0));
    for odd in [vec![], vec![2.0; 3], vec![f32::NAN, 1.0], vec![f32::INFINITY, 0.0]] {
        assert_eq!(Spread::of(&odd).histogram.iter().sum::<usize>(), odd.len());
    }
}

#[test]
fn the_output_is_that_of_the_forward_pass() {
    let model = Model::random(30, 1, |_| {});
    let recorded = model.record(&IDS);
    let got = output(&recorded, 2).unwrap();
    assert_eq!(got.hidden.values, recorded.normed[2 * 16..3 * 16]);
    assert_eq!(got.logits.values, recorded.logits[2 * 30..3 * 30]);
    assert!(got.entropy > 0.0 && f64::from(got.entropy) < 30f64.ln());
    let refused = output(&recorded, 4).unwrap_err();
    assert_eq!(refused, AnalysisError::NoPosition { position: 4, seq: 4 });
}

#[test]
fn all_components_together_give_the_probability() {
    for tied in [true, false] {
        let model = Model::random(30, 1, |config| config.tied_head = tied);
        let recorded = model.record(&IDS);
        let got = truncate(&model.view(), &recorded, 3, 7).unwrap();
        let logits = &recorded.logits[3 * 30..4 * 30];
        let total: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum();
        let full = f64::from(logits[7]).exp() / total;
        assert_eq!((got.raw.len(), got.rescaled.len()), (17, 17));
        assert_near(got.raw[0].into(), 1.0 / 30.0, 1e-6);
        assert_near(got.raw[16].into(), full, 1e-5);
        assert_near(got.rescaled[16].into(), full, 1e-5);
        let hidden = &recorded.normed[3 * 16..];
        assert!(got.order.is_sorted_by(|a, b| hidden[*a].abs() >= hidden[*b].abs()));
        // By hand with three components.
        let kept = |token: usize, scale: f64| -> f64 {
            let of = |c: &usize| f64::from(hidden[*c]) * model.w_u(*c, token);
            (got.order[..3].iter().map(of).sum::<f64>() * scale).exp()
        };
        let length = |of: &[usize]| of.iter().map(|c| f64::from(hidden[*c]).powi(2)).sum::<f64>();
        let scale = (length(&got.order) / length(&got.order[..3])).sqrt();
        for (curve, scale) in [(&got.raw, 1.0), (&got.rescaled, scale)] {
            let total: f64 = (0..30).map(|token| kept(token, scale)).sum();
            assert_near(curve[3].into(), kept(7, scale) / total, 1e-5);
        }
        for (curve, needed) in [(&got.raw, got.needed), (&got.rescaled, got.needed_rescaled)] {
            let enough = |p: f32| f64::from(p) >= 0.9 * full - 1e-6;
            assert!(enough(curve[needed]) && !curve[..needed].iter().any(|p| enough(*p - 2e-6)));
        }
    }
}

#[test]
fn a_token_that_one_component_carries_needs_no_other() {
    let mut model = Model::blank(16, |config| (config.tied_head, config.bias) = (false, true));
    model.at("unembed.W_U")[5 * 16 + 9] = 8.0;
    model.at("ln_final.b")[5] = 3.0;
    model.at("ln_final.b")[6] = 1.0;
    let got = truncate(&model.view(), &model.record(&[0]), 0, 9).unwrap();
    assert_eq!((got.needed, got.order[0], got.order[1]), (1, 5, 6));
    assert!(got.rescaled[1] >= got.raw[1], "what is kept is made as long as the whole");
}

#[test]
fn a_component_says_its_row_of_the_unembedding() {
    for tied in [true, false] {
        let model = Model::random(30, 1, |config| config.tied_head = tied);
        let got = component(&model.view(), 3).unwrap();
        let mut row: Vec<f64> = (0..30).map(|token| model.w_u(3, token)).collect();
        let (most, least) = (&got.tokens.top, &got.tokens.bottom);
        assert_eq!((most.len(), least.len()), (10, 10));
        assert_near(model.w_u(3, most[0].token as usize), most[0].weight.into(), 0.0);
        let total: f64 = row.iter().map(|w| w.exp()).sum();
        let entropy: f64 = row.iter().map(|w| w.exp() / total).map(|p| -p * p.ln()).sum();
        assert_near(got.entropy.into(), entropy, 1e-5);
        row.sort_by(|a, b| b.total_cmp(a));
        assert!(most.iter().zip(&row).all(|(got, wanted)| f64::from(got.weight) == *wanted));
        assert!(least.iter().zip(row.iter().rev()).all(|(got, w)| f64::from(got.weight) == *w));
    }
    let model = Model::random(30, 1, |_| {});
    assert!(component(&model.view(), 16).is_err());
}

/// Output vectors that are these.
fn with_vectors(vectors: &[[f32; 16]]) -> Model {
    let mut model = Model::blank(vectors.len(), |config| config.tied_head = true);
    model.at("embed.W_E").copy_from_slice(vectors.as_flattened());
    model
}

fn unit(component: usize) -> [f32; 16] {
    std::array::from_fn(|place| if place == component { 1.0 } else { 0.0 })
}

#[test]
fn orthogonal_vectors_are_a_root_of_two_apart() {
    let opposite = unit(0).map(|x| -2.0 * x);
    let model = with_vectors(&[unit(0), unit(1), opposite, [0.0; 16]]);
    let got = distances(&model.view(), &vocabulary(4)).unwrap();
    let euclidean = [1.0, 2f64.sqrt(), 3.0];
    for (place, wanted) in [(3, euclidean[0]), (1, euclidean[1]), (2, euclidean[2]), (0, 0.0)] {
        assert_near(got.euclidean[place].into(), wanted, 1e-6);
    }
    assert_eq!(got.cosine[..4], [0.0, 1.0, 2.0, 1.0]);
    let large = Model::random(600, 3, |_| {});
    let refused = distances(&large.view(), &vocabulary(600)).unwrap_err();
    assert!(refused.to_string().contains("600 × 600"), "{refused}");
}

#[test]
fn principal_components_are_the_directions_of_the_data() {
    // Fewer tokens than components, and more: a cross in two directions.
    for arms in [2, 12] {
        let mut vectors = vec![unit(7)];
        for arm in 1..=arms {
            for (component, length) in [(3, 2.0 * arm as f32), (5, arm as f32)] {
                for sign in [1.0, -1.0] {
                    let mut vector = unit(7);
                    vector[component] = sign * length;
                    vectors.push(vector);
                }
            }
        }
        let model = with_vectors(&vectors);
        let got = principal_components(&model.view(), &vocabulary(vectors.len())).unwrap();
        assert_near(got.explained[0].into(), 0.8, 1e-5);
        assert_near(got.explained[1].into(), 0.2, 1e-5);
        for (place, vector) in got.places.iter().zip(&vectors) {
            assert_near(place[0].abs().into(), vector[3].abs().into(), 1e-4);
            assert_near(place[1].abs().into(), vector[5].abs().into(), 1e-4);
        }
    }
    let line = with_vectors(&[unit(0), unit(1)]);
    assert_eq!(principal_components(&line.view(), &[0, 1]).unwrap().explained, [1.0, 0.0]);
    let same = with_vectors(&[unit(0); 3]);
    assert_eq!(principal_components(&same.view(), &vocabulary(3)).unwrap().explained, [0.0; 2]);
    let refused = principal_components(&line.view(), &[0]).unwrap_err();
    assert!(matches!(refused, AnalysisError::TooFew { min: 2, got: 1, .. }));
}

#[test]
fn a_vector_that_lies_aside_is_named() {
    let mut vectors: Vec<[f32; 16]> = (0..40).map(|token| unit(token % 16)).collect();
    vectors[23] = [5.0; 16];
    let got = outliers(&with_vectors(&vectors).view(), 3.0);
    assert_eq!(got.iter().map(|o| o.token).collect::<Vec<_>>(), [23]);
    // One aside of n lies √(n − 1) deviations from the mean of all.
    assert_near(got[0].length_z.into(), 39f64.sqrt(), 1e-4);
    assert!(outliers(&with_vectors(&[unit(0); 8]).view(), 3.0).is_empty());
}

#[test]
fn top_of_mind_is_the_final_bias_unembedded() {
    let mut model = Model::blank(16, |config| (config.tied_head, config.bias) = (false, true));
    model.at("unembed.W_U")[5 * 16 + 9] = 2.0;
    model.at("ln_final.b")[5] = 1.0;
    let got = top_of_mind(&model.view(), 3);
    assert!(got.biased);
    assert_eq!(got.top[0].token, 9);
    let e = 2f64.exp();
    assert_near(got.top[0].probability.into(), e / (e + 15.0), 1e-6);
    let without = top_of_mind(&Model::random(20, 1, |config| config.bias = false).view(), 3);
    assert!(!without.biased);
    assert_near(without.entropy.into(), 20f64.ln(), 1e-5);
}

#[test]
fn findings_are_read_back_as_they_were_written() {
    let model = Model::random(30, 1, |_| {});
    let recorded = model.record(&IDS);
    let written = output(&recorded, 2).unwrap();
    let read: Output = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
    assert_eq!(read, written);
    let written = truncate(&model.view(), &recorded, 3, 7).unwrap();
    let bytes = postcard::to_stdvec(&written).unwrap();
    assert_eq!(postcard::from_bytes::<Truncation>(&bytes).unwrap(), written);
}
