//! Circuits, copying and composition against brute force and closed forms.

use confab::config::{NormKind, Positions};
use confab::interp::analysis::circuits::{Circuit, copying, spectrum, token_circuit};
use confab::interp::analysis::composition::{Composition, composition, random_composition};
use confab::interp::analysis::{AnalysisError, Head, Matrix};

use crate::model::{Model, VARIANTS, assert_near, induction_pair, vocabulary};

const HEAD: Head = Head { layer: 1, head: 2 };

/// A matrix of the model, and of a head its `columns` or `rows` of four.
fn whole(model: &Model, name: &str) -> Matrix {
    let shape = &model.layout.find(name).unwrap().shape();
    Matrix::from_fn(shape[0], shape[1], |row, column| model.get(name, row, column))
}

fn unembedding(model: &Model, vocab_size: usize) -> Matrix {
    Matrix::from_fn(model.config.d_model, vocab_size, |row, token| model.w_u(row, token))
}

/// `W_V W_O` and `W_Q W_Kᵀ` of a head, multiplied out.
fn products(model: &Model, head: Head) -> [Matrix; 2] {
    let d_head = model.config.d_head();
    let of = |name: &str| whole(model, &format!("blocks.{}.attn.W_{name}", head.layer));
    let columns = |name: &str| {
        let all = of(name);
        // Heads may share keys and values.
        let place = head.head * (all.ncols() / d_head) / model.config.n_heads;
        all.columns(place * d_head, d_head).into_owned()
    };
    let rows = |name: &str| of(name).rows(head.head * d_head, d_head).into_owned();
    [columns("V") * rows("O"), columns("Q") * columns("K").transpose()]
}

#[test]
fn circuits_between_tokens_are_the_products_of_their_weights() {
    for (place, change) in VARIANTS.into_iter().enumerate() {
        let model = Model::random(300, 3, |config| {
            change(config);
            config.tied_head = place % 2 == 0;
        });
        let (w_e, w_u) = (whole(&model, "embed.W_E"), unembedding(&model, 300));
        let [ov, qk] = products(&model, HEAD);
        for (circuit, wanted) in [
            (Circuit::Direct, &w_e * &w_u),
            (Circuit::Ov(HEAD), &w_e * ov * &w_u),
            (Circuit::Qk(HEAD), &w_e * qk * w_e.transpose()),
        ] {
            let all = vocabulary(300);
            let got = token_circuit(&model.view(), circuit, &all, &all).unwrap();
            assert!(!got.folded);
            for (place, value) in got.values.iter().enumerate() {
                assert_near((*value).into(), wanted[(place / 300, place % 300)], 1e-4);
            }
            let few = token_circuit(&model.view(), circuit, &[299, 5], &[7]).unwrap();
            assert_eq!(few.values, [got.values[299 * 300 + 7], got.values[5 * 300 + 7]]);
        }
    }
}

#[test]
fn folded_circuits_are_what_the_model_computes() {
    for norm in [NormKind::Layer, NormKind::Rms] {
        check_folded(norm);
    }
}

fn check_folded(norm: NormKind) {
    // Without places and biases, in the first layer, and for one token alone.
    let model = Model::random(24, 5, |config| {
        (config.n_layers, config.bias, config.norm) = (1, false, norm);
        config.positions = Positions::None;
    });
    let mean = |vector: &[f32]| match norm {
        NormKind::Layer => vector.iter().sum::<f32>() / 16.0,
        _ => 0.0,
    };
    let head = Head { layer: 0, head: 1 };
    let (view, all) = (model.view().folded(), vocabulary(24));
    assert!(view.is_folded());
    let table = |circuit| token_circuit(&view, circuit, &all, &all).unwrap().values;
    let (qk, ov) = (table(Circuit::Qk(head)), table(Circuit::Ov(head)));
    let direct = table(Circuit::Direct);
    let recorded = model.record(&all);
    let d_head = model.config.d_head();
    let of_head = |values: &[f32], token: usize| -> Vec<f64> {
        values[token * 16 + d_head..][..d_head].iter().map(|x| f64::from(*x)).collect()
    };
    let deviation = |values: &[f32]| {
        let mean = mean(values);
        f64::from(values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 16.0 + 1e-5).sqrt()
    };
    for (a, b) in [(0, 0), (3, 20), (17, 4)] {
        let scale = |token: usize| deviation(&recorded.embed[token * 16..][..16]);
        let (q, k) = (of_head(&recorded.layers[0].q, a), of_head(&recorded.layers[0].k, b));
        let score: f64 = q.iter().zip(&k).map(|(q, k)| q * k).sum();
        assert_near(score * scale(a) * scale(b), qk[a * 24 + b].into(), 1e-3);

        // What the head and the embedding add to b's logit, less what they add to all.
        let alone = model.record(&[a as u32]);
        let added = |vector: &[f32]| {
            let gain = model.layout.find("ln_final.w").unwrap().range.clone();
            let mean = mean(vector);
            let seen = |row: usize| f64::from((vector[row] - mean) * model.flat[gain.start + row]);
            let logit = |token| (0..16).map(|row| seen(row) * model.w_u(row, token)).sum::<f64>();
            logit(b) - (0..24).map(logit).sum::<f64>() / 24.0
        };
        let out = &model.view().head_out(0, &alone.layers[0])[16..32];
        assert_near(added(out) * scale(a), ov[a * 24 + b].into(), 1e-3);
        assert_near(added(&alone.embed), direct[a * 24 + b].into(), 1e-3);
    }
}

