//! Heads that are weighed, added and dropped, and weights that are pruned and rewound.

mod common;

use std::cell::{Cell, RefCell};

use confab::arch::Layout;
use confab::checkpoint::Checkpoint;
use confab::config::RunConfig;
use confab::host::HostModel;
use confab::learn::{HeadChange, Trainer};
use confab::protocol::{Command, Event, RunState, SaveAs, Then};
use confab::run::{DeviceChoice, Operation, OperationKind};
use confab::session;
use confab::session::RunStorage;
use confab::surgery::{grow_heads, head_gates, operate, prune_heads};
use confab::task::Split;
use futures::executor::block_on;

use common::{Changes, LIMITS, apart, checkpoint, crew, losses, resume, set, small};

fn config(changes: Changes) -> RunConfig {
    let mut config = small(&[("model.n_heads", "4"), ("model.head_gates", "true")]);
    config.train.val_batches = 2;
    set(&mut config, changes);
    config
}

fn trainer(changes: Changes) -> Trainer {
    common::trainer(config(changes))
}

fn train(run: &mut Trainer, steps: usize) -> f32 {
    *losses(run, steps).last().unwrap()
}

fn layout(of: &Checkpoint) -> Layout {
    Layout::new(&of.config.model, of.tokenizer.vocab_size())
}

/// A parameter, to be changed.
fn part<'a>(of: &'a mut Checkpoint, name: &str) -> &'a mut [f32] {
    let range = layout(of).find(name).unwrap_or_else(|| panic!("{name}")).range.clone();
    &mut of.parameters[range]
}

/// A model whose weights are so large that every head tells, whose gates are all different.
fn model(changes: Changes) -> Checkpoint {
    let mut model = checkpoint(&trainer(changes));
    for parameter in layout(&model).parameters() {
        let values = &mut model.parameters[parameter.range.clone()];
        match parameter.name().ends_with(".contribution") {
            true => values.copy_from_slice(&[1.0, -2.0, 0.5, 3.0]),
            false if parameter.shape().len() > 1 => values.iter_mut().for_each(|w| *w *= 8.0),
            false => {}
        }
    }
    part(&mut model, "blocks.1.attn.contribution").reverse();
    model
}

fn logits(of: &Checkpoint) -> Vec<f32> {
    let ids: Vec<u32> = (0..30).map(|at| at * 7 % 50).collect();
    HostModel::new(&of.config.model, &layout(of), &of.parameters).record(&ids, &[]).logits
}

fn act(on: &Checkpoint, kind: OperationKind, number: usize) -> Result<Checkpoint, String> {
    let past = |step| (step == on.step).then(|| on.parameters.clone());
    operate(on, Operation { kind, number }, &LIMITS, &past).map_err(|error| error.to_string())
}

/// As `model`, with what a head writes multiplied.
fn scaled(model: &Checkpoint, layer: usize, head: usize, by: f32) -> Checkpoint {
    let mut scaled = model.clone();
    let (d_head, d_model) = (model.config.model.d_head(), model.config.model.d_model);
    let rows = part(&mut scaled, &format!("blocks.{layer}.attn.W_O"));
    rows[head * d_head * d_model..][..d_head * d_model].iter_mut().for_each(|w| *w *= by);
    scaled
}

#[test]
fn a_head_writes_its_share_and_one_that_is_sure_writes_all() {
    let mut sure = model(&[]);
    for layer in 0..2 {
        part(&mut sure, &format!("blocks.{layer}.attn.contribution")).fill(40.0);
    }
    let mut plain = checkpoint(&trainer(&[("model.head_gates", "false")]));
    for parameter in layout(&plain).parameters().to_vec() {
        let same = layout(&sure).find(parameter.name()).unwrap().range.clone();
        plain.parameters[parameter.range].copy_from_slice(&sure.parameters[same]);
    }
    assert!(apart(&logits(&plain), &logits(&sure)) < 1e-5);
    // σ(ln 3) = 3/4.
    let mut shy = sure.clone();
    part(&mut shy, "blocks.0.attn.contribution")[2] = 3.0f32.ln();
    assert!(apart(&logits(&scaled(&sure, 0, 2, 0.75)), &logits(&shy)) < 1e-5);
}

