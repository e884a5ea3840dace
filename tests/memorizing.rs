//! Attention that also reads what earlier steps left (memorizing): what it computes, its gradients, and what a
//! run, surgery and distillation make of it.

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use confab::arch::{Layout, SHARPNESS};
use confab::checkpoint::Checkpoint;
use confab::config::{MemoryKind, RunConfig, TaskKind};
use confab::host::{ActivationCache, Cache, HostModel};
use confab::interp::lab::{AnalysisJob, Snapshot};
use confab::kernel::transfer::to_tensor;
use confab::learn::distill;
use confab::memory::{Bank, Exact, NewSlot, Origin, Shape, Store, change};
use confab::model::{Model, PassOptions, untrained};
use confab::protocol::SlotChange;
use confab::run::{
    Action, ActivationIntervention, AnalysisRequest, Operation, OperationKind, Site,
};
use confab::surgery::operate;
use futures::executor::block_on;

use common::{
    Changes, LIMITS, apart, held, logits_of, losses, numbers, read, resume, set, trainer,
    trainer_on, webgpu,
};

const VOCAB: usize = 11;
const IDS: [u32; 9] = [0, 5, 10, 4, 9, 3, 8, 2, 7];

/// Variants of attention that every test runs on.
const VARIANTS: &[Changes] = &[
    &[],
    &[("model.bias", "true")],
    &[("model.kv_heads", "2"), ("model.bias", "true")],
    &[("model.kv_heads", "1"), ("model.qk_norm", "true"), ("model.memory.distance", "cosine")],
    &[("model.positions", "rotary"), ("model.kv_heads", "2")],
    &[("model.head_gates", "true"), ("model.d_head", "3"), ("model.memory.layers", "")],
];

fn config(changes: Changes) -> RunConfig {
    let mut config = RunConfig::default();
    config.task.kind = TaskKind::Facts;
    (config.task.facts.facts, config.task.facts.shuffle) = (12, 1);
    let model = &mut config.model;
    (model.n_layers, model.n_heads, model.d_model, model.context) = (2, 4, 16, 160);
    (model.memory.kind, model.memory.layers) = (MemoryKind::Memorizing, "1".into());
    (model.memory.slots, model.memory.top_k) = (256, 3);
    let train = &mut config.train;
    (train.batch, train.steps, train.lr, train.warmup) = (4, 40, 8e-3, 4);
    (train.val_every, train.val_batches) = (20, 1);
    set(&mut config, changes);
    config
}

/// A model without a run: its parameters are so large that everything tells.
struct Fixture {
    config: RunConfig,
    layout: Layout,
    flat: Vec<f32>,
    bank: Bank,
}

impl Fixture {
    fn new(changes: Changes) -> Self {
        let config = config(changes);
        config.validate().unwrap();
        let layout = Layout::new(&config.model, VOCAB);
        let flat: Vec<f32> =
            untrained(&config.model, &layout, 3).into_iter().map(|w| 6.0 * w + 0.01).collect();
        let bank = filled(Bank::new(&config.model), config.model.n_heads);
        let mut fixture = Self { config, layout, flat, bank };
        for layer in 0..2 {
            fixture.put(&format!("blocks.{layer}.attn.gate"), &[0.7, -0.4, 1.3, 0.1]);
            fixture.put(&format!("blocks.{layer}.attn.sharpness"), &[0.6]);
        }
        fixture
    }

    /// Gives a parameter values, if the model has it.
    fn put(&mut self, name: &str, values: &[f32]) {
        if let Some(parameter) = self.layout.find(name) {
            self.flat[parameter.range.clone()].copy_from_slice(values);
        }
    }

    fn plain(&self) -> HostModel {
        HostModel::new(&self.config.model, &self.layout, &self.flat).remember(&self.bank)
    }

    fn record(&self) -> ActivationCache {
        self.plain().record(&IDS, &[])
    }

    fn forget(&mut self) {
        self.bank = Bank::new(&self.config.model);
    }

    fn on(&self, device: &Device) -> Model {
        let bank = self.bank.clone();
        Model { bank, ..common::model(&self.config.model, &self.layout, &self.flat, device) }
    }

