//! Memory layers: what they find and write, the gradients through their stores, and what a step leaves in
//! them.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use confab::checkpoint::Checkpoint;
use confab::config::{Distance, MemoryKind, MemoryLimits, ModelConfig, RunConfig};
use confab::kernel::nearest::nearest;
use confab::kernel::top::top;
use confab::memory::{self, Bank, Exact, NewSlot, Origin, Shape, Slot, Store};
use confab::model::memory::{SHARPNESS, carry};
use confab::model::{Gpt, Layout, Weights};
use confab::plain::{Cache, Plain};
use confab::platform;
use confab::protocol::{DeviceChoice, SlotChange};
use confab::task::TaskKind;
use confab::trainer::Trainer;
use futures::executor::block_on;

const LIMITS: MemoryLimits = MemoryLimits { total: u64::MAX, buffer: u64::MAX };
const KINDS: [MemoryKind; 3] =
    [MemoryKind::Featural, MemoryKind::Associative, MemoryKind::ProductKey];

/// Numbers that look random, the same for the same `seed`, between -1 and 1.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn tensor<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let values = numbers(shape.iter().product(), seed);
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn close(got: &[f32], expected: &[f32], within: f32, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let far = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far <= within, "{what}: {far} apart, {got:?} against {expected:?}");
}

fn gpu() -> Device {
    block_on(platform::open(DeviceChoice::Webgpu)).expect("a WebGPU adapter").0.device
}

/// Slots with random keys of length 1.
fn store(shape: Shape, slots: usize) -> Exact {
    let mut store = Exact::new(shape);
    let slot = |at: usize| {
        let mut key = numbers(shape.d_key, 7 + at as u32);
        let length = key.iter().map(|x| x * x).sum::<f32>().sqrt();
        key.iter_mut().for_each(|x| *x /= length);
        let value = numbers(shape.d_value, 1007 + at as u32);
        NewSlot { key, value, origin: Origin::default() }
    };
    store.insert(&(0..slots).map(slot).collect::<Vec<_>>()).unwrap();
    store
}

fn config(kind: MemoryKind, distance: Distance) -> ModelConfig {
    let mut model =
        ModelConfig { n_layers: 2, n_heads: 2, d_model: 8, context: 16, ..ModelConfig::default() };
    model.bias = true;
    model.memory.kind = kind;
    model.memory.layers = "1".into();
    model.memory.d_key = 6;
    model.memory.slots = 36;
    model.memory.top_k = 3;
    model.memory.distance = distance;
    model
}

fn remembering(config: &ModelConfig) -> Bank {
    let mut bank = Bank::new(config);
    if let Some(shape) = bank.layer(1).map(|memory| memory.store.shape()) {
        bank.put(1, store(shape, 20));
    }
    bank
}

#[test]
fn plain_numbers_and_tensors_read_the_same_on_every_device() {
    const VOCAB: usize = 11;
    let ids: Vec<u32> = (0..9).map(|at| (at * 5 % VOCAB) as u32).collect();
    for device in [Device::flex(), gpu()] {
        for kind in KINDS {
            for distance in [Distance::L2, Distance::Cosine] {
                let config = config(kind, distance);
                let layout = Layout::new(&config, VOCAB);
                let flat: Vec<f32> = layout.init(3).into_iter().map(|w| 4.0 * w + 0.01).collect();
                let bank = remembering(&config);
                let plain = Plain::new(&config, &layout, &flat).remember(&bank);
                let recording = plain.record(&ids, &[]);
                let on_device =
                    Tensor::from_data(TensorData::new(flat.clone(), [flat.len()]), &device);
                let model =
                    Gpt::new(&config, &Weights::new(&layout, &on_device)).remember(&bank, &device);
                let tokens: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
                let tokens =
                    Tensor::<2, Int>::from_data(TensorData::new(tokens, [1, ids.len()]), &device);
                let what = format!("{kind:?} {distance:?} on {device:?}");
                close(&read(model.forward(tokens).0), &recording.logits, 2e-4, &what);

                let mut cache = Cache::default();
                let last = ids.iter().map(|id| plain.decode(&[*id], &mut cache)).last().unwrap();
                close(&last, recording.logits_at(ids.len() - 1), 1e-5, &what);

                let forgetful = Plain::new(&config, &layout, &flat).record(&ids, &[]);
                let is_stored = kind != MemoryKind::ProductKey;
                assert_eq!(forgetful.logits != recording.logits, is_stored, "{what}");
                assert_eq!(
                    forgetful.layers[1].mlp_out.iter().all(|x| *x == 0.0),
                    is_stored,
                    "{what}"
                );
                let Some(recalled) = &recording.layers[1].recalled else { continue };
                assert_eq!(recalled.found.k, 3);
                for weights in recalled.weights.chunks(3) {
                    assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{weights:?}");
                }
            }
        }
    }
}

