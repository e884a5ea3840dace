//! Models from elsewhere in 16 bits, and vocabularies that are too large for a table of all pairs.

use std::sync::Arc;

use burn::tensor::Device;
use confab::arch::Layout;
use confab::base::stored::{F16, Format};
use confab::checkpoint::{Checkpoint, check_room_in_place};
use confab::config::MemoryLimits;
use confab::figure::{Content, Figure};
use confab::generate::{Decoder, Sampler};
use confab::host::{Cache, HostModel, ParameterSource, Weights};
use confab::import::{File, open, open_stored};
use confab::interp::analysis::circuits::{Circuit, token_circuit};
use confab::interp::analysis::{Head, View};
use confab::interp::lab::{AnalysisJob, Snapshot};
use confab::learn::Trainer;
use confab::protocol::SampleOptions;
use confab::run::{AnalysisRequest, Intervention};
use confab::task::Task;
use futures::executor::block_on;
use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

const LIMITS: MemoryLimits = MemoryLimits { total: u64::MAX, buffer: u64::MAX };
/// More than a table of all pairs holds, and more than the columns that are widened at once.
const VOCAB: usize = 1100;
const D_MODEL: usize = 32;
const PROMPT: &str = "w3 w500 w7 w3 w1000";
const HALVES: [Dtype; 2] = [Dtype::F16, Dtype::BF16];

/// The bytes of a number that 16 bits hold.
fn half(dtype: Dtype, x: f32) -> [u8; 2] {
    match dtype {
        Dtype::F16 => f16::from_f32(x).to_le_bytes(),
        _ => bf16::from_f32(x).to_le_bytes(),
    }
}

fn widened(dtype: Dtype, stored: [u8; 2]) -> f32 {
    match dtype {
        Dtype::F16 => f16::from_le_bytes(stored).to_f32(),
        _ => bf16::from_le_bytes(stored).to_f32(),
    }
}

/// The files of a random Llama.
struct Llama {
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
    is_tied: bool,
}

impl Llama {
    fn new(dtype: Dtype, is_tied: bool) -> Self {
        let mut state = 7_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * 0.4
        };
        let mut tensors = Vec::new();
        let mut add = |name: String, shape: &[usize]| {
            let bytes = (0..shape.iter().product()).flat_map(|_| half(dtype, draw())).collect();
            tensors.push((name, dtype, shape.to_vec(), bytes));
        };
        add("model.embed_tokens.weight".into(), &[VOCAB, D_MODEL]);
        add("model.norm.weight".into(), &[D_MODEL]);
        if !is_tied {
            add("lm_head.weight".into(), &[VOCAB, D_MODEL]);
        }
        for layer in 0..2 {
            for (name, shape) in [
                ("self_attn.q_proj", vec![32, D_MODEL]),
                ("self_attn.k_proj", vec![16, D_MODEL]),
                ("self_attn.v_proj", vec![16, D_MODEL]),
                ("self_attn.o_proj", vec![D_MODEL, 32]),
                ("mlp.gate_proj", vec![48, D_MODEL]),
                ("mlp.up_proj", vec![48, D_MODEL]),
                ("mlp.down_proj", vec![D_MODEL, 48]),
                ("input_layernorm", vec![D_MODEL]),
                ("post_attention_layernorm", vec![D_MODEL]),
            ] {
                add(format!("model.layers.{layer}.{name}.weight"), &shape);
            }
        }
        Self { tensors, is_tied }
    }

    /// With those of its tensors that `which` names in 32 bits.
    fn widen(mut self, which: impl Fn(&str) -> bool) -> Self {
        for (name, dtype, _, bytes) in &mut self.tensors {
            if *dtype != Dtype::F32 && which(name) {
                let numbers = bytes.as_chunks().0.iter().map(|stored| widened(*dtype, *stored));
                *bytes = numbers.flat_map(f32::to_le_bytes).collect();
                *dtype = Dtype::F32;
            }
        }
        self
    }

    fn with<T>(&self, what: impl Fn(&[File]) -> T) -> T {
        let views = self.tensors.iter().map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        let weights = safetensors::serialize(views, None).unwrap();
        let config = json!({
            "model_type": "llama", "hidden_act": "silu", "hidden_size": D_MODEL,
            "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
            "vocab_size": VOCAB, "tie_word_embeddings": self.is_tied,
        });
        let vocab: serde_json::Map<_, _> =
            (0..VOCAB).map(|id| (format!("w{id}"), id.into())).collect();
        let tokens = json!({
            "version": "1.0", "added_tokens": [], "pre_tokenizer": { "type": "WhitespaceSplit" },
            "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "w0" },
        });
        let [config, tokens] = [config, tokens].map(|json| json.to_string().into_bytes());
        what(&[
            File { name: "model.safetensors", bytes: &weights },
            File { name: "config.json", bytes: &config },
            File { name: "tokenizer.json", bytes: &tokens },
        ])
    }

    /// As `confab import` writes it.
    fn checkpoint(&self) -> Vec<u8> {
        self.with(|files| open_stored(files).unwrap().checkpoint.to_bytes().unwrap())
    }
}

