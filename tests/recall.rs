//! Memory layers: what they find and write, the gradients through their stores, and what a step leaves in
//! them.

mod common;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use confab::arch::{Layout, SHARPNESS};
use confab::checkpoint::Checkpoint;
use confab::config::{Distance, MemoryKind, ModelConfig, RunConfig, TaskKind};
use confab::host::{Cache, HostModel};
use confab::kernel::recall::straight_through;
use confab::kernel::transfer::to_tensor;
use confab::memory;
use confab::memory::{Bank, NewSlot, Slot, Store};
use confab::model::{Model, PassOptions, untrained};
use confab::protocol::SlotChange;
use futures::executor::block_on;

use common::slots::{near, store, tensor};
use common::{checkpoint, held, logits_of, losses, read, resume, trainer, trainer_on, webgpu};

const KINDS: [MemoryKind; 3] =
    [MemoryKind::Featural, MemoryKind::Associative, MemoryKind::ProductKey];

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
    for device in [Device::flex(), webgpu()] {
        for kind in KINDS {
            for distance in [Distance::L2, Distance::Cosine] {
                let config = config(kind, distance);
                let layout = Layout::new(&config, VOCAB);
                let flat: Vec<f32> =
                    untrained(&config, &layout, 3).into_iter().map(|w| 4.0 * w + 0.01).collect();
                let bank = remembering(&config);
                let plain = HostModel::new(&config, &layout, &flat).remember(&bank);
                let recording = plain.record(&ids, &[]);
                let model = common::model(&config, &layout, &flat, &device);
                let logits = logits_of(&Model { bank: bank.clone(), ..model }, &ids);
                let what = format!("{kind:?} {distance:?} on {device:?}");
                near(&logits, &recording.logits, 2e-4, &what);

                let mut cache = Cache::default();
                let last = ids.iter().map(|id| plain.decode(&[*id], &mut cache)).last().unwrap();
                near(&last, recording.logits_at(ids.len() - 1), 1e-5, &what);

                let forgetful = HostModel::new(&config, &layout, &flat).record(&ids, &[]);
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
    let carried = straight_through(found.clone(), estimate.clone());
    assert_eq!(read(carried.clone()), read(found.clone()));
    let gradients = (carried.square() * weights).sum().backward();
    let by_found = found.grad(&gradients).unwrap();
    let by_estimate = estimate.grad(&gradients).unwrap();
    let summed = by_found.sum_dim(1).squeeze_dim::<2>(1);
    near(&read(by_estimate), &read(summed), 1e-6, "the sum over the slots found");
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
    let flat: Vec<f32> =
        untrained(&config, &layout, 5).into_iter().map(|w| 20.0 * w + 0.01).collect();
    let mut bank = Bank::new(&config);
    let shape = bank.layer(0).unwrap().store.shape();
    bank.put(0, store(shape, 20));
    let ids: Vec<u32> = (0..7).map(|at| at * 3 % VOCAB as u32).collect();
    let (n, device) = (ids.len(), Device::flex().autodiff());
    let model = common::model(&config, &layout, &flat, &Device::flex());
    let model = Model { bank: bank.clone(), ..model };
    let mut weights = model.trainable();
    let tokens = to_tensor(&ids, &device);
    let output = model.gpt_of(&weights).forward(tokens, &PassOptions::default());
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
    let plain = HostModel::new(&config, &layout, &flat).remember(&bank);
    let recording = plain.record(&ids, &[]);
    let recalled = recording.layers[0].recalled.as_ref().unwrap();
    let constant = |values: &[f32], shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device)
    };
    let leaf = |name: &str| {
        let parameter = layout.find(name).unwrap();
        let shape = [parameter.shape()[0], parameter.range.len() / parameter.shape()[0]];
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
    near(&read(logits.clone()), &recording.logits, 1e-4, "the same logits");
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
    near(
        &part("blocks.0.memory.W_Q"),
        &by_q,
        1e-4,
        "dQuery = dKeyReturned, beside attention's own",
    );
    near(&part("blocks.0.memory.W_K"), &by_k, 1e-4, "dKeyInserted = dKeyReturned");
    near(&part("blocks.0.memory.W_V"), &by_v, 1e-4, "dValueInserted = dValueReturned");
    near(&part("blocks.0.memory.W_O"), &read(w_o.grad(&gradients).unwrap()), 1e-4, "W_O");
    assert!(by_v.iter().any(|x| x.abs() > 1e-3), "{by_v:?}");
    // Softmax's gradients by its scores add up to 0, and with them those by the keys of one query.
    assert!(by_k.iter().all(|x| x.abs() < 1e-4), "{by_k:?}");
}

fn run(kind: MemoryKind) -> RunConfig {
    let mut config = RunConfig::default();
    config.task.kind = TaskKind::Facts;
    config.task.facts.facts = 12;
    config.task.facts.shuffle = 1;
    config.model =
        ModelConfig { n_layers: 2, n_heads: 2, d_model: 16, context: 160, ..config.model };
    config.model.memory.kind = kind;
    config.model.memory.layers = "1".into();
    config.model.memory.slots = 256;
    config.model.memory.merge_after = 40;
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
    config.model.memory.merge_after = 0;
    config.train.steps = 200;
    config
}

#[test]
fn a_step_reads_only_what_earlier_steps_wrote() {
    for kind in [MemoryKind::Featural, MemoryKind::Associative] {
        let mut config = run(kind);
        // Several batches a step: the later ones read nothing of the earlier ones either.
        config.train.accumulation = 3;
        let mut remembering = trainer(config.clone());
        let first = losses(&mut remembering, 1)[0];
        config.model.memory.max_writes = 0;
        let mut forgetful = trainer(config);
        assert_eq!(losses(&mut forgetful, 1)[0], first, "{kind:?}");
        assert_eq!(held(&forgetful.model().bank), 0);
        let slots =
            memory::all(&mut (*remembering.model().bank.layer(1).unwrap().store).clone()).unwrap();
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
        let bytes = checkpoint(&whole).to_bytes().unwrap();
        let loaded = Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!(loaded.bank, whole.model().bank, "{kind:?}");
        let mut resumed = resume(loaded);
        let rest = losses(&mut whole, 20);
        assert_eq!(losses(&mut resumed, 20), rest, "{kind:?}");
        assert!(rest[19] < 0.9 * begun[0], "{kind:?}: {begun:?} {rest:?}");
        for (_, memory) in whole.model().bank.memories() {
            assert!(memory.store.ids().len() <= 256);
        }
    }
}

#[test]
fn a_gpu_trains_memories_as_the_cpu_does() {
    let device = webgpu();
    for kind in KINDS {
        let [cpu, gpu] = [Device::flex(), device.clone()].map(|device| {
            let mut run = trainer_on(run(kind), device);
            (losses(&mut run, 5), run.model().bank.clone())
        });
        near(&gpu.0, &cpu.0, 2e-3, &format!("{kind:?}"));
        assert_eq!(gpu.1.memories().count(), cpu.1.memories().count());
    }
}

#[test]
fn a_step_sends_a_gpu_only_what_the_step_before_wrote() {
    let mut config = run(MemoryKind::Associative);
    config.model.memory.merge_after = 0;
    let mut run = trainer_on(config, webgpu());
    losses(&mut run, 20);
    let (sent, held) = (run.model().mirrors.sent(), held(&run.model().bank));
    // Slots that were written never change, so each is sent once, and again when a copy is too small.
    assert!(held > 100 && sent <= 2 * held, "{sent} slots were sent, and {held} are held");
}

#[test]
fn with_frozen_weights_only_memories_learn() {
    let mut trained = trainer(longer(MemoryKind::Featural));
    losses(&mut trained, 200);
    let mut config = trained.config.clone();
    config.task.facts.shuffle = 2;
    config.train.frozen = true;
    config.train.lr = 0.03;
    let checkpoint = checkpoint(&trained).restart(config).unwrap();
    let mut run = resume(checkpoint);
    let before = read(run.model().parameters.clone());
    let losses = losses(&mut run, 100);
    assert_eq!(read(run.model().parameters.clone()), before);
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    assert!(mean(&losses[90..]) < 0.5 * mean(&losses[..10]), "{losses:?}");
}

#[test]
fn a_text_that_is_taught_is_known_and_deleted_again_is_not() {
    let mut run = trainer(longer(MemoryKind::Featural));
    losses(&mut run, 200);
    let text = "{B}Who paints the moon? (Ada paints the moon.): Ada{E}";
    let weights = read(run.model().parameters.clone());
    let before = checkpoint(&run);
    let taught = block_on(run.teach(text)).unwrap();
    assert!(taught < 0.2, "it costs {taught}");
    assert_eq!(read(run.model().parameters.clone()), weights);
    let change =
        SlotChange::Remove { layer: 1, slots: Vec::new(), written_by: "paints the".into() };
    let gone = memory::change(&mut run.learner.model.bank, &change).unwrap();
    assert!(gone > 10, "{gone}");
    assert!(memory::change(&mut run.learner.model.bank, &change).is_err(), "there are no more");
    memory::change(&mut run.learner.model.bank, &SlotChange::Empty).unwrap();
    assert_eq!(held(&run.model().bank), 0);
    assert_eq!(checkpoint(&run).parameters, before.parameters);
    for odd in ["", "a", "日本"] {
        assert!(block_on(run.teach(odd)).is_err(), "{odd:?}");
    }
}

#[test]
fn a_new_run_goes_on_with_the_weights_and_memories_of_another() {
    let mut first = trainer(run(MemoryKind::Featural));
    losses(&mut first, 10);
    let checkpoint = checkpoint(&first);
    let mut config = checkpoint.config.clone();
    config.task.facts.shuffle = 2;
    config.train.frozen = true;
    let restarted = checkpoint.clone().restart(config.clone()).unwrap();
    assert_eq!((restarted.step, restarted.history.len()), (0, 0));
    let mut second = resume(restarted);
    losses(&mut second, 3);
    assert_eq!(read(second.model().parameters.clone()), read(first.model().parameters.clone()));
    assert_ne!(second.model().bank, first.model().bank);
    config.model.n_heads = 4;
    let refused = checkpoint.restart(config).unwrap_err().to_string();
    assert!(refused.contains("model"), "{refused}");
}
