//! Single steps against the papers, in 64 bits.

use burn::tensor::Device;
use confab::arch::Layout;
use confab::config::{OptimizerKind, TrainConfig};
use confab::kernel::transfer::to_device;
use confab::learn::{Optimizer, Rates, orthogonalize};
use proptest::prelude::*;

use super::common::{Changes, close, numbers, read, small, webgpu};
use super::{KINDS, by};

/// Five steps of Newton–Schulz on a matrix of `rows` rows.
fn newton_schulz(matrix: &[f64], rows: usize) -> Vec<f64> {
    let columns = matrix.len() / rows;
    if rows > columns {
        return transposed(&newton_schulz(&transposed(matrix, rows), columns), columns);
    }
    let norm = matrix.iter().map(|x| x * x).sum::<f64>().sqrt() + 1e-7;
    let mut x: Vec<f64> = matrix.iter().map(|value| value / norm).collect();
    for _ in 0..5 {
        let a = product(&x, &transposed(&x, rows), rows);
        let fourth = product(&a, &a, rows);
        let b: Vec<f64> = a.iter().zip(fourth).map(|(a, f)| -4.7750 * a + 2.0315 * f).collect();
        let bx = product(&b, &x, rows);
        x = x.iter().zip(bx).map(|(x, bx)| 3.4445 * x + bx).collect();
    }
    x
}

fn transposed(matrix: &[f64], rows: usize) -> Vec<f64> {
    let columns = matrix.len() / rows;
    (0..matrix.len()).map(|at| matrix[at % rows * columns + at / rows]).collect()
}

/// The product of `a`, which has `rows` rows, and `b`.
fn product(a: &[f64], b: &[f64], rows: usize) -> Vec<f64> {
    let inner = a.len() / rows;
    let columns = b.len() / inner;
    let entry = |at: usize| {
        let (row, column) = (at / columns, at % columns);
        (0..inner).map(|k| a[row * inner + k] * b[k * columns + column]).sum()
    };
    (0..rows * columns).map(entry).collect()
}

/// Singular values of a matrix of `rows` rows, which are at most as many as its columns: roots of the eigenvalues of
/// `X Xᵀ`, by Jacobi's rotations.
fn singular_values(matrix: &[f64], rows: usize) -> Vec<f64> {
    let mut a = product(matrix, &transposed(matrix, rows), rows);
    for _ in 0..30 {
        for (p, q) in (0..rows).flat_map(|p| (p + 1..rows).map(move |q| (p, q))) {
            let angle = 0.5 * (2.0 * a[p * rows + q]).atan2(a[q * rows + q] - a[p * rows + p]);
            let (sin, cos) = angle.sin_cos();
            for k in 0..rows {
                let (x, y) = (a[k * rows + p], a[k * rows + q]);
                (a[k * rows + p], a[k * rows + q]) = (cos * x - sin * y, sin * x + cos * y);
            }
            for k in 0..rows {
                let (x, y) = (a[p * rows + k], a[q * rows + k]);
                (a[p * rows + k], a[q * rows + k]) = (cos * x - sin * y, sin * x + cos * y);
            }
        }
    }
    (0..rows).map(|at| a[at * rows + at].max(0.0).sqrt()).collect()
}

/// An optimizer's state in 64 bits.
struct Plain {
    first: Vec<f64>,
    second: Vec<f64>,
    values: Vec<f64>,
}

impl Plain {
    /// Changes the values by a gradient, which is clipped to a norm of 1.
    fn step(&mut self, train: &TrainConfig, layout: &Layout, step: i32, lr: f64, by: &[f32]) {
        let norm = by.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let scale = (train.clip / (norm + 1e-6)).min(1.0);
        let by: Vec<f64> = by.iter().map(|x| scale * f64::from(*x)).collect();
        let kind = train.optimizer;
        for parameter in layout.parameters() {
            let shape = parameter.shape();
            let name = parameter.name();
            let decays = if shape.len() == 2 { train.weight_decay } else { 0.0 };
            let is_hidden = name.starts_with("blocks.") && name.contains(".W_");
            if kind == OptimizerKind::Muon && is_hidden {
                self.muon(train, parameter.range.clone(), &shape, lr, &by);
                continue;
            }
            for at in parameter.range.clone() {
                let (g, value) = (by[at], self.values[at]);
                let change = match kind {
                    OptimizerKind::Sgd => {
                        self.first[at] = train.momentum * self.first[at] + g;
                        self.first[at]
                    }
                    OptimizerKind::AdamW | OptimizerKind::Muon => {
                        let TrainConfig { beta1, beta2, .. } = *train;
                        self.first[at] = beta1 * self.first[at] + (1.0 - beta1) * g;
                        self.second[at] = beta2 * self.second[at] + (1.0 - beta2) * g * g;
                        let mean = self.first[at] / (1.0 - beta1.powi(step + 1));
                        let square = self.second[at] / (1.0 - beta2.powi(step + 1));
                        mean / (square.sqrt() + 1e-8)
                    }
                };
                self.values[at] = value - lr * decays * value - lr * change;
            }
        }
    }