fn look(bytes: &[u8]) -> Checkpoint<Weights> {
    Checkpoint::open(bytes.to_vec()).unwrap()
}

fn host(run: &Checkpoint<Weights>) -> HostModel {
    HostModel::new(&run.config.model, &run.layout(), run.parameters.clone())
}

fn see(run: &Checkpoint<Weights>, request: AnalysisRequest) -> Result<Vec<Figure>, String> {
    let model = Arc::new(Snapshot::of(run.clone(), &Task::none()));
    let mut job = AnalysisJob::new(model, request).map_err(|error| error.to_string())?;
    while job.advance().map_err(|error| error.to_string())? {}
    job.figures().map_err(|error| error.to_string())
}

fn ask(what: &str) -> AnalysisRequest {
    AnalysisRequest { analysis: what.into(), prompt: PROMPT.into(), ..AnalysisRequest::default() }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn every_half_is_widened_to_the_same_number() {
    for bits in 0..=u16::MAX {
        let exact = f16::from_bits(bits);
        let stored = bits.to_le_bytes();
        assert_eq!(F16::is_finite(stored), exact.is_finite(), "{bits:x}");
        if exact.is_finite() {
            assert_eq!(F16::widen(stored).to_bits(), exact.to_f32().to_bits(), "{bits:x}");
        }
    }
}

#[test]
fn a_checkpoint_keeps_the_bits_of_an_imported_model_and_computes_with_them_what_32_bits_would() {
    for (dtype, is_tied) in
        [(HALVES[0], false), (HALVES[1], false), (HALVES[0], true), (HALVES[1], true)]
    {
        let (half, full) = (Llama::new(dtype, is_tied), Llama::new(dtype, is_tied).widen(|_| true));
        let (half, full) = (half.checkpoint(), full.checkpoint());
        let tensors = SafeTensors::deserialize(&half).unwrap();
        assert!(tensors.tensors().iter().all(|(_, view)| view.dtype() == dtype));
        let numbers: usize = tensors.tensors().iter().map(|(_, view)| view.data().len() / 2).sum();
        let saved = full.len() - half.len();
        assert!(
            saved.abs_diff(2 * numbers) < 512,
            "{saved} of {numbers}: headers differ by little"
        );

        // To train or to change, it is widened, and nothing is lost by it.
        let widened = Checkpoint::from_bytes(&half).unwrap();
        assert!(widened == Checkpoint::from_bytes(&full).unwrap());
        assert!(widened == look(&half).widen());
        assert_eq!(look(&half).parameters.count(), widened.parameters.len());
        assert_eq!(Checkpoint::check(&half).map_err(|error| error.to_string()), Ok(()));
        // And those in 16 bits are written again as they are.
        assert!(look(&half).to_bytes().unwrap().len() == half.len());

        let (half, full) = (look(&half), look(&full));
        let ids = half.tokenizer.encode(PROMPT).unwrap();
        let logits = [&half, &full].map(|run| {
            let mut cache = Cache::default();
            let host = host(run);
            let mut logits = host.record(&ids, &[]).logits;
            logits.extend(host.decode(&ids, &mut cache));
            logits.extend(host.decode(&[5], &mut cache));
            bits(&logits)
        });
        assert!(logits[0] == logits[1], "{dtype:?}");
        for what in [
            "lens",
            "attribution",
            "next",
            "knockouts",
            "ov",
            "qk",
            "copying",
            "spectrum",
            "composition",
            "output",
            "sparsity",
            "component",
            "distances",
            "directions",
            "architecture",
            "value-weighted",
        ] {
            for is_folded in [false, true] {
                let request = AnalysisRequest { is_folded, ..ask(what) };
                let [half, full] =
                    [&half, &full].map(|run| format!("{:?}", see(run, request.clone()).unwrap()));
                assert!(half == full, "{what}, {dtype:?}");
            }
        }
        // A weight that is set is one of 32 bits.
        let change = Intervention::parse("blocks.1.mlp.W_out[3,5]", 0.123).unwrap();
        let request = AnalysisRequest { interventions: vec![change], ..ask("edited") };
        let [half, full] = [&half, &full].map(|run| see(run, request.clone()).unwrap());
        assert_eq!(half, full);
    }
}

#[test]
fn samples_of_16_bits_are_those_of_the_widened_run() {
    let bytes = Llama::new(Dtype::BF16, false).checkpoint();
    let options = SampleOptions {
        prompt: PROMPT.into(),
        max_chars: 8,
        temperature: 0.8,
        ..SampleOptions::default()
    };
    let (run, task) = (look(&bytes), Task::none());
    let trainer = Trainer::resume(look(&bytes).widen(), Device::flex(), &LIMITS).unwrap();
    let draw = |mut sampler: Sampler| {
        while block_on(sampler.next(&task)).unwrap().is_some() {}
        sampler.text().to_owned()
    };
    let decoder = Decoder::on_host(host(&run), run.config.model.context);
    let stored = draw(Sampler::with(decoder, &run.tokenizer, &task, options.clone()).unwrap());
    let flat = draw(Sampler::new(trainer.model(), &run.tokenizer, &task, options).unwrap());
    assert_eq!(stored, flat);
    assert!(stored.len() > PROMPT.len());
}

#[test]
fn a_model_of_several_formats_keeps_each() {
    let mixed = Llama::new(Dtype::BF16, false)
        .widen(|name| name.contains("norm") || name.contains("layers.1.mlp"));
    let full = Llama::new(Dtype::BF16, false).widen(|_| true).checkpoint();
    let bytes = mixed.checkpoint();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    for (name, dtype) in [
        ("blocks.0.attn.W_Q", Dtype::BF16),
        ("blocks.0.ln1.w", Dtype::F32),
        ("blocks.0.mlp.W_in", Dtype::BF16),
        ("blocks.1.mlp.W_in", Dtype::F32),
    ] {
        assert_eq!(tensors.tensor(name).unwrap().dtype(), dtype, "{name}");
    }
    let ids: Vec<u32> = (0..40).map(|at| at * 27).collect();
    let [mixed, full] = [&bytes, &full].map(|bytes| host(&look(bytes)).record(&ids, &[]).logits);
    assert!(bits(&mixed) == bits(&full));
}

#[test]
fn opened_with_32_bits_it_is_the_same_model() {
    for dtype in HALVES {
        let files = Llama::new(dtype, false);
        let full = files.with(|files| open(files).unwrap().checkpoint);
        assert!(full == files.with(|files| open_stored(files).unwrap().checkpoint.widen()));
    }
}

#[test]
fn halves_that_are_not_finite_are_refused_by_name() {
    for (dtype, infinite) in [(Dtype::F16, [0x00, 0x7c]), (Dtype::BF16, [0x80, 0xff])] {
        let mut files = Llama::new(dtype, false);
        let sound = files.checkpoint();
        let (name, _, _, bytes) = &mut files.tensors[4];
        bytes[..2].copy_from_slice(&infinite);
        let name = name.clone();
        let refusals = files.with(|files| {
            [open(files).err().unwrap(), open_stored(files).err().unwrap()]
                .map(|error| error.to_string())
        });
        for error in refusals {
            assert!(error.contains(&name) && error.contains("not a finite number"), "{error}");
        }
        let mut damaged = sound.clone();
        let end = damaged.len();
        damaged[end - 2..].copy_from_slice(&infinite);
        let refusals = [
            Checkpoint::from_bytes(&damaged).map(drop),
            Checkpoint::open(damaged.clone()).map(drop),
            Checkpoint::check(&damaged),
        ];
        for error in refusals.map(|read| read.unwrap_err().to_string()) {
            assert!(error.contains("not a finite number"), "{error}");
        }
        assert!(Checkpoint::open(sound[..end - 1].to_vec()).is_err());
    }
}

#[test]
fn a_model_without_room_for_what_is_computed_is_refused_before_that() {
    let run = look(&Llama::new(Dtype::BF16, true).checkpoint());
    let check =
        |total| check_room_in_place(&run.config, VOCAB, &MemoryLimits { total, buffer: u64::MAX });
    // The logits of 64 tokens, and the embedding once more.
    let needs = 4 * (64 + D_MODEL as u64) * VOCAB as u64;
    assert!(check(needs).is_ok());
    let refused = check(needs - 1).unwrap_err().to_string();
    assert!(refused.contains("to be looked into, more than"), "{refused}");
}

#[test]
fn a_large_vocabulary_is_looked_at_by_the_tokens_of_the_prompt() {
    let run = look(&Llama::new(Dtype::F16, false).checkpoint());
    let (names, ids) = (["w3", "w500", "w7", "w1000"], [3, 500, 7, 1000]);
    let layout = Layout::new(&run.config.model, VOCAB);
    let view = View::new(&run.config.model, &layout, run.parameters.clone()).unwrap();
    let head = Head { layer: 1, head: 2 };
    for (what, circuit) in [("ov", Circuit::Ov(head)), ("qk", Circuit::Qk(head))] {
        let figures = see(&run, AnalysisRequest { layer: 1, head: 2, ..ask(what) }).unwrap();
        let Content::Grid(grid) = &figures[0].content else { panic!("{figures:?}") };
        assert_eq!(
            (&grid.rows.labels[..], &grid.columns.labels[..]),
            (&names.map(String::from)[..], &names.map(String::from)[..])
        );
        assert_eq!(grid.values, token_circuit(&view, circuit, &ids, &ids).unwrap().values);
        let told = "the 4 tokens of the prompt, of 1100";
        assert!(figures[0].note.contains(told), "{}", figures[0].note);
    }
    let w_u = view.w_u();
    let figures = see(&run, ask("distances")).unwrap();
    let Content::Grid(grid) = &figures[0].content else { panic!("{figures:?}") };
    for (a, b) in [(0, 1), (1, 3), (2, 2)] {
        let square = |at| (w_u(at, ids[a] as usize) - w_u(at, ids[b] as usize)).powi(2);
        let expected = (0..D_MODEL).map(square).sum::<f32>().sqrt();
        let found = grid.value(a, b).unwrap();
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    // Components are few, so their directions are those of the whole vocabulary.
    let figures = see(&run, ask("directions")).unwrap();
    let Content::Plot(plot) = &figures[0].content else { panic!("{figures:?}") };
    assert_eq!(plot.series[0].points.len(), VOCAB);
    for prompt in ["", "  "] {
        let refused =
            see(&run, AnalysisRequest { prompt: prompt.into(), ..ask("ov") }).unwrap_err();
        assert!(refused.contains("the prompt is empty"), "{refused}");
    }
}
