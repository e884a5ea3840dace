//! Operations on a model: what they compute, what they keep, and what they refuse.

mod common;

use confab::arch::Layout;
use confab::checkpoint::Checkpoint;
use confab::config::MemoryLimits;
use confab::host::HostModel;
use confab::learn::Trainer;
use confab::memory::Bank;
use confab::model::untrained;
use confab::protocol::{Command, Event, SaveAs, Then};
use confab::run::{
    ActivationIntervention, AppliedOperation, DeviceChoice, Moments, OPERATIONS, Operation,
    OperationKind,
};
use confab::session;
use confab::session::RunStorage;
use confab::surgery::{compare, operate};
use confab::task::Task;
use futures::executor::block_on;
use proptest::prelude::*;

use common::{Changes, LIMITS, apart, crew, losses, resume, small, trainer};

/// A run with weights so large that patterns are far from even and every part tells, and with moments
/// that tell where they are from.
fn checkpoint(changes: Changes) -> Checkpoint {
    let config = small(changes);
    let tokenizer = Task::new(&config.task).unwrap().tokenizer();
    let tokenizer = tokenizer.with_memory(config.model.memory_tokens);
    let layout = Layout::new(&config.model, tokenizer.vocab_size());
    let mut parameters = untrained(&config.model, &layout, 3);
    for parameter in layout.parameters() {
        for (at, value) in parameters[parameter.range.clone()].iter_mut().enumerate() {
            *value = match parameter.shape().len() {
                1 => *value + 0.3 * (at as f32).sin(), // a gain or a bias
                _ => 10.0 * *value,
            };
        }
    }
    let count = parameters.len();
    let moment = |from: usize| (0..count).map(|at| (from + at) as f32).collect();
    let moments = Some(Moments { first: moment(1), second: Some(moment(1 << 20)) });
    let (step, history, edits) = (7, Vec::new(), Vec::new());
    let bank = Bank::new(&config.model);
    let adapters = Vec::new();
    Checkpoint { config, step, tokenizer, history, edits, parameters, moments, bank, adapters }
}

fn layout(of: &Checkpoint) -> Layout {
    Layout::new(&of.config.model, of.tokenizer.vocab_size())
}

fn ids() -> Vec<u32> {
    (0..30).map(|at| at * 7 % 50).collect()
}

fn logits(of: &Checkpoint) -> Vec<f32> {
    HostModel::new(&of.config.model, &layout(of), &of.parameters).record(&ids(), &[]).logits
}

fn act(on: &Checkpoint, kind: OperationKind, number: usize) -> Result<Checkpoint, String> {
    operate(on, Operation { kind, number }, &LIMITS, &|_| None).map_err(|error| error.to_string())
}

/// Operations that keep the function of every model that has the part.
const PRESERVING: &[(OperationKind, usize)] = &[
    (OperationKind::AddLayer, 0),
    (OperationKind::AddLayer, 1),
    (OperationKind::AddLayer, 2),
    (OperationKind::AddHeads, 2),
    (OperationKind::WidenMlp, 3),
    (OperationKind::Widen, 2),
    (OperationKind::Widen, 3),
];

/// Every choice of a part with every other one that it could get in the way of.
fn variants() -> Vec<Vec<(&'static str, &'static str)>> {
    let parts: [&[(&str, &[&str])]; 2] = [
        &[
            ("model.norm", &["layer", "rms", "none"]),
            ("model.bias", &["false", "true"]),
            ("model.tied_head", &["true", "false"]),
            ("model.positions", &["learned", "rotary", "none"]),
        ],
        &[
            ("model.kv_heads", &["0", "1", "2", "4"]),
            ("model.qk_norm", &["false", "true"]),
            ("model.d_head", &["0", "6"]),
            (
                "model.mlp",
                &["gelu", "gelu-tanh", "relu", "relu2", "sigmoid", "swiglu", "reglu", "none"],
            ),
            ("model.head_gates", &["false", "true"]),
        ],
    ];
    let mut all = Vec::new();
    for parts in parts {
        let mut variants = vec![vec![("model.n_heads", "4")]];
        for (key, values) in parts {
            let with = |variant: &Vec<_>, value| [variant.clone(), vec![(*key, value)]].concat();
            variants =
                variants.iter().flat_map(|v| values.iter().map(|value| with(v, *value))).collect();
        }
        all.extend(variants);
    }
    let convolution = [
        ("model.n_heads", "4"),
        ("model.mixer", "0:conv,1:linear"),
        ("model.kv_heads", "2"),
        ("model.bias", "true"),
        ("model.head_gates", "true"),
    ];
    all.push(convolution.into());
    all
}