#[test]
fn a_gradient_by_what_was_found_goes_to_what_is_written_down() {
    let device = Device::flex().autodiff();
    let (n, k, width) = (3, 4, 5);
    let found = tensor([n, k, width], 1, &device).require_grad();
    let estimate = tensor([n, width], 2, &device).require_grad();
    let weights = tensor([n, k, width], 3, &device);
    let carried = carry(found.clone(), estimate.clone());
    assert_eq!(read(carried.clone()), read(found.clone()));
    let gradients = (carried.square() * weights).sum().backward();
    let by_found = found.grad(&gradients).unwrap();
    let by_estimate = estimate.grad(&gradients).unwrap();
    let summed = by_found.sum_dim(1).squeeze_dim::<2>(1);
    close(&read(by_estimate), &read(summed), 1e-6, "the sum over the slots found");
}

/// The gradients of an associative layer by its projections, by the stated estimates: those by keys and
/// values found, taken as they are, are given to queries, keys and values.
#[test]
fn gradients_of_an_associative_layer_are_the_stated_estimates() {
    const VOCAB: usize = 11;
    let config =
        ModelConfig { n_layers: 1, bias: false, ..config(MemoryKind::Associative, Distance::L2) };
    let mut config = config;
    config.memory.layers = "0".into();
    let layout = Layout::new(&config, VOCAB);
    let flat: Vec<f32> = layout.init(5).into_iter().map(|w| 20.0 * w + 0.01).collect();
    let mut bank = Bank::new(&config);
    let shape = bank.layer(0).unwrap().store.shape();
    bank.put(0, store(shape, 20));
    let ids: Vec<i32> = (0..7).map(|at| at * 3 % VOCAB as i32).collect();
    let (n, device) = (ids.len(), Device::flex().autodiff());
    let tokens = Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), [1, n]), &device);
    let on_device = Tensor::from_data(TensorData::new(flat.clone(), [flat.len()]), &Device::flex());
    let mut weights = Weights::trainable(&layout, &on_device);
    let model = Gpt::new(&config, &weights).remember(&bank, &device);
    let output = model.forward_training(tokens, None, confab::kernel::dropout::Dropout::NONE);
    // A loss whose gradient by what the layer writes can be told: the layer is the last one, and there is
    // no norm behind it if what is unembedded is read before it.
    let weigh = tensor([1, n, VOCAB], 9, &device);
    weights.backward(&(output.logits * weigh.clone()).sum());
    let gradient = read(weights.into_gradient());
    let part = |name: &str| {
        let parameter = layout.find(name).unwrap();
        gradient[parameter.range.clone()].to_vec()
    };

    // The same by hand, from what a recorded pass read.
    let plain = Plain::new(&config, &layout, &flat).remember(&bank);
    let ids: Vec<u32> = ids.iter().map(|id| *id as u32).collect();
    let recording = plain.record(&ids, &[]);
    let recalled = recording.layers[0].recalled.as_ref().unwrap();
    let constant = |values: &[f32], shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device)
    };
    let leaf = |name: &str| {
        let parameter = layout.find(name).unwrap();
        let shape = [parameter.shape[0], parameter.range.len() / parameter.shape[0]];
        constant(&flat[parameter.range.clone()], shape).require_grad()
    };
    let norm = |x: Tensor<2>, gain: Tensor<2>| {
        let centred = x.clone() - x.mean_dim(1);
        let size = (centred.clone().square().mean_dim(1) + config.norm_eps).sqrt();
        let [width, _] = gain.dims();
        centred / size * gain.reshape([1, width])
    };
    let d = config.d_model;
    let resid = constant(&recording.layers[0].resid_mid, [n, d]);
    let x = norm(resid.clone(), leaf("blocks.0.ln2.w")).detach();
    let [w_q, w_k, w_v, w_o] =
        ["Q", "K", "V", "O"].map(|of| leaf(&format!("blocks.0.memory.W_{of}")));
    let unit = |x: Tensor<2>| {
        let length = (x.clone().square().sum_dim(1) + 1e-8).sqrt();
        x / length
    };
    let project = || {
        let [q, k, v] = [&w_q, &w_k, &w_v].map(|w| x.clone().matmul(w.clone()));
        (unit(q), unit(k), v)
    };
    let (q, _, _) = project();
    let shape = [n, recalled.found.k, shape.d_key];
    let found = |values: &[f32]| {
        Tensor::<3>::from_data(TensorData::new(values.to_vec(), shape), &device).require_grad()
    };
    let (keys, values) = (found(&recalled.found.keys), found(&recalled.found.values));
    let scores = (q.unsqueeze_dim::<3>(1) * keys.clone()).sum_dim(2).squeeze_dim::<2>(2);
    let attended = softmax(
        scores * SHARPNESS * flat[layout.find("blocks.0.memory.sharpness").unwrap().range.start],
        1,
    );
    let z = (attended.unsqueeze_dim::<3>(2) * values.clone()).sum_dim(1).squeeze_dim::<2>(1);
    let normed = norm(resid + z.matmul(w_o.clone()), leaf("ln_final.w"));
    let logits = normed.matmul(leaf("embed.W_E").transpose());
    close(&read(logits.clone()), &recording.logits, 1e-4, "the same logits");
    let gradients = (logits * weigh.reshape([n, VOCAB])).sum().backward();
    let direct = read(w_q.grad(&gradients).unwrap());
    let [by_keys, by_values] = [keys, values].map(|found| {
        let by_found = found.grad(&gradients).unwrap();
        Tensor::<2>::from_data(by_found.sum_dim(1).squeeze_dim::<2>(1).into_data(), &device)
    });
    let (q, k, v) = project();
    let estimates = (q * by_keys.clone()).sum() + (k * by_keys).sum() + (v * by_values).sum();
    let estimates = estimates.backward();
    let [by_q, by_k, by_v] = [&w_q, &w_k, &w_v].map(|w| read(w.grad(&estimates).unwrap()));
    let by_q: Vec<f32> = by_q.iter().zip(direct).map(|(a, b)| a + b).collect();
    close(
        &part("blocks.0.memory.W_Q"),
        &by_q,
        1e-4,
        "dQuery = dKeyReturned, beside attention's own",
    );
    close(&part("blocks.0.memory.W_K"), &by_k, 1e-4, "dKeyInserted = dKeyReturned");
    close(&part("blocks.0.memory.W_V"), &by_v, 1e-4, "dValueInserted = dValueReturned");
    close(&part("blocks.0.memory.W_O"), &read(w_o.grad(&gradients).unwrap()), 1e-4, "W_O");
    assert!(by_v.iter().any(|x| x.abs() > 1e-3), "{by_v:?}");
    // Softmax's gradients by its scores add up to 0, and with them those by the keys of one query.
    assert!(by_k.iter().all(|x| x.abs() < 1e-4), "{by_k:?}");
}