    fn logits_on(&self, device: &Device) -> Vec<f32> {
        logits_of(&self.on(device), &IDS)
    }

    /// The gradient of [`loss`](Self::loss): `[layout.len()]`.
    fn gradient(&self, device: &Device) -> Vec<f32> {
        let model = self.on(device);
        let mut weights = model.trainable();
        let device = device.clone().autodiff();
        let output =
            model.gpt_of(&weights).forward(to_tensor(&IDS, &device), &PassOptions::default());
        assert!(output.reads.iter().all(|(_, read)| read.trained.is_none()));
        let weigh = TensorData::new(loss_weights(), [1, IDS.len(), VOCAB]);
        weights.backward(&(output.logits * Tensor::from_data(weigh, &device)).sum());
        read(weights.into_gradient())
    }

    fn loss(&self) -> f64 {
        let logits = self.record().logits;
        logits.iter().zip(loss_weights()).map(|(a, b)| f64::from(*a) * f64::from(b)).sum()
    }

    fn range(&self, name: &str) -> std::ops::Range<usize> {
        self.layout.find(name).unwrap().range.clone()
    }
}

fn loss_weights() -> Vec<f32> {
    numbers(IDS.len() * VOCAB, 9)
}

/// Twenty slots of unit heads in every store.
fn filled(mut bank: Bank, n_heads: usize) -> Bank {
    let stores: Vec<(usize, Shape)> =
        bank.memories().map(|(layer, memory)| (layer, memory.store.shape())).collect();
    for (layer, shape) in stores {
        let mut store = Exact::new(shape);
        let slot = |at: usize| {
            let key = unit_heads(&numbers(shape.d_key, 7 + at as u32), n_heads);
            let value = numbers(shape.d_value, 1007 + at as u32);
            let origin = Origin { text: "{B}a".into(), next: "b".into(), step: 1, record: 0 };
            NewSlot { key, value, origin }
        };
        store.insert(&(0..20).map(slot).collect::<Vec<_>>()).unwrap();
        bank.put(layer, store);
    }
    bank
}

fn unit_heads(x: &[f32], n_heads: usize) -> Vec<f32> {
    let unit = |head: &[f32]| -> Vec<f32> {
        let length = head.iter().map(|x| x * x).sum::<f32>().sqrt() * (n_heads as f32).sqrt();
        head.iter().map(|x| x / length).collect()
    };
    x.chunks(x.len() / n_heads).flat_map(unit).collect()
}

#[test]
fn loops_tensors_and_webgpu_read_the_same() {
    let devices = [Device::flex(), webgpu()];
    for changes in VARIANTS {
        let fixture = Fixture::new(changes);
        let recording = fixture.record();
        let plain = fixture.plain();
        let mut cache = Cache::default();
        for (at, id) in IDS.iter().enumerate() {
            let logits = plain.decode(&[*id], &mut cache);
            assert!(apart(&logits, recording.logits_at(at)) < 1e-5, "{changes:?} at {at}");
        }
        for device in &devices {
            let far = apart(&fixture.logits_on(device), &recording.logits);
            assert!(far < 1e-4, "{changes:?} on {device:?}: {far}");
        }
        let gpt = fixture.on(&devices[1]).gpt();
        let mut caches = gpt.caches();
        for (at, id) in IDS.iter().enumerate() {
            let logits = read(gpt.forward_cached(to_tensor(&[*id], &devices[1]), &mut caches));
            assert!(apart(&logits, recording.logits_at(at)) < 1e-4, "{changes:?} at {at}");
        }
    }
}