#[test]
fn what_is_added_changes_no_logit_of_any_kind_of_model() {
    for variant in variants() {
        let before = checkpoint(&variant);
        let expected = logits(&before);
        let largest = expected.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(largest > 0.2, "{variant:?}: logits tell too little: {largest}");
        for (kind, number) in PRESERVING {
            let after = match act(&before, *kind, *number) {
                Ok(after) => after,
                Err(error) => {
                    assert!(error.contains("MLP (model.mlp) is `none`"), "{variant:?}: {error}");
                    continue;
                }
            };
            let change = apart(&expected, &logits(&after));
            assert!(change < 1e-5, "{variant:?}: {kind:?} {number}: {change}");
            assert_eq!(after.parameters.len(), layout(&after).len());
            assert!(after.parameters.len() > before.parameters.len());
        }
    }
}

#[test]
fn with_feedback_what_is_added_changes_no_logit_and_a_layer_is_refused() {
    for mlp in ["gelu", "swiglu"] {
        let before =
            checkpoint(&[("model.feedback", "true"), ("model.n_heads", "4"), ("model.mlp", mlp)]);
        let expected = logits(&before);
        for (kind, number) in PRESERVING {
            match (kind, act(&before, *kind, *number)) {
                (OperationKind::AddLayer, refused) => {
                    let error = refused.unwrap_err();
                    assert!(error.contains("Feedback (model.feedback)"), "{error}");
                }
                (_, after) => {
                    let change = apart(&expected, &logits(&after.unwrap()));
                    assert!(change < 1e-4, "{mlp}: {kind:?} {number}: {change}");
                }
            }
        }
        let dropped = act(&before, OperationKind::DropLayer, 0).unwrap();
        assert_eq!(logits(&dropped).len(), expected.len());
    }
}

#[test]
fn operations_are_listed_in_the_order_of_their_names_in_code() {
    for (place, procedure) in OPERATIONS.iter().enumerate() {
        assert_eq!(procedure.kind as usize, place);
        assert_eq!(procedure.kind.procedure().name, procedure.name);
        let read = |typed: &str| procedure.read(typed);
        let least = *procedure.range.start();
        let operation = Operation { kind: procedure.kind, number: least };
        assert_eq!(read(&format!(" {least} ")), Ok(operation));
        for odd in ["", "-1", "L0H3", "1e99", "99999999999999999999999", "☃"] {
            assert!(read(odd).unwrap_err().contains(procedure.takes), "{odd}");
        }
    }
}

/// A parameter's values, of the weights or one moment.
fn values(of: &Checkpoint, flat: &[f32], name: &str) -> Vec<f32> {
    let layout = layout(of);
    let parameter = layout.find(name).unwrap_or_else(|| panic!("{name}"));
    flat[parameter.range.clone()].to_vec()
}

fn first(of: &Checkpoint, name: &str) -> Vec<f32> {
    values(of, &of.moments.as_ref().unwrap().first, name)
}