#[test]
fn a_gpu_finds_what_exact_search_finds() {
    let device = gpu();
    for distance in [Distance::L2, Distance::Cosine] {
        for (n, slots, d_key, k) in [(1, 1, 1, 1), (70, 300, 7, 8), (130, 40, 16, 40)] {
            let shape = Shape { d_key, d_value: 2, distance };
            let store = store(shape, slots);
            let queries = numbers(n * d_key, 3);
            let expected = store.search(&queries, k).unwrap();
            let on_device = |values: &[f32]| {
                let rows = values.len() / d_key;
                Tensor::<2>::from_data(TensorData::new(values.to_vec(), [rows, d_key]), &device)
            };
            let (places, distances) =
                nearest(on_device(&queries), on_device(store.keys()), k, distance);
            close(&read(distances), &expected.distances, 1e-5, "distances");
            let ids: Vec<u64> = store.ids().collect();
            let found: Vec<u64> =
                places.into_data().iter::<i64>().map(|at| ids[at as usize]).collect();
            // One key may stand before another that is as far, to the last digit.
            let differing = found.iter().zip(&expected.ids).filter(|(a, b)| a != b).count();
            assert!(differing * 100 <= found.len(), "{differing} of {} differ", found.len());
        }
    }
}

#[test]
fn the_largest_are_found_in_order_on_every_device() {
    for device in [Device::flex(), gpu()] {
        for (n, width, k) in [(1, 1, 1), (5, 9, 4), (200, 64, 8)] {
            let scores = tensor([n, width], 3, &device);
            let found: Vec<i64> = top(scores.clone(), k).into_data().iter::<i64>().collect();
            for (row, found) in read(scores).chunks(width).zip(found.chunks(k)) {
                let mut order: Vec<i64> = (0..width as i64).collect();
                order.sort_by(|a, b| row[*b as usize].total_cmp(&row[*a as usize]));
                assert_eq!(found, &order[..k]);
            }
        }
    }
}