    fn muon(
        &mut self,
        train: &TrainConfig,
        range: std::ops::Range<usize>,
        shape: &[usize],
        lr: f64,
        by: &[f64],
    ) {
        let lr = train.muon_lr * lr / train.lr;
        let mut ahead = Vec::new();
        for at in range.clone() {
            self.first[at] = 0.95 * self.first[at] + 0.05 * by[at];
            ahead.push(0.05 * by[at] + 0.95 * self.first[at]);
        }
        let scale = (shape[1] as f64 / shape[0] as f64).max(1.0).sqrt();
        for (at, step) in range.zip(newton_schulz(&ahead, shape[0])) {
            let value = self.values[at];
            self.values[at] = value - lr * train.weight_decay * value - lr * scale * step;
        }
    }
}

/// Three steps by arbitrary gradients, of which the first is clipped, against the plain rule.
fn check_steps(kind: OptimizerKind, device: &Device) {
    let config = by(kind, &[("model.bias", "true"), ("model.tied_head", "false")]);
    let (train, layout) = (config.train, Layout::new(&config.model, 11));
    let before = numbers(layout.len(), 1);
    let zeros = vec![0.0; layout.len()];
    let wide = before.iter().map(|x| f64::from(*x)).collect();
    let mut plain = Plain { first: zeros.clone(), second: zeros, values: wide };
    let mut optimizer = Optimizer::new(kind, &layout, None, device);
    let mut values = to_device(before.clone(), device);
    for (step, size) in [1.0, 0.001, 0.002].into_iter().enumerate() {
        let lr = train.lr * [0.5, 1.0, 0.7][step];
        let gradient: Vec<f32> =
            numbers(layout.len(), 7 + step as u32).iter().map(|x| size * x).collect();
        plain.step(&train, &layout, step as i32, lr, &gradient);
        let rates = Rates::new(&train, step, lr, device);
        values = optimizer.update(rates, values, to_device(gradient, device));
    }
    let change = |after: &[f32]| -> Vec<f32> {
        after.iter().zip(&before).map(|(after, before)| after - before).collect()
    };
    let expected: Vec<f32> = plain.values.iter().map(|x| *x as f32).collect();
    let (got, expected) = (change(&read(values)), change(&expected));
    for parameter in layout.parameters() {
        let (range, what) = (parameter.range.clone(), format!("{kind:?} {}", parameter.name()));
        assert!(expected[range.clone()].iter().any(|x| x.abs() > 1e-4), "{what} is changed");
        close(&got[range.clone()], &expected[range], (1e-3, 1e-12), &what);
    }
    let moments = optimizer.moments();
    assert_eq!(moments.len(), if kind.has_second() { 2 } else { 1 });
    let narrow = |of: &[f64]| of.iter().map(|x| *x as f32).collect::<Vec<f32>>();
    for (got, expected) in moments.into_iter().zip([&plain.first, &plain.second]) {
        close(&read(got), &narrow(expected), (1e-4, 1e-12), "moments");
    }
}

#[test]
fn steps_are_those_of_the_papers() {
    KINDS.into_iter().for_each(|kind| check_steps(kind, &Device::flex()));
}

#[test]
fn steps_on_a_gpu_are_those_of_the_papers() {
    let device = webgpu();
    KINDS.into_iter().for_each(|kind| check_steps(kind, &device));
}

