//! Sizes, presets, and the one table of knobs.

mod common;

use std::collections::BTreeSet;

use common::untimed;
use confab::config::{
    ByLayer, ConfigError, KNOBS, Knob, MemoryLimits, MixerKind, ModelConfig, OLD_CHOICES, OLD_KEYS,
    PRESETS, Positions, Preset, Range, RunConfig,
};
use confab::run::link::{Link, decode, encode};
use proptest::prelude::*;
use serde_json::Value;

const VOCAB: usize = 81;

/// Paths of all values in `json` that hold no others: `model.n_layers`.
fn leaves(json: &Value, path: &str, out: &mut BTreeSet<String>) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &path, out);
            }
        }
        _ => assert!(out.insert(path.into())),
    }
}

/// A value of the knob other than `now`.
fn another(knob: &Knob, now: &str) -> String {
    let candidates = match knob.range {
        Range::Int { min, max } => vec![min.to_string(), max.to_string()],
        Range::Float { min, max } => vec![format!("{min:?}"), (max * 0.3).to_string()],
        Range::Bool => vec!["true".into(), "false".into()],
        Range::Choice(choices) => choices.iter().map(|choice| choice.to_string()).collect(),
        Range::List(names) => vec![names[0].into(), names.join(", ")],
        Range::Layers => vec!["0".into(), "1".into()],
        Range::ByLayer(names) => vec![names[1].into(), format!("0:{}", names[1])],
        Range::Text { .. } => vec![" Some text,\nwith \u{e4} and \"quotes\" ".into()],
    };
    candidates.into_iter().find(|value| value != now).expect("a knob has two values")
}

#[test]
fn presets_have_their_published_sizes() {
    let matrices = |preset: &Preset| {
        let (l, d) = (preset.n_layers, preset.d_model);
        12 * l * d * d + VOCAB * d + 256 * d
    };
    let counts: Vec<usize> = PRESETS.iter().map(matrices).collect();
    assert_eq!(counts, [1_732, 29_968, 207_392, 63_087_104]);
    for (preset, count) in PRESETS.iter().zip(counts) {
        let model = preset.model();
        let gains = (2 * model.n_layers + 1) * model.d_model;
        assert_eq!(model.parameters(VOCAB), count + gains, "{}", preset.name);
    }
}

#[test]
fn options_add_their_parameters() {
    let model = ModelConfig { n_layers: 2, n_heads: 2, d_model: 8, ..ModelConfig::default() };
    let base = model.parameters(VOCAB);
    let untied = ModelConfig { tied_head: false, ..model.clone() };
    assert_eq!(untied.parameters(VOCAB) - base, VOCAB * 8);
    // A layer: q, k, v 3d; attention output d; MLP 4d and d; two LayerNorms 2d. One last LayerNorm.
    let biased = ModelConfig { bias: true, ..model };
    assert_eq!(biased.parameters(VOCAB) - base, 2 * (9 + 2) * 8 + 8);
}

#[test]
fn a_model_with_other_parts_is_no_preset() {
    for (key, value) in [("model.norm", "rms"), ("model.mlp", "swiglu"), ("model.d_head", "8")] {
        let mut config = RunConfig::default();
        Knob::find(key).unwrap().set(&mut config, value).unwrap();
        assert_eq!(Preset::of(&config.model), None);
    }
    let model = ModelConfig { context: 100, bias: true, ..ModelConfig::default() };
    assert_eq!(Preset::of(&model), Some(&PRESETS[0]));
}

#[test]
fn what_was_saved_before_there_were_variants_means_the_same() {
    let old = r#"{"model":{"n_layers":3,"n_heads":2,"d_model":8,"context":64,"dropout":0.1,
        "tied_head":false,"bias":true},"train":{"steps":7,"lr":0.5}}"#;
    let config: RunConfig = serde_json::from_str(old).unwrap();
    let ModelConfig { norm, mlp, positions, qk_norm, feedback, norm_eps, memory_tokens, .. } =
        config.model;
    assert_eq!((norm, mlp, positions), Default::default());
    assert_eq!((qk_norm, feedback), (false, false));
    assert_eq!((norm_eps, config.train.output_l1), (1e-5, 0.0));
    assert_eq!(memory_tokens, 0);
    let sizes = [config.model.d_head(), config.model.d_mlp(), config.model.kv_heads()];
    assert_eq!(sizes, [4, 32, 2]);
    assert_eq!(config.validate(), Ok(()));
}