fn run(kind: MemoryKind) -> RunConfig {
    let mut config = RunConfig::default();
    config.task.kind = TaskKind::Facts;
    config.task.facts.facts = 12;
    config.task.facts.world = 1;
    config.model =
        ModelConfig { n_layers: 2, n_heads: 2, d_model: 16, context: 160, ..config.model };
    config.model.memory.kind = kind;
    config.model.memory.layers = "1".into();
    config.model.memory.slots = 256;
    config.model.memory.recombine = 40;
    config.train.batch = 4;
    config.train.steps = 40;
    config.train.lr = 8e-3;
    config.train.warmup = 4;
    config.train.val_every = 20;
    config.train.val_batches = 1;
    config
}

/// As [`run`], with room for every context, and time to learn what to do with it.
fn longer(kind: MemoryKind) -> RunConfig {
    let mut config = run(kind);
    config.model.memory.slots = 4096;
    config.model.memory.recombine = 0;
    config.train.steps = 200;
    config
}

fn trainer(config: RunConfig) -> Trainer {
    Trainer::new(config, Device::flex(), &LIMITS).unwrap()
}

/// Slots that a model has.
fn held(bank: &Bank) -> usize {
    bank.memories().map(|(_, memory)| memory.store.ids().len()).sum()
}

fn losses(trainer: &mut Trainer, steps: usize) -> Vec<f32> {
    (0..steps).map(|_| block_on(trainer.step()).unwrap().loss.train_loss).collect()
}

#[test]
fn a_step_reads_only_what_earlier_steps_wrote() {
    for kind in [MemoryKind::Featural, MemoryKind::Associative] {
        let mut config = run(kind);
        // Several batches a step: the later ones read nothing of the earlier ones either.
        config.train.accumulation = 3;
        let mut remembering = trainer(config.clone());
        let first = losses(&mut remembering, 1)[0];
        config.model.memory.inserts = 0;
        let mut forgetful = trainer(config);
        assert_eq!(losses(&mut forgetful, 1)[0], first, "{kind:?}");
        assert_eq!(held(&forgetful.bank), 0);
        let slots = memory::all(&mut (*remembering.bank.layer(1).unwrap().store).clone()).unwrap();
        assert!(!slots.is_empty() && slots.len() <= 3 * 4 * 4, "{} slots", slots.len());
        for Slot { new: NewSlot { origin, .. }, .. } in slots {
            assert_eq!(origin.step, 1);
            let is_whole = origin.text.starts_with("{B}") || "{B}".starts_with(&origin.text);
            assert!(is_whole || origin.text.chars().count() == 64, "{origin:?}");
            assert!(!origin.next.is_empty(), "{origin:?}");
        }
    }
}