#[test]
fn moments_go_where_their_parameters_go_and_new_ones_are_0() {
    let before = checkpoint(&[("model.n_heads", "4"), ("model.kv_heads", "2")]);
    let names: Vec<String> =
        layout(&before).parameters().iter().map(|p| p.name().to_owned()).collect();

    let after = act(&before, OperationKind::AddLayer, 1).unwrap();
    for name in &names {
        let moved = name.replace("blocks.1.", "blocks.2.");
        assert_eq!(first(&before, name), first(&after, &moved), "{name}");
        let weights =
            [(&before, name), (&after, &moved)].map(|(of, name)| values(of, &of.parameters, name));
        assert_eq!(weights[0], weights[1], "{name}");
        if name.starts_with("blocks.1.") {
            assert!(first(&after, name).iter().all(|moment| *moment == 0.0), "{name}");
        }
    }

    // Four heads of two numbers that share two heads of keys: two more join the groups.
    let after = act(&before, OperationKind::AddHeads, 2).unwrap();
    let name = "blocks.0.attn.W_Q";
    let (old, new) = (first(&before, name), first(&after, name));
    for (old, new) in old.chunks(8).zip(new.chunks(12)) {
        assert_eq!([&old[..4], &[0.0; 2], &old[4..], &[0.0; 2]].concat(), new);
    }
    let name = "blocks.1.attn.W_O";
    let (old, new) = (first(&before, name), first(&after, name));
    assert_eq!([&old[..32], &[0.0; 16], &old[32..], &[0.0; 16]].concat(), new);
    let name = "blocks.1.attn.W_K";
    assert_eq!(first(&before, name), first(&after, name));

    let dropped = act(&before, OperationKind::DropLayer, 0).unwrap();
    let name = "mlp.W_out";
    assert_eq!(
        first(&before, &format!("blocks.1.{name}")),
        first(&dropped, &format!("blocks.0.{name}"))
    );
}

#[test]
fn an_operation_that_is_undone_by_another_gives_the_same_model() {
    let numbers = |of: &Checkpoint| (of.parameters.clone(), of.moments.clone());
    for (kv_heads, mixer) in [("0", "softmax"), ("1", "softmax"), ("1", "0:conv")] {
        let before = checkpoint(&[
            ("model.n_heads", "4"),
            ("model.kv_heads", kv_heads),
            ("model.mixer", mixer),
            ("model.bias", "true"),
        ]);
        let there = act(&before, OperationKind::AddHeads, 1).unwrap();
        assert_eq!(numbers(&act(&there, OperationKind::DropHead, 4).unwrap()), numbers(&before));
        let there = act(&before, OperationKind::AddLayer, 1).unwrap();
        assert_eq!(numbers(&act(&there, OperationKind::DropLayer, 1).unwrap()), numbers(&before));
    }
}

#[test]
fn of_shared_keys_all_readers_go_together() {
    let before = checkpoint(&[("model.n_heads", "4"), ("model.kv_heads", "2")]);
    let after = act(&before, OperationKind::DropHead, 1).unwrap();
    let model = &after.config.model;
    assert_eq!((model.n_heads, model.kv_heads, model.d_head), (2, 1, 2));
    let name = "blocks.0.attn.W_O";
    assert_eq!(first(&before, name)[32..], first(&after, name));
    let error = act(&before, OperationKind::AddHeads, 3).unwrap_err();
    assert!(
        error.contains("KV heads (model.kv_heads)") && error.contains("4 would work"),
        "{error}"
    );
}

#[test]
fn a_dropped_head_is_one_that_writes_nothing() {
    for (n_heads, kv_heads, head, gone) in [
        ("2", "0", 0, &[0][..]),
        ("2", "0", 1, &[1]),
        ("2", "1", 0, &[0]),
        ("4", "2", 1, &[0, 1]),
        ("4", "0", 2, &[2]),
    ] {
        let before = checkpoint(&[("model.n_heads", n_heads), ("model.kv_heads", kv_heads)]);
        let heads = (0..before.config.model.n_layers)
            .flat_map(|layer| gone.iter().map(move |head| format!("L{layer}H{head}")));
        let off = heads.map(|head| ActivationIntervention::parse(&head, 0.0).unwrap()).collect();
        let host = HostModel::new(&before.config.model, &layout(&before), &before.parameters);
        let expected = host.ablate(off).record(&ids(), &[]).logits;
        assert!(apart(&expected, &logits(&before)) > 1e-2);
        let dropped = logits(&act(&before, OperationKind::DropHead, head).unwrap());
        assert!(apart(&dropped, &expected) < 1e-5, "head {head} of {n_heads}, {kv_heads} KV heads");
    }
}

/// Moments of 0, nothing clipped: after a step, first moments are a tenth of the gradient.
fn gradient(of: &Checkpoint) -> Checkpoint {
    let mut config = of.config.clone();
    (config.train.clip, config.train.weight_decay) = (0.0, 0.0);
    let mut run = resume(Checkpoint { config, moments: None, ..of.clone() });
    losses(&mut run, 1);
    common::checkpoint(&run)
}

