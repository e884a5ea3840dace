//! Knock-outs and patches against changed weights and known answers.

use confab::config::{MlpKind, NormKind};
use confab::interp::analysis::attribution::{Against, Component, LogitDifference};
use confab::interp::analysis::patching::{Knockouts, Patch, PatchGrid, Patching};
use confab::interp::analysis::{AnalysisError, Head};

use crate::model::{Model, assert_near, induction_pair};

const CLEAN: [u32; 6] = [3, 1, 4, 1, 5, 9];
/// Differs at position 2.
const CORRUPTED: [u32; 6] = [3, 1, 7, 1, 5, 9];
const LAST: LogitDifference = LogitDifference { position: 5, token: 2, against: Against::Token(8) };

fn patch(model: &Model, corrupted: &[u32], patch: Patch) -> PatchGrid {
    let plain = model.plain();
    let mut patching =
        Patching::new(&model.view(), &plain, &CLEAN, corrupted, &[], patch, LAST).unwrap();
    assert!(patching.grid().values.is_empty());
    while patching.next(&plain) {}
    let grid = patching.grid().clone();
    assert_eq!(grid.values.len(), grid.rows * grid.columns);
    grid
}

#[test]
fn what_differs_at_one_position_is_restored_there() {
    let model = Model::random(20, 3, |_| {});
    let grid = patch(&model, &CORRUPTED, Patch::Resid);
    assert_eq!((grid.rows, grid.columns), (2, 6));
    for (position, value) in grid.values[..6].iter().enumerate() {
        let wanted = if position == 2 { 1.0 } else { 0.0 };
        assert_near((*value).into(), wanted, 1e-3);
    }
    assert_eq!(grid.values[6..8], [0.0, 0.0], "nothing differs before the change");
}

#[test]
fn the_last_residual_stream_that_is_read_restores_all() {
    let mut model = Model::random(20, 3, |_| {});
    // The last layer's heads write nothing, so only the last position matters after the first.
    model.at("blocks.1.attn.W_O").fill(0.0);
    let resid = patch(&model, &CORRUPTED, Patch::Resid);
    assert_near(resid.values[11].into(), 1.0, 1e-3);
    assert_eq!(resid.values[6..11], [0.0; 5]);
    let mlp = patch(&model, &CORRUPTED, Patch::Mlp);
    assert_eq!(mlp.values[6..11], [0.0; 5]);
    assert!(mlp.values[11] != 0.0);
    for what in [Patch::Heads, Patch::Patterns, Patch::HeadsAt { position: 5 }] {
        let grid = patch(&model, &CORRUPTED, what);
        assert_eq!((grid.rows, grid.columns), (2, 4));
        assert_eq!(grid.values[4..], [0.0; 4], "{what:?}");
        assert!(grid.values[..4].iter().all(|x| *x != 0.0), "{what:?}");
    }
}

#[test]
fn a_head_patched_everywhere_is_the_clean_head() {
    let mut model = Model::random(20, 3, |config| config.n_layers = 1);
    // One head and no MLP: what the last position gets of the change, that head brings.
    model.at("blocks.0.mlp.W_out").fill(0.0);
    model.at("blocks.0.attn.W_O")[4 * 16..].fill(0.0);
    for what in [Patch::Heads, Patch::HeadsAt { position: 5 }] {
        let grid = patch(&model, &CORRUPTED, what);
        assert_near(grid.values[0].into(), 1.0, 1e-3);
        assert_eq!(grid.values[1..], [0.0; 3]);
    }
    assert_eq!(patch(&model, &CORRUPTED, Patch::HeadsAt { position: 4 }).values, [0.0; 4]);
}

#[test]
fn an_induction_head_is_what_tells_prompts_apart() {
    // ... A B ... A: with another token after the first A, another is predicted.
    let (a, clean) = (induction_pair(10), [1, 2, 5, 6, 7, 1]);
    let corrupted = [1, 3, 5, 6, 7, 1];
    let of = LogitDifference { position: 5, token: 2, against: Against::Token(3) };
    let (view, plain) = (a.view(), a.plain());
    let mut patching =
        Patching::new(&view, &plain, &clean, &corrupted, &[], Patch::Heads, of).unwrap();
    while patching.next(&plain) {}
    let grid = patching.grid();
    assert!(grid.clean > 0.1 && grid.corrupted < -0.1);
    assert_near(grid.values[0].into(), 0.0, 0.02);
    assert_near(grid.values[1].into(), 1.0, 0.02);
    let mut knockouts = Knockouts::new(&view, &plain, &clean, &[], of).unwrap();
    while knockouts.next(&plain) {}
    let effect = |head: Head| {
        let find =
            |e: &&confab::interp::analysis::patching::Effect| e.component == Component::Head(head);
        *knockouts.effects().iter().find(find).unwrap()
    };
    let (first, second) = (effect(Head { layer: 0, head: 0 }), effect(Head { layer: 1, head: 0 }));
    // The first head adds nothing by itself, but without it the second finds nothing.
    assert_near(first.attribution.into(), 0.0, 1e-4);
    assert!(first.effect > 0.5 * grid.clean);
    assert_near(second.effect.into(), grid.clean.into(), 0.02 * f64::from(grid.clean));
    assert_near(second.attribution.into(), grid.clean.into(), 1e-4);
}