#[test]
fn runs_with_memories_learn_within_their_slots_and_resume_as_if_they_had_never_stopped() {
    for kind in KINDS {
        let mut whole = trainer(run(kind));
        let begun = losses(&mut whole, 20);
        let bytes = block_on(whole.checkpoint()).unwrap().to_bytes().unwrap();
        let loaded = Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!(loaded.bank, whole.bank, "{kind:?}");
        let mut resumed = Trainer::resume(loaded, Device::flex(), &LIMITS).unwrap();
        let rest = losses(&mut whole, 20);
        assert_eq!(losses(&mut resumed, 20), rest, "{kind:?}");
        assert!(rest[19] < 0.9 * begun[0], "{kind:?}: {begun:?} {rest:?}");
        for (_, memory) in whole.bank.memories() {
            assert!(memory.store.ids().len() <= 256);
        }
    }
}

#[test]
fn a_gpu_trains_memories_as_the_cpu_does() {
    let device = gpu();
    for kind in KINDS {
        let [cpu, gpu] = [Device::flex(), device.clone()].map(|device| {
            let mut run = Trainer::new(run(kind), device, &LIMITS).unwrap();
            (losses(&mut run, 5), run.bank)
        });
        close(&gpu.0, &cpu.0, 2e-3, &format!("{kind:?}"));
        assert_eq!(gpu.1.memories().count(), cpu.1.memories().count());
    }
}

#[test]
fn with_frozen_weights_only_memories_learn() {
    let mut trained = trainer(longer(MemoryKind::Featural));
    losses(&mut trained, 200);
    let mut config = trained.config.clone();
    config.task.facts.world = 2;
    config.train.frozen = true;
    config.train.lr = 0.03;
    let checkpoint = block_on(trained.checkpoint()).unwrap().restart(config).unwrap();
    let mut run = Trainer::resume(checkpoint, Device::flex(), &LIMITS).unwrap();
    let before = read(run.parameters.clone());
    let losses = losses(&mut run, 100);
    assert_eq!(read(run.parameters.clone()), before);
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    assert!(mean(&losses[90..]) < 0.5 * mean(&losses[..10]), "{losses:?}");
}

#[test]
fn a_text_that_is_taught_is_known_and_deleted_again_is_not() {
    let mut run = trainer(longer(MemoryKind::Featural));
    losses(&mut run, 200);
    let text = "{B}Who paints the moon? (Ada paints the moon.): Ada{E}";
    let weights = read(run.parameters.clone());
    let before = block_on(run.checkpoint()).unwrap();
    let taught = block_on(run.teach(text)).unwrap();
    assert!(taught < 0.2, "it costs {taught}");
    assert_eq!(read(run.parameters.clone()), weights);
    let change =
        SlotChange::Remove { layer: 1, slots: Vec::new(), written_by: "paints the".into() };
    let gone = memory::change(&mut run.bank, &change).unwrap();
    assert!(gone > 10, "{gone}");
    assert!(memory::change(&mut run.bank, &change).is_err(), "there are no more");
    memory::change(&mut run.bank, &SlotChange::Empty).unwrap();
    assert_eq!(held(&run.bank), 0);
    assert_eq!(block_on(run.checkpoint()).unwrap().parameters, before.parameters);
    for odd in ["", "a", "日本"] {
        assert!(block_on(run.teach(odd)).is_err(), "{odd:?}");
    }
}

#[test]
fn a_new_run_goes_on_with_the_weights_and_memories_of_another() {
    let mut first = trainer(run(MemoryKind::Featural));
    losses(&mut first, 10);
    let checkpoint = block_on(first.checkpoint()).unwrap();
    let mut config = checkpoint.config.clone();
    config.task.facts.world = 2;
    config.train.frozen = true;
    let restarted = checkpoint.clone().restart(config.clone()).unwrap();
    assert_eq!((restarted.step, restarted.history.len()), (0, 0));
    let mut second = Trainer::resume(restarted, Device::flex(), &LIMITS).unwrap();
    losses(&mut second, 3);
    assert_eq!(read(second.parameters.clone()), read(first.parameters.clone()));
    assert_ne!(second.bank, first.bank);
    config.model.n_heads = 4;
    let refused = checkpoint.restart(config).unwrap_err().to_string();
    assert!(refused.contains("model"), "{refused}");
}
