//! Reads of memories as single operations, against plain tensor operations and exact search, on every device.

mod common;

use std::sync::Arc;

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use confab::config::Distance;
use confab::kernel::param::{FlatParameters, Param, ParamSlice};
use confab::kernel::product_keys;
use confab::kernel::recall::{
    Form, Found, Mirrors, Slots, mix, read as read_slots, reference, unit,
};
use confab::kernel::transfer::to_device;
use confab::memory::{Exact, NewSlot, Origin, Shape, Store};

use common::slots::{near, store, tensor};
use common::{close, numbers, read, webgpu};

/// Slots of a store, as a device reads them.
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

/// Parameters as operations take them on a device.
struct Parameters {
    leaf: Tensor<1>,
    /// All in one vector, on a GPU.
    flat: Option<Arc<FlatParameters>>,
}

impl Parameters {
    fn new(values: &[f32], device: &Device) -> Self {
        let on = |device: &Device| to_device(values.to_vec(), device);
        let leaf = on(&device.clone().autodiff()).require_grad();
        let flat =
            (*device != Device::flex()).then(|| Arc::new(FlatParameters::trainable(&on(device))));
        Self { leaf, flat }
    }

    /// Some as a tensor.
    fn tensor<const D: usize>(&self, start: usize, shape: [usize; D]) -> Tensor<D> {
        self.leaf.clone().slice(start..start + shape.iter().product::<usize>()).reshape(shape)
    }

    fn param<const D: usize>(&self, start: usize, shape: [usize; D]) -> Param<D> {
        match &self.flat {
            Some(flat) => Param::Slice(ParamSlice { parameters: flat.clone(), start, shape }),
            None => Param::Own(Box::new(self.tensor(start, shape))),
        }
    }

    /// Gradients of `loss`, and those by the parameters.
    fn backward(mut self, loss: &Tensor<1>) -> (Gradients, Vec<f32>) {
        let Some(flat) = &mut self.flat else {
            let gradients = loss.backward();
            let by_parameters = read(self.leaf.grad(&gradients).unwrap());
            return (gradients, by_parameters);
        };
        let flat = Arc::make_mut(flat);
        (flat.backward(loss), read(flat.gradient()))
    }
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
    let parameters = Parameters::new(&PARAMETERS, device);
    let (sharpness, gates) = (parameters.param(0, [1]), parameters.param(1, [form.n_heads]));
    let (z, values) = match form.n_heads {
        1 => read_slots(projected.clone(), &found, form, &sharpness, true),
        _ => (mix([projected.clone(), local.clone()], &found, form, &sharpness, &gates), None),
    };
    let (gradients, by_parameters) = parameters.backward(&(z.clone() * weigh).sum());
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
            let parameters = Parameters::new(&numbers, device);
            let keys = [0, 1].map(|at| parameters.param(starts[at], shapes[at]));
            let z = match is_reference {
                true => {
                    let [first, second, values] =
                        [0, 1, 2].map(|at| parameters.tensor(starts[at], shapes[at]));
                    product_keys::reference(q.clone(), [first, second], values, k)
                }
                false => {
                    let values = parameters.param(starts[2], shapes[2]);
                    product_keys::read(q.clone(), &keys, &values, k)
                }
            };
            let (gradients, by_parameters) = parameters.backward(&(z.clone() * weigh).sum());
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