#[test]
fn a_part_knocked_out_is_a_part_whose_weights_are_zero() {
    let model = Model::random(20, 3, |config| config.bias = true);
    let plain = model.plain();
    let mut knockouts = Knockouts::new(&model.view(), &plain, &CLEAN, &[], LAST).unwrap();
    while knockouts.next(&plain) {}
    let effects = knockouts.effects();
    assert_eq!(effects.len(), 10);
    let total = LAST.of(&model.record(&CLEAN));
    for effect in effects {
        let mut without =
            Model { config: model.config.clone(), ..Model::random(20, 3, |c| c.bias = true) };
        match effect.component {
            Component::Head(Head { layer, head }) => {
                without.at(&format!("blocks.{layer}.attn.W_O"))[head * 64..][..64].fill(0.0);
            }
            Component::Mlp { layer } => {
                without.at(&format!("blocks.{layer}.mlp.W_out")).fill(0.0);
                without.at(&format!("blocks.{layer}.mlp.b_out")).fill(0.0);
            }
            other => panic!("{other:?} is not knocked out"),
        }
        let wanted = total - LAST.of(&without.record(&CLEAN));
        assert_near(effect.effect.into(), wanted.into(), 1e-4);
    }
}

#[test]
fn in_a_linear_layer_the_effect_is_the_attribution() {
    let model = Model::random(20, 3, |config| {
        (config.norm, config.mlp, config.n_layers) = (NormKind::None, MlpKind::None, 1);
    });
    let plain = model.plain();
    let mut knockouts = Knockouts::new(&model.view(), &plain, &CLEAN, &[], LAST).unwrap();
    while knockouts.next(&plain) {}
    assert_eq!(knockouts.effects().len(), 4);
    for effect in knockouts.effects() {
        assert_near(effect.effect.into(), effect.attribution.into(), 1e-4);
    }
    let refused = Patching::new(&model.view(), &plain, &CLEAN, &CORRUPTED, &[], Patch::Mlp, LAST);
    assert_eq!(refused.unwrap_err(), AnalysisError::NoMlp);
}

#[test]
fn prompts_that_cannot_be_compared_are_refused() {
    let model = Model::random(20, 3, |_| {});
    let (view, plain) = (model.view(), model.plain());
    let refuse = |clean: &[u32], corrupted: &[u32], patch| {
        Patching::new(&view, &plain, clean, corrupted, &[], patch, LAST).unwrap_err()
    };
    let refused = refuse(&CLEAN, &CORRUPTED[..5], Patch::Resid);
    assert_eq!(refused, AnalysisError::Lengths { clean: 6, corrupted: 5 });
    assert!(refused.to_string().contains("equally many tokens"));
    let same = refuse(&CLEAN, &CLEAN, Patch::Resid);
    assert!(matches!(same, AnalysisError::SameDifference { .. }));
    let beyond = refuse(&CLEAN, &CORRUPTED, Patch::HeadsAt { position: 6 });
    assert_eq!(beyond, AnalysisError::NoPosition { position: 6, seq: 6 });
    let long = vec![1; 33];
    let refused = refuse(&long, &long, Patch::Resid);
    assert_eq!(refused, AnalysisError::Context { seq: 33, context: 32 });
    assert!(refuse(&[1; 6], &[99; 6], Patch::Resid).to_string().contains("no token 99"));
    assert!(refuse(&[], &[], Patch::Resid).to_string().contains("0 tokens"));
    assert!(Knockouts::new(&view, &plain, &[99], &[], LAST).is_err());
    // 40 layers of 40 heads: of 200 tokens more than memory should hold.
    let deep = Model::blank(20, |config| {
        (config.n_layers, config.n_heads, config.d_model, config.context) = (40, 40, 40, 256);
    });
    let refused = deep.view().check_prompt(&[1; 200]).unwrap_err();
    let AnalysisError::Recording { seq: 200, longest } = refused else { panic!("{refused}") };
    assert_eq!(deep.view().check_prompt(&vec![1; longest]), Ok(()));
    assert!(longest > 100 && deep.view().check_prompt(&vec![1; longest + 1]).is_err());
}