#[test]
fn large_tables_and_unknown_tokens_are_refused() {
    let model = Model::random(600, 3, |_| {});
    let all = vocabulary(600);
    let refused = token_circuit(&model.view(), Circuit::Direct, &all, &all).unwrap_err();
    assert!(refused.to_string().contains("600 × 600"), "{refused}");
    let refused = token_circuit(&model.view(), Circuit::Direct, &[600], &[0]).unwrap_err();
    assert_eq!(refused, AnalysisError::NoToken { token: 600, vocab_size: 600 });
    let head = Head { layer: 2, head: 0 };
    let refused = copying(&model.view(), head).unwrap_err();
    assert!(refused.to_string().contains("L2H0"), "{refused}");
}

/// Makes a head's `W_V W_O` be `sign` times the projector onto some coordinates.
fn project(model: &mut Model, head: usize, sign: f32) {
    let d_head = model.config.d_head();
    model.at("blocks.0.attn.W_V").fill(0.0);
    model.at("blocks.0.attn.W_O").fill(0.0);
    for place in 0..d_head {
        let (column, coordinate) = (head * d_head + place, 3 * place + 1);
        model.at("blocks.0.attn.W_V")[coordinate * 16 + column] = 1.0;
        model.at("blocks.0.attn.W_O")[column * 16 + coordinate] = sign;
    }
}

#[test]
fn a_projector_copies_and_its_negative_suppresses() {
    // With the embedding tied, what is written is read as what was read.
    let mut model = Model::random(40, 9, |config| config.tied_head = true);
    let head = Head { layer: 0, head: 2 };
    for sign in [1.0, -1.0] {
        project(&mut model, 2, sign);
        let copying = copying(&model.view(), head).unwrap();
        assert_near(copying.score.into(), sign.into(), 1e-6);
        assert_eq!(copying.eigenvalues.len(), 4);
    }
    project(&mut model, 1, 1.0);
    assert_eq!(copying(&model.view(), head).unwrap().score, 0.0, "a head that writes nothing");
}

#[test]
fn eigenvalues_are_those_of_the_whole_circuit() {
    let model = Model::random(30, 2, |config| config.tied_head = false);
    let all = vocabulary(30);
    let circuit = token_circuit(&model.view(), Circuit::Ov(HEAD), &all, &all).unwrap();
    let trace: f64 = (0..30).map(|token| f64::from(circuit.values[token * 31])).sum();
    let got = copying(&model.view(), HEAD).unwrap();
    assert_near(got.eigenvalues.iter().map(|x| f64::from(x[0])).sum(), trace, 1e-4);
}

