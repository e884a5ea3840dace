//! The model, its gradients and AdamW against PyTorch: `tests/reference/make.py` made the dumps.

mod common;

use burn::tensor::{Device, Int, Tensor, TensorData};
use confab::arch::Layout;
use confab::config::{
    BlockKind, MixerKind, MlpKind, ModelConfig, NormKind, OptimizerKind, Positions, TrainConfig,
};
use confab::host::HostModel;
use confab::kernel::transfer::to_device;
use confab::learn::{Optimizer, Rates, mean_loss, token_losses};
use confab::model::{Gpt, PassOptions, Weights};
use safetensors::SafeTensors;

use common::{close, read, webgpu};

macro_rules! dump {
    ($name:literal) => {
        include_bytes!(concat!("reference/", $name, ".safetensors"))
    };
}

const TIED: &[u8] = dump!("tied");
const UNTIED_BIAS: &[u8] = dump!("untied_bias");
/// Largest relative error, in norm.
const TOLERANCE: (f32, f32) = (1e-4, 1e-12);

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
        let names = self.layout.parameters().iter().map(|p| format!("{prefix}{}", p.name()));
        names.flat_map(|name| self.floats(&name)).collect()
    }

    fn ids(&self, name: &str, device: &Device) -> Tensor<2, Int> {
        let view = self.tensors.tensor(name).unwrap();
        let width = view.data().len() / view.shape().iter().product::<usize>();
        let ids: Vec<i32> = view.data().chunks(width).map(|b| i32::from(b[0])).collect();
        Tensor::from_data(TensorData::new(ids, [3, 7]), device)
    }

    /// Logits and loss of the dump's batch.
    fn forward(&self, weights: &Weights, device: &Device) -> (Tensor<3>, Tensor<1>) {
        let device = device.clone().autodiff();
        let model = Gpt::new(&self.config, weights);
        let logits = model.forward(self.ids("tokens", &device), &PassOptions::default()).logits;
        let counts = self.floats("weights");
        let whole = f64::from(counts.iter().sum::<f32>());
        let counts = TensorData::new(counts, [3, 7]);
        let counts = Tensor::from_data(counts, &device);
        let loss = mean_loss(
            token_losses(logits.clone(), self.ids("targets", &device)),
            counts,
            whole,
            1.0,
        );
        (logits, loss)
    }

    fn check(&self, device: &Device) {
        let mut weights = Weights::trainable(&self.layout, &to_device(self.flat(""), device));
        let (logits, loss) = self.forward(&weights, device);
        close(&read(logits.inner()), &self.floats("logits"), TOLERANCE, "logits");
        close(&read(loss.clone().inner()), &self.floats("loss"), TOLERANCE, "loss");

        weights.backward(&loss);
        let gradient = read(weights.into_gradient());
        for parameter in self.layout.parameters() {
            let expected = self.floats(&format!("grad.{}", parameter.name()));
            let got = &gradient[parameter.range.clone()];
            if expected.iter().all(|value| value.abs() < 1e-6) {
                // As b_K's, by the softmax's invariance; both sides hold rounding alone.
                assert!(got.iter().all(|value| value.abs() < TOLERANCE.0), "{}", parameter.name());
            } else {
                close(got, &expected, TOLERANCE, parameter.name());
            }
        }
    }

    /// Logits and attention patterns of the model in plain numbers, row by row.
    fn check_on_host(&self) {
        let host = HostModel::new(&self.config, &self.layout, self.flat(""));
        let ids: Vec<u32> = self.ids("tokens", &Device::flex()).into_data().iter().collect();
        let (patterns, logits) = (self.floats("patterns"), self.floats("logits"));
        let (of_layer, of_row) = (patterns.len() / 2, logits.len() / 3);
        for (row, ids) in ids.chunks(7).enumerate() {
            let recorded = host.record(ids, &[]);
            close(&recorded.logits, &logits[row * of_row..][..of_row], TOLERANCE, "logits");
            assert_eq!(recorded.layers.len(), 2);
            for (layer, recorded) in recorded.layers.iter().enumerate() {
                let start = layer * of_layer + row * of_layer / 3;
                let expected = &patterns[start..][..of_layer / 3];
                close(&recorded.pattern, expected, TOLERANCE, "patterns");
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
        let mut optimizer = Optimizer::new(OptimizerKind::AdamW, &self.layout, None, device);
        let mut flat = to_device(self.flat(""), device);
        for step in 0..3 {
            let rates = Rates::new(&train, step, 1e-2, device);
            let mut weights = Weights::trainable(&self.layout, &flat);
            let (_, loss) = self.forward(&weights, device);
            weights.backward(&loss);
            flat = optimizer.update(rates, flat, weights.into_gradient());
            let got = read(flat.clone());
            for parameter in self.layout.parameters() {
                // AdamW makes whole steps of the rounding that is b_K's gradient.
                if !parameter.name().ends_with("b_K") {
                    let name = format!("adamw.{}.{}", step + 1, parameter.name());
                    close(&got[parameter.range.clone()], &self.floats(&name), TOLERANCE, &name);
                }
            }
        }
    }
}

fn small() -> ModelConfig {
    ModelConfig { n_layers: 2, n_heads: 2, d_model: 8, context: 8, ..ModelConfig::default() }
}

/// Dumps of what may differ from GPT-2, and the shapes they are of.
fn variants() -> [Reference; 20] {
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
    let scale_norm = ModelConfig {
        bias: true,
        norm: NormKind::Scale,
        norm_eps: 1.0,
        tied_head: false,
        ..small()
    };
    let linear_elu = ModelConfig { bias: true, mixer: MixerKind::Linear.into(), ..small() };
    let linear_identity = ModelConfig {
        bias: true,
        mixer: MixerKind::LinearIdentity.into(),
        positions: Positions::Rotary,
        ..small()
    };
    let geglu = ModelConfig { bias: true, mlp: MlpKind::Geglu, d_mlp: 12, ..small() };
    let reglu = ModelConfig { mlp: MlpKind::Reglu, ..geglu.clone() };
    let sigmoid = ModelConfig { mlp: MlpKind::Sigmoid, tied_head: false, ..geglu.clone() };
    let delta = ModelConfig {
        bias: true,
        mixer: MixerKind::Delta.into(),
        positions: Positions::Rotary,
        d_head: 6,
        ..small()
    };
    let window = ModelConfig {
        mixer: MixerKind::Window.into(),
        window: 3,
        positions: Positions::Rotary,
        kv_heads: 1,
        ..small()
    };
    let xpos = ModelConfig {
        bias: true,
        positions: Positions::Xpos,
        xpos_base: 8.0,
        d_head: 6,
        kv_heads: 1,
        ..small()
    };
    let parallel =
        ModelConfig { block: BlockKind::Parallel, bias: true, tied_head: false, ..small() };
    let intention = ModelConfig {
        mixer: MixerKind::Intention.into(),
        ridge: 0.1,
        kv_heads: 1,
        d_head: 5,
        qk_norm: true,
        ..small()
    };
    let intention_trained = ModelConfig {
        bias: true,
        mixer: MixerKind::Intention.into(),
        ridge_trained: true,
        positions: Positions::Rotary,
        d_head: 6,
        ..small()
    };
    let mesa =
        ModelConfig { mixer: MixerKind::Mesa.into(), positions: Positions::Rotary, ..small() };
    let conv = ModelConfig {
        bias: true,
        mixer: MixerKind::Conv.into(),
        conv_width: 4,
        d_head: 3,
        ..small()
    };
    [
        Reference::of(dump!("intention"), intention),
        Reference::of(dump!("intention_trained"), intention_trained),
        Reference::of(dump!("mesa"), mesa),
        Reference::of(dump!("parallel"), parallel),
        Reference::of(dump!("xpos"), xpos),
        Reference::of(dump!("window"), window),
        Reference::of(dump!("conv"), conv),
        Reference::of(dump!("delta"), delta),
        Reference::of(dump!("reglu"), reglu),
        Reference::of(dump!("sigmoid"), sigmoid),
        Reference::of(dump!("geglu"), geglu),
        Reference::of(dump!("linear_elu"), linear_elu),
        Reference::of(dump!("linear_identity"), linear_identity),
        Reference::of(dump!("scale_norm"), scale_norm),
        Reference::of(dump!("llama"), llama),
        Reference::of(dump!("swiglu_bias"), swiglu_bias),
        Reference::of(dump!("gpt2"), gpt2),
        Reference::of(dump!("relu"), relu),
        Reference::of(dump!("relu2"), relu2),
        Reference::of(dump!("attention_only"), attention_only),
    ]
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
fn logits_and_patterns_match_pytorch_in_plain_numbers() {
    Reference::new(TIED, true).check_on_host();
    Reference::new(UNTIED_BIAS, false).check_on_host();
    variants().iter().for_each(Reference::check_on_host);
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