#[test]
fn what_a_head_reads_is_what_brute_force_gives() {
    let mut fixture = Fixture::new(&[("model.n_layers", "1"), ("model.memory.layers", "0")]);
    let recording = fixture.record();
    let layer = &recording.layers[0];
    let store = fixture.bank.layer(0).unwrap().store.clone();
    fixture.forget();
    let forgetful = fixture.record();
    let (width, d_head) = (16, 4);
    let recalled = layer.recalled.as_ref().unwrap();
    for at in 0..IDS.len() {
        let q = unit_heads(&layer.q[at * width..][..width], 4);
        let mut near: Vec<(f64, usize)> = store
            .keys()
            .chunks(width)
            .zip(0..)
            .map(|(key, slot)| {
                let squares = key.iter().zip(&q).map(|(k, q)| f64::from(k - q).powi(2));
                (squares.sum::<f64>().sqrt(), slot)
            })
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.truncate(3);
        let ids: Vec<u64> = store.ids().collect();
        let expected: Vec<u64> = near.iter().map(|(_, slot)| ids[*slot]).collect();
        assert_eq!(recalled.found.ids[at * 3..][..3], expected);
        let counted: f32 = recalled.weights[at * 3..][..3].iter().sum();
        assert!((counted - 1.0).abs() < 1e-5);
        for (head, b) in [0.7f64, -0.4, 1.3, 0.1].into_iter().enumerate() {
            let own = head * d_head..(head + 1) * d_head;
            let cosine = |slot: usize| {
                let key = &store.keys()[slot * width..][own.clone()];
                let length = |x: &[f32]| x.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
                let q = &q[own.clone()];
                let product: f64 =
                    q.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                product / length(q) / length(key)
            };
            let powers: Vec<f64> = near
                .iter()
                .map(|(_, slot)| (f64::from(SHARPNESS) * 0.6 * cosine(*slot)).exp())
                .collect();
            let total: f64 = powers.iter().sum();
            let gate = 1.0 / (1.0 + (-b).exp());
            for place in own.clone() {
                let memory: f64 = near
                    .iter()
                    .zip(&powers)
                    .map(|((_, slot), power)| {
                        power / total * f64::from(store.values()[slot * width + place])
                    })
                    .sum();
                let local = f64::from(forgetful.layers[0].z[at * width + place]);
                let expected = gate * memory + (1.0 - gate) * local;
                let got = f64::from(layer.z[at * width + place]);
                assert!((got - expected).abs() < 1e-5, "{got} against {expected}");
            }
        }
    }
    // What is written down is what the token's keys and values are.
    let keys = unit_heads(&layer.k[..width], 4);
    assert!(apart(&recalled.keys[..width], &keys) < 1e-5);
    assert_eq!(recalled.values, layer.v);
}

#[test]
fn an_empty_store_changes_nothing() {
    for changes in VARIANTS {
        let mut fixture = Fixture::new(changes);
        let filled = fixture.record().logits;
        fixture.forget();
        let empty = fixture.record().logits;
        assert_ne!(filled, empty);
        let mut without = Fixture::new(&[*changes, &[("model.memory.kind", "none")]].concat());
        for parameter in without.layout.parameters() {
            let from = fixture.range(parameter.name());
            without.flat[parameter.range.clone()].copy_from_slice(&fixture.flat[from]);
        }
        assert_eq!(without.record().logits, empty, "{changes:?}");
        let device = Device::flex();
        let [a, b] = [&without, &fixture].map(|of| of.logits_on(&device));
        assert!(apart(&a, &b) < 1e-6, "{changes:?}");
    }
}

