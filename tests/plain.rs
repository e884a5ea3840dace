//! The model in plain numbers: what it records, and what edits change.

mod common;

use burn::tensor::Device;
use confab::arch::Layout;
use confab::config::{MlpKind, ModelConfig, NormKind, Positions};
use confab::host::{ActivationCache, Cache, HostModel, LayerActivations};
use confab::interp::analysis::View;
use confab::model::untrained;
use confab::run::{Action, ActivationIntervention, Site};
use proptest::prelude::*;

use common::logits_of;

const VOCAB: usize = 13;

struct Fixture {
    config: ModelConfig,
    layout: Layout,
    flat: Vec<f32>,
}

impl Fixture {
    /// With weights so large that patterns are far from even and every part tells.
    fn new(config: ModelConfig) -> Self {
        let layout = Layout::new(&config, VOCAB);
        let flat = untrained(&config, &layout, 3).into_iter().map(|w| 3.0 * w + 0.01).collect();
        Self { config, layout, flat }
    }

    fn small() -> Self {
        Self::new(small())
    }

    fn plain(&self) -> HostModel {
        HostModel::new(&self.config, &self.layout, &self.flat)
    }

    fn record(&self, edits: &[ActivationIntervention]) -> ActivationCache {
        self.plain().record(&ids(SEQ), edits)
    }

    /// The logits of all tokens by the model that trains.
    fn logits(&self, ids: &[u32]) -> Vec<f32> {
        let model = common::model(&self.config, &self.layout, &self.flat, &Device::flex());
        logits_of(&model, ids)
    }

    fn values(&self, name: &str) -> &[f32] {
        self.layout.find(name).map_or(&[], |parameter| &self.flat[parameter.range.clone()])
    }
}

const SEQ: usize = 11;

fn small() -> ModelConfig {
    let small = ModelConfig { n_layers: 2, n_heads: 3, d_model: 12, ..ModelConfig::default() };
    ModelConfig { context: 80, bias: true, ..small }
}

fn ids(seq: usize) -> Vec<u32> {
    (0..seq).map(|at| (at * at + 5 * at + 1) as u32 % VOCAB as u32).collect()
}

fn add(to: &mut [f32], more: &[f32]) {
    assert_eq!(to.len(), more.len());
    to.iter_mut().zip(more).for_each(|(to, more)| *to += more);
}

/// Largest difference, relative to the largest value.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(1.0f32, |most, x| most.max(x.abs()));
    a.iter().zip(b).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

fn edit(site: Site, positions: std::ops::Range<usize>, action: Action) -> ActivationIntervention {
    ActivationIntervention { site, positions, action }
}

/// Models of every shape.
fn shapes() -> impl Strategy<Value = ModelConfig> {
    let norms = prop::sample::select(vec![NormKind::Layer, NormKind::Rms, NormKind::None]);
    let mlps = prop::sample::select(vec![
        MlpKind::Gelu,
        MlpKind::GeluTanh,
        MlpKind::Relu,
        MlpKind::Relu2,
        MlpKind::Sigmoid,
        MlpKind::Swiglu,
        MlpKind::Reglu,
        MlpKind::None,
    ]);
    let positions =
        prop::sample::select(vec![Positions::Learned, Positions::Rotary, Positions::None]);
    let sizes = (1..4usize, 1..4usize, 1..3usize, 1..5usize, 0..9usize, 4..14usize);
    (sizes, norms, mlps, positions, any::<[bool; 4]>()).prop_map(
        |((n_layers, kv_heads, readers, d_head, d_mlp, d_model), norm, mlp, positions, flags)| {
            let [tied_head, bias, qk_norm, feedback] = flags;
            let d_head = if positions == Positions::Rotary { 2 * d_head } else { d_head };
            let n_heads = kv_heads * readers;
            let small = ModelConfig { n_layers, n_heads, kv_heads, d_head, d_mlp, ..small() };
            let rope_base = 30.0;
            let small = ModelConfig { d_model, rope_base, tied_head, bias, qk_norm, ..small };
            // Without a norm, what is fed back of what was fed back soon is more than numbers hold.
            let feedback = feedback && norm != NormKind::None;
            let small = ModelConfig { feedback, ..small };
            // A norm that divides by little makes much of rounding.
            ModelConfig { norm, norm_eps: 1e-3, mlp, positions, ..small }
        },
    )
}

