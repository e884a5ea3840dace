//! A link restores an experiment, or is refused with a sentence.

mod common;

use burn::tensor::Device;
use confab::checkpoint::Checkpoint;
use confab::codec::CodecRun;
use confab::config::{
    ByLayer, ConfigError, FactsSplit, KNOBS, Knob, MemoryLimits, MixerKind, MqarConfig,
    OptimizerKind, Range, RunConfig,
};
use confab::interp::lab::entries;
use confab::learn::{PackError, Trainer};
use confab::run::gallery::{Exhibit, GALLERY};
use confab::run::link::{Link, LinkError, MAX_LINK_BYTES, decode, encode};
use confab::run::{Group, MAX_PACKED, MAX_PACKED_CHARS, Packed};
use confab::session::catalogue;
use futures::executor::block_on;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use common::LIMITS;

/// A value in the knob's range, as a user would type it.
fn value(knob: &Knob) -> BoxedStrategy<String> {
    match knob.range {
        Range::Int { min, max } => (min..=max).prop_map(|v| v.to_string()).boxed(),
        Range::Float { min, max } => (min..=max).prop_map(|v| v.to_string()).boxed(),
        Range::Bool => any::<bool>().prop_map(|v| v.to_string()).boxed(),
        Range::Choice(choices) => select(choices).prop_map(str::to_string).boxed(),
        Range::List(names) => prop::sample::subsequence(names, 1..=names.len())
            .prop_map(|some| some.join(", "))
            .boxed(),
        Range::Layers => prop::collection::vec(0usize..48, 0..4)
            .prop_map(|layers| layers.iter().map(usize::to_string).collect::<Vec<_>>().join(","))
            .boxed(),
        Range::ByLayer(names) => (select(names), prop::collection::vec(select(names), 0..4))
            .prop_map(|(all, of)| {
                let of = of.iter().enumerate().map(|(layer, name)| format!("{layer}:{name}"));
                std::iter::once(all.to_owned()).chain(of).collect::<Vec<_>>().join(",")
            })
            .boxed(),
        Range::Text { .. } => prop_oneof![Just(String::new()), ".{0,200}", any::<String>()].boxed(),
    }
}

/// Valid configurations; heads are taken from the divisors of the width, and key heads from those of
/// the heads.
fn config() -> impl Strategy<Value = RunConfig> {
    let values: Vec<_> = KNOBS.iter().map(value).collect();
    let set = prop::collection::vec(any::<bool>(), KNOBS.len());
    (values, set, any::<Index>()).prop_map(|(values, set, heads)| {
        let mut config = RunConfig::default();
        for ((knob, value), _) in KNOBS.iter().zip(values).zip(set).filter(|(_, set)| *set) {
            knob.set(&mut config, &value).unwrap();
        }
        let width = config.model.d_model;
        let divisors: Vec<usize> = (1..=64).filter(|heads| width % heads == 0).collect();
        let n_heads = *heads.get(&divisors);
        config.model.n_heads = n_heads;
        let divisors: Vec<usize> = (0..=n_heads).filter(|of| n_heads.is_multiple_of(*of)).collect();
        config.model.kv_heads = *heads.get(&divisors);
        if config.validate().is_err() {
            // Heads that can be judged, weights that adapters may change, layers that there are, keys with halves, and room beside memory tokens.
            config.train.heads.every = 0;
            (config.train.frozen, config.train.keep_pruned) = (false, false);
            config.train.optimizer = OptimizerKind::AdamW; // which goes with adapters and any rate
            config.model.memory_tokens %= config.model.context - 1;
            config.model.memory.layers.clear();
            config.model.memory.d_key = 2;
            config.task.facts.split = FactsSplit::Facts; // which any facts can be split by
            config.task.brackets.min_pairs = 1; // at most any number of pairs
            config.task.mqar = MqarConfig::default();
            config.model.d_head = 2; // narrow enough for any number of heads, and even
            config.model.mixer = ByLayer::all(MixerKind::Softmax); // of any number of layers, and memories
        }
        config
    })
}

/// Odd texts in the place of a value.
const ODD: &[&str] = &[
    "",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "infinity",
    "1e999",
    "-1",
    "-0",
    "99999999999999999999999",
    "0x10",
    "1.5",
    "true",
    "null",
    "[]",
    "{}",
    "%00",
    "%ff",
    "phone",
    "\u{0661}",
    "1e3",
    "+",
];

fn odd_value() -> impl Strategy<Value = String> {
    prop_oneof![select(ODD).prop_map(str::to_string), any::<String>()]
}

