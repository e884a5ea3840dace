//! Writing in plain loops against writing by tensor operations.

use burn::tensor::Device;
use confab::config::{MemoryLimits, RunConfig};
use confab::decode::Decoder;
use confab::sample::surprisal;
use confab::trainer::Trainer;
use futures::executor::block_on;
use proptest::prelude::*;

fn trainer(change: impl FnOnce(&mut RunConfig)) -> Trainer {
    let limits = MemoryLimits { total: u64::MAX, buffer: u64::MAX };
    let mut config = RunConfig::default();
    config.task.phone.lines = 1;
    config.model.context = 96;
    change(&mut config);
    let mut trainer = Trainer::new(config, Device::flex(), &limits).unwrap();
    // Larger weights, so that patterns are far from even and every part tells.
    trainer.parameters = trainer.parameters.mul_scalar(4.0).add_scalar(0.05);
    trainer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn plain_loops_give_the_logits_of_the_tensors(
        n_layers in 1..4usize, n_heads in 1..5usize, d_head in 1..9usize,
        tied_head in any::<bool>(), bias in any::<bool>(),
        prompt in prop::collection::vec(0..60u32, 1..40), more in prop::collection::vec(0..60u32, 0..6),
    ) {
        let trainer = trainer(|config| {
            let d_model = n_heads * d_head;
            config.model = confab::config::ModelConfig {
                n_layers, n_heads, d_model, tied_head, bias, ..config.model.clone()
            };
        });
        let (mut plain, mut tensors) = (Decoder::of_small(&trainer), Decoder::on_device(&trainer));
        let steps = std::iter::once(prompt.as_slice()).chain(more.chunks(1));
        for ids in steps {
            let [a, b] = [&mut plain, &mut tensors].map(|d| block_on(d.decode(ids)).unwrap());
            let largest = b.iter().fold(1.0f32, |most, x| most.max(x.abs()));
            for (a, b) in a.iter().zip(&b) {
                prop_assert!((a - b).abs() < 1e-4 * largest, "{a} and {b}");
            }
            prop_assert_eq!(a.len(), trainer.tokenizer.vocab_size());
            prop_assert_eq!(plain.len(), tensors.len());
        }
    }
}

#[test]
fn a_decoder_keeps_its_weights_and_starts_anew() {
    let mut trainer = trainer(|_| ());
    let mut decoder = Decoder::new(&trainer);
    for _ in 0..3 {
        block_on(trainer.step()).unwrap();
    }
    let ids: Vec<u32> = (0..20).collect();
    let before = block_on(decoder.decode(&ids)).unwrap();
    decoder.restart();
    assert!(decoder.is_empty());
    assert_eq!(block_on(decoder.decode(&ids)).unwrap(), before);
    let after = block_on(Decoder::new(&trainer).decode(&ids)).unwrap();
    assert!((surprisal(&before, 3) - surprisal(&after, 3)).abs() > 1e-6);
}