/// Tokens that a model with feedback reads here.
const FED_BACK: usize = 8;

/// The difference that rounding may make: with feedback, every token doubles it.
fn tolerance(config: &ModelConfig, seq: usize) -> f32 {
    let doublings = if config.feedback { seq.saturating_sub(4) } else { 0 };
    1e-4 * (1 << doublings) as f32
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn logits_are_those_of_the_model_that_trains(config in shapes(), seq in 1..80usize) {
        let ids = ids(if config.feedback { seq.min(FED_BACK) } else { seq });
        let within = tolerance(&config, ids.len());
        let model = Fixture::new(config);
        let recorded = model.plain().record(&ids, &[]);
        let apart = difference(&recorded.logits, &model.logits(&ids));
        prop_assert!(apart < within, "{apart}");
    }

    #[test]
    fn writing_on_from_a_cache_gives_the_logits_recorded(
        config in shapes(), prompt in 1..70usize, more in 0..10usize,
    ) {
        let most = if config.feedback { FED_BACK } else { prompt + more };
        let (prompt, more) = (prompt.min(most), more.min(most - prompt.min(most)));
        let within = tolerance(&config, prompt + more);
        let model = Fixture::new(config);
        let (plain, ids) = (model.plain(), ids(prompt + more));
        let recorded = plain.record(&ids, &[]);
        let row = |token: usize| &recorded.logits[token * VOCAB..][..VOCAB];
        let mut cache = Cache::default();
        let got = plain.decode(&ids[..prompt], &mut cache);
        prop_assert!(difference(&got, row(prompt - 1)) < within);
        for token in prompt..prompt + more {
            let got = plain.decode(&ids[token..=token], &mut cache);
            prop_assert!(difference(&got, row(token)) < within);
        }
    }

    #[test]
    fn every_shape_adds_up_and_has_the_parameters_it_says(config in shapes()) {
        let model = Fixture::new(config);
        prop_assert_eq!(model.config.parameters(VOCAB), model.layout.len());
        let recorded = model.record(&[]);
        let view = View::new(&model.config, &model.layout, &model.flat).unwrap();
        let (d_model, width) = (recorded.d_model, recorded.n_heads * recorded.d_head);
        let mut sum = recorded.embed.clone();
        add(&mut sum, &recorded.pos_embed);
        for (number, layer) in recorded.layers.iter().enumerate() {
            if !layer.feedback.is_empty() {
                add(&mut sum, &layer.feedback);
            }
            prop_assert_eq!([&layer.q, &layer.k, &layer.v].map(Vec::len), [SEQ * width; 3]);
            let b_o = model.values(&format!("blocks.{number}.attn.b_O"));
            let mut by_heads = if b_o.is_empty() { vec![0.0; sum.len()] } else { b_o.repeat(SEQ) };
            let head_out = view.head_out(number, layer);
            head_out.chunks(SEQ * d_model).for_each(|head| add(&mut by_heads, head));
            prop_assert!(difference(&by_heads, &layer.attn_out) < 1e-5);
            prop_assert!(difference(&sum, &layer.resid_pre) < 1e-5);
            add(&mut sum, &layer.attn_out);
            prop_assert!(difference(&sum, &layer.resid_mid) < 1e-5);
            add(&mut sum, &layer.mlp_out);
            prop_assert!(difference(&sum, &layer.resid_post) < 1e-5);
            check_patterns(&recorded, layer)?;
        }
    }
}

