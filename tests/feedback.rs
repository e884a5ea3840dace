//! Layers that also read what the layer above wrote for the token before: against the recurrence itself,
//! token by token, in double precision.

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use confab::arch::Layout;
use confab::checkpoint::Checkpoint;
use confab::config::{MlpKind, ModelConfig, NormKind};
use confab::data::Batch;
use confab::host::{ActivationCache, Cache, HostModel};
use confab::kernel::dropout::Dropout;
use confab::learn::{Trainer, feedback};
use confab::model::{Model, PassOptions, untrained};
use confab::run::{Action, ActivationIntervention, Site};

use common::{
    Changes, batch, checkpoint, forward, losses, read, resume, set, small, trainer_on, webgpu,
};

const VOCAB: usize = 7;
const IDS: [u32; 9] = [3, 1, 4, 1, 5, 2, 6, 5, 3];
const SEQ: usize = IDS.len();
const D: usize = 4;

/// A model of one head, without norms, so that a few lines can write down all of it.
fn tiny(n_layers: usize, feedback: bool) -> ModelConfig {
    let sizes = ModelConfig { n_layers, n_heads: 1, d_model: D, context: 16, ..Default::default() };
    let parts = ModelConfig { norm: NormKind::None, mlp: MlpKind::Relu, d_mlp: 5, ..sizes };
    ModelConfig { tied_head: false, feedback, ..parts }
}

struct Fixture {
    config: ModelConfig,
    layout: Layout,
    flat: Vec<f32>,
}

impl Fixture {
    /// With weights so large that every part tells.
    fn new(config: ModelConfig) -> Self {
        let layout = Layout::new(&config, VOCAB);
        let flat = untrained(&config, &layout, 5).into_iter().map(|w| 12.0 * w).collect();
        Self { config, layout, flat }
    }

    fn plain(&self) -> HostModel {
        HostModel::new(&self.config, &self.layout, &self.flat)
    }

    fn record(&self, edits: &[ActivationIntervention]) -> ActivationCache {
        self.plain().record(&IDS, edits)
    }

    fn on(&self, device: &Device) -> Model {
        common::model(&self.config, &self.layout, &self.flat, device)
    }

    /// Logits of two rows that are alike: `[2, seq, vocab]`.
    fn logits_on(&self, ids: &[u32], device: &Device) -> Vec<f32> {
        read(forward(&self.on(device), &batch(tokens(ids, device))).logits)
    }

    /// The same of a pass in which tokens might be forgotten, which even the CPU computes in passes.
    fn logits_in_passes(&self, device: &Device) -> Vec<f32> {
        let tokens = tokens(&IDS, device);
        let forgotten = Some(tokens.clone().lower_elem(0));
        read(forward(&self.on(device), &Batch { forgotten, ..batch(tokens) }).logits)
    }

    /// Gradient of the sum of all logits of a row, each times its [`coefficient`].
    fn gradient_on(&self, device: &Device) -> Vec<f32> {
        let model = self.on(device);
        let mut weights = model.trainable();
        let device = device.clone().autodiff();
        let tokens = tokens(&IDS, &device);
        let feedback = feedback(&model, &batch(tokens.clone()), Dropout::NONE);
        let options = PassOptions { feedback, ..PassOptions::default() };
        let logits = model.gpt_of(&weights).forward(tokens, &options).logits;
        let of_row: Vec<f32> = (0..SEQ * VOCAB).map(|at| coefficient(at) as f32 / 2.0).collect();
        let data = TensorData::new(of_row.repeat(2), [2, SEQ, VOCAB]);
        weights.backward(&(logits * Tensor::from_data(data, &device)).sum());
        read(weights.into_gradient())
    }

    /// `x W` of the matrix `name`.
    fn product(&self, flat: &[f64], name: &str, x: &[f64]) -> Vec<f64> {
        let matrix = self.layout.find(name).unwrap_or_else(|| panic!("no {name}"));
        let (values, columns) = (&flat[matrix.range.clone()], matrix.shape()[1]);
        let column = |at: usize| values.iter().skip(at).step_by(columns);
        (0..columns).map(|at| column(at).zip(x).map(|(w, x)| w * x).sum()).collect()
    }

