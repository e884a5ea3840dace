//! The logit lens and direct logit attribution against the forward pass.

use confab::config::{MlpKind, ModelConfig, NormKind, Positions};
use confab::interp::analysis::attribution::{
    Against, Component, Contribution, LogitDifference, attribute,
};
use confab::interp::analysis::circuits::{Circuit, token_circuit};
use confab::interp::analysis::expansion::{Path, expand};
use confab::interp::analysis::lens::{Asked, Stage, lens_row, stages};
use confab::interp::analysis::{AnalysisError, Head};
use proptest::prelude::*;

use crate::model::{Change, Model, VARIANTS, assert_near, vocabulary};

const IDS: [u32; 6] = [3, 1, 4, 1, 5, 9];

fn softmax(logits: &[f32]) -> Vec<f64> {
    let exps: Vec<f64> = logits.iter().map(|x| f64::from(*x).exp()).collect();
    let total: f64 = exps.iter().sum();
    exps.iter().map(|x| x / total).collect()
}

#[test]
fn the_last_stage_is_what_the_model_predicts() {
    for (place, change) in VARIANTS.into_iter().enumerate() {
        let model = Model::random(20, 1, |config| {
            change(config);
            (config.tied_head, config.bias) = (place % 2 == 0, place % 2 == 1);
        });
        let recorded = model.record(&IDS);
        let row = lens_row(&model.view(), &recorded, Stage::Final, 0..6, Asked::Next(&IDS), 20);
        for (position, cell) in row.unwrap().cells.iter().enumerate() {
            let probabilities = softmax(&recorded.logits[position * 20..][..20]);
            for one in &cell.top {
                assert_near(one.probability.into(), probabilities[one.token as usize], 1e-5);
            }
            assert!(cell.top.is_sorted_by(|a, b| a.probability >= b.probability));
            let entropy: f64 = probabilities.iter().map(|p| -p * p.ln()).sum();
            assert_near(cell.entropy.into(), entropy, 1e-4);
            // The last position has no next token.
            let Some(target) = cell.target else {
                assert_eq!(position, 5);
                continue;
            };
            assert_eq!(target.token, IDS[position + 1]);
            assert_eq!(cell.top[target.rank].token, target.token);
            assert_near(target.probability.into(), probabilities[target.token as usize], 1e-5);
        }
    }
}

#[test]
fn each_stage_reads_its_residual_stream() {
    let model = Model::random(20, 1, |_| {});
    assert_eq!(stages(1, false), [Stage::Pre { layer: 0 }, Stage::Final]);
    let all = stages(2, true);
    assert_eq!(all.len(), 5);
    assert_eq!(all[1], Stage::Mid { layer: 0 });
    // A model whose layers write nothing predicts the same at all stages.
    let mut silent = Model::random(20, 1, |config| config.bias = false);
    for layer in 0..2 {
        silent.at(&format!("blocks.{layer}.attn.W_O")).fill(0.0);
        silent.at(&format!("blocks.{layer}.mlp.W_out")).fill(0.0);
    }
    let read = |model: &Model, stage| {
        let recorded = model.record(&IDS);
        lens_row(&model.view(), &recorded, stage, 2..4, Asked::Token(7), 3).unwrap().cells
    };
    for stage in &all {
        assert_eq!(read(&silent, *stage).len(), 2);
        assert_eq!(read(&silent, *stage), read(&silent, Stage::Final));
    }
    assert_ne!(read(&model, all[0]), read(&model, all[1]));
    assert_ne!(read(&model, all[3]), read(&model, all[4]));
}