/// Rows of patterns sum to one, are the softmax of the queries' products with the keys, and weigh
/// the values.
fn check_patterns(
    recorded: &ActivationCache,
    layer: &LayerActivations,
) -> Result<(), TestCaseError> {
    let (heads, d_head) = (recorded.n_heads, recorded.d_head);
    let of = |values: &[f32], token: usize, head: usize, d: usize| {
        values[(token * heads + head) * d_head + d]
    };
    prop_assert_eq!(layer.pattern.len(), heads * SEQ * SEQ);
    for (place, row) in layer.pattern.chunks(SEQ).enumerate() {
        let (head, query) = (place / SEQ, place % SEQ);
        prop_assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        prop_assert!(row[query + 1..].iter().all(|weight| *weight == 0.0));
        let score = |key: usize| {
            let product = |d| of(&layer.q, query, head, d) * of(&layer.k, key, head, d);
            (0..d_head).map(product).sum::<f32>() / (d_head as f32).sqrt()
        };
        let total: f32 = (0..=query).map(|key| (score(key) - score(query)).exp()).sum();
        for (key, weight) in row.iter().enumerate().take(query + 1) {
            let expected = (score(key) - score(query)).exp() / total;
            prop_assert!((weight - expected).abs() < 1e-4 || !total.is_finite());
        }
        for d in 0..d_head {
            let weighted = (0..SEQ).map(|key| row[key] * of(&layer.v, key, head, d));
            prop_assert!((weighted.sum::<f32>() - of(&layer.z, query, head, d)).abs() < 1e-4);
        }
    }
    Ok(())
}

#[test]
fn what_is_unembedded_is_the_last_stream_over_its_scale() {
    let model = Fixture::small();
    let recorded = model.record(&[]);
    let [w, b] = ["w", "b"].map(|part| model.values(&format!("ln_final.{part}")).to_vec());
    let last = &recorded.layers.last().unwrap().resid_post;
    let rows = last.chunks(12).zip(recorded.normed.chunks(12)).zip(&recorded.final_scale);
    for ((resid, normed), scale) in rows {
        let mean = resid.iter().sum::<f32>() / 12.0;
        for d in 0..12 {
            assert!(((resid[d] - mean) / scale * w[d] + b[d] - normed[d]).abs() < 1e-4);
        }
    }
}

/// True if two recordings of a layer are the same before token `position`.
fn same_before(a: &LayerActivations, b: &LayerActivations, position: usize) -> bool {
    let until = position * 12;
    a.resid_post[..until] == b.resid_post[..until] && a.q[..until] == b.q[..until]
}

#[test]
fn a_head_knocked_out_at_a_token_changes_only_later_layers_and_tokens() {
    let model = Fixture::small();
    let whole = model.record(&[]);
    let site = Site::Head { layer: 1, head: 2 };
    let without = model.record(&[edit(site, 4..5, Action::Scale(0.0))]);
    assert!(without.layers[0] == whole.layers[0]);
    assert!(same_before(&without.layers[1], &whole.layers[1], 4));
    assert!(without.layers[1].pattern == whole.layers[1].pattern);
    let row = |of: &ActivationCache, token: usize| of.logits[token * VOCAB..][..VOCAB].to_vec();
    for token in 0..SEQ {
        // The last layer moves nothing on to later tokens.
        assert_eq!(row(&without, token) == row(&whole, token), token != 4, "token {token}");
    }
    let in_first = Site::Head { layer: 0, head: 2 };
    let without = model.record(&[edit(in_first, 4..5, Action::Scale(0.0))]);
    for token in 0..SEQ {
        assert_eq!(row(&without, token) == row(&whole, token), token < 4, "token {token}");
    }
}

#[test]
fn a_head_knocked_out_everywhere_is_a_model_without_its_rows_of_the_output_matrix() {
    let mut model = Fixture::small();
    let site = Site::Head { layer: 0, head: 1 };
    let without = model.record(&[edit(site, 0..SEQ, Action::Scale(0.0))]);
    let start = model.layout.find("blocks.0.attn.W_O").unwrap().range.start;
    model.flat[start + 4 * 12..start + 8 * 12].fill(0.0);
    assert!(difference(&without.logits, &model.record(&[]).logits) < 1e-5);
}