    /// The model as it is defined, a token at a time. What is fed back is what was computed, or is
    /// `held`.
    fn by_hand(&self, flat: &[f64], held: Option<&Stream>) -> ByHand {
        let n_layers = self.config.n_layers;
        let (mut stream, mut written, mut logits) = (Stream::new(), Stream::new(), Vec::new());
        let mut seen = vec![Vec::new(); n_layers]; // keys and values of each layer
        for (at, id) in IDS.iter().enumerate() {
            let row = |name: &str, row: usize| {
                &flat[self.layout.find(name).unwrap().range.start + row * D..][..D]
            };
            let mut x = sum(row("embed.W_E", *id as usize), row("pos_embed.W_pos", at));
            let (mut left, mut wrote) = (Vec::new(), Vec::new());
            for (layer, seen) in seen.iter_mut().enumerate() {
                if self.config.feedback && at > 0 && layer + 1 < n_layers {
                    x = sum(&x, &held.unwrap_or(&written)[at - 1][layer + 1]);
                }
                let before = x.clone();
                let by = |part: &str, x: &[f64]| {
                    self.product(flat, &format!("blocks.{layer}.{part}"), x)
                };
                let query = by("attn.W_Q", &x);
                seen.push((by("attn.W_K", &x), by("attn.W_V", &x)));
                let score = |key: &[f64]| (dot(&query, key) / (D as f64).sqrt()).exp();
                let total: f64 = seen.iter().map(|(key, _)| score(key)).sum();
                let mut z = vec![0.0; D];
                for (key, value) in seen.iter() {
                    let weight = score(key) / total;
                    z.iter_mut().zip(value).for_each(|(z, value)| *z += weight * value);
                }
                x = sum(&x, &by("attn.W_O", &z));
                let hidden: Vec<f64> = by("mlp.W_in", &x).iter().map(|x| x.max(0.0)).collect();
                x = sum(&x, &by("mlp.W_out", &hidden));
                wrote.push(x.iter().zip(before).map(|(x, before)| x - before).collect());
                left.push(x.clone());
            }
            logits.extend(self.product(flat, "unembed.W_U", &x));
            stream.push(left);
            written.push(wrote);
        }
        ByHand { stream, written, logits }
    }

    fn double(&self) -> Vec<f64> {
        self.flat.iter().map(|x| f64::from(*x)).collect()
    }
}

/// Vectors of each token and layer: `[token, layer, number]`.
type Stream = Vec<Vec<Vec<f64>>>;

struct ByHand {
    /// The residual stream after the layer.
    stream: Stream,
    /// Vectors that the layer's attention and MLP added to it.
    written: Stream,
    logits: Vec<f64>,
}

fn coefficient(at: usize) -> f64 {
    (1.7 * at as f64).sin()
}