#[test]
fn moments_of_copies_are_those_of_the_gradients_of_copies() {
    for variant in [
        &[("model.bias", "true"), ("model.qk_norm", "true"), ("model.memory_tokens", "3")][..],
        &[("model.norm", "none"), ("model.mlp", "swiglu")],
        &[("model.norm", "rms"), ("model.tied_head", "false"), ("model.kv_heads", "1")],
    ] {
        let before = checkpoint(variant);
        let after = act(&before, OperationKind::Widen, 2).unwrap();
        let carried = act(&gradient(&before), OperationKind::Widen, 2).unwrap();
        let trained = gradient(&after);
        for parameter in layout(&after).parameters() {
            let name = parameter.name();
            let [carried, trained] = [&carried, &trained].map(|of| first(of, name));
            // Copies in columns share a gradient that only together they have.
            let columns = *parameter.shape().last().unwrap();
            let is_shared = columns == 16;
            let together = |of: &[f32]| -> Vec<f32> {
                match is_shared {
                    true => of
                        .chunks(16)
                        .flat_map(|row| (0..8).map(|at| row[at] + row[at + 8]))
                        .collect(),
                    false => of.to_vec(),
                }
            };
            let (carried, trained) = (together(&carried), together(&trained));
            let size = trained.iter().fold(1e-4f32, |most, x| most.max(x.abs()));
            let change = apart(&carried, &trained);
            assert!(change < 2e-3 * size, "{variant:?}: {name}: {change} of {size}");
        }
    }
}

#[test]
fn copies_do_not_stay_copies() {
    let before = Checkpoint { moments: None, ..checkpoint(&[]) };
    let mut run = resume(act(&before, OperationKind::Widen, 2).unwrap());
    losses(&mut run, 20);
    let trained = common::checkpoint(&run);
    for name in ["embed.W_E", "blocks.0.attn.W_O", "blocks.1.mlp.W_out"] {
        let copies = values(&trained, &trained.parameters, name);
        let unlike =
            copies.chunks(16).flat_map(|row| (0..8).map(|at| (row[at] - row[at + 8]).abs()));
        let unlike: Vec<f32> = unlike.collect();
        let mean = unlike.iter().sum::<f32>() / unlike.len() as f32;
        assert!(mean > 1e-4, "{name}: {mean}");
    }
}

#[test]
fn a_run_goes_on_with_its_history_and_learns() {
    let mut config = small(&[("train.steps", "60"), ("train.lr", "0.003")]);
    config.model.d_model = 8;
    let mut run = trainer(config);
    losses(&mut run, 20);
    let mut kept = common::checkpoint(&run);
    let validation =
        |run: &Trainer| block_on(run.losses(confab::task::Split::Validation, 2)).unwrap().mean();
    let before = validation(&run);
    let done = [
        (OperationKind::AddLayer, 1),
        (OperationKind::AddHeads, 1),
        (OperationKind::WidenMlp, 8),
        (OperationKind::Widen, 2),
    ];
    for (kind, number) in done {
        kept = act(&kept, kind, number).unwrap();
    }
    let kept = Checkpoint::from_bytes(&kept.to_bytes().unwrap()).unwrap();
    let expected = done.map(|(kind, number)| {
        let operation = Operation { kind, number };
        AppliedOperation { operation, step: 20, loss: None }
    });
    assert_eq!(kept.edits, expected);
    let mut run = resume(kept);
    assert!((validation(&run) - before).abs() < 1e-4);
    losses(&mut run, 20);
    let after = validation(&run);
    assert!(after < before - 0.02, "{before} to {after}");
    let kept = common::checkpoint(&run);
    assert_eq!((kept.edits.as_slice(), kept.step), (&expected[..], 40));
    assert_eq!(kept.history.len(), 40);
}

#[test]
fn what_is_dropped_is_missed_and_by_how_much_is_told() {
    let before = checkpoint(&[("model.n_heads", "4")]);
    for (kind, number) in [(OperationKind::DropLayer, 1), (OperationKind::DropHead, 3)] {
        let after = act(&before, kind, number).unwrap();
        let told = compare(&before, &after, &ids()).unwrap();
        let largest = apart(&logits(&before), &logits(&after));
        assert!((told.largest - largest).abs() < 1e-5 && largest > 1e-3, "{told:?} and {largest}");
        assert!(told.mean > 0.0 && told.mean < told.largest && told.divergence > 0.0, "{told:?}");
        assert_eq!(told.tokens, 30);
    }
    assert_eq!(compare(&before, &before, &ids()).unwrap().largest, 0.0);
    assert_eq!(compare(&before, &before, &[]), None);
}