fn orthogonalized(values: &[f32], rows: usize, device: &Device) -> Vec<f32> {
    let shape = [rows, values.len() / rows];
    let orthogonal = orthogonalize(to_device(values.to_vec(), device).reshape(shape));
    assert_eq!(orthogonal.dims(), shape);
    read(orthogonal)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn newton_schulz_is_its_recurrence_of_a_matrix_of_any_shape_and_size(
        rows in 1..20usize,
        columns in 1..20usize,
        seed in any::<u32>(),
        size in prop::sample::select(vec![1e-3f32, 1.0, 1e3]),
    ) {
        let values: Vec<f32> = numbers(rows * columns, seed).iter().map(|x| size * x).collect();
        let wide: Vec<f64> = values.iter().map(|x| f64::from(*x)).collect();
        let expected: Vec<f32> = newton_schulz(&wide, rows).iter().map(|x| *x as f32).collect();
        let got = orthogonalized(&values, rows, &Device::flex());
        close(&got, &expected, (1e-3, 1e-12), &format!("{rows} × {columns}"));
    }

    #[test]
    fn singular_values_come_near_1(rows in 1..9usize, times in 3..5usize, seed in any::<u32>()) {
        let values = numbers(rows * rows * times, seed);
        let got = orthogonalized(&values, rows, &Device::flex());
        let wide: Vec<f64> = got.iter().map(|x| f64::from(*x)).collect();
        for value in singular_values(&wide, rows) {
            prop_assert!((0.65..1.2).contains(&value), "{value} of {rows} rows");
        }
        // A tall matrix is orthogonalized as its transpose is.
        let [tall, expected] = [&values, &got].map(|of| {
            let wide: Vec<f64> = of.iter().map(|x| f64::from(*x)).collect();
            transposed(&wide, rows).iter().map(|x| *x as f32).collect::<Vec<f32>>()
        });
        let tall = orthogonalized(&tall, rows * times, &Device::flex());
        close(&tall, &expected, (1e-6, 1e-12), "the transpose");
    }
}

/// Of a diagonal matrix each number goes through the polynomial by itself, on every device; zeros stay zeros.
#[test]
fn a_diagonal_matrix_goes_through_the_polynomial() {
    let diagonal = [2.0f32, -1.0, 0.5, 0.0];
    let norm = diagonal.iter().map(|x| x * x).sum::<f32>().sqrt();
    let through = |x: f32| {
        (0..5).fold(f64::from(x / norm), |x, _| 3.4445 * x - 4.775 * x.powi(3) + 2.0315 * x.powi(5))
    };
    let square = |of: &dyn Fn(usize) -> f32| -> Vec<f32> {
        (0..16).map(|at| if at % 5 == 0 { of(at / 5) } else { 0.0 }).collect()
    };
    for device in [Device::flex(), webgpu()] {
        let got = orthogonalized(&square(&|at| diagonal[at]), 4, &device);
        close(&got, &square(&|at| through(diagonal[at]) as f32), (1e-5, 1e-12), "diagonal");
        assert!(orthogonalized(&[0.0; 12], 3, &device).iter().all(|x| *x == 0.0));
    }
}

#[test]
fn muon_takes_the_matrices_of_layers_and_no_table() {
    let hidden = |changes: Changes| -> Vec<String> {
        let config = small(&[&[("model.n_layers", "1")], changes].concat());
        let layout = Layout::new(&config.model, 11);
        let places: Vec<usize> = layout.hidden().map(|(_, range)| range.start).collect();
        let is_in = |start: usize| places.contains(&start);
        let taken = layout.parameters().iter().filter(|of| is_in(of.range.start));
        taken.map(|of| of.name().trim_start_matches("blocks.0.").to_owned()).collect()
    };
    let attention = ["attn.W_Q", "attn.W_K", "attn.W_V", "attn.W_O"];
    let biased: Changes =
        &[("model.bias", "true"), ("model.tied_head", "false"), ("model.mlp", "swiglu")];
    assert_eq!(hidden(biased), [&attention[..], &["mlp.W_gate", "mlp.W_in", "mlp.W_out"]].concat());
    let keys: Changes = &[("model.memory.kind", "product-key"), ("model.memory.slots", "16")];
    assert_eq!(hidden(keys), [&attention[..], &["memory.W_Q"]].concat());
}