fn tokens(ids: &[u32], device: &Device) -> Tensor<2, burn::tensor::Int> {
    let ids: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
    let shape = [2, ids.len()];
    Tensor::from_data(TensorData::new(ids.repeat(2), shape), device)
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Largest difference, relative to the largest value.
fn apart(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let largest = expected.iter().fold(1.0f64, |most, x| most.max(x.abs()));
    let pairs = got.iter().zip(expected);
    pairs.fold(0.0f64, |most, (a, b)| most.max((f64::from(*a) - b).abs())) / largest
}

#[test]
fn every_way_to_compute_a_model_with_feedback_is_the_recurrence() {
    let gpu = webgpu();
    for n_layers in [2, 3, 4] {
        let model = Fixture::new(tiny(n_layers, true));
        let expected = model.by_hand(&model.double(), None);
        let recorded = model.record(&[]);
        assert!(apart(&recorded.logits, &expected.logits) < 1e-4);
        for layer in 0..n_layers {
            let expected = expected.stream.iter().flat_map(|left| left[layer].clone());
            let expected: Vec<f64> = expected.collect();
            assert!(apart(&recorded.layers[layer].resid_post, &expected) < 1e-4);
        }
        let (plain, mut cache) = (model.plain(), Cache::default());
        let decoded = IDS.iter().flat_map(|id| plain.decode(&[*id], &mut cache));
        assert!(apart(&decoded.collect::<Vec<f32>>(), &expected.logits) < 1e-4);
        let last = &expected.logits[(SEQ - 1) * VOCAB..];
        assert!(apart(&plain.decode(&IDS, &mut Cache::default()), last) < 1e-4);
        for device in [Device::flex(), gpu.clone()] {
            for logits in [model.logits_on(&IDS, &device), model.logits_in_passes(&device)] {
                assert!(apart(&logits, &expected.logits.repeat(2)) < 1e-4, "{n_layers} layers");
            }
        }
    }
}

#[test]
fn the_gradient_is_that_of_the_loss_with_what_is_fed_back_held_fixed() {
    let model = Fixture::new(tiny(3, true));
    let flat = model.double();
    let held = model.by_hand(&flat, None).written;
    let by_differences = |held: Option<&Stream>| -> Vec<f64> {
        let loss = |flat: &[f64]| -> f64 {
            let logits = model.by_hand(flat, held).logits;
            logits.iter().enumerate().map(|(at, x)| coefficient(at) * x).sum()
        };
        let slope = |at: usize| {
            let [up, down] = [1e-6, -1e-6].map(|step| {
                let mut flat = flat.clone();
                flat[at] += step;
                loss(&flat)
            });
            (up - down) / 2e-6
        };
        (0..flat.len()).map(slope).collect()
    };
    let (stopped, free) = (by_differences(Some(&held)), by_differences(None));
    for device in [Device::flex(), webgpu()] {
        let gradient = model.gradient_on(&device);
        assert!(apart(&gradient, &stopped) < 1e-4, "{}", apart(&gradient, &stopped));
        assert!(apart(&gradient, &free) > 0.05, "{}", apart(&gradient, &free));
    }
}

#[test]
fn a_later_token_changes_no_earlier_logit() {
    let model = Fixture::new(tiny(3, true));
    let mut others = IDS;
    others[5] = 0;
    let until = 5 * VOCAB;
    let (a, b) = (model.record(&[]).logits, model.plain().record(&others, &[]).logits);
    assert!(a[..until] == b[..until] && a[until..] != b[until..]);
    let [a, b] = [IDS, others].map(|ids| model.logits_on(&ids, &Device::flex()));
    assert!(a[..until] == b[..until] && a[until..] != b[until..]);
}

#[test]
fn one_layer_has_nothing_to_read_from_and_two_have() {
    let pair = |n_layers| [true, false].map(|feedback| Fixture::new(tiny(n_layers, feedback)));
    let [with, without] = pair(1);
    assert!(with.record(&[]) == without.record(&[]));
    let on_cpu = |model: &Fixture| model.logits_on(&IDS, &Device::flex());
    assert!(on_cpu(&with) == on_cpu(&without));
    let cpu = Device::flex();
    assert!(with.gradient_on(&cpu) == without.gradient_on(&cpu));
    let [with, without] = pair(2);
    assert!(with.flat == without.flat);
    let [with, without] = [with, without].map(|model| model.record(&[]).logits);
    // The first token has nothing before it.
    assert!(with[..VOCAB] == without[..VOCAB]);
    for (a, b) in with.chunks(VOCAB).zip(without.chunks(VOCAB)).skip(1) {
        assert!(a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-2), "{a:?} and {b:?}");
    }
}

fn edit(site: Site, positions: std::ops::Range<usize>, action: Action) -> ActivationIntervention {
    ActivationIntervention { site, positions, action }
}