#[test]
fn the_lens_refuses_what_is_not_there() {
    let model = Model::random(20, 1, |_| {});
    let recorded = model.record(&IDS);
    let read = |stage, positions, asked| {
        lens_row(&model.view(), &recorded, stage, positions, asked, 3).unwrap_err()
    };
    let token = Asked::Token(0);
    let layer = Stage::Pre { layer: 2 };
    assert_eq!(read(layer, 0..1, token), AnalysisError::NoLayer { layer: 2, n_layers: 2 });
    assert_eq!(read(Stage::Final, 0..7, token), AnalysisError::NoPosition { position: 6, seq: 6 });
    let refused = read(Stage::Final, 0..1, Asked::Token(20));
    assert_eq!(refused, AnalysisError::NoToken { token: 20, vocab_size: 20 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn contributions_add_up_to_the_logit_difference(
        seed in 0..1000u64, n_layers in 1..4usize, tied in any::<bool>(), bias in any::<bool>(),
        variant in 0..VARIANTS.len(),
        ids in prop::collection::vec(0..20u32, 1..9), place in any::<prop::sample::Index>(),
        token in 0..20u32, other in prop::option::of(0..20u32),
    ) {
        let model = Model::random(20, seed, |config| {
            VARIANTS[variant](config);
            (config.n_layers, config.tied_head, config.bias) = (n_layers, tied, bias);
        });
        let recorded = model.record(&ids);
        let of = LogitDifference {
            position: place.index(ids.len()),
            token,
            against: other.map_or(Against::Mean, Against::Token),
        };
        let got = attribute(&model.view(), &recorded, of).unwrap();
        let sum: f32 = got.contributions.iter().map(|part| part.value).sum();
        prop_assert!((sum - got.total).abs() < 1e-4 * got.total.abs().max(1.0), "{} {}", sum, got.total);
        // Embedding, place, four heads and an MLP a layer, and biases, as far as there are any.
        let has = |name: &str| usize::from(model.layout.find(name).is_some());
        let of_layer =
            4 + has("blocks.0.mlp.W_in") + has("blocks.0.attn.b_O");
        let ends = 1 + has("pos_embed.W_pos") + has("ln_final.b");
        prop_assert_eq!(got.contributions.len(), of_layer * n_layers + ends);
    }
}

#[test]
fn what_is_fed_back_is_a_part_of_its_own() {
    let model = Model::random(20, 3, |config| (config.n_layers, config.feedback) = (3, true));
    let recorded = model.record(&IDS);
    for position in [0, 5] {
        let of = LogitDifference { position, token: 11, against: Against::Mean };
        let got = attribute(&model.view(), &recorded, of).unwrap();
        let sum: f32 = got.contributions.iter().map(|part| part.value).sum();
        assert_near(sum.into(), got.total.into(), 1e-3);
        let fed_back = |layer| {
            let is_own = |part: &&Contribution| part.component == Component::Feedback { layer };
            got.contributions.iter().find(is_own).map(|part| part.value)
        };
        assert_eq!(fed_back(2), None);
        for layer in 0..2 {
            assert_eq!(fed_back(layer) == Some(0.0), position == 0, "layer {layer}");
        }
    }
}

#[test]
fn a_difference_is_of_the_logits() {
    let model = Model::random(20, 2, |_| {});
    let recorded = model.record(&IDS);
    let logits = &recorded.logits[3 * 20..][..20];
    let of = |against| LogitDifference { position: 3, token: 11, against };
    let total = |against| attribute(&model.view(), &recorded, of(against)).unwrap().total;
    assert_eq!(total(Against::Token(4)), logits[11] - logits[4]);
    let mean = logits.iter().map(|x| f64::from(*x)).sum::<f64>() / 20.0;
    assert_near(total(Against::Mean).into(), f64::from(logits[11]) - mean, 1e-5);
}

#[test]
fn a_head_that_alone_writes_has_all_of_the_attribution() {
    let mut model = Model::blank(16, |config| (config.tied_head, config.n_layers) = (false, 1));
    for token in 0..16 {
        model.at("embed.W_E")[token * 16 + token] = 1.0;
        model.at("unembed.W_U")[token * 16 + token] = 1.0;
    }
    // Head 2 writes coordinate 9 of whatever token 5 it reads; neither stands there itself.
    model.at("blocks.0.attn.W_V")[5 * 16 + 8] = 1.0;
    model.at("blocks.0.attn.W_O")[8 * 16 + 9] = 1.0;
    let against = Against::Token(10);
    let of = LogitDifference { position: 1, token: 9, against };
    let got = attribute(&model.view(), &model.record(&[5, 3]), of).unwrap();
    assert!(got.total > 0.1);
    for part in got.contributions {
        let head = Component::Head(Head { layer: 0, head: 2 });
        let wanted = if part.component == head { got.total } else { 0.0 };
        assert_near(part.value.into(), wanted.into(), 1e-6);
    }
}

#[test]
fn attribution_refuses_what_is_not_there() {
    let model = Model::random(20, 2, |_| {});
    let recorded = model.record(&IDS);
    for (position, token, against) in
        [(6, 0, Against::Mean), (0, 20, Against::Mean), (0, 0, Against::Token(20))]
    {
        let of = LogitDifference { position, token, against };
        assert!(attribute(&model.view(), &recorded, of).is_err());
    }
}

fn attention_only(n_layers: usize, seed: u64, change: impl Fn(&mut ModelConfig)) -> Model {
    Model::random(20, seed, |config| {
        (config.norm, config.mlp) = (NormKind::None, MlpKind::None);
        config.n_layers = n_layers;
        change(config);
    })
}

#[test]
fn paths_add_up_to_the_logits() {
    let changes: [Change; 4] = [
        |config| config.bias = true,
        |config| (config.bias, config.tied_head) = (false, false),
        |config| (config.kv_heads, config.bias, config.positions) = (2, true, Positions::Rotary),
        |config| (config.d_head, config.positions, config.qk_norm) = (6, Positions::None, true),
    ];
    for (seed, change) in changes.into_iter().enumerate() {
        for n_layers in [1, 2] {
            let model = attention_only(n_layers, seed as u64, change);
            let recorded = model.record(&IDS);
            for position in 0..IDS.len() {
                let tokens = vocabulary(20);
                let got = expand(&model.view(), &recorded, position, &tokens).unwrap();
                let heads = 4 * n_layers + if n_layers == 2 { 16 } else { 0 };
                assert_eq!(got.terms.len(), 2 + heads);
                for token in 0..20 {
                    let sum: f32 = got.terms.iter().map(|term| term.logits[token]).sum();
                    let wanted = recorded.logits[position * 20 + token];
                    assert_near(sum.into(), wanted.into(), 1e-4);
                }
            }
        }
    }
}

#[test]
fn the_direct_path_is_the_bigram_table_and_a_head_its_ov_circuit() {
    let model = attention_only(2, 7, |config| {
        (config.bias, config.positions) = (false, Positions::None);
    });
    let table = |circuit, row: u32| {
        token_circuit(&model.view(), circuit, &[row], &vocabulary(20)).unwrap().values
    };
    let head = Head { layer: 1, head: 3 };
    // Of one token alone every pattern is 1.
    let got = expand(&model.view(), &model.record(&[9]), 0, &vocabulary(20)).unwrap();
    let of = |path| got.terms.iter().find(|term| term.path == path).unwrap().logits.clone();
    assert_eq!(of(Path::Biases), [0.0; 20]);
    for (path, circuit) in [(Path::Direct, Circuit::Direct), (Path::Head(head), Circuit::Ov(head))]
    {
        for (got, wanted) in of(path).into_iter().zip(table(circuit, 9)) {
            assert_near(got.into(), wanted.into(), 1e-5);
        }
    }
}

#[test]
fn only_what_is_a_sum_of_paths_is_expanded() {
    let changes: [(Change, &str); 4] = [
        (|config| config.norm = NormKind::Rms, "norms"),
        (|config| config.mlp = MlpKind::Relu, "MLPs"),
        (|config| config.n_layers = 3, "two layers"),
        (|config| config.feedback = true, "Feedback (model.feedback)"),
    ];
    for (change, why) in changes {
        let model = attention_only(2, 1, change);
        let refused = expand(&model.view(), &model.record(&IDS), 0, &[1]).unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let model = attention_only(2, 1, |_| {});
    let recorded = model.record(&IDS);
    assert!(expand(&model.view(), &recorded, 6, &[1]).is_err());
    assert!(expand(&model.view(), &recorded, 0, &[20]).is_err());
}
