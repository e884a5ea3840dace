//! Matrices of 8 and 4 bits, and models that write with them.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::terminal::{confab, ok, refused};
use common::{apart, numbers};
use confab::arch::Layout;
use confab::base::numbers::{Encoding, Numbers};
use confab::base::parallel::Threads;
use confab::base::quantized::{Bits, Quantized};
use confab::checkpoint::Checkpoint;
use confab::config::{MlpKind, ModelConfig, RunConfig};
use confab::host::{Cache, HostModel, Values, Weights};
use proptest::prelude::*;

const BLOCK: usize = 32;
/// The largest level of each format.
const FORMATS: [(Bits, f64); 2] = [(Bits::Eight, 127.0), (Bits::Four, 7.0)];
/// The smallest number of which a bfloat16 is a multiple.
const SMALLEST: f64 = 1.0 / (1_u128 << 64) as f64 / (1_u128 << 69) as f64;
const DEMO: &str = "assets/demo.safetensors";
/// A record up to the number that is asked for, which stands in it.
const PROMPT: &str =
    "{B}\nAnna Bell: 415-555-0134 \nMary Poppins: 212-555-0199 \n=========\nAnna Bell: ";

fn quantized(bits: Bits, matrix: &[f32], columns: usize) -> Quantized {
    Quantized::nearest(bits, Numbers::F32(matrix), columns).expect("finite numbers")
}

fn product(of: &Quantized, x: &[f32], y: usize) -> Vec<f32> {
    let mut product = vec![0.0; y];
    of.add_product(x, &mut product);
    product
}

/// The matrix `[rows, columns]` that levels stand for: products with one 1 are exact.
fn widened(of: &Quantized, rows: usize, columns: usize) -> Vec<f32> {
    let row = |row| {
        let mut x = vec![0.0; rows];
        x[row] = 1.0;
        product(of, &x, columns)
    };
    (0..rows).flat_map(row).collect()
}

/// Asserts that no number is further from its own than half the scale of its block, which is the block's largest
/// number divided by the largest level, rounded up to 8 binary digits.
fn check_error(
    largest_level: f64,
    matrix: &[f32],
    got: &[f32],
    columns: usize,
) -> Result<(), TestCaseError> {
    let rows = matrix.len() / columns;
    for column in 0..columns {
        for start in (0..rows).step_by(BLOCK) {
            let places = (start..rows.min(start + BLOCK)).map(|row| row * columns + column);
            let largest =
                places.clone().fold(0.0, |most: f64, at| most.max(f64::from(matrix[at]).abs()));
            let exact = largest / largest_level;
            // Of the smallest scales, fewer digits are left.
            let step = (exact * (1.0 + 1.0 / 128.0)).max(exact + SMALLEST);
            for at in places {
                let error = (f64::from(matrix[at]) - f64::from(got[at])).abs();
                prop_assert!(
                    error <= 0.500_01 * step,
                    "{} became {}, step {step}",
                    matrix[at],
                    got[at]
                );
            }
        }
    }
    Ok(())
}