#[test]
fn what_is_edited_is_fed_back() {
    let model = Fixture::new(tiny(3, true));
    let whole = model.record(&[]);
    // Without what its last MLP writes at token 4, the last layer writes something else there: tokens
    // before do not change, and token 5 does, for the layer below reads it.
    let without = model.record(&[edit(Site::Mlp { layer: 2 }, 4..5, Action::Scale(0.0))]);
    let rows = |of: &ActivationCache, layer: usize| of.layers[layer].resid_pre.clone();
    for layer in 0..2 {
        assert!(rows(&without, layer)[..5 * D] == rows(&whole, layer)[..5 * D]);
    }
    assert!(rows(&without, 2)[..5 * D] == rows(&whole, 2)[..5 * D]);
    assert!(rows(&without, 1)[5 * D..6 * D] != rows(&whole, 1)[5 * D..6 * D]);
    // The lowest layer reads what the middle one wrote, which only later is another.
    assert!(rows(&without, 0)[5 * D..6 * D] == rows(&whole, 0)[5 * D..6 * D]);
    assert!(rows(&without, 0)[6 * D..7 * D] != rows(&whole, 0)[6 * D..7 * D]);
    for recorded in [&whole, &without] {
        for (layer, above) in recorded.layers.iter().zip(&recorded.layers[1..]) {
            assert_eq!(layer.feedback[..D], [0.0; D]);
            let wrote =
                above.resid_post.iter().zip(&above.resid_pre).map(|(after, before)| after - before);
            assert!(layer.feedback[D..] == wrote.collect::<Vec<f32>>()[..(SEQ - 1) * D]);
        }
        assert!(recorded.layers[2].feedback.is_empty());
    }
}

#[test]
fn a_head_or_mlp_knocked_out_everywhere_is_a_model_without_its_weights() {
    for (site, name) in [
        (Site::Head { layer: 1, head: 0 }, "blocks.1.attn.W_O"),
        (Site::Mlp { layer: 1 }, "blocks.1.mlp.W_out"),
    ] {
        let mut model = Fixture::new(tiny(3, true));
        let got = model.record(&[edit(site, 0..SEQ, Action::Scale(0.0))]).logits;
        let range = model.layout.find(name).unwrap().range.clone();
        model.flat[range].fill(0.0);
        assert!(apart(&got, &model.by_hand(&model.double(), None).logits) < 1e-4, "{name}");
    }
}

#[test]
fn a_stream_patched_from_another_prompt_gives_its_logits() {
    let model = Fixture::new(tiny(3, true));
    let mut others = IDS;
    others.reverse();
    let other = model.plain().record(&others, &[]);
    for layer in 0..3 {
        let values = other.layers[layer].resid_pre.clone();
        let patch = edit(Site::Resid { layer }, 0..SEQ, Action::Set(values));
        assert!(model.record(&[patch]).logits == other.logits, "layer {layer}");
    }
}

fn trainer(device: Device, changes: Changes) -> Trainer {
    let mut config = small(&[("model.feedback", "true")]);
    set(&mut config, changes);
    trainer_on(config, device)
}

#[test]
fn a_run_learns_and_resumes_exactly() {
    let mut whole =
        trainer(Device::flex(), &[("train.accumulation", "2"), ("model.dropout", "0.1")]);
    let first = losses(&mut whole, 20);
    let bytes = checkpoint(&whole).to_bytes().unwrap();
    let kept = Checkpoint::from_bytes(&bytes).unwrap();
    assert!(kept.config.model.feedback);
    let mut resumed = resume(kept);
    assert_eq!(losses(&mut whole, 3), losses(&mut resumed, 3));
    assert!(first[19] < first[0] - 0.3, "{first:?}");
}

#[test]
fn the_cpu_and_webgpu_lose_the_same() {
    let changes = [("model.dropout", "0.1"), ("noise.forget", "0.3"), ("train.batch", "2")];
    let [cpu, gpu] =
        [Device::flex(), webgpu()].map(|device| losses(&mut trainer(device, &changes), 2));
    for (cpu, gpu) in cpu.iter().zip(&gpu) {
        assert!((cpu - gpu).abs() < 1e-3, "{cpu} and {gpu}");
    }
}
