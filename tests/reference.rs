//! The model, its gradients and AdamW against PyTorch: `tests/reference/make.py` made the dumps.

use burn::tensor::{Device, Int, Tensor, TensorData};
use confab::config::{MlpKind, ModelConfig, NormKind, Positions, TrainConfig};
use confab::loss::{mean_loss, token_losses};
use confab::model::attention::Pattern;
use confab::model::{Gpt, Layout, Weights};
use confab::optimizer::AdamW;
use confab::plain::Plain;
use confab::platform;
use confab::protocol::DeviceChoice;
use futures::executor::block_on;
use safetensors::SafeTensors;

macro_rules! dump {
    ($name:literal) => {
        include_bytes!(concat!("reference/", $name, ".safetensors"))
    };
}

const TIED: &[u8] = dump!("tied");
const UNTIED_BIAS: &[u8] = dump!("untied_bias");
/// Largest relative error, in norm.
const TOLERANCE: f32 = 1e-4;

struct Reference {
    tensors: SafeTensors<'static>,
    config: ModelConfig,
    layout: Layout,
}

impl Reference {
    fn new(bytes: &'static [u8], tied: bool) -> Self {
        Self::of(bytes, ModelConfig { tied_head: tied, bias: !tied, ..small() })
    }

    fn of(bytes: &'static [u8], config: ModelConfig) -> Self {
        let layout = Layout::new(&config, 11);
        Self { tensors: SafeTensors::deserialize(bytes).unwrap(), config, layout }
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let bytes = self.tensors.tensor(name).unwrap().data();
        bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    /// The parameters `{prefix}{name}`, flat.
    fn flat(&self, prefix: &str) -> Vec<f32> {
        let names = self.layout.parameters().iter().map(|p| format!("{prefix}{}", p.name));
        names.flat_map(|name| self.floats(&name)).collect()
    }

    fn ids(&self, name: &str, device: &Device) -> Tensor<2, Int> {
        let view = self.tensors.tensor(name).unwrap();
        let width = view.data().len() / view.shape().iter().product::<usize>();
        let ids: Vec<i32> = view.data().chunks(width).map(|b| i32::from(b[0])).collect();
        Tensor::from_data(TensorData::new(ids, [3, 7]), device)
    }

    /// Logits, patterns and loss of the dump's batch.
    fn forward(&self, weights: &Weights, device: &Device) -> (Tensor<3>, Vec<Pattern>, Tensor<1>) {
        let device = device.clone().autodiff();
        let model = Gpt::new(&self.config, weights);
        let (logits, patterns) = model.forward(self.ids("tokens", &device));
        let counts = TensorData::new(self.floats("weights"), [3, 7]);
        let counts = Tensor::from_data(counts, &device);
        let loss =
            mean_loss(token_losses(logits.clone(), self.ids("targets", &device)), counts, 1.0);
        (logits, patterns, loss)
    }

    fn check(&self, device: &Device) {
        let mut weights = Weights::trainable(&self.layout, &tensor(self.flat(""), device));
        let (logits, patterns, loss) = self.forward(&weights, device);
        let expected = self.floats("patterns");
        let of_layer = expected.chunks(expected.len() / 2);
        for (pattern, expected) in patterns.into_iter().zip(of_layer) {
            let source = read(pattern.source().inner());
            close(&pattern.read(&source), expected, "patterns");
        }
        close(&read(logits.inner()), &self.floats("logits"), "logits");
        close(&read(loss.clone().inner()), &self.floats("loss"), "loss");

        weights.backward(&loss);
        let gradient = read(weights.into_gradient());
        for parameter in self.layout.parameters() {
            let expected = self.floats(&format!("grad.{}", parameter.name));
            let got = &gradient[parameter.range.clone()];
            if expected.iter().all(|value| value.abs() < 1e-6) {
                // As b_K's, by the softmax's invariance; both sides hold rounding alone.
                assert!(got.iter().all(|value| value.abs() < TOLERANCE), "{}", parameter.name);
            } else {
                close(got, &expected, &parameter.name);
            }
        }
    }

    fn check_adamw(&self, device: &Device) {
        let train = TrainConfig {
            beta1: 0.9,
            beta2: 0.95,
            weight_decay: 0.1,
            clip: 1.0,
            ..TrainConfig::default()
        };
        let mut optimizer = AdamW::new(&self.layout, device);
        let mut flat = tensor(self.flat(""), device);
        for step in 0..3 {
            let rates = optimizer.rates(&train, step, 1e-2);
            let mut weights = Weights::trainable(&self.layout, &flat);
            let (_, _, loss) = self.forward(&weights, device);
            weights.backward(&loss);
            flat = optimizer.update(rates, flat, weights.into_gradient());
            let got = read(flat.clone());
            for parameter in self.layout.parameters() {
                // AdamW makes whole steps of the rounding that is b_K's gradient.
                if !parameter.name.ends_with("b_K") {
                    let name = format!("adamw.{}.{}", step + 1, parameter.name);
                    close(&got[parameter.range.clone()], &self.floats(&name), &name);
                }
            }
        }
    }
}

fn small() -> ModelConfig {
    ModelConfig { n_layers: 2, n_heads: 2, d_model: 8, context: 8, ..ModelConfig::default() }
}

/// Dumps of what may differ from GPT-2, and the shapes they are of.
fn variants() -> [Reference; 6] {
    let llama = ModelConfig {
        tied_head: false,
        norm: NormKind::Rms,
        norm_eps: 1e-3,
        mlp: MlpKind::Swiglu,
        d_mlp: 12,
        positions: Positions::Rotary,
        rope_base: 50.0,
        kv_heads: 1,
        d_head: 6,
        qk_norm: true,
        ..small()
    };
    let swiglu_bias = ModelConfig {
        bias: true,
        norm: NormKind::Rms,
        mlp: MlpKind::Swiglu,
        d_mlp: 5,
        positions: Positions::Rotary,
        d_head: 2,
        kv_heads: 1,
        ..small()
    };
    let gpt2 = ModelConfig {
        bias: true,
        norm_eps: 0.1,
        mlp: MlpKind::GeluTanh,
        d_head: 3,
        qk_norm: true,
        ..small()
    };
    let relu =
        ModelConfig { mlp: MlpKind::Relu, d_mlp: 16, positions: Positions::Rotary, ..small() };
    let relu2 = ModelConfig {
        norm: NormKind::None,
        mlp: MlpKind::Relu2,
        positions: Positions::None,
        kv_heads: 1,
        ..small()
    };
    let attention_only = ModelConfig {
        tied_head: false,
        bias: true,
        norm: NormKind::None,
        mlp: MlpKind::None,
        positions: Positions::None,
        d_head: 2,
        ..small()
    };
    [
        Reference::of(dump!("llama"), llama),
        Reference::of(dump!("swiglu_bias"), swiglu_bias),
        Reference::of(dump!("gpt2"), gpt2),
        Reference::of(dump!("relu"), relu),
        Reference::of(dump!("relu2"), relu2),
        Reference::of(dump!("attention_only"), attention_only),
    ]
}

fn tensor(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn close(got: &[f32], expected: &[f32], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let norm = |v: Vec<f32>| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let difference = norm(got.iter().zip(expected).map(|(a, b)| a - b).collect());
    let error = difference / norm(expected.to_vec()).max(1e-12);
    assert!(error < TOLERANCE, "{what}: relative error {error}");
}

/// A GPU's kernels; on a machine without one, those of a software driver.
fn webgpu() -> Device {
    let opened = block_on(platform::open(DeviceChoice::Webgpu));
    opened.expect("`./dev test` installs a software driver where there is no GPU").0.device
}

#[test]
fn forward_loss_and_gradients_match_pytorch_with_a_tied_head() {
    Reference::new(TIED, true).check(&Device::flex());
}

#[test]
fn forward_loss_and_gradients_match_pytorch_with_biases_and_a_head_of_its_own() {
    Reference::new(UNTIED_BIAS, false).check(&Device::flex());
}

#[test]
fn every_variant_matches_pytorch() {
    variants().iter().for_each(|variant| variant.check(&Device::flex()));
}

#[test]
fn every_variant_matches_pytorch_in_plain_numbers() {
    for variant in variants() {
        let plain = Plain::new(&variant.config, &variant.layout, &variant.flat(""));
        let ids = read_ids(&variant);
        let (patterns, logits) = (variant.floats("patterns"), variant.floats("logits"));
        let (of_layer, of_row) = (patterns.len() / 2, logits.len() / 3);
        for (row, ids) in ids.chunks(7).enumerate() {
            let recorded = plain.record(ids, &[]);
            close(&recorded.logits, &logits[row * of_row..][..of_row], "logits");
            for (layer, recorded) in recorded.layers.iter().enumerate() {
                let start = layer * of_layer + row * of_layer / 3;
                close(&recorded.pattern, &patterns[start..][..of_layer / 3], "patterns");
            }
        }
    }
}

fn read_ids(reference: &Reference) -> Vec<u32> {
    reference.ids("tokens", &Device::flex()).into_data().iter::<u32>().collect()
}

#[test]
fn three_clipped_adamw_steps_match_pytorch() {
    Reference::new(TIED, true).check_adamw(&Device::flex());
    Reference::new(UNTIED_BIAS, false).check_adamw(&Device::flex());
}

#[test]
fn webgpu_matches_pytorch() {
    let device = webgpu();
    for (dump, tied) in [(TIED, true), (UNTIED_BIAS, false)] {
        Reference::new(dump, tied).check(&device);
        Reference::new(dump, tied).check_adamw(&device);
    }
    variants().iter().for_each(|variant| variant.check(&device));
}