#[test]
fn what_does_not_work_is_refused_by_the_knobs_name() {
    let small =
        checkpoint(&[("model.n_layers", "1"), ("model.n_heads", "1"), ("model.mlp", "none")]);
    let large =
        checkpoint(&[("model.n_heads", "512"), ("model.d_head", "8"), ("model.n_layers", "48")]);
    for (on, kind, number, says) in [
        (&small, OperationKind::DropLayer, 0, "Layers (model.n_layers)"),
        (&small, OperationKind::DropLayer, 5, "are 0 to 0"),
        (&small, OperationKind::DropHead, 0, "Heads (model.n_heads)"),
        (&small, OperationKind::DropHead, 1, "are 0 to 0"),
        (&small, OperationKind::AddLayer, 2, "0 to 1 would work"),
        (&small, OperationKind::WidenMlp, 1, "MLP (model.mlp)"),
        (&small, OperationKind::Widen, 64 * 64, "takes a whole number from 2 to 64"),
        (&small, OperationKind::AddHeads, usize::MAX, "takes a whole number from 1 to 511"),
        (&large, OperationKind::AddHeads, 1, "from 1 to 512"),
        (&large, OperationKind::AddLayer, 3, "from 1 to 48"),
        (&large, OperationKind::WidenMlp, 32767, "MLP width was set to"),
    ] {
        let error = act(on, kind, number).unwrap_err();
        assert!(error.contains(says), "{kind:?} {number}: {error}");
    }
    let tight = MemoryLimits { total: 1 << 20, buffer: 1 << 20 };
    let operation = Operation { kind: OperationKind::Widen, number: 64 };
    let error = operate(&small, operation, &tight, &|_| None).unwrap_err().to_string();
    assert!(error.contains("MiB"), "{error}");
}

#[test]
fn files_without_a_history_are_read_and_odd_ones_refused() {
    let before = act(&checkpoint(&[]), OperationKind::WidenMlp, 2).unwrap();
    let bytes = before.to_bytes().unwrap();
    let read = Checkpoint::from_bytes(&bytes).unwrap();
    assert_eq!(read, before);
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let with = |from: &str, to: &str| {
        let text = String::from_utf8(bytes[8..8 + header].to_vec()).unwrap();
        assert!(text.contains(from), "{text}");
        let mut text = text.replacen(from, to, 1).into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        let length = (text.len() as u64).to_le_bytes();
        Checkpoint::from_bytes(&[&length[..], &text, &bytes[8 + header..]].concat())
    };
    assert!(with("confab.edits", "confab.other").unwrap().edits.is_empty());
    let error = with("widen-mlp", "transmute").unwrap_err().to_string();
    assert!(error.contains("confab.edits"), "{error}");
}

/// Messages of a session, by kind.
#[derive(Default)]
struct Told {
    files: Vec<Vec<u8>>,
    refusals: Vec<String>,
    notices: Vec<String>,
    builds: usize,
}

/// Runs a session with these commands, and returns its messages.
fn told(commands: impl IntoIterator<Item = Command>) -> Told {
    let told = std::cell::RefCell::new(Told::default());
    let emit = |event| {
        let mut told = told.borrow_mut();
        match event {
            Event::CheckpointFile { bytes, .. } => told.files.push(bytes),
            Event::Refused { reason } => told.refusals.push(reason),
            Event::Notice { text } => told.notices.push(text),
            Event::Built(_) => told.builds += 1,
            _ => {}
        }
    };
    block_on(session::run(futures::stream::iter(commands), emit, RunStorage::none(), crew()));
    told.into_inner()
}

fn build() -> Command {
    Command::Build { config: Box::new(small(&[])), device: DeviceChoice::Cpu, then: Then::Wait }
}

fn surgery(kind: OperationKind, number: usize) -> Command {
    Command::Surgery(Operation { kind, number })
}