/// Matrices of any size of numbers, with zeros and rows that are no multiple of a block.
fn matrix() -> impl Strategy<Value = (Vec<f32>, usize)> {
    let number = prop_oneof![
        4 => -1.0..1.0f32,
        1 => Just(0.0f32),
        // Twice as large, a level may be beyond 32 bits.
        1 => any::<f32>().prop_map(|x| if x.abs() < f32::MAX / 2.0 { x } else { 1.0 }),
        1 => (-100..100i32).prop_map(|power| 2.0f32.powi(power)),
    ];
    (1..80usize, 1..80usize).prop_flat_map(move |(rows, columns)| {
        (prop::collection::vec(number.clone(), rows * columns), Just(columns))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_number_is_off_by_more_than_half_a_step((matrix, columns) in matrix()) {
        for (bits, largest_level) in FORMATS {
            let of = quantized(bits, &matrix, columns);
            let got = widened(&of, matrix.len() / columns, columns);
            check_error(largest_level, &matrix, &got, columns)?;
            // What has been rounded stays as it is.
            let again = quantized(bits, &got, columns);
            check_error(largest_level, &got, &widened(&again, got.len() / columns, columns), columns)?;
        }
    }

    #[test]
    fn a_product_is_that_of_the_numbers_that_levels_stand_for(
        rows in 1..300usize, columns in 1..200usize, seq in 1..5usize, seed in any::<u32>(),
    ) {
        let (matrix, x) = (numbers(rows * columns, seed), numbers(seq * rows, seed ^ 1));
        for (bits, _) in FORMATS {
            let of = quantized(bits, &matrix, columns);
            let w = widened(&of, rows, columns);
            for (x, got) in [
                (&x[..], product(&of, &x, seq * columns)),
                (&x[..rows], product(&of, &x[..rows], columns)),
            ] {
                for (place, got) in got.iter().enumerate() {
                    let (row, column) = (place / columns, place % columns);
                    let terms = (0..rows).map(|k| f64::from(x[row * rows + k]) * f64::from(w[k * columns + column]));
                    let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
                    prop_assert!((f64::from(*got) - sum).abs() <= 1e-5 * size, "{got} and {sum}");
                }
            }
        }
    }
}

#[test]
fn a_large_number_tells_on_its_own_block_alone() {
    let (rows, columns) = (3 * BLOCK + 5, 3);
    let mut matrix = numbers(rows * columns, 3);
    // A block of zeros, and one number that is a thousand times as large as those beside it.
    (0..BLOCK).for_each(|row| matrix[row * columns] = 0.0);
    let usual = matrix.clone();
    let outlier = (BLOCK + 7) * columns + 1;
    matrix[outlier] = -1000.0;
    for (bits, largest_level) in FORMATS {
        let [with, without] = [&matrix, &usual]
            .map(|matrix| widened(&quantized(bits, matrix, columns), rows, columns));
        assert!((0..BLOCK).all(|row| with[row * columns].to_bits() == 0), "zeros stay zeros");
        let step = 1000.0 / largest_level * (1.0 + 1.0 / 128.0);
        assert!(f64::from(with[outlier] + 1000.0).abs() <= step / 2.0);
        for (at, (with, without)) in with.iter().zip(&without).enumerate() {
            let (row, column) = (at / columns, at % columns);
            let shares = column == 1 && (BLOCK..2 * BLOCK).contains(&row);
            assert!(shares || with == without, "row {row}, column {column}: {with} and {without}");
        }
        check_error(largest_level, &matrix, &with, columns).unwrap();
    }
}

#[test]
fn blocks_take_34_and_18_bytes() {
    let (rows, columns) = (4 * BLOCK, 48);
    let matrix = numbers(rows * columns, 1);
    for (bits, bytes) in [(Bits::Eight, 34), (Bits::Four, 18)] {
        let held = |rows: usize, columns: usize| {
            quantized(bits, &matrix[..rows * columns], columns).bytes()
        };
        assert_eq!(held(rows, columns) * 128, bytes * 4 * matrix.len());
        // A block that is not full takes a whole one, and columns are filled up to a multiple of 16.
        assert_eq!(held(rows - 1, columns), held(rows, columns));
        assert_eq!(held(rows, columns - 15), held(rows, columns));
        assert_eq!(held(rows, columns - 16) * 3, held(rows, columns) * 2);
    }
}

#[test]
fn products_are_the_same_to_the_bit_on_one_thread_and_on_all() {
    let (rows, columns) = (1024, 1500);
    let (matrix, x) = (numbers(rows * columns, 1), numbers(3 * rows, 2));
    let alone = Threads::new(1);
    for (bits, _) in FORMATS {
        let of = quantized(bits, &matrix, columns);
        for x in [&x[..rows], &x] {
            let y = x.len() / rows * columns;
            let on_one =
                alone.map(vec![()], |()| product(&quantized(bits, &matrix, columns), x, y));
            assert!(on_one[0] == product(&of, x, y));
        }
    }
    let stored = || {
        let mut y = vec![0.0; columns];
        Numbers::F32(&matrix).add_product(columns, &x[..rows], &mut y);
        y
    };
    assert!(alone.map(vec![()], |()| stored())[0] == stored());
}

/// A model of random weights with every kind of projection, in the bytes of one file.
fn random(change: impl FnOnce(&mut Vec<f32>, &Layout)) -> (ModelConfig, Layout, Arc<Vec<u8>>) {
    let mut config =
        ModelConfig { n_layers: 2, n_heads: 2, d_model: 64, ..RunConfig::default().model };
    (config.tied_head, config.mlp, config.bias) = (false, MlpKind::Swiglu, true);
    let layout = Layout::new(&config, 96);
    let mut flat = numbers(layout.len(), 5);
    change(&mut flat, &layout);
    let bytes: Vec<u8> = flat.iter().flat_map(|x| x.to_le_bytes()).collect();
    (config, layout, bytes.into())
}

fn host(config: &ModelConfig, layout: &Layout, file: &Arc<Vec<u8>>) -> HostModel {
    let values = |range: &std::ops::Range<usize>| {
        Values::of_file(file.clone(), Encoding::F32, 4 * range.start..4 * range.end)
    };
    let parameters = layout.parameters().iter().map(|of| values(&of.range)).collect::<Vec<_>>();
    HostModel::new(config, layout, Weights::from(parameters))
}

#[test]
fn a_rounded_model_holds_a_quarter_of_the_bytes_or_less_and_not_its_file() {
    let (config, layout, file) = random(|_, _| {});
    let full = host(&config, &layout, &file).projection_bytes();
    let is_rounded = |name: &str| {
        name.contains(".W_") && !name.contains("embed.W_E") && !name.contains("pos_embed")
    };
    let matrices = layout.parameters().iter().filter(|of| is_rounded(of.name()));
    assert_eq!(full, 4 * matrices.map(|of| of.range.len()).sum::<usize>());
    for (bits, bytes) in [(Bits::Eight, 34), (Bits::Four, 18)] {
        let file = Arc::new(file.to_vec());
        let mut rounded = host(&config, &layout, &file).quantize(bits).unwrap();
        assert_eq!(rounded.projection_bytes() * 128, full * bytes);
        let left = Arc::downgrade(&file);
        drop(file);
        assert!(left.upgrade().is_none(), "the file is still held");
        assert!(rounded.decode(&[1, 2, 3], &mut Cache::default()).iter().all(|x| x.is_finite()));
    }
}

#[test]
fn a_number_that_is_not_finite_is_told_with_its_matrix() {
    for (name, number) in [
        ("blocks.1.attn.W_K", f32::NAN),
        ("blocks.0.mlp.W_gate", f32::INFINITY),
        ("unembed.W_U", f32::NEG_INFINITY),
    ] {
        let (config, layout, file) = random(|flat, layout| {
            flat[layout.find(name).unwrap().range.end - 1] = number;
        });
        for (bits, _) in FORMATS {
            let error = host(&config, &layout, &file).quantize(bits).unwrap_err().to_string();
            assert!(error.contains(&format!("rounding {name} to {}", bits.name())), "{error}");
        }
    }
}

/// The logits after each token of a text in the demo's alphabet, one token at a time after a prompt.
fn logits(host: &HostModel, ids: &[u32]) -> Vec<f32> {
    let (prompt, rest) = ids.split_at(ids.len() / 2);
    let mut cache = Cache::default();
    let mut logits = host.decode(prompt, &mut cache);
    rest.iter().for_each(|id| logits.extend(host.decode(&[*id], &mut cache)));
    logits
}

#[test]
fn a_trained_model_predicts_nearly_the_same() {
    let run = Checkpoint::open(std::fs::read(DEMO).unwrap()).unwrap();
    let ids = run.tokenizer.encode(PROMPT).unwrap();
    let host = || HostModel::new(&run.config.model, &run.layout(), run.parameters.clone());
    let stored = logits(&host(), &ids);
    let largest = stored.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    for (bits, within) in [(Bits::Eight, 0.02), (Bits::Four, 0.2)] {
        let far = apart(&logits(&host().quantize(bits).unwrap(), &ids), &stored);
        assert!(far < within * largest && far > 0.0, "{}: {far} of {largest}", bits.name());
    }
}

#[test]
fn sample_writes_the_same_greedy_text_with_8_bits_and_takes_none_but_the_listed_formats() {
    let sample = |more: &[&str]| {
        let prompt = PROMPT.replace('\n', "\\n");
        let args = ["sample", DEMO, "--device", "cpu", "--temperature", "0", "--prompt", &prompt];
        confab(Path::new("."), &[&args, more].concat())
    };
    let text = ok(&sample(&[]));
    let answer = text.strip_prefix(PROMPT).expect("the prompt comes first");
    assert!(answer.starts_with("415-555-0134"), "{answer}");
    assert_eq!(ok(&sample(&["--weights", "stored"])), text);
    assert_eq!(ok(&sample(&["--weights", "int8"])), text);
    assert!(ok(&sample(&["--weights", "int4"])).starts_with(PROMPT));

    let unknown = sample(&["--weights", "int3"]);
    assert_eq!(unknown.status.code(), Some(2));
    let says = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(says.contains("stored, int8, int4"), "{says}");
    let on_gpu = ["sample", DEMO, "--device", "webgpu", "--weights", "int8"];
    refused(Path::new("."), &on_gpu, &["--weights int8 is for the CPU", "add --device cpu"]);
}

#[test]
fn bench_measures_every_format_beside_32_bits() {
    let printed = ok(&confab(Path::new("."), &["bench", "--decode", "gpt2", "--json"]));
    let rows: Vec<serde_json::Value> = serde_json::from_str(&printed).expect(&printed);
    let of =
        |key: &str| -> Vec<f64> { rows.iter().map(|row| row[key].as_f64().unwrap()).collect() };
    let formats: Vec<_> = rows.iter().map(|row| row["weights"].as_str().unwrap()).collect();
    assert_eq!(formats, ["f32", "bf16", "int8", "int4"]);
    // GPT-2 has 124,439,808 parameters, of which 1,024 positions; a turn needs 20.
    assert_eq!(of("parameters"), [(124_439_808 - (1024 - 20) * 768) as f64; 4]);
    // All but embeddings, positions, norms and biases, and the tied embedding once more. 50,257 columns are filled up
    // to 50,272.
    let (layers, vocab): (u32, u32) = (12 * 12 * 768 * 768, 768 * 50_257);
    let filled = layers + 768 * 50_272;
    let bytes = [4 * (layers + vocab), 2 * (layers + vocab), filled / 32 * 34, filled / 32 * 18];
    assert_eq!(of("bytes"), bytes.map(f64::from));
    assert!(of("tokens_per_s").iter().all(|speed| *speed > 0.0));
    assert_eq!(rows[0]["against_f32"], serde_json::json!([1.0, 1.0, 1.0]));
}
