//! Small models, random or built by hand.

use confab::arch::Layout;
use confab::config::{MlpKind, ModelConfig, NormKind, Positions};
use confab::host::{ActivationCache, HostModel};
use confab::interp::analysis::View;
use confab::model::untrained;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub struct Model {
    pub config: ModelConfig,
    pub layout: Layout,
    pub flat: Vec<f32>,
}

impl Model {
    /// Untrained, but with larger weights, uneven gains and biases, so that every part tells.
    pub fn random(vocab_size: usize, seed: u64, change: impl FnOnce(&mut ModelConfig)) -> Self {
        let mut config = ModelConfig { d_model: 16, n_heads: 4, context: 32, ..Default::default() };
        change(&mut config);
        let layout = Layout::new(&config, vocab_size);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut flat = untrained(&config, &layout, seed);
        flat.iter_mut().for_each(|x| *x = *x * 8.0 + rng.random_range(-0.1..0.1));
        flat.iter_mut().filter(|x| **x > 7.0).for_each(|gain| *gain /= 8.0);
        Self { config, layout, flat }
    }

    /// All weights 0, gains 1.
    pub fn blank(vocab_size: usize, change: impl FnOnce(&mut ModelConfig)) -> Self {
        let mut model = Self::random(vocab_size, 0, change);
        let gains = untrained(&model.config, &model.layout, 0)
            .into_iter()
            .map(|x| if x == 1.0 { 1.0 } else { 0.0 });
        model.flat = gains.collect();
        model
    }

    pub fn view(&self) -> View<'_> {
        View::new(&self.config, &self.layout, &self.flat).unwrap()
    }

    pub fn plain(&self) -> HostModel {
        HostModel::new(&self.config, &self.layout, &self.flat)
    }

    pub fn record(&self, ids: &[u32]) -> ActivationCache {
        self.plain().record(ids, &[])
    }

    /// A parameter, to read or write.
    pub fn at(&mut self, name: &str) -> &mut [f32] {
        let range = self.layout.find(name).unwrap_or_else(|| panic!("no {name}")).range.clone();
        &mut self.flat[range]
    }

    /// The value of a matrix at `[row, column]`.
    pub fn get(&self, name: &str, row: usize, column: usize) -> f64 {
        let parameter = self.layout.find(name).unwrap();
        self.flat[parameter.range.start + row * parameter.shape()[1] + column].into()
    }

    /// `W_U[component, token]`.
    pub fn w_u(&self, component: usize, token: usize) -> f64 {
        match self.config.tied_head {
            true => self.get("embed.W_E", token, component),
            false => self.get("unembed.W_U", component, token),
        }
    }
}

/// Two layers of one head: the first copies the token before, the second looks for a place whose
/// token before is its own, an induction head. `tokens` is the vocabulary, and `2 * tokens` the
/// context.
pub fn induction_pair(tokens: usize) -> Model {
    let context = 2 * tokens;
    // The residual stream: the token, the place, the token before.
    let d_model = tokens + context + tokens;
    let before = tokens + context;
    let mut model = Model::blank(tokens, |config| {
        (config.d_model, config.n_heads, config.n_layers) = (d_model, 1, 2);
        (config.context, config.tied_head, config.bias) = (context, true, false);
    });
    let mut set = |name: &str, row: usize, column: usize, value: f32| {
        model.at(name)[row * d_model + column] = value;
    };
    for token in 0..tokens {
        set("embed.W_E", token, token, 1.0);
        set("blocks.0.attn.W_V", token, token, 0.1);
        set("blocks.0.attn.W_O", token, before + token, 1.0);
        set("blocks.1.attn.W_Q", token, token, 30.0);
        set("blocks.1.attn.W_K", before + token, token, 30.0);
        set("blocks.1.attn.W_V", token, token, 1.0);
        set("blocks.1.attn.W_O", token, token, 1.0);
    }
    for place in 0..context {
        set("pos_embed.W_pos", place, tokens + place, 1.0);
        set("blocks.0.attn.W_Q", tokens + place, place, 30.0);
        if place + 1 < context {
            set("blocks.0.attn.W_K", tokens + place, place + 1, 30.0);
        }
    }
    model
}

pub type Change = fn(&mut ModelConfig);

/// Models of other parts than GPT-2's.
pub const VARIANTS: [Change; 5] = [
    |_| {},
    |config| {
        (config.norm, config.positions, config.mlp) =
            (NormKind::Rms, Positions::Rotary, MlpKind::Swiglu);
        config.kv_heads = 2;
    },
    |config| (config.norm, config.mlp) = (NormKind::None, MlpKind::None),
    |config| {
        (config.norm, config.positions, config.mlp) =
            (NormKind::None, Positions::None, MlpKind::Relu);
        config.d_head = 6;
    },
    |config| {
        (config.mlp, config.qk_norm, config.norm_eps) = (MlpKind::None, true, 1e-3);
        (config.kv_heads, config.d_head) = (1, 20);
    },
];

/// All ids of a vocabulary.
pub fn vocabulary(size: usize) -> Vec<u32> {
    (0..size as u32).collect()
}

#[track_caller]
pub fn assert_near(got: f64, wanted: f64, within: f64) {
    assert!((got - wanted).abs() <= within, "{got}, not {wanted} within {within}");
}
