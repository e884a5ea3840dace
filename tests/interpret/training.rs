//! Heads that training forms.

use confab::arch::Layout;
use confab::config::{MlpKind, ModelConfig, Positions, RunConfig, TaskKind};
use confab::host::HostModel;
use confab::interp::analysis::View;
use confab::interp::analysis::composition::{composition, random_composition};
use confab::interp::analysis::heads::{HeadScores, Scoring};
use confab::tokenizer::Tokenizer;
use futures::executor::block_on;

use crate::common::{read, trainer};

/// An attention-only model trained on repeated random characters: its configuration, size of
/// vocabulary and weights.
fn train(n_layers: usize) -> (ModelConfig, Tokenizer, Vec<f32>) {
    let mut config = RunConfig::default();
    config.task.kind = TaskKind::Induction;
    let model = &mut config.model;
    (model.n_layers, model.n_heads, model.d_model, model.context) = (n_layers, 4, 64, 50);
    (model.mlp, model.positions) = (MlpKind::None, Positions::Rotary);
    (config.train.batch, config.train.steps, config.train.lr) = (32, 1500, 1e-2);
    (config.train.val_every, config.train.val_batches) = (1500, 1);
    let mut trainer = trainer(config);
    while !trainer.finished() {
        block_on(trainer.step()).unwrap();
    }
    let flat = read(trainer.model().parameters.clone());
    (trainer.config.model.clone(), trainer.tokenizer.clone(), flat)
}

/// The task's records have `|` between the blocks, and heads wait for it.
fn scores(view: &View, tokenizer: &Tokenizer, plain: &HostModel) -> Vec<HeadScores> {
    let separator = tokenizer.encode("|").unwrap()[0];
    let mut scoring = Scoring::new(view, 16, 8, 1).unwrap().separated_by(view, separator).unwrap();
    while scoring.next(plain) {}
    scoring.scores()
}

/// The head that scores highest.
fn best(scores: &[HeadScores], of: fn(&HeadScores) -> f32) -> HeadScores {
    *scores.iter().max_by(|a, b| of(a).total_cmp(&of(b))).unwrap()
}

/// Olsson et al. 2022: an induction head needs a head before it, whose output its keys read.
#[test]
fn two_layers_grow_an_induction_head_and_one_does_not() {
    let found = [1, 2].map(|n_layers| {
        let (config, tokenizer, flat) = train(n_layers);
        let layout = Layout::new(&config, tokenizer.vocab_size());
        let view = View::new(&config, &layout, &flat).unwrap();
        let scores = scores(&view, &tokenizer, &HostModel::new(&config, &layout, &flat));
        let induction = best(&scores, |head| head.induction.stripe);
        if n_layers == 2 {
            assert_eq!(induction.head.layer, 1);
            let previous = best(&scores, |head| head.previous_token.stripe).head;
            let pairs = composition(&view, 0, 1).unwrap();
            let pair = pairs.iter().find(|one| (one.from, one.to) == (previous, induction.head));
            let (k, chance) = (pair.map(|one| one.k), random_composition(64, 16, 100, 1));
            assert!(k > Some(chance.mean + 4.0 * chance.sd), "{k:?} beside {chance:?}");
        }
        induction.induction.stripe
    });
    assert!(found[0] < 0.3 && found[1] > 0.6, "{found:?}");
}