#[test]
fn a_stream_or_all_that_is_written_patched_from_another_prompt_gives_its_logits() {
    let model = Fixture::small();
    let mut others = ids(SEQ);
    others.reverse();
    let other = model.plain().record(&others, &[]);
    let of = |site, values: &[f32]| edit(site, 0..SEQ, Action::Set(values.to_vec()));
    for layer in 0..2 {
        let patched = model.record(&[of(Site::Resid { layer }, &other.layers[layer].resid_pre)]);
        assert!(patched.logits == other.logits);
    }
    let mut edits = vec![of(Site::Resid { layer: 0 }, &other.layers[0].resid_pre)];
    for (layer, recorded) in other.layers.iter().enumerate() {
        edits.push(of(Site::Mlp { layer }, &recorded.mlp_out));
        for head in 0..3 {
            let z =
                recorded.z.chunks(4).skip(head).step_by(3).flatten().copied().collect::<Vec<_>>();
            edits.push(of(Site::Head { layer, head }, &z));
            let pattern = &recorded.pattern[head * SEQ * SEQ..][..SEQ * SEQ];
            edits.push(of(Site::Pattern { layer, head }, pattern));
        }
    }
    let patched = model.record(&edits);
    assert!(patched.layers == other.layers && patched.logits == other.logits);
}

#[test]
fn a_pattern_set_to_uniform_averages_the_values_seen() {
    let model = Fixture::small();
    let row = |query| {
        (0..SEQ).map(move |key| if key <= query { 1.0 / (query as f32 + 1.0) } else { 0.0 })
    };
    let uniform = (3..SEQ).flat_map(row).collect();
    let site = Site::Pattern { layer: 0, head: 0 };
    let recorded = &model.record(&[edit(site, 3..SEQ, Action::Set(uniform))]).layers[0];
    let width = 12;
    for query in 3..SEQ {
        for d in 0..4 {
            let mean = (0..=query).map(|key| recorded.v[key * width + d]).sum::<f32>()
                / (query as f32 + 1.0);
            assert!((recorded.z[query * width + d] - mean).abs() < 1e-5);
        }
    }
    assert_eq!(recorded.z[..3 * width], model.record(&[]).layers[0].z[..3 * width]);
}

#[test]
fn edits_that_do_not_fit_change_nothing() {
    let model = Fixture::small();
    let whole = model.record(&[]);
    let scale = Action::Scale(0.0);
    #[allow(clippy::reversed_empty_ranges)]
    let edits = [
        edit(Site::Resid { layer: 2 }, 0..SEQ, scale.clone()),
        edit(Site::Head { layer: 0, head: 3 }, 0..SEQ, scale.clone()),
        edit(Site::Pattern { layer: usize::MAX, head: 0 }, 0..SEQ, scale.clone()),
        edit(Site::Mlp { layer: 0 }, SEQ..usize::MAX, scale.clone()),
        edit(Site::Mlp { layer: 0 }, 7..2, scale.clone()),
        edit(Site::Mlp { layer: 0 }, 2..7, Action::Set(vec![1.0; 11])),
    ];
    assert!(model.record(&edits) == whole);
    let clipped = model.record(&[edit(Site::Mlp { layer: 0 }, 9..usize::MAX, scale.clone())]);
    assert!(clipped == model.record(&[edit(Site::Mlp { layer: 0 }, 9..SEQ, scale)]));
    // Of rows set, only the first is whole.
    let set = Action::Set(vec![2.0; 13]);
    let recorded = model.record(&[edit(Site::Mlp { layer: 0 }, 5..7, set)]);
    assert_eq!(recorded.layers[0].mlp_out[5 * 12..6 * 12], [2.0; 12]);
    assert_eq!(recorded.layers[0].mlp_out[6 * 12..], whole.layers[0].mlp_out[6 * 12..]);
    assert!(model.plain().record(&[], &edits).logits.is_empty());
}