#[test]
fn gates_are_trained() {
    let mut run = trainer(&[]);
    train(&mut run, 10);
    let learned = head_gates(&checkpoint(&run)).unwrap().concat();
    assert!(learned.iter().any(|share| (share - 0.5).abs() > 1e-3), "{learned:?}");
    assert_eq!(head_gates(&checkpoint(&trainer(&[("model.head_gates", "false")]))), None);
}

#[test]
fn a_head_is_grown_like_those_there_are() {
    let mut alike = model(&[]);
    // Four heads that are the same have no spread: a fifth is one more.
    for layer in 0..2 {
        for of in ["W_Q", "W_K", "W_V"] {
            for row in part(&mut alike, &format!("blocks.{layer}.attn.{of}")).chunks_mut(8) {
                let first = [row[0], row[1]];
                row.chunks_mut(2).for_each(|head| head.copy_from_slice(&first));
            }
        }
        let w_o = part(&mut alike, &format!("blocks.{layer}.attn.W_O"));
        let first = w_o[..16].to_vec();
        w_o.chunks_mut(16).for_each(|head| head.copy_from_slice(&first));
        part(&mut alike, &format!("blocks.{layer}.attn.contribution")).fill(0.7);
    }
    let grown = grow_heads(&alike, 1, &LIMITS).unwrap();
    assert_eq!((grown.config.model.n_heads, grown.config.model.d_head()), (5, 2));
    let mut four = grown.clone();
    let mut five = alike.clone();
    for of in ["blocks.0.attn.W_O", "blocks.1.attn.W_O"] {
        assert!(apart(&part(&mut five, of)[..16], &part(&mut four, of)[64..]) < 1e-6, "{of}");
    }
    for of in ["blocks.0.attn.contribution", "blocks.1.attn.contribution"] {
        assert!((part(&mut four, of)[4] - 0.7).abs() < 1e-6, "{of}");
    }
    // Those that differ have a mean and a spread, which many new ones show.
    let mut many = grow_heads(&model(&[]), 60, &LIMITS).unwrap();
    let row = &part(&mut many, "blocks.0.attn.W_Q")[..128];
    let of_first = |places: std::ops::Range<usize>| -> [f32; 2] {
        let count = places.len() as f32;
        let values: Vec<f32> = places.map(|head| row[2 * head]).collect();
        let mean = values.iter().sum::<f32>() / count;
        [mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count).sqrt()]
    };
    let ([mean, spread], [new_mean, new_spread]) = (of_first(0..4), of_first(4..64));
    assert!((new_mean - mean).abs() < 0.5 * spread, "{new_mean} of {mean} ± {spread}");
    assert!((0.6..1.6).contains(&(new_spread / spread)), "{new_spread} of {spread}");
}

