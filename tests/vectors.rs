//! Batches of vectors in place of tokens, and of values in place of classes.

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use common::{apart, batch, forward, model, numbers, read, webgpu};
use confab::arch::Layout;
use confab::config::{MlpKind, ModelConfig, OptimizerKind, Positions, RunConfig, TrainConfig};
use confab::data::{Batch, Inputs, Targets};
use confab::kernel::dropout::Dropout;
use confab::kernel::transfer::to_tensor;
use confab::learn::{Learner, Likelihood, TrainingPass};
use confab::model::{Model, PassOptions};

const VOCAB: usize = 5;
const IDS: [u32; 8] = [3, 1, 4, 1, 0, 2, 2, 3];

fn config(change: impl FnOnce(&mut ModelConfig)) -> ModelConfig {
    let small = ModelConfig { n_layers: 2, n_heads: 2, d_model: 8, ..RunConfig::default().model };
    let mut config = ModelConfig { context: 8, tied_head: false, ..small };
    change(&mut config);
    config
}

fn fixture(config: &ModelConfig, device: &Device) -> (Model, Layout) {
    let layout = Layout::new(config, VOCAB);
    let flat = numbers(layout.len(), 1).iter().map(|x| 0.3 * x).collect::<Vec<f32>>();
    (model(config, &layout, &flat, device), layout)
}

/// The embeddings of [`IDS`], as a model with these weights has them: `[1, 8, d_model]`.
fn embeddings(model: &Model) -> Tensor<3> {
    let w_e = model.layout.find("embed.W_E").unwrap();
    let flat = read(model.parameters.clone());
    let (table, d_model) = (&flat[w_e.range.clone()], w_e.shape()[1]);
    let rows = IDS.iter().flat_map(|id| table[*id as usize * d_model..][..d_model].to_vec());
    let data = TensorData::new(rows.collect::<Vec<f32>>(), [1, IDS.len(), d_model]);
    Tensor::from_data(data, &model.device())
}

fn of_vectors(vectors: Tensor<3>) -> Batch {
    let [rows, seq, _] = vectors.dims();
    let tokens = Tensor::zeros([rows, seq], &vectors.device());
    Batch { inputs: Inputs::Vectors(vectors), ..batch(tokens) }
}

/// Vectors that are the embeddings of tokens are read as the tokens are, with every kind of positions, and with
/// feedback.
#[test]
fn embeddings_are_read_as_their_tokens() {
    let positions = [Positions::Learned, Positions::Rotary, Positions::None];
    for device in [Device::flex(), webgpu()] {
        for positions in positions {
            for feedback in [false, true] {
                let config = config(|c| (c.positions, c.feedback) = (positions, feedback));
                let (model, _) = fixture(&config, &device);
                let tokens = batch(to_tensor(&IDS, &device));
                let logits = |batch: &Batch| read(forward(&model, batch).logits);
                let expected = logits(&tokens);
                let got = logits(&of_vectors(embeddings(&model)));
                let far = apart(&got, &expected);
                assert!(far < 1e-4, "{positions:?}, feedback {feedback}: {far}");
            }
        }
    }
}

fn values(device: &Device) -> Tensor<3> {
    let data = TensorData::new(numbers(IDS.len() * VOCAB, 7), [1, IDS.len(), VOCAB]);
    Tensor::from_data(data, device)
}

/// The loss with values is the mean squared error, and its gradient by `W_U` the inputs of the unembedding times
/// twice the mean error.
#[test]
fn values_are_trained_on_by_squared_error() {
    let device = Device::flex();
    let (model, layout) = fixture(&config(|_| {}), &device);
    let output = model.gpt().forward(Inputs::Vectors(embeddings(&model)), &PassOptions::default());
    let (logits, normed) = (read(output.logits), read(output.normed));
    let target = read(values(&device));
    let errors: Vec<f64> = logits.iter().zip(&target).map(|(a, b)| f64::from(a - b)).collect();
    let count = errors.len() as f64;
    let expected = errors.iter().map(|error| error * error).sum::<f64>() / count;

    let batch = Batch::of_vectors(embeddings(&model).autodiff(), values(&device.autodiff()));
    let mut pass = TrainingPass::new(&model);
    let loss = pass.forward(&batch, &Likelihood::default(), Dropout::NONE, 1.0);
    let got = f64::from(read(loss.figures.clone())[0]);
    assert!((got - expected).abs() < 1e-5 * expected, "{got} is not {expected}");
    pass.backward(&loss);
    let gradient = read(pass.into_gradient());
    let w_u = &gradient[layout.find("unembed.W_U").unwrap().range.clone()];
    let width = normed.len() / IDS.len();
    for (at, got) in w_u.iter().enumerate() {
        let (row, class) = (at / VOCAB, at % VOCAB);
        let by_token = (0..IDS.len())
            .map(|token| f64::from(normed[token * width + row]) * errors[token * VOCAB + class]);
        let expected = 2.0 * by_token.sum::<f64>() / count;
        assert!((f64::from(*got) - expected).abs() < 1e-5, "{row}, {class}: {got}, not {expected}");
    }
}

/// A learner fits values to vectors: the loss falls to a hundredth.
#[test]
fn a_learner_fits_values_to_vectors() {
    let device = Device::flex();
    let config = config(|config| config.mlp = MlpKind::Gelu);
    let (model, _) = fixture(&config, &device);
    let vectors = embeddings(&model);
    let mut learner = Learner::new(model, OptimizerKind::AdamW, None);
    let train = TrainConfig { lr: 0.01, warmup: 0, ..RunConfig::default().train };
    let batch = Batch::of_vectors(vectors.autodiff(), values(&device.autodiff()));
    assert!(matches!(batch.targets, Targets::Values(_)));
    let mut losses = Vec::new();
    for step in 0..300 {
        let rates = learner.rates(&train, step, train.lr);
        let mut pass = learner.pass();
        let loss = pass.forward(&batch, &Likelihood::default(), Dropout::NONE, 1.0);
        losses.push(read(loss.figures.clone())[0]);
        pass.backward(&loss);
        let gradient = pass.into_gradient();
        learner.update(rates, gradient);
    }
    assert!(losses[299] < 0.01 * losses[0], "{} after {}", losses[299], losses[0]);
}