#[test]
fn random_heads_copy_nothing() {
    let mut scores = Vec::new();
    for seed in 0..4 {
        let model = Model::random(512, seed, |config| {
            (config.d_model, config.n_heads, config.n_layers) = (64, 4, 10);
            (config.tied_head, config.context) = (true, 4);
        });
        let view = model.view();
        scores.extend(view.heads().map(|head| f64::from(copying(&view, head).unwrap().score)));
    }
    let count = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let sd = (scores.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    assert_near(mean, 0.0, 3.0 * 0.092 / count.sqrt());
    assert_near(sd, 0.092, 0.015);
}

#[test]
fn composition_is_the_norm_of_the_product() {
    let model = Model::random(20, 8, |config| config.n_layers = 3);
    let got = composition(&model.view(), 0, 2).unwrap();
    assert_eq!(got.len(), 16);
    for one in &got {
        let ([earlier, _], [ov, qk]) = (products(&model, one.from), products(&model, one.to));
        let score = |reads: &Matrix| (&earlier * reads).norm() / (earlier.norm() * reads.norm());
        assert_near(one.q.into(), score(&qk), 1e-5);
        assert_near(one.k.into(), score(&qk.transpose()), 1e-5);
        assert_near(one.v.into(), score(&ov), 1e-5);
    }
    assert_eq!(composition(&model.view(), 2, 0).unwrap(), []);
    assert!(composition(&model.view(), 0, 3).is_err());
}

#[test]
fn random_heads_compose_by_chance() {
    for (d_model, d_head) in [(64, 16), (100, 10), (256, 16)] {
        let chance = random_composition(d_model, d_head, 200, 1);
        let wanted = 1.0 / (d_model as f64).sqrt();
        assert_near(chance.mean.into(), wanted, 0.02 * wanted);
        assert!(chance.sd > 0.0 && chance.sd < 0.2 * chance.mean, "{chance:?}");
        assert_eq!(chance, random_composition(d_model, d_head, 200, 1));
    }
    let untrained = Model::random(20, 1, |config| (config.d_model, config.n_heads) = (64, 4));
    let chance = random_composition(64, 16, 200, 1);
    for one in composition(&untrained.view(), 0, 1).unwrap() {
        for score in [one.q, one.k, one.v] {
            assert!((score - chance.mean).abs() < 6.0 * chance.sd, "{one:?} beside {chance:?}");
        }
    }
}

#[test]
fn an_induction_head_composes_through_its_keys() {
    let model = induction_pair(8);
    let [Composition { q, k, v, .. }] = composition(&model.view(), 0, 1).unwrap()[..] else {
        panic!("one head a layer");
    };
    assert!(k > 0.3 && q == 0.0 && v == 0.0, "{q} {k} {v}");
}

#[test]
fn singular_values_are_those_of_the_product() {
    let model = Model::random(50, 4, |config| config.tied_head = false);
    let (view, [ov, qk]) = (model.view(), products(&model, HEAD));
    for (circuit, product) in [(Circuit::Ov(HEAD), ov), (Circuit::Qk(HEAD), qk)] {
        let got = spectrum(&view, circuit, 2, 5).unwrap();
        assert_eq!((got.values.len(), got.directions.len()), (4, 2));
        let squares: f64 = got.values.iter().map(|x| f64::from(*x).powi(2)).sum();
        assert_near(squares, product.norm_squared(), 1e-4 * product.norm_squared());
        assert_eq!(got.directions[0].value, got.values[0]);
        for direction in got.directions {
            assert_eq!(direction.reads.top.len(), 5);
            assert!(direction.writes.top.is_sorted_by(|a, b| a.weight >= b.weight));
            assert!(direction.writes.bottom.is_sorted_by(|a, b| a.weight <= b.weight));
        }
    }
    assert!(spectrum(&view, Circuit::Direct, 1, 1).is_err());
    assert_eq!(spectrum(&view, Circuit::Ov(HEAD), 99, 99).unwrap().directions.len(), 4);
}

#[test]
fn the_leading_direction_names_what_a_head_moves() {
    // One head that reads token 5 and writes token 9, with embeddings that are coordinates.
    let mut model = Model::blank(16, |config| config.tied_head = true);
    for token in 0..16 {
        model.at("embed.W_E")[token * 16 + token] = 1.0;
    }
    model.at("blocks.1.attn.W_V")[5 * 16 + 8] = 2.0;
    model.at("blocks.1.attn.W_O")[8 * 16 + 9] = 3.0;
    let got = spectrum(&model.view(), Circuit::Ov(HEAD), 1, 1).unwrap();
    assert_eq!(got.values, [6.0, 0.0, 0.0, 0.0]);
    let leading = &got.directions[0];
    assert_eq!((leading.reads.top[0].token, leading.writes.top[0].token), (5, 9));
    assert_near(leading.writes.top[0].weight.into(), 1.0, 1e-6);
}

#[test]
fn weights_that_diverged_are_told() {
    let mut model = Model::random(20, 4, |_| {});
    model.at("blocks.1.attn.W_V")[9] = f32::NAN;
    let (view, head) = (model.view(), Head { layer: 1, head: 2 });
    for refused in [
        copying(&view, head).unwrap_err(),
        spectrum(&view, Circuit::Ov(head), 1, 1).unwrap_err(),
        composition(&view, 0, 1).unwrap_err(),
    ] {
        assert!(matches!(refused, AnalysisError::NotFinite { .. }), "{refused}");
    }
}