#[test]
fn the_heads_with_the_least_gates_are_pruned_layer_by_layer() {
    for kv_heads in ["0", "1"] {
        let before = model(&[("model.kv_heads", kv_heads)]);
        // The second of the first layer and the third of the second layer.
        let without = scaled(&scaled(&before, 0, 1, 0.0), 1, 2, 0.0);
        let after = act(&before, OperationKind::PruneHeads, 1).unwrap();
        assert_eq!(after.config.model.n_heads, 3);
        assert!(apart(&logits(&without), &logits(&after)) < 1e-5, "{kv_heads}");
        assert!(apart(&logits(&before), &logits(&after)) > 1e-3, "{kv_heads}");
        let moments = after.moments.as_ref().unwrap();
        assert_eq!(moments.first.len(), after.parameters.len());
    }
    let before = model(&[]);
    for (on, number, says) in [
        (&before, 4, "one at least stays"),
        (&model(&[("model.kv_heads", "2")]), 1, "KV heads (model.kv_heads)"),
        (&checkpoint(&trainer(&[("model.head_gates", "false")])), 1, "model.head_gates"),
    ] {
        let error = act(on, OperationKind::PruneHeads, number).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_head_may_be_judged_by_the_gradient_of_a_mask_on_it() {
    let mut before = model(&[
        ("train.heads.every", "1"),
        ("train.heads.grow_above", "1"),
        ("train.heads.prune_below", "1"),
        ("train.heads.prune_by", "gradient"),
        ("train.val_batches", "1"),
    ]);
    before.step = 1;
    let Some(HeadChange::Prune(worth)) = block_on(resume(before.clone()).check_heads()).unwrap()
    else {
        panic!("the least of each layer is below the mean");
    };
    // Central differences by how much a head writes.
    let loss = |of: &Checkpoint| {
        f64::from(block_on(resume(of.clone()).losses(Split::Validation, 1)).unwrap().mean())
    };
    for (layer, worth) in worth.iter().enumerate() {
        let sizes = [0, 1, 2, 3].map(|head| {
            let [more, less] = [1.02, 0.98].map(|by| loss(&scaled(&before, layer, head, by)));
            (more - less).abs()
        });
        let mean = sizes.iter().sum::<f64>() / 4.0;
        for (head, size) in sizes.iter().enumerate() {
            let expected = size / mean;
            let got = f64::from(worth[head]);
            assert!(
                (got - expected).abs() < 0.05 * expected.max(0.2),
                "L{layer}H{head}: {got}, {expected}"
            );
        }
    }
    let fewer = prune_heads(&before, &worth, 1, &LIMITS).unwrap();
    assert_eq!(fewer.config.model.n_heads, 3);
}

/// The events of a session that trains such a run to its end, and the run.
fn session(changes: Changes) -> (Vec<String>, Vec<usize>, Checkpoint) {
    let (orders, received) = futures::channel::mpsc::unbounded();
    let config = Box::new(config(changes));
    let build = Command::Build { config, device: DeviceChoice::Cpu, then: Then::Train };
    orders.unbounded_send(build).unwrap();
    let (notices, heads, file) = (RefCell::default(), RefCell::default(), RefCell::new(None));
    let pauses = Cell::new(0);
    let emit = |event| match event {
        Event::Notice { text } => RefCell::<Vec<String>>::borrow_mut(&notices).push(text),
        Event::Refused { reason } => panic!("{reason}"),
        Event::Built(built) => {
            RefCell::<Vec<usize>>::borrow_mut(&heads).push(built.config.model.n_heads);
        }
        Event::State(RunState::Finished) => {
            let _ = orders.unbounded_send(Command::Save(SaveAs::Checkpoint));
            orders.close_channel();
        }
        Event::State(RunState::Paused) => pauses.set(pauses.get() + 1),
        Event::CheckpointFile { bytes, .. } => *file.borrow_mut() = Some(bytes),
        _ => {}
    };
    block_on(session::run(received, emit, RunStorage::none(), crew()));
    assert_eq!(pauses.get(), 1, "it trains on by itself");
    let file = file.into_inner().unwrap();
    (notices.into_inner(), heads.into_inner(), Checkpoint::from_bytes(&file).unwrap())
}

#[test]
fn heads_grow_and_are_pruned_while_a_run_trains() {
    let often = [("train.steps", "21"), ("train.heads.every", "5")];
    // Untrained heads contribute 0.5.
    let grows = [("train.heads.grow_above", "0.4"), ("train.heads.max", "6")];
    let (notices, heads, run) = session(&[often, grows].concat());
    assert_eq!(heads, [4, 5, 6]);
    assert_eq!((run.step, run.config.model.n_heads, run.config.model.d_head()), (21, 6, 2));
    assert_eq!(run.history.len(), 21);
    assert_eq!(run.edits.len(), 2);
    for (edit, step) in run.edits.iter().zip([5, 10]) {
        let [before, after] = edit.loss.unwrap();
        assert_eq!((edit.operation.kind, edit.step), (OperationKind::GrowHeads, step));
        assert!((before - after).abs() < 0.5 && before > 1.0, "{before} to {after}");
    }
    assert!(notices[0].starts_with("Step 5: 5 heads a layer"), "{notices:?}");
    assert!(notices[0].contains("before") && notices[0].contains("after"), "{notices:?}");

    for by in ["gate", "gradient"] {
        let prunes = [
            ("train.heads.grow_above", "1"),
            ("train.heads.prune_below", "1"),
            ("train.heads.prune_by", by),
        ];
        let (_, heads, run) = session(&[&often[..], &prunes].concat());
        assert_eq!(heads, [4, 3, 2, 1], "{by}");
        assert!(
            run.edits.iter().all(|edit| edit.operation.kind == OperationKind::PruneHeads),
            "{by}"
        );
    }
}

#[test]
fn heads_without_gates_are_not_judged() {
    let config = config(&[("model.head_gates", "false"), ("train.heads.every", "5")]);
    let error = config.validate().unwrap_err().to_string();
    assert!(error.contains("Head gates (model.head_gates)"), "{error}");
}

#[test]
fn the_smallest_weights_are_pruned_and_stay_away() {
    let mut run = trainer(&[]);
    train(&mut run, 5);
    let before = checkpoint(&run);
    let after = act(&before, OperationKind::PruneWeights, 60).unwrap();
    let places = layout(&before);
    let prunable: Vec<usize> = places
        .parameters()
        .iter()
        .filter(|of| of.name().starts_with("blocks.") && of.shape().len() == 2)
        .flat_map(|of| of.range.clone())
        .collect();
    let is_gone = |of: &Checkpoint, at: &usize| of.parameters[*at] == 0.0;
    let (gone, left): (Vec<usize>, Vec<usize>) =
        prunable.iter().partition(|at| is_gone(&after, at));
    assert_eq!(gone.len(), (prunable.len() * 60).div_ceil(100));
    let size = |at: &usize| before.parameters[*at].abs();
    let largest_gone = gone.iter().map(size).fold(0.0, f32::max);
    assert!(left.iter().all(|at| size(at) >= largest_gone));
    // What is no weight of a layer's matrix is left alone.
    let others = (0..places.len()).filter(|at| !prunable.contains(at));
    assert!(others.clone().all(|at| before.parameters[at] == after.parameters[at]));

    let mut run = resume(Checkpoint::from_bytes(&after.to_bytes().unwrap()).unwrap());
    train(&mut run, 5);
    let trained = checkpoint(&run);
    assert!(gone.iter().all(|at| is_gone(&trained, at)));
    assert!(left.iter().any(|at| trained.parameters[*at] != after.parameters[*at]));
    // Again: of those that are left.
    let fewer = act(&trained, OperationKind::PruneWeights, 50).unwrap();
    let now = prunable.iter().filter(|at| is_gone(&fewer, at)).count();
    assert_eq!(now, gone.len() + left.len().div_ceil(2));
}

#[test]
fn what_is_left_is_rewound_and_trained_again() {
    let mut run = trainer(&[("train.steps", "40")]);
    let begun = checkpoint(&run);
    train(&mut run, 30);
    let pruned = act(&checkpoint(&run), OperationKind::PruneWeights, 50).unwrap();
    let past = |step| (step == 0).then(|| begun.parameters.clone());
    let rewind = |number| {
        let operation = Operation { kind: OperationKind::Rewind, number };
        operate(&pruned, operation, &LIMITS, &past).map_err(|error| error.to_string())
    };
    let ticket = rewind(0).unwrap();
    for ((now, pruned), begun) in
        ticket.parameters.iter().zip(&pruned.parameters).zip(&begun.parameters)
    {
        assert!(now == begun || *now == 0.0 && *pruned == 0.0);
    }
    assert_eq!((ticket.step, ticket.history.len(), ticket.edits.len()), (0, 0, 2));
    let mut again = resume(ticket);
    let first = train(&mut again, 1);
    let last = train(&mut again, 29);
    assert!(last < first - 0.2, "{first} to {last}");
    assert!(rewind(7).unwrap_err().contains("step 7"));
    let other = act(&pruned, OperationKind::AddLayer, 0).unwrap();
    let operation = Operation { kind: OperationKind::Rewind, number: 0 };
    let error = operate(&other, operation, &LIMITS, &past).unwrap_err().to_string();
    assert!(error.contains("of this size"), "{error}");
}