#[test]
fn a_gate_that_is_shut_reads_tokens_alone_and_one_that_is_open_slots_alone() {
    let one = [("model.n_layers", "1"), ("model.memory.layers", "0")];
    let mut fixture = Fixture::new(&one);
    fixture.put("blocks.0.attn.gate", &[-40.0; 4]);
    let shut = fixture.record().logits;
    let bank = fixture.bank.clone();
    fixture.forget();
    assert!(apart(&fixture.record().logits, &shut) < 1e-6);
    fixture.bank = bank;

    fixture.put("blocks.0.attn.gate", &[40.0; 4]);
    let open = fixture.record();
    let gradient = fixture.gradient(&Device::flex());
    for of in ["W_K", "W_V"] {
        let name = format!("blocks.0.attn.{of}");
        assert!(gradient[fixture.range(&name)].iter().all(|by| *by == 0.0), "{of}");
    }
    let pattern = ActivationIntervention {
        site: Site::Pattern { layer: 0, head: 1 },
        positions: 0..IDS.len(),
        action: Action::Scale(0.0),
    };
    assert_eq!(fixture.plain().record(&IDS, &[pattern]).logits, open.logits);
    for of in ["W_K", "W_V"] {
        let range = fixture.range(&format!("blocks.0.attn.{of}"));
        fixture.flat[range].iter_mut().for_each(|w| *w = 0.3 - *w);
    }
    assert_eq!(fixture.record().logits, open.logits);
    // What heads read in all is what is edited, as it is written.
    let head = ActivationIntervention {
        site: Site::Head { layer: 0, head: 1 },
        positions: 0..IDS.len(),
        action: Action::Scale(0.0),
    };
    let edited = fixture.plain().record(&IDS, &[head]);
    assert!(edited.layers[0].z.chunks(16).all(|z| z[4..8].iter().all(|z| *z == 0.0)));
    assert!(edited.layers[0].z[0] != 0.0);
}

#[test]
fn gradients_go_through_queries_sharpness_and_gates() {
    let device = webgpu();
    for changes in VARIANTS {
        // All slots are found: a difference over which another one is found is no gradient.
        let mut fixture = Fixture::new(&[*changes, &[("model.memory.top_k", "20")]].concat());
        let gradient = fixture.gradient(&Device::flex());
        let of = |name: &str| fixture.range(&format!("blocks.1.attn.{name}")).start;
        let places = [
            ("gate", of("gate") + 1),
            ("gate", of("gate") + 3),
            ("sharpness", of("sharpness")),
            ("W_Q", of("W_Q") + 5),
            ("W_K", of("W_K") + 5),
            ("W_V", of("W_V") + 6),
            ("W_O", of("W_O") + 9),
        ];
        for (name, place) in places {
            const STEP: f32 = 4e-3;
            let value = fixture.flat[place];
            let [up, down] = [STEP, -STEP].map(|by| {
                fixture.flat[place] = value + by;
                fixture.loss()
            });
            fixture.flat[place] = value;
            let expected = ((up - down) / f64::from(2.0 * STEP)) as f32;
            let far = (gradient[place] - expected).abs();
            let within = 2e-3 + 0.01 * expected.abs();
            assert!(far < within, "{changes:?} {name}: {} for {expected}", gradient[place]);
            assert!(name == "W_K" || expected.abs() > 1e-4, "{changes:?} {name}: {expected}");
        }
        let most = gradient.iter().fold(0.0f32, |most, by| most.max(by.abs()));
        let far = apart(&fixture.gradient(&device), &gradient);
        assert!(far < 1e-4 * most.max(1.0), "{changes:?}: {far} of {most} on a GPU");
    }
}

#[test]
fn a_step_reads_only_what_earlier_steps_wrote() {
    let mut config = config(&[("train.accumulation", "3")]);
    let mut remembering = trainer(config.clone());
    let first = losses(&mut remembering, 1)[0];
    let slots = held(&remembering.model().bank);
    assert!(slots > 0 && slots <= 3 * 4 * 4, "{slots} slots");
    let store = &remembering.model().bank.layer(1).unwrap().store;
    assert_eq!((store.shape().d_key, store.shape().d_value), (16, 16));
    for slot in store.slots() {
        for head in slot.new.key.chunks(4) {
            let length: f32 = head.iter().map(|x| x * x).sum();
            assert!((length - 0.25).abs() < 1e-3, "{length}");
        }
        assert!(slot.new.origin.step == 1 && !slot.new.origin.next.is_empty());
    }
    config.model.memory.max_writes = 0;
    let mut forgetful = trainer(config);
    assert_eq!(losses(&mut forgetful, 1)[0], first);
    assert_eq!(held(&forgetful.model().bank), 0);
}

