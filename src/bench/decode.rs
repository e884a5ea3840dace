//! Tokens a second of large models whose matrices are held in several formats.

use rand::RngExt;
use serde::Serialize;
use web_time::Instant;

use super::{median, seconds};
use crate::arch::{Init, Layout, Parameter};
use crate::base::numbers::Encoding;
use crate::base::parallel::cores;
use crate::base::quantized::Bits;
use crate::base::random::stream_rng;
use crate::config::{MlpKind, ModelConfig, NormKind, Positions};
use crate::host::{Cache, HostModel, Values, Weights};

/// Tokens of a turn whose times do not count, and those whose times do.
const FIRST: usize = 4;
const TOKENS: usize = 16;

/// The shape of a published model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeShape {
    /// GPT-2 small (Radford et al. 2019), 124 million parameters.
    Gpt2,
    /// Llama 3.2 1B (Meta 2024), 1.24 billion parameters.
    Llama1b,
}

impl_names!(DecodeShape: Gpt2 = "gpt2", Llama1b = "llama-3.2-1b");

/// Speed of one format at a shape.
#[derive(Clone, Debug, Serialize)]
pub struct DecodeRow {
    pub shape: &'static str,
    pub parameters: usize,
    /// `f32`, `bf16`, or the name of [`Bits`].
    pub weights: &'static str,
    pub threads: usize,
    /// Bytes of the matrices that a token is multiplied with.
    pub bytes: usize,
    /// The median of all turns.
    pub tokens_per_s: f64,
    /// Tokens a second, relative to those of `f32` in the same turn: the least, the median and the most.
    pub against_f32: [f64; 3],
}

/// A model in one format.
struct Held {
    weights: &'static str,
    host: HostModel,
    bytes: usize,
    /// Tokens a second of each turn.
    speeds: Vec<f64>,
}

impl DecodeShape {
    /// Bytes of memory that [`measure`](Self::measure) takes for weights, of all formats at once.
    pub fn bytes(self) -> u64 {
        let (config, vocab_size) = self.config();
        let embedding = (vocab_size * config.d_model) as u64;
        // A tied embedding is held a second time for the product, and apart from its file where that is rounded.
        let parameters = config.parameters(vocab_size) as u64;
        8 * parameters + 10 * embedding
    }

    /// Decodes with random weights held as `f32`, `bf16`, `int8` and `int4`, in turn, `turns` times each.
    pub fn measure(self, turns: usize) -> Vec<DecodeRow> {
        let (config, vocab_size) = self.config();
        let mut models = self.models();
        for _ in 0..turns {
            models.iter_mut().for_each(|model| model.speeds.push(speed(&model.host, vocab_size)));
        }
        let of_f32 = models[0].speeds.clone();
        let row = |Held { weights, bytes, speeds, .. }: Held| {
            let mut ratios: Vec<f64> = speeds.iter().zip(&of_f32).map(|(a, b)| a / b).collect();
            ratios.sort_by(f64::total_cmp);
            DecodeRow {
                shape: self.name(),
                parameters: config.parameters(vocab_size),
                weights,
                threads: cores(),
                bytes,
                tokens_per_s: median(speeds),
                against_f32: [ratios[0], median(ratios.clone()), ratios[ratios.len() - 1]],
            }
        };
        models.into_iter().map(row).collect()
    }

    fn models(self) -> Vec<Held> {
        let (config, vocab_size) = self.config();
        let layout = Layout::new(&config, vocab_size);
        let mut rng = stream_rng(0, 0);
        let mut draw = || rng.random_range(-1.0..1.0);
        let halves: Vec<Values> =
            layout.parameters().iter().map(|of| values(of, &mut draw)).collect();
        let widened = |of: &Values| Values::from(of.numbers().widen().into_owned());
        let full = Weights::from(halves.iter().map(widened).collect::<Vec<Values>>());
        let [full, half] = [full, halves.into()].map(|w| HostModel::new(&config, &layout, w));
        let round = |bits: Bits| {
            let host = half.clone().quantize(bits).expect("what was drawn is finite");
            (bits.name(), host)
        };
        let rounded = [Bits::Eight, Bits::Four].map(round);
        [("f32", full), ("bf16", half)]
            .into_iter()
            .chain(rounded)
            .map(|(weights, mut host)| {
                let bytes = host.projection_bytes();
                Held { weights, host, bytes, speeds: Vec::new() }
            })
            .collect()
    }

    /// The model's settings, and the size of its vocabulary. The context is what a turn needs.
    fn config(self) -> (ModelConfig, usize) {
        let common = ModelConfig { context: FIRST + TOKENS, tied_head: true, ..ModelConfig::default() };
        match self {
            Self::Gpt2 => (
                ModelConfig {
                    n_layers: 12,
                    n_heads: 12,
                    d_model: 768,
                    bias: true,
                    mlp: MlpKind::GeluTanh,
                    ..common
                },
                50257,
            ),
            Self::Llama1b => (
                ModelConfig {
                    n_layers: 16,
                    n_heads: 32,
                    kv_heads: 8,
                    d_model: 2048,
                    d_mlp: 8192,
                    bias: false,
                    norm: NormKind::Rms,
                    mlp: MlpKind::Swiglu,
                    positions: Positions::Rotary,
                    rope_base: 5e5,
                    ..common
                },
                128_256,
            ),
        }
    }
}

/// Untrained values of a parameter as bfloat16, from numbers within 1 of 0.
fn values(parameter: &Parameter, draw: &mut impl FnMut() -> f32) -> Values {
    let mut value = || match parameter.spec.init {
        Init::Ones => 1.0,
        Init::Zeros => 0.0,
        Init::Value(value) => value as f32,
        Init::RootWidth => 1.0,
        Init::Normal(std) => std as f32 * draw(),
    };
    let upper = |x: f32| ((x.to_bits() >> 16) as u16).to_le_bytes();
    let bytes: Vec<[u8; 2]> = parameter.range.clone().map(|_| upper(value())).collect();
    let bytes = bytes.into_flattened();
    let range = 0..bytes.len();
    Values::of_file(bytes, Encoding::Bf16, range)
}

/// Tokens a second after the first ones.
fn speed(host: &HostModel, vocab_size: usize) -> f64 {
    let mut cache = Cache::default();
    let mut decode = |place: usize| {
        host.decode(&[(place * 7 % vocab_size) as u32], &mut cache);
    };
    (0..FIRST).for_each(&mut decode);
    let start = Instant::now();
    (FIRST..FIRST + TOKENS).for_each(decode);
    TOKENS as f64 / seconds(start.elapsed())
}