#[test]
fn presets_are_found_valid_and_distinct() {
    for preset in PRESETS {
        assert_eq!(Preset::find(preset.name), Some(preset));
        let mut config = RunConfig { seed: 9, ..RunConfig::default() };
        preset.apply(&mut config);
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(Preset::of(&config.model), Some(preset));
        assert_eq!(config.seed, 9);
    }
    assert_eq!(Preset::find("nothing"), None);
    assert_eq!(RunConfig::default().validate(), Ok(()));
}

#[test]
fn every_field_but_those_from_files_has_a_knob_and_every_knob_a_field() {
    let mut fields = BTreeSet::new();
    leaves(&serde_json::to_value(RunConfig::default()).unwrap(), "", &mut fields);
    let knobs: BTreeSet<String> = KNOBS.iter().map(|knob| knob.key.to_string()).collect();
    let from_files = [
        "task.phone.own_names",
        "task.supplement.file",
        "task.supplement.share",
        "task.supplement.text",
        "task.text.file",
    ];
    assert_eq!(
        fields.difference(&knobs).cloned().collect::<BTreeSet<_>>(),
        from_files.map(String::from).into()
    );
    assert!(knobs.is_subset(&fields));
    assert_eq!(knobs.len(), KNOBS.len());
}

#[test]
fn flags_and_labels_are_distinct() {
    for name in [Knob::flag, |knob: &Knob| knob.label.to_string()] {
        assert_eq!(KNOBS.iter().map(name).collect::<BTreeSet<_>>().len(), KNOBS.len());
    }
    assert_eq!(Knob::find("model.n_layers").map(Knob::flag).as_deref(), Some("n-layers"));
    assert!(Knob::find("model.layers").is_none());
}

#[test]
fn knobs_get_what_was_set_and_touch_nothing_else() {
    for knob in KNOBS {
        let mut config = RunConfig::default();
        let value = another(knob, &knob.get(&config));
        knob.set(&mut config, &value).unwrap();
        if let Range::Float { .. } = knob.range {
            assert_eq!(knob.get(&config).parse::<f64>(), value.parse(), "{}", knob.key);
        } else {
            assert_eq!(knob.get(&config), value, "{}", knob.key);
        }
        let changed = KNOBS.iter().filter(|k| k.get(&config) != k.get(&RunConfig::default()));
        assert_eq!(changed.map(|k| k.key).collect::<Vec<_>>(), [knob.key]);
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<RunConfig>(&json).unwrap(), config);
    }
}

#[test]
fn values_out_of_range_are_refused_and_change_nothing() {
    for knob in KNOBS {
        let refused = match knob.range {
            Range::Int { min, max } => {
                let below = min.checked_sub(1).map_or("-1".into(), |v| v.to_string());
                vec![below, (max + 1).to_string(), "1.5".into(), "x".into(), "".into()]
            }
            Range::Float { min, max } => {
                vec![(min - 1e-3).to_string(), (max * 1.01).to_string(), "NaN".into(), "inf".into()]
            }
            Range::Bool => vec!["1".into(), "yes".into(), "".into()],
            Range::Choice(_) => vec!["nothing".into(), "".into()],
            Range::List(_) => vec!["x".into(), "".into(), "q,,v".into(), "q;v".into()],
            Range::Layers => vec!["x".into(), "1,-2".into(), "1;2".into()],
            Range::ByLayer(names) => {
                let name = names[0];
                let texts = [
                    String::new(),
                    "x".into(),
                    "0:x".into(),
                    format!("{name},{name}"),
                    format!("0:{name},{name}"),
                    format!("1:{name},0-1:{name}"),
                    format!("2-1:{name}"),
                    format!("-1:{name}"),
                    format!("48:{name}"),
                    format!("0-999999:{name}"),
                    format!("{name},").repeat(999),
                ];
                texts.into()
            }
            Range::Text { max_bytes } => vec!["x".repeat(max_bytes + 1)],
        };
        for value in refused {
            let mut config = RunConfig::default();
            let error = knob.set(&mut config, &value).expect_err(knob.key).to_string();
            assert!(error.contains(knob.key) && error.contains(knob.label), "{error}");
            assert!(error.contains(&knob.range.describe()) && error.len() < 300, "{error}");
            assert_eq!(config, RunConfig::default());
        }
    }
}