#[test]
fn a_run_learns_fills_its_store_and_resumes_as_if_it_had_never_stopped() {
    let config = config(&[("model.memory.merge_after", "40")]);
    let mut whole = trainer(config);
    let begun = losses(&mut whole, 20);
    let bytes = common::checkpoint(&whole).to_bytes().unwrap();
    let loaded = Checkpoint::from_bytes(&bytes).unwrap();
    assert_eq!(loaded.bank, whole.model().bank);
    let mut resumed = resume(loaded);
    let rest = losses(&mut whole, 20);
    assert_eq!(losses(&mut resumed, 20), rest);
    assert_eq!(resumed.model().bank, whole.model().bank);
    assert!(rest[19] < 0.9 * begun[0], "{begun:?} {rest:?}");
    let slots = held(&whole.model().bank);
    assert!(slots > 100 && slots <= 256, "{slots}");
    let checkpoint = common::checkpoint(&whole);
    let layout = Layout::new(&whole.config.model, whole.tokenizer.vocab_size());
    for of in ["gate", "sharpness"] {
        let range = layout.find(&format!("blocks.1.attn.{of}")).unwrap().range.clone();
        let untrained = if of == "gate" { 0.0 } else { 1.0 };
        assert!(checkpoint.parameters[range].iter().all(|value| *value != untrained), "{of}");
    }

    // It is looked into and changed as other memories are.
    for what in ["recalled", "slots", "memory-map"] {
        let prompt = whole.task.example_prompt(0);
        let model = block_on(Snapshot::read(&whole)).unwrap().into();
        let look = AnalysisRequest {
            analysis: what.into(),
            prompt,
            layer: 1,
            ..AnalysisRequest::default()
        };
        let figures = AnalysisJob::new(model, look).unwrap().figures().unwrap();
        assert!(figures[0].title.contains("L1"), "{}", figures[0].title);
    }
    let weights = read(whole.model().parameters.clone());
    whole.config.model.memory.slots = 1000; // Of a store that is full, what was taught goes first.
    block_on(whole.teach("{B}Who paints the moon? (Ada paints the moon.): Ada{E}")).unwrap();
    assert_eq!(read(whole.model().parameters.clone()), weights);
    let gone = SlotChange::Remove { layer: 1, slots: Vec::new(), written_by: "paints".into() };
    // It was written down once.
    let gone = change(&mut whole.learner.model.bank, &gone).unwrap();
    assert!((11..60).contains(&gone), "{gone}");
    change(&mut whole.learner.model.bank, &SlotChange::Empty).unwrap();
    assert_eq!(held(&whole.model().bank), 0);

    whole.config.train.frozen = true;
    losses(&mut whole, 2);
    assert_eq!(read(whole.model().parameters.clone()), weights);
    assert!(held(&whole.model().bank) > 0);
}

#[test]
fn a_gpu_trains_as_the_cpu_does() {
    let [cpu, gpu] = [Device::flex(), webgpu()].map(|device| {
        let mut run = trainer_on(config(&[]), device);
        (losses(&mut run, 5), held(&run.model().bank))
    });
    assert!(apart(&gpu.0, &cpu.0) < 2e-3, "{gpu:?} {cpu:?}");
    assert!(gpu.1.abs_diff(cpu.1) < 4, "{gpu:?} {cpu:?}");
}

#[test]
fn what_is_counted_is_what_there_is() {
    let more: [Changes; 3] =
        [&[("model.mlp", "swiglu")], &[("model.mlp", "none")], &[("model.norm", "none")]];
    for changes in VARIANTS.iter().chain(&more) {
        let run = config(changes);
        let model = &run.model;
        let layout = Layout::new(model, VOCAB);
        assert_eq!(model.parameters(VOCAB), layout.len(), "{changes:?}");
        let layers = if model.memory.layers.is_empty() { 2 } else { 1 };
        let width = model.n_heads * model.d_head();
        assert_eq!(model.stored(), (layers * 2 * width * 256) as u64, "{changes:?}");
        let has = |name: &str| layout.find(name).is_some();
        assert_eq!(has("blocks.1.mlp.W_in"), model.mlp != confab::config::MlpKind::None);
        assert_eq!(has("blocks.0.attn.gate"), layers == 2);
        assert!(has("blocks.1.attn.gate") && !has("blocks.1.memory.W_Q"));
        let without = config(&[*changes, &[("model.memory.kind", "none")]].concat());
        assert!(run.training_bytes(VOCAB, 4, 1) > without.training_bytes(VOCAB, 4, 1));
    }
}