#[test]
fn a_session_takes_operations_back_one_by_one() {
    let Told { files, refusals, notices, builds } = told([
        build(),
        Command::Step,
        Command::Step,
        Command::Save(SaveAs::Checkpoint),
        surgery(OperationKind::AddLayer, 1),
        Command::Save(SaveAs::Checkpoint),
        Command::Step,
        surgery(OperationKind::Widen, 2),
        surgery(OperationKind::DropHead, 9),
        Command::Step,
        Command::Save(SaveAs::Checkpoint),
        Command::Undo,
        Command::Undo,
        Command::Save(SaveAs::Checkpoint),
        Command::Undo,
    ]);
    let [first, layer, wide, last] =
        [0, 1, 2, 3].map(|at| Checkpoint::from_bytes(&files[at]).unwrap());
    let steps =
        |of: &Checkpoint| (of.step, of.edits.iter().map(|edit| edit.step).collect::<Vec<_>>());
    assert_eq!(steps(&layer), (2, vec![2]));
    assert_eq!(steps(&wide), (4, vec![2, 3]));
    assert_eq!((wide.config.model.n_layers, wide.config.model.d_model), (3, 16));
    assert_eq!(first, last);
    let tensors = |bytes: &[u8]| {
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..].to_vec()
    };
    assert_eq!(tensors(&files[0]), tensors(&files[3]));
    assert_eq!(refusals.len(), 2, "{refusals:?}");
    assert!(refusals[0].contains("no head 9") && refusals[1].contains("no operation"));
    assert!(notices[0].starts_with("Add a layer: 1.") && notices[0].contains("logits"));
    assert_eq!((notices.len(), builds), (2, 5), "{notices:?}");
}

#[test]
fn a_session_goes_back_sixteen_operations_at_most_and_never_to_another_run() {
    let widen = (0..18).map(|_| surgery(OperationKind::WidenMlp, 1));
    let undo = (0..18).map(|_| Command::Undo);
    let commands = [build()].into_iter().chain(widen).chain(undo);
    let back = told(commands.chain([Command::Save(SaveAs::Checkpoint)]));
    assert_eq!(back.refusals.len(), 2);
    assert_eq!(Checkpoint::from_bytes(&back.files[0]).unwrap().edits.len(), 2);
    let other = told([build(), surgery(OperationKind::WidenMlp, 1), build(), Command::Undo]);
    assert_eq!(other.refusals.len(), 1);
    assert!(told([surgery(OperationKind::Widen, 2)]).refusals[0].contains("no model"));
}

const OPERATIONS_THAT_PRESERVE: &[OperationKind] = &[
    OperationKind::AddLayer,
    OperationKind::AddHeads,
    OperationKind::WidenMlp,
    OperationKind::Widen,
];

fn operation() -> impl Strategy<Value = Operation> {
    (0..OPERATIONS.len(), prop_oneof![0usize..6, any::<usize>()])
        .prop_map(|(place, number)| Operation { kind: OPERATIONS[place].kind, number })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_operations_in_any_order_keep_the_function_or_say_why_not(
        place in any::<prop::sample::Index>(),
        operations in prop::collection::vec(operation(), 1..8),
    ) {
        let variants = variants();
        let mut now = checkpoint(&variants[place.index(variants.len())]);
        let limits = MemoryLimits { total: 64 << 20, buffer: 64 << 20 };
        for operation in operations {
            let Ok(after) = operate(&now, operation, &limits, &|_| None) else { continue };
            prop_assert_eq!(after.parameters.len(), layout(&after).len());
            prop_assert!(after.config.validate().is_ok());
            if OPERATIONS_THAT_PRESERVE.contains(&operation.kind) {
                let before = logits(&now);
                let size = before.iter().fold(1.0f32, |most, x| most.max(x.abs()));
                let change = apart(&before, &logits(&after));
                prop_assert!(change < 1e-5 * size, "{}: {} of {}", operation, change, size);
            }
            let kept = after.moments.as_ref().unwrap();
            prop_assert_eq!(kept.first.len(), after.parameters.len());
            prop_assert_eq!(kept.second.as_ref().unwrap().len(), after.parameters.len());
            now = Checkpoint::from_bytes(&after.to_bytes().unwrap()).unwrap();
            prop_assert_eq!(&now, &after);
        }
    }
}