#[test]
fn fields_set_out_of_range_do_not_pass_validation() {
    let refused = |change: fn(&mut RunConfig)| {
        let mut config = RunConfig::default();
        change(&mut config);
        config.validate().expect_err("out of range").to_string()
    };
    assert!(refused(|c| c.model.n_heads = 0).contains("model.n_heads"));
    assert!(refused(|c| c.model.d_model = usize::MAX).contains("model.d_model"));
    assert!(refused(|c| c.model.dropout = f64::NAN).contains("model.dropout"));
    assert!(refused(|c| c.train.lr = f64::INFINITY).contains("train.lr"));
    assert!(refused(|c| c.task.facts.facts = 5001).contains("task.facts.facts"));
    assert!(refused(|c| c.seed = 1 << 53).contains("seed"));
    assert!(refused(|c| c.task.text.text = "x".repeat((4 << 20) + 1)).contains("4096 KiB"));
}

#[test]
fn context_must_hold_the_longest_record() {
    let mut config = RunConfig::default();
    config.model.context = 100;
    let error = config.validate_context(252).unwrap_err().to_string();
    assert!(error.contains("Context (model.context) is 100") && error.contains("252 or more"));
    config.model.context = 252;
    assert_eq!(config.validate_context(252), Ok(()));
    config.model.memory_tokens = 3;
    let error = config.validate_context(252).unwrap_err().to_string();
    assert!(error.contains("Context (model.context) is 252") && error.contains("255 or more"));
    assert!(error.contains("3 Memory tokens (model.memory_tokens)"), "{error}");
    config.model.context = 255;
    assert_eq!(config.validate_context(252), Ok(()));
}

#[test]
fn memory_tokens_are_tokens_of_the_vocabulary_and_leave_room_in_the_context() {
    let model = ModelConfig { memory_tokens: 5, ..ModelConfig::default() };
    assert_eq!(model.vocab_size(80), 85);
    assert_eq!(model.parameters(85) - model.parameters(80), 5 * model.d_model);
    let mut config = RunConfig::default();
    (config.model.context, config.model.memory_tokens) = (8, 6);
    assert_eq!(config.validate(), Ok(()));
    config.model.memory_tokens = 7;
    assert!(config.validate().unwrap_err().to_string().contains("model.context"));
    (config.model.context, config.model.memory_tokens) = (256, 65);
    assert!(config.validate().unwrap_err().to_string().contains("model.memory_tokens"));
}

