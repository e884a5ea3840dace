//! Memory layers: what they find and write, the gradients through their stores, and what a step leaves in
//! them.

mod common;

use std::sync::Arc;

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use confab::arch::{Layout, SHARPNESS};
use confab::checkpoint::Checkpoint;
use confab::config::{Distance, MemoryKind, ModelConfig, RunConfig, TaskKind};
use confab::host::{Cache, HostModel};
use confab::kernel::param::{FlatParameters, Param, ParamSlice};
use confab::kernel::product_keys;
use confab::kernel::recall::{
    Form, Found, Mirrors, Slots, mix, read as read_slots, reference, straight_through, unit,
};
use confab::kernel::transfer::to_tensor;
use confab::memory;
use confab::memory::{Bank, Exact, NewSlot, Origin, Shape, Slot, Store};
use confab::model::{Model, PassOptions, untrained};
use confab::protocol::SlotChange;
use futures::executor::block_on;

use common::{
    apart, checkpoint, close, held, logits_of, losses, numbers, read, resume, trainer, trainer_on,
    webgpu,
};

const KINDS: [MemoryKind; 3] =
    [MemoryKind::Featural, MemoryKind::Associative, MemoryKind::ProductKey];

fn tensor<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let values = numbers(shape.iter().product(), seed);
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn near(got: &[f32], expected: &[f32], within: f32, what: &str) {
    let far = apart(got, expected);
    assert!(far <= within, "{what}: {far} apart, {got:?} against {expected:?}");
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

/// What is remembered, as it is read on a device.
fn slots_on(store: &Exact, device: &Device) -> Slots {
    Mirrors::default().slots(0, &Arc::new(store.clone()), device)
}

/// Ids and distances of the slots found by queries in the first columns of `projected`.
fn found(slots: &Slots, projected: Tensor<3>, form: Form, k: usize) -> (Vec<u64>, Vec<f32>) {
    match slots.find(projected, form, k).found {
        Found::OnHost(found, _) => (found.ids, found.distances),
        Found::OnGpu(found) => {
            let places = found.places().into_data();
            let ids = places.iter::<i64>().map(|at| found.mirror.ids()[at as usize]).collect();
            (ids, read(found.distances()))
        }
    }
}

#[test]
fn a_gpu_finds_what_exact_search_finds() {
    let device = webgpu();
    for distance in [Distance::L2, Distance::Cosine] {
        for (n, slots, d_key, k) in [(1, 1, 1, 1), (70, 300, 7, 8), (130, 40, 16, 40)] {
            let shape = Shape { d_key, d_value: 2, distance };
            let store = store(shape, slots);
            let form = Form { n_heads: 1, width: d_key, by_distance: true, estimates: false };
            let on = |device: &Device| {
                found(&slots_on(&store, device), tensor([1, n, d_key], 3, device), form, k)
            };
            let (expected, got) = (on(&Device::flex()), on(&device));
            near(&got.1, &expected.1, 1e-5, "distances");
            // One key may stand before another that is as far, to the last digit.
            let differing = got.0.iter().zip(&expected.0).filter(|(a, b)| a != b).count();
            assert!(differing * 100 <= got.0.len(), "{differing} of {} differ", got.0.len());
        }
    }
}

#[test]
fn only_slots_that_changed_are_sent_to_a_gpu() {
    let (device, cpu) = (webgpu(), Device::flex());
    let shape = Shape { d_key: 5, d_value: 5, distance: Distance::L2 };
    let form = Form { n_heads: 1, width: 5, by_distance: true, estimates: true };
    let mirrors = Mirrors::default();
    let mut held = store(shape, 20);
    let slot = |seed| NewSlot {
        key: numbers(5, seed),
        value: numbers(5, seed + 1),
        origin: Origin::default(),
    };
    let on_gpu = |held: &Exact| mirrors.slots(3, &Arc::new(held.clone()), &device);
    let same = |held: &Exact, slots: &Slots| {
        let query = |device: &Device| tensor([2, 9, 5], 8, device);
        let expected = found(&slots_on(held, &cpu), query(&cpu), form, 4);
        let got = found(slots, query(&device), form, 4);
        assert_eq!(got.0, expected.0);
        near(&got.1, &expected.1, 1e-5, "distances");
    };
    same(&held, &on_gpu(&held));
    assert_eq!(mirrors.sent(), 20);
    same(&held, &on_gpu(&held));
    assert_eq!(mirrors.sent(), 20, "nothing changed");
    // An edit, three insertions, and a removal, for which the last slot moves.
    held.edit(4, None, Some(&[9.0; 5])).unwrap();
    same(&held, &on_gpu(&held));
    assert_eq!(mirrors.sent(), 21);
    held.insert(&[slot(50), slot(60), slot(70)]).unwrap();
    same(&held, &on_gpu(&held));
    assert_eq!(mirrors.sent(), 24);
    held.remove(&[2]).unwrap();
    same(&held, &on_gpu(&held));
    assert_eq!(mirrors.sent(), 25);
    held.remove(&[22]).unwrap();
    same(&held, &on_gpu(&held));
    assert_eq!(mirrors.sent(), 26, "the one that moved");
    held.touch(&[4, 5], 9).unwrap();
    same(&held, &on_gpu(&held));
    assert_eq!(mirrors.sent(), 26, "hits stay on the host");
    // More slots than there is room for are sent anew, and so are those that older slots are still read beside.
    held.insert(&(0..20).map(|at| slot(100 + at)).collect::<Vec<_>>()).unwrap();
    let older = (held.clone(), on_gpu(&held));
    assert_eq!(mirrors.sent(), 26 + 41);
    held.edit(5, Some(&[0.1; 5]), None).unwrap();
    same(&held, &on_gpu(&held));
    assert_eq!(mirrors.sent(), 26 + 2 * 41);
    same(&older.0, &older.1);
    // Another store in the same place, such as another checkpoint's.
    same(&store(shape, 7), &on_gpu(&store(shape, 7)));
}

/// Outputs of a read, and gradients by projections, values found, other outputs and parameters.
struct Passed {
    z: Vec<f32>,
    by_projected: Vec<f32>,
    by_values: Option<Vec<f32>>,
    by_local: Option<Vec<f32>>,
    by_parameters: Vec<f32>,
}

/// Sharpness and gates.
const PARAMETERS: [f32; 5] = [-0.6, 0.7, -0.4, 1.3, 0.1];

/// A read of `[batch, seq]` tokens on `device`, mixed with other outputs if there are heads.
fn pass(store: &Exact, form: Form, stride: usize, k: usize, device: &Device) -> Passed {
    let tracked = device.clone().autodiff();
    let projected = tensor([2, 9, stride], 8, &tracked).require_grad();
    let local = tensor([2, 9, form.width], 12, &tracked).require_grad();
    let weigh = tensor([2, 9, form.width], 9, &tracked);
    let found = slots_on(store, device).find(projected.clone().inner(), form, k).found;
    let is_cpu = *device == Device::flex();
    let on_device = |device: &Device| Tensor::<1>::from_data(PARAMETERS, device);
    let leaf = on_device(&tracked).require_grad();
    let mut flat = (!is_cpu).then(|| Arc::new(FlatParameters::trainable(&on_device(device))));
    let param = |start: usize, length: usize| match &flat {
        Some(flat) => Param::Slice(ParamSlice { parameters: flat.clone(), start, shape: [length] }),
        None => Param::Own(Box::new(leaf.clone().slice(start..start + length))),
    };
    let (sharpness, gates) = (param(0, 1), param(1, form.n_heads));
    let (z, values) = match form.n_heads {
        1 => read_slots(projected.clone(), &found, form, &sharpness, true),
        _ => (mix([projected.clone(), local.clone()], &found, form, &sharpness, &gates), None),
    };
    drop((sharpness, gates));
    let loss = (z.clone() * weigh).sum();
    let (gradients, by_parameters) = match &mut flat {
        Some(flat) => {
            let flat = Arc::make_mut(flat);
            (flat.backward(&loss), read(flat.gradient()))
        }
        None => {
            let gradients = loss.backward();
            let by = read(leaf.grad(&gradients).unwrap());
            (gradients, by)
        }
    };
    Passed {
        z: read(z.inner()),
        by_projected: read(projected.grad(&gradients).unwrap()),
        by_values: values.map(|values| read(values.grad(&gradients).unwrap())),
        by_local: local.grad(&gradients).map(read),
        by_parameters,
    }
}

/// The same in plain tensor operations.
fn expected(store: &Exact, form: Form, stride: usize, k: usize) -> Passed {
    let device = Device::flex().autodiff();
    let (width, heads) = (form.width, form.n_heads);
    let projected = tensor::<3>([2, 9, stride], 8, &device).require_grad();
    let local = tensor::<3>([2, 9, width], 12, &device).require_grad();
    let rows = projected.clone().reshape([18, stride]);
    let plain = read(unit(rows.clone().inner().narrow(1, 0, width), form));
    let found = store.search(&plain, k).unwrap();
    let leaf = |values: &[f32]| {
        let shape = [18, found.k, width];
        Tensor::<3>::from_data(TensorData::new(values.to_vec(), shape), &device).require_grad()
    };
    let (keys, values) = (leaf(&found.keys).detach(), leaf(&found.values));
    let parameters = Tensor::<1>::from_data(PARAMETERS, &device).require_grad();
    let z = reference(rows, [keys, values.clone()], form, parameters.clone().slice(0..1));
    let z = match heads {
        1 => z,
        _ => {
            let gate = sigmoid(parameters.clone().slice(1..1 + heads)).reshape([1, heads, 1]);
            let by_head = |x: Tensor<2>| x.reshape([18, heads, width / heads]);
            let local = by_head(local.clone().reshape([18, width]));
            let mixed = by_head(z) * gate.clone() + local * (gate.neg() + 1.0);
            mixed.reshape([18, width])
        }
    };
    let weigh = tensor::<3>([2, 9, width], 9, &device).reshape([18, width]);
    let gradients = (z.clone() * weigh).sum().backward();
    Passed {
        z: read(z.inner()),
        by_projected: read(projected.grad(&gradients).unwrap()),
        by_values: (heads == 1).then(|| read(values.grad(&gradients).unwrap())),
        by_local: (heads > 1).then(|| read(local.grad(&gradients).unwrap())),
        by_parameters: read(parameters.grad(&gradients).unwrap()),
    }
}

#[test]
fn reads_are_the_reference_on_every_device() {
    let form =
        |n_heads, width, by_distance, estimates| Form { n_heads, width, by_distance, estimates };
    let cases = [
        (form(1, 5, true, true), 5, 4),
        (form(1, 6, false, true), 6, 4),
        (form(1, 6, false, true), 18, 1),
        (form(1, 7, false, true), 21, 20),
        (form(4, 8, false, false), 24, 5),
        (form(2, 6, false, false), 18, 64),
    ];
    let devices = [Device::flex(), webgpu()];
    for (form, stride, k) in cases {
        let shape = Shape { d_key: form.width, d_value: form.width, distance: Distance::L2 };
        let store = store(shape, 20);
        let expected = expected(&store, form, stride, k);
        for device in &devices {
            let what = format!("{form:?}, {stride} projected, {k} found on {device:?}");
            let got = pass(&store, form, stride, k, device);
            near(&got.z, &expected.z, 1e-5, &what);
            close(&got.by_projected, &expected.by_projected, (1e-4, 1e-2), &what);
            for (got, expected) in
                [(got.by_values, &expected.by_values), (got.by_local, &expected.by_local)]
            {
                assert_eq!(got.is_some(), expected.is_some(), "{what}");
                near(
                    &got.unwrap_or_default(),
                    expected.as_deref().unwrap_or_default(),
                    1e-5,
                    &what,
                );
            }
            close(&got.by_parameters, &expected.by_parameters, (1e-4, 1e-2), &what);
        }
    }
}

#[test]
fn product_keys_are_the_reference_on_every_device() {
    let devices = [Device::flex(), webgpu()];
    for (half_keys, half, d_model, k) in [(1, 1, 1, 1), (6, 3, 8, 4), (9, 4, 70, 9)] {
        let lengths = [half_keys * half, half_keys * half, half_keys * half_keys * d_model];
        let shapes = [[half_keys, half], [half_keys, half], [half_keys * half_keys, d_model]];
        let numbers = numbers(lengths.iter().sum(), 5);
        let starts = [0, lengths[0], 2 * lengths[0]];
        // The output, and gradients by queries and by all parameters.
        let pass = |device: &Device, is_reference: bool| {
            let tracked = device.clone().autodiff();
            let q = tensor::<3>([2, 9, 2 * half], 8, &tracked).require_grad();
            let weigh = tensor::<3>([2, 9, d_model], 9, &tracked);
            let data = TensorData::new(numbers.clone(), [numbers.len()]);
            let is_cpu = *device == devices[0];
            let leaf = Tensor::<1>::from_data(data.clone(), &tracked).require_grad();
            let flat = || FlatParameters::trainable(&Tensor::from_data(data.clone(), device));
            let mut flat = (!is_cpu).then(|| Arc::new(flat()));
            let own = |at: usize| {
                leaf.clone().slice(starts[at]..starts[at] + lengths[at]).reshape(shapes[at])
            };
            let param = |at: usize| match &flat {
                Some(flat) => {
                    let (parameters, start, shape) = (flat.clone(), starts[at], shapes[at]);
                    Param::Slice(ParamSlice { parameters, start, shape })
                }
                None => Param::Own(Box::new(own(at))),
            };
            let z = match is_reference {
                true => product_keys::reference(q.clone(), [own(0), own(1)], own(2), k),
                false => product_keys::read(q.clone(), &[param(0), param(1)], &param(2), k),
            };
            let loss = (z.clone() * weigh).sum();
            let (gradients, by_parameters) = match &mut flat {
                Some(flat) => {
                    let flat = Arc::make_mut(flat);
                    (flat.backward(&loss), read(flat.gradient()))
                }
                None => {
                    let gradients = loss.backward();
                    let by = read(leaf.grad(&gradients).unwrap());
                    (gradients, by)
                }
            };
            [read(z.inner()), read(q.grad(&gradients).unwrap()), by_parameters]
        };
        let expected = pass(&devices[0], true);
        for device in &devices {
            let what = format!("{half_keys} half-keys of {half}, {k} found on {device:?}");
            for (got, expected) in pass(device, false).iter().zip(&expected) {
                close(got, expected, (1e-5, 1e-2), &what);
            }
        }
    }
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