/// A trained run's checkpoint, with slots.
fn checkpoint() -> Checkpoint {
    let mut run = trainer(config(&[("model.head_gates", "true")]));
    losses(&mut run, 8);
    let checkpoint = common::checkpoint(&run);
    assert!(held(&checkpoint.bank) > 0);
    checkpoint
}

fn gate(of: &Checkpoint) -> Vec<f32> {
    let layout = Layout::new(&of.config.model, of.tokenizer.vocab_size());
    let parameter = layout.find("blocks.1.attn.gate").unwrap();
    of.parameters[parameter.range.clone()].to_vec()
}

fn logits(of: &Checkpoint) -> Vec<f32> {
    let layout = Layout::new(&of.config.model, of.tokenizer.vocab_size());
    let plain = HostModel::new(&of.config.model, &layout, &of.parameters).remember(&of.bank);
    plain.record(&IDS, &[]).logits
}

#[test]
fn surgery_carries_slots_along_or_says_why_not() {
    let mut before = checkpoint();
    let done = |before: &Checkpoint, kind, number| {
        operate(before, Operation { kind, number }, &LIMITS, &|_| None)
    };
    for (kind, number) in [
        (OperationKind::AddLayer, 0),
        (OperationKind::AddLayer, 2),
        (OperationKind::WidenMlp, 3),
        (OperationKind::Widen, 2),
    ] {
        let after = done(&before, kind, number).unwrap();
        assert_eq!(held(&after.bank), held(&before.bank));
        let far = apart(&logits(&after), &logits(&before));
        assert!(far < 2e-5, "{kind:?} {number}: {far}");
        let mut run = resume(after);
        assert!(losses(&mut run, 2).iter().all(|loss| loss.is_finite()));
    }
    let of_heads = [
        (OperationKind::AddHeads, 2),
        (OperationKind::DropHead, 0),
        (OperationKind::GrowHeads, 1),
        (OperationKind::PruneHeads, 1),
    ];
    for (kind, number) in of_heads {
        let error = done(&before, kind, number).unwrap_err().to_string();
        assert!(error.contains("layer 1") && error.contains("empty the memory"), "{error}");
    }
    let error = done(&before, OperationKind::Remember, 0).unwrap_err().to_string();
    assert!(error.contains("memorizing"), "{error}");

    before.bank = Bank::new(&before.config.model);
    let gates = gate(&before);
    for (kind, number) in of_heads {
        let after = done(&before, kind, number).unwrap();
        let width = after.config.model.n_heads * 4;
        assert_eq!(after.bank.layer(1).unwrap().store.shape().d_key, width, "{kind:?}");
        match kind {
            OperationKind::AddHeads => assert_eq!(gate(&after), [&gates[..], &[0.0; 2]].concat()),
            OperationKind::DropHead => assert_eq!(gate(&after), gates[1..]),
            OperationKind::GrowHeads => {
                let mean = gates.iter().sum::<f32>() / 4.0;
                assert!((gate(&after)[4] - mean).abs() < 1e-6);
            }
            _ => assert!(gate(&after).iter().all(|of| gates.contains(of))),
        }
        if kind == OperationKind::AddHeads {
            assert!(apart(&logits(&after), &logits(&before)) < 1e-5);
        }
        let mut run = resume(after);
        losses(&mut run, 2);
        assert!(held(&run.model().bank) > 0);
    }
}

#[test]
fn it_replaces_no_mlp() {
    let run = trainer(config(&[("model.memory.kind", "none")]));
    let teacher = common::checkpoint(&run);
    let error = distill::untrained(&teacher, &config(&[]), &LIMITS).unwrap_err().to_string();
    assert!(error.contains("memorizing") && error.contains("featural"), "{error}");
    let names: Vec<_> = MemoryKind::replacing().collect();
    assert_eq!(names, ["featural", "associative", "product-key"]);
}