proptest! {
    #[test]
    fn a_width_that_heads_do_not_divide_is_refused_with_what_works(
        d_model in 1..=8192usize,
        n_heads in 1..=64usize,
    ) {
        let mut config = RunConfig::default();
        config.model = ModelConfig { d_model, n_heads, ..config.model };
        match config.validate() {
            Ok(()) => prop_assert_eq!(d_model % n_heads, 0),
            Err(error) => {
                let sentence = error.to_string();
                prop_assert!(sentence.contains("model.d_model") && sentence.contains("model.n_heads"));
                let ConfigError::Heads { works, width, .. } = error else {
                    return Err(TestCaseError::fail(sentence));
                };
                config.model.n_heads = works;
                prop_assert_eq!(config.validate(), Ok(()));
                config.model = ModelConfig { n_heads, d_model: width, ..config.model };
                prop_assert_eq!(config.validate(), Ok(()));
            }
        }
    }

    #[test]
    fn heads_that_do_not_fit_are_refused_with_what_works(
        d_model in 1..=8192usize, n_heads in 1..=64usize, kv_heads in 0..=64usize,
        d_head in 0..=8192usize, rotary in any::<bool>(),
    ) {
        let mut config = RunConfig::default();
        let positions = if rotary { Positions::Rotary } else { Positions::None };
        config.model = ModelConfig { d_model, n_heads, kv_heads, d_head, positions, ..config.model };
        // Each refusal names what would work, so that following them ends.
        for _ in 0..5 {
            let Err(error) = config.validate() else { break };
            prop_assert!(error.to_string().contains("model."));
            match error {
                ConfigError::Heads { works, .. } => config.model.n_heads = works,
                ConfigError::KeyHeads { works, .. } => config.model.kv_heads = works,
                ConfigError::HeadWidth { works, .. } => config.model.d_head = works,
                ConfigError::Rotary { works, .. } => config.model.d_head = works,
                other => return Err(TestCaseError::fail(other.to_string())),
            }
        }
        prop_assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn a_batch_that_memory_does_not_hold_is_refused_with_one_that_it_does(
        batch in 1..=8192usize,
        preset in 0..PRESETS.len(),
        total in 20..36u32,
        buffer in 18..32u32,
    ) {
        let mut config = RunConfig::default();
        PRESETS[preset].apply(&mut config);
        config.train.batch = batch;
        let limits = MemoryLimits { total: 1 << total, buffer: 1 << buffer };
        let Err(error) = config.validate_room(VOCAB, &limits) else { return Ok(()) };
        let sentence = error.to_string();
        prop_assert!(sentence.contains("MiB") && sentence.contains("Batch size (train.batch)"));
        let ConfigError::Memory { works, .. } = error else {
            return Err(TestCaseError::fail(sentence));
        };
        config.train.batch = works.unwrap_or(1);
        let fits = config.validate_room(VOCAB, &limits).is_ok();
        prop_assert_eq!(fits, works.is_some(), "{}", sentence);
        config.train.batch += 1;
        prop_assert!(config.validate_room(VOCAB, &limits).is_err());
    }
}

#[test]
fn a_choice_by_layer_is_that_of_the_layer_or_of_all_or_the_default() {
    let [softmax, linear] = [MixerKind::Softmax, MixerKind::Linear];
    for (text, expected, shown) in [
        ("linear", [linear; 4], "linear"),
        ("1:linear", [softmax, linear, softmax, softmax], "1:linear"),
        (
            " linear , 3:softmax, 0-1 : softmax",
            [softmax, softmax, linear, softmax],
            "linear,0:softmax,1:softmax,3:softmax",
        ),
    ] {
        let read = ByLayer::<MixerKind>::parse(text).unwrap();
        assert_eq!(std::array::from_fn(|layer| read.of(layer)), expected, "{text}");
        assert_eq!(read.to_string(), shown);
        assert_eq!(ByLayer::parse(shown), Some(read));
    }
    // A layer is put in at 1, and the last goes.
    let moved =
        ByLayer::<MixerKind>::parse("1:linear,2:linear").unwrap().moved(&[Some(0), None, Some(1)]);
    assert_eq!(moved.to_string(), "2:linear");
    let mut config = RunConfig::default();
    Knob::find("model.mixer").unwrap().set(&mut config, "2:linear").unwrap();
    let message = config.validate().unwrap_err().to_string();
    assert!(message.contains("layer 2") && message.contains("model.n_layers"), "{message}");
    config.model.n_layers = 3;
    assert_eq!(config.validate(), Ok(()));
}

#[test]
fn parts_that_do_not_go_together_are_refused_by_name() {
    let mut config = RunConfig::default();
    for (key, value) in [("model.mixer", "linear"), ("model.memory.kind", "memorizing")] {
        Knob::find(key).unwrap().set(&mut config, value).unwrap();
    }
    let error = config.validate().unwrap_err();
    assert!(matches!(error, ConfigError::Parts { key: "model.mixer", .. }), "{error:?}");
    let message = error.to_string();
    for part in ["Mixer (model.mixer)", "`memorizing`", "`softmax`"] {
        assert!(message.contains(part), "{message}");
    }
    config.model.memory.kind = confab::config::MemoryKind::Featural;
    assert_eq!(config.validate(), Ok(()));
    config.model.n_heads = 2;
    for mixer in ["delta", "intention", "mesa"] {
        config.model.mixer = ByLayer::parse(mixer).unwrap();
        config.model.d_head = 65;
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains(mixer) && message.contains("model.d_head"), "{message}");
        config.model.d_head = 64;
        assert_eq!(config.validate(), Ok(()));
    }
    config.model.positions = Positions::Xpos;
    let message = config.validate().unwrap_err().to_string();
    assert!(message.contains("`xpos`") && message.contains("`rotary`"), "{message}");
    config.model.mixer = ByLayer::all(MixerKind::Window);
    assert_eq!(config.validate(), Ok(()));
    config.model.xpos_base = 8.0;
    config.model.context = 257;
    let message = config.validate().unwrap_err().to_string();
    assert!(message.contains("model.xpos_base"), "{message}");
}