/// Refuses or takes, and never panics; what is taken is valid and can be written again.
fn check(input: &str) -> Result<(), TestCaseError> {
    match decode(input) {
        Ok(link) => {
            prop_assert!(link.config.validate().is_ok());
            prop_assert_eq!(decode(&encode(&link).unwrap()), Ok(link));
        }
        Err(error) => prop_assert!(error.to_string().len() > 20),
    }
    Ok(())
}

proptest! {
    #[test]
    fn links_round_trip(
        config in config(),
        (prompt, other) in any::<(String, String)>(),
        tab in ".{0,32}",
        analysis in prop::option::of(any::<Index>()),
        trained in prop::option::of(any::<Index>()),
        sample in (
            prop::option::of(0.0..=2.0),
            prop::option::of(0usize..=1000),
            prop::option::of(any::<u64>()),
        ),
        looked_at in (
            prop::option::of(0usize..=2048),
            prop::option::of(0usize..=1023),
            prop::option::of(0usize..=1023),
        ),
        weights in prop::option::of((any::<usize>(), "[A-Za-z0-9_-]{0,9000}")),
    ) {
        let ids: Vec<_> = entries().map(|entry| entry.id.to_string()).collect();
        let analysis = analysis.map_or(String::new(), |index| index.get(&ids).clone());
        let trained = trained.map_or(String::new(), |index| index.get(GALLERY).name.to_string());
        let (position, layer, head) = looked_at;
        let (temperature, top_k, sample_seed) = sample;
        let weights = weights.map(|(step, numbers)| Packed { step, numbers });
        let link = Link {
            config, prompt, tab, analysis, other, position, layer, head, trained, temperature, top_k,
            sample_seed, weights,
        };
        let fragment = encode(&link).unwrap();
        prop_assert!(fragment.is_ascii() && !fragment.contains(['#', ' ', '\n']));
        for written in [fragment.clone(), format!("#{fragment}"), format!("https://a.example/confab/?x=1#{fragment}")] {
            prop_assert_eq!(decode(&written), Ok(link.clone()));
        }
    }

    #[test]
    fn hostile_fragments_do_not_panic(
        text in any::<String>(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        pairs in prop::collection::vec((any::<Index>(), odd_value()), 0..6),
    ) {
        check(&text)?;
        check(&String::from_utf8_lossy(&bytes))?;
        let escaped: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        check(&format!("prompt={escaped}&task.text.text={escaped}"))?;
        let pairs = pairs.iter().map(|(knob, value)| format!("{}={value}", knob.get(KNOBS).key));
        check(&pairs.collect::<Vec<_>>().join("&"))?;
    }

    #[test]
    fn numbers_out_of_range_are_refused(index in any::<Index>(), value in odd_value()) {
        let numeric = |knob: &&Knob| matches!(knob.range, Range::Int { .. } | Range::Float { .. });
        let knobs: Vec<&Knob> = KNOBS.iter().filter(numeric).collect();
        let knob = *index.get(&knobs);
        let mut fragment = form_urlencoded::Serializer::new(String::new());
        let fragment = fragment.append_pair(knob.key, &value).finish();
        let number: Option<f64> = value.trim().parse().ok();
        let takes = match knob.range {
            Range::Int { min, max } => number.is_some_and(|v| (min as f64..=max as f64).contains(&v)),
            Range::Float { min, max } => number.is_some_and(|v| (min..=max).contains(&v)),
            _ => false,
        };
        prop_assert!(takes || decode(&fragment).is_err(), "{}", fragment);
    }
}

#[test]
fn defaults_make_an_empty_link() {
    assert_eq!(encode(&Link::default()).as_deref(), Ok(""));
    for empty in ["", "#", "https://a.example/confab/#"] {
        assert_eq!(decode(empty), Ok(Link::default()));
    }
}

#[test]
fn only_what_differs_is_written() {
    let mut link = Link { prompt: "{B}\nAnn".into(), ..Link::default() };
    link.config.model.n_layers = 3;
    assert_eq!(encode(&link).as_deref(), Ok("model.n_layers=3&prompt=%7BB%7D%0AAnn"));
}

#[test]
fn refusals_name_the_part() {
    for (fragment, part) in [
        ("model.n_layer=3", "`model.n_layer`"),
        ("n_layers=3", "`n_layers`"),
        ("model=3", "`model`"),
        ("temperature=2.5", "`temperature` is 2.5"),
        ("temperature=NaN", "from 0 to 2"),
        ("top_k=1001", "from 0 to 1000"),
        ("position=2049", "from 0 to 2048"),
        ("head=-1", "`head` is -1"),
        ("sample_seed=-1", "`sample_seed`"),
        ("__proto__=1", "`__proto__`"),
        ("model.n_layers=many", "Layers was set to `many`, but model.n_layers takes"),
        ("model.n_layers=0", "from 1 to 48"),
        ("model.n_layers=1.5", "a whole number"),
        ("seed=9007199254740992", "Seed was set to `"),
        ("seed=184467440737095516160", "Seed was set to `"),
        ("train.lr=NaN", "Learning rate was set to `NaN`, but train.lr takes"),
        ("train.lr=inf", "Learning rate was set to `inf`, but train.lr takes"),
        ("train.clip=1e999", "train.clip takes"),
        ("model.bias=1", "true or false"),
        ("task.kind=Phone", "one of phone, facts, text"),
        ("task.kind=", "`nothing`"),
        ("model.n_heads=3", "not divisible by Heads"),
        ("model.n_layers=2&model.n_layers=x", "`x`"),
    ] {
        let error = decode(fragment).expect_err(fragment).to_string();
        assert!(error.contains(part), "{fragment}: {error}");
    }
    for name in ["../notes", "a/b", "a.b", "", "A", &"a".repeat(33)] {
        let error = decode(&format!("trained={name}")).expect_err(name).to_string();
        assert!(error.contains("`trained`"), "{name}: {error}");
    }
    for fragment in ["look=nothing", "trained=nothing"] {
        let link = decode(fragment).unwrap();
        let error = link.check(&catalogue()).unwrap_err().to_string();
        assert!(error.contains("`nothing`"), "{fragment}: {error}");
    }
}

#[test]
fn a_link_to_a_model_that_no_page_can_hold_is_refused_before_memory_is_taken() {
    let widest =
        "model.d_model=8192&model.n_heads=64&model.d_head=256&model.d_mlp=32768&model.mlp=swiglu";
    let narrow = decode("model.d_model=8193").unwrap_err().to_string();
    assert!(
        narrow.contains("Width (d_model) was set to `8193`") && narrow.contains("from 1 to 8192"),
        "{narrow}"
    );
    let wide = decode("model.n_heads=64&model.d_head=512").unwrap_err().to_string();
    assert!(wide.contains("512, of 64 heads, is more than 16384 in all; 256 would work"), "{wide}");
    // A page has at most 4 GiB; a layer's matrices alone are more than 5.
    let page = MemoryLimits { total: 4 << 30, buffer: 4 << 30 };
    for layers in [1, 48] {
        for memory in ["", "&model.memory.kind=memorizing&model.memory.slots=4194304"] {
            let link = decode(&format!("{widest}&model.n_layers={layers}{memory}")).unwrap();
            let refused = Trainer::check(&link.config, &page).unwrap_err();
            assert!(matches!(refused, ConfigError::Memory { .. }), "{layers}{memory}: {refused}");
        }
    }
}

fn small() -> Checkpoint {
    let mut config = RunConfig::default();
    (config.task.phone.lines, config.task.phone.names) = (1, 8);
    (config.model.context, config.train.batch, config.train.warmup) = (96, 4, 2);
    let mut run = common::trainer(config);
    common::losses(&mut run, 3);
    block_on(run.checkpoint()).unwrap()
}

#[test]
fn weights_travel_in_a_link() {
    let run = small();
    let weights = Some(Packed::of(&run).unwrap());
    let fragment =
        encode(&Link { config: run.config.clone(), weights, ..Link::default() }).unwrap();
    let link = decode(&format!("https://a.example/#{fragment}")).unwrap();
    let opened = link.weights.unwrap().unpack(link.config, &LIMITS).unwrap();
    assert_eq!((&opened.config, opened.step, &opened.tokenizer), (&run.config, 3, &run.tokenizer));
    assert_eq!(opened.parameters.len(), run.parameters.len());
    for (half, whole) in opened.parameters.iter().zip(&run.parameters) {
        // Half a unit in the last of eleven places; below 2^-14 these are absolute.
        assert!((half - whole).abs() <= whole.abs() / 2048.0 + 2f32.powi(-25), "{half} {whole}");
    }
    let mut opened = Trainer::resume(opened, Device::flex(), &LIMITS).unwrap();
    block_on(opened.record_start()).unwrap();
    let [point] = opened.history[..] else { panic!("{:?}", opened.history) };
    assert!(point.step == 3 && point.val_loss.is_some() && point.accuracy.is_some());
}

#[test]
fn weights_that_are_damaged_or_of_another_model_are_refused() {
    let run = small();
    let packed = Packed::of(&run).unwrap();
    let opened = |packed: Packed, change: fn(&mut RunConfig)| {
        let mut config = run.config.clone();
        change(&mut config);
        let page = MemoryLimits { total: 4 << 30, buffer: 4 << 30 };
        packed.unpack(config, &page).unwrap_err()
    };
    let wider = opened(packed.clone(), |config| config.model.d_model = 32);
    assert!(matches!(wider, PackError::Count { .. }), "{wider}");
    let large = opened(packed.clone(), |config| {
        (config.model.d_model, config.model.n_layers) = (8192, 48);
    });
    assert!(matches!(large, PackError::Config(ConfigError::Memory { .. })), "{large}");
    let mut cut = packed.clone();
    cut.numbers.truncate(packed.numbers.len() - 3);
    let cut = opened(cut, |_| {});
    assert!(matches!(cut, PackError::Damaged | PackError::Count { .. }), "{cut}");
    // The highest exponent is that of infinities and of what is no number.
    let infinite = Packed { step: 3, numbers: "AHwA".repeat(2) };
    assert_eq!(opened(infinite, |_| {}), PackError::Range);

    for fragment in ["weights=", "weights=3", "weights=-1.AAAA", "weights=3.AA+A", "weights=3.%00"]
    {
        assert_eq!(decode(fragment).unwrap_err(), LinkError::Weights, "{fragment}");
    }
    let long = format!("weights=3.{}", "A".repeat(MAX_PACKED_CHARS + 1));
    assert!(decode(&long).is_err());
    assert!(decode(&format!("{}&weights=3.AAAA", "seed=1&".repeat(3000))).is_err());

    let mut wide = run.clone();
    wide.parameters = vec![0.0; MAX_PACKED + 1];
    assert_eq!(Packed::of(&wide), Err(PackError::Large(MAX_PACKED + 1)));
    let mut wild = run;
    wild.parameters[0] = 1e6;
    assert_eq!(Packed::of(&wild), Err(PackError::Range));
}

#[test]
fn long_links_are_refused() {
    let megabyte = "a".repeat(1 << 20);
    for input in [megabyte.clone(), format!("task.text.text={megabyte}"), format!("x#{megabyte}")] {
        let error = decode(&input).expect_err("too long").to_string();
        assert!(error.contains("bytes long") && error.len() < 300, "{error}");
    }
    let prompt = |chars| Link { prompt: "\u{e4}".repeat(chars), ..Link::default() };
    assert_eq!(decode(&encode(&prompt(2048)).unwrap()), Ok(prompt(2048)));
    assert!(encode(&prompt(2049)).unwrap_err().to_string().contains("`prompt` is too long"));
    let long_prompt = decode(&format!("prompt={}", "a".repeat(2049)));
    assert!(long_prompt.unwrap_err().to_string().contains("`prompt` is too long"));
    assert!(decode(&format!("tab={}", "a".repeat(33))).is_err());
    let mut pasted = Link::default();
    pasted.config.task.text.text = "b".repeat(MAX_LINK_BYTES);
    assert!(encode(&pasted).unwrap_err().to_string().contains("bytes long"));
}

#[test]
fn every_link_of_the_gallery_brings_a_trained_model() {
    for exhibit @ Exhibit { title, name, .. } in GALLERY {
        let link = decode(&exhibit.fragment()).unwrap_or_else(|error| panic!("{title}: {error}"));
        assert_eq!(link.trained, *name);
        let file = format!("{}/assets/gallery/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(file).unwrap();
        if CodecRun::is_one(&bytes) {
            assert!(CodecRun::from_bytes(&bytes).unwrap().is_finished(), "{title} is trained");
        } else {
            let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
            assert!(checkpoint.step > 0, "{title} is trained");
            let run = Trainer::resume(checkpoint, Device::flex(), &LIMITS);
            run.unwrap_or_else(|error| panic!("{title}: {error}"));
        }
        if !link.analysis.is_empty() {
            let catalogue = catalogue();
            let entry = catalogue.analysis(&link.analysis).expect("it is in the catalogue");
            let tab = match entry.group {
                Group::Interventions => "change".into(),
                group => format!("{group:?}").to_lowercase(),
            };
            assert_eq!(link.tab, tab, "{title}");
        }
    }
}