#[test]
fn earlier_keys_and_choices_open_in_links_and_checkpoints_and_the_new_ones_are_written() {
    let pointer = |key: &str| format!("/{}", key.replace('.', "/"));
    for (old, new) in OLD_KEYS {
        let knob = Knob::find(old).unwrap();
        assert_eq!(knob.key, *new);
        let mut config = RunConfig::default();
        let value = another(knob, &knob.get(&config));
        knob.set(&mut config, &value).unwrap();
        let value = knob.get(&config);
        assert_eq!(decode(&format!("{old}={value}")).unwrap().config, config);
        let link = Link { config: config.clone(), ..Link::default() };
        assert_eq!(encode(&link).unwrap(), format!("{new}={value}"));

        let mut json = serde_json::to_value(&config).unwrap();
        let (path, name) = new.rsplit_once('.').unwrap();
        let group = json.pointer_mut(&pointer(path)).unwrap().as_object_mut().unwrap();
        let value = group.remove(name).unwrap();
        group.insert(old.rsplit_once('.').unwrap().1.into(), value);
        assert_eq!(serde_json::from_value::<RunConfig>(json).unwrap(), config, "{old}");
    }
    for (key, old, new) in OLD_CHOICES {
        let knob = Knob::find(key).unwrap();
        assert!(matches!(knob.range, Range::Choice(choices) if choices.contains(new)));
        let mut config = RunConfig::default();
        knob.set(&mut config, old).unwrap();
        assert_eq!(knob.get(&config), *new);
        let mut json = serde_json::to_value(&config).unwrap();
        *json.pointer_mut(&pointer(key)).unwrap() = (*old).into();
        assert_eq!(serde_json::from_value::<RunConfig>(json).unwrap(), config, "{old}");
    }
}

#[test]
fn numbers_are_taken_as_people_write_them() {
    let [steps, lr] = ["train.steps", "train.lr"].map(|key| Knob::find(key).unwrap());
    let set = |knob: &Knob, text: &str| {
        let mut config = RunConfig::default();
        knob.set(&mut config, text).map(|()| knob.get(&config)).map_err(|error| error.to_string())
    };
    for (text, value) in [
        ("5,000", "5000"),
        ("1,234,567", "1234567"),
        ("1000,000", "1000000"), // as it stands while it is typed
        ("1e3", "1000"),
        ("2.5e3", "2500"),
        ("5 000", "5000"),
        ("5\u{202f}000", "5000"),
        ("5_000", "5000"),
        (" 7 ", "7"),
    ] {
        assert_eq!(set(steps, text).as_deref(), Ok(value), "{text}");
    }
    for text in [
        "1,5", "1,50,000", ",500", "2.5", "1e-3", "1e99", "inf", "NaN", "-5", "5e", "", ",", "0x10",
    ] {
        assert!(set(steps, text).is_err(), "{text}");
    }
    for (text, value) in [("1e-3", "0.001"), ("0.5", "0.5"), (".5", "0.5"), ("0.000_5", "0.0005")] {
        assert_eq!(set(lr, text).as_deref(), Ok(value), "{text}");
    }
    for text in ["0,5", "inf", "NaN", "1,000"] {
        assert!(set(lr, text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_for_a_number_is_taken_or_refused(text in "[0-9,._ eE+-]{0,24}|\\PC{0,8}") {
        for key in ["train.steps", "train.lr"] {
            let knob = Knob::find(key).unwrap();
            let mut config = RunConfig::default();
            if knob.set(&mut config, &text).is_ok() {
                prop_assert!(knob.check(&knob.get(&config)).is_ok());
            }
        }
    }
}

/// Two steps with a knob of no effect at any other value are those without.
#[test]
fn knobs_without_an_effect_change_nothing() {
    use confab::learn::Trainer;
    let limits = MemoryLimits { total: u64::MAX, buffer: u64::MAX };
    let mut plain = RunConfig::default();
    for (key, value) in [
        ("task.phone.lines", "1"),
        ("task.phone.names", "8"),
        ("model.n_layers", "1"),
        ("model.n_heads", "2"),
        ("model.d_model", "8"),
        ("model.context", "96"),
        ("train.batch", "2"),
        ("train.val_every", "1"),
        ("train.val_batches", "1"),
    ] {
        Knob::find(key).unwrap().set(&mut plain, value).unwrap();
    }
    let losses = |config: &RunConfig| {
        let device = burn::tensor::Device::flex();
        let mut trainer = Trainer::new(config.clone(), device, &limits).unwrap();
        for _ in 0..2 {
            futures::executor::block_on(trainer.step()).unwrap();
        }
        untimed(&trainer.history)
    };
    let expected = losses(&plain);
    let idle = |config: &RunConfig| KNOBS.iter().filter(|knob| !knob.has_effect(config)).count();
    assert!(idle(&plain) > 20, "{}", idle(&plain));
    for knob in KNOBS.iter().filter(|knob| !knob.has_effect(&plain)) {
        let mut changed = plain.clone();
        let value = another(knob, &knob.get(&plain));
        if knob.set(&mut changed, &value).is_ok() && changed.validate().is_ok() {
            assert_eq!(losses(&changed), expected, "{} = {value}", knob.label);
        }
    }
}
