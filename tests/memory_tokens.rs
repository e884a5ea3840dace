//! Memory tokens: they are learned, read by all that follows and never written.

mod common;

use burn::tensor::Device;
use confab::checkpoint::{Checkpoint, CheckpointError};
use confab::config::{MemoryKind, RunConfig, TaskKind};
use confab::eval::{Evaluation, Probing, SweepRun};
use confab::generate::{Decoder, Sampler};
use confab::host::HostModel;
use confab::interp::analysis::Averaging;
use confab::interp::trace::trace;
use confab::learn::distill::Distillation;
use confab::learn::{TeachError, Trainer};
use confab::protocol::{Cost, SampleOptions};
use confab::report::EvalOptions;
use confab::run::{Field, Record};
use confab::task::{Facts, RecordSource, Split};
use futures::executor::block_on;

use common::{LIMITS, checkpoint, logits_of, losses, resume, trainer};

const MEMORY: usize = 4;

fn config(kind: TaskKind) -> RunConfig {
    let mut config = RunConfig::default();
    config.task.kind = kind;
    config.task.phone.lines = 1;
    config.task.phone.names = 8;
    config.task.facts.facts = 10;
    config.task.text.text = "the cat sat on the mat; ".repeat(20);
    config.model.d_model = 8;
    config.model.context = 170;
    config.model.memory_tokens = MEMORY;
    config.train.batch = 4;
    config.train.steps = 40;
    config.train.warmup = 2;
    config.train.val_batches = 1;
    config
}

fn trained(kind: TaskKind, steps: usize) -> Trainer {
    let mut run = trainer(config(kind));
    losses(&mut run, steps);
    run
}

/// The rows of a matrix that has one a token, of the memory tokens and of the others.
fn rows<'a>(run: &Trainer, flat: &'a [f32], name: &str) -> (&'a [f32], &'a [f32]) {
    let parameter = run.model().layout.find(name).unwrap();
    let text = run.tokenizer.text_size() * parameter.shape()[1];
    let (text, memory) = flat[parameter.range.clone()].split_at(text);
    (memory, text)
}

fn write(run: &Trainer, prompt: &str, max_chars: usize) -> String {
    draw(run, SampleOptions { prompt: prompt.into(), max_chars, ..SampleOptions::default() })
}

fn draw(run: &Trainer, options: SampleOptions) -> String {
    let mut sampler = Sampler::new(run.model(), &run.tokenizer, &run.task, options).unwrap();
    while block_on(sampler.next(&run.task)).unwrap().is_some() {}
    sampler.text().to_owned()
}

#[test]
fn a_model_with_memory_tokens_learns_and_goes_on_from_a_checkpoint() {
    for kind in [TaskKind::Facts, TaskKind::Phone, TaskKind::Text] {
        let mut whole = trainer(config(kind));
        let before = losses(&mut whole, 25);
        assert!(before[24] < 0.9 * before[0], "{kind:?}: {before:?}");
        let bytes = checkpoint(&whole).to_bytes().unwrap();
        let read = Checkpoint::from_bytes(&bytes).unwrap();
        let mut resumed = resume(read);
        assert_eq!(losses(&mut whole, 3), losses(&mut resumed, 3));
    }
}

#[test]
fn memory_tokens_are_learned_though_nothing_predicts_them() {
    let mut config = config(TaskKind::Facts);
    (config.model.tied_head, config.train.weight_decay) = (false, 0.0);
    let mut run = trainer(config);
    let before = checkpoint(&run).parameters;
    losses(&mut run, 30);
    let after = checkpoint(&run).parameters;
    let ((before, _), (after, _)) =
        (rows(&run, &before, "embed.W_E"), rows(&run, &after, "embed.W_E"));
    assert_eq!(before.len(), MEMORY * 8);
    // All of them move, and no two alike.
    let moved: Vec<f32> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    let moved: Vec<&[f32]> = moved.chunks(8).collect();
    assert!(moved.iter().all(|row| row.iter().all(|by| by.abs() > 1e-4)), "{moved:?}");
    assert!((1..MEMORY).all(|row| moved[row] != moved[0]));
    // What is never to follow becomes less likely than anything else.
    let prompt = run.task.example_prompt(1);
    let ids = run.tokenizer.encode(&prompt).unwrap();
    let logits = block_on(Decoder::new(run.model()).decode(&ids)).unwrap();
    let (text, memory) = logits.split_at(run.tokenizer.text_size());
    let most = |logits: &[f32]| logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    assert!(most(memory) < most(text) - 1.0, "{logits:?}");
}

#[test]
fn a_model_that_is_read_in_plain_numbers_or_written_on_with_gives_the_same_logits() {
    let run = trained(TaskKind::Phone, 2);
    let ids = run.tokenizer.encode(&run.task.example_prompt(1)).unwrap();
    let logits = logits_of(run.model(), &ids);
    let plain =
        HostModel::new(&run.config.model, &run.model().layout, &checkpoint(&run).parameters);
    let recorded = plain.record(&ids, &[]).logits;
    let decoded = block_on(Decoder::new(run.model()).decode(&ids)).unwrap();
    assert_eq!(decoded.len(), run.tokenizer.vocab_size());
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    assert_eq!(recorded.len(), logits.len());
    assert!(near(&recorded, &logits));
    assert!(near(&decoded, &logits[logits.len() - decoded.len()..]));
}

#[test]
fn every_later_token_attends_to_all_of_them() {
    let run = trained(TaskKind::Facts, 3);
    let prompt = run.task.example_prompt(1);
    let (traced, logits) = block_on(trace(&run, &prompt)).unwrap();
    let seq = MEMORY + prompt.chars().count();
    assert_eq!(traced.tokens[..MEMORY], ["⟨1⟩", "⟨2⟩", "⟨3⟩", "⟨4⟩"]);
    assert_eq!((traced.tokens.len(), traced.tokens[MEMORY..].concat()), (seq, prompt.clone()));
    for (layer, head) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        for row in traced.pattern(layer, head).chunks(seq).skip(MEMORY) {
            assert!(row[..MEMORY].iter().all(|weight| *weight > 0.0), "L{layer}H{head}: {row:?}");
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
    // Nothing is paid up to the first character, and the task's own price stays at its characters.
    let expected = logits.expected(&run, &SampleOptions::default());
    assert_eq!((expected.next.len(), expected.costs.len()), (seq, seq - 1));
    assert!(
        expected.costs[..MEMORY].iter().all(|cost| *cost == Cost { loss: 0.0, floor: Some(0.0) })
    );
    let mut without = config(TaskKind::Facts);
    without.model.memory_tokens = 0;
    let without = trainer(without);
    let (_, logits) = block_on(trace(&without, &prompt)).unwrap();
    let alone = logits.expected(&without, &SampleOptions::default()).costs;
    let floors = |costs: &[Cost]| costs.iter().map(|cost| cost.floor).collect::<Vec<_>>();
    assert_eq!(floors(&expected.costs[MEMORY..]), floors(&alone));
    assert!(block_on(trace(&run, "")).is_err());
}

#[test]
fn they_stand_before_every_prompt_and_are_never_written() {
    // Untrained, so that they are as likely as anything else.
    for kind in [TaskKind::Facts, TaskKind::Phone, TaskKind::Text] {
        let run = trainer(config(kind));
        for prompt in ["", &run.task.example_prompt(1)] {
            let text = write(&run, prompt, 250); // longer than the context
            assert!(text.starts_with(prompt) && !text.contains('⟨'), "{text}");
            assert!(text.ends_with("{E}") || text.chars().count() == prompt.chars().count() + 250);
        }
    }
}

#[test]
fn beyond_the_context_they_and_the_last_characters_are_seen() {
    let mut config = config(TaskKind::Text);
    config.model.context = 12;
    let run = trainer(config);
    let end = "the mat;";
    let options = |prompt: String| SampleOptions { prompt, ..SampleOptions::default() };
    let drawn = |prompt: String| {
        let mut sampler =
            Sampler::new(run.model(), &run.tokenizer, &run.task, options(prompt)).unwrap();
        block_on(sampler.next(&run.task)).unwrap().unwrap()
    };
    // 4 memory tokens and 8 characters fill the context.
    let (short, long) = (drawn(end.into()), drawn("the cat sat on ".to_owned() + end));
    assert_eq!(short.alternatives, long.alternatives);
    assert_eq!(short.picked, long.picked);
}

#[test]
fn a_record_must_fit_beside_them() {
    let mut config = config(TaskKind::Phone);
    let longest = trainer(config.clone()).task.longest();
    config.model.context = longest + MEMORY;
    losses(&mut trainer(config.clone()), 1);
    config.model.context -= 1;
    let error = Trainer::new(config, Device::flex(), &LIMITS).err().unwrap().to_string();
    assert!(error.contains("Context (model.context)"), "{error}");
    assert!(error.contains(&format!("set it to {} or more", longest + MEMORY)), "{error}");
}

#[test]
fn a_checkpoint_whose_numbers_of_them_differ_is_refused() {
    let run = trained(TaskKind::Phone, 1);
    let mut damaged = checkpoint(&run);
    damaged.config.model.memory_tokens = MEMORY - 1;
    let read = Checkpoint::from_bytes(&damaged.to_bytes().unwrap());
    assert!(matches!(read, Err(CheckpointError::Alphabet)));
    let resumed = Trainer::resume(damaged, Device::flex(), &LIMITS).err();
    assert!(matches!(resumed, Some(CheckpointError::Alphabet)));
}

#[test]
fn evaluations_and_probes_ask_as_before() {
    let options = EvalOptions { records: 4, temperature: 1.0, seed: 1 };
    for kind in [TaskKind::Facts, TaskKind::Phone] {
        let run = trained(kind, 2);
        let mut evaluation = Evaluation::new(&run, None, options).unwrap();
        while block_on(evaluation.next()).unwrap() {}
        assert_eq!(evaluation.progress().done, 4);
        let prompt = run.task.example_prompt(1);
        let mut probing = Probing::new(&run, None, prompt, options).unwrap();
        while block_on(probing.next()).unwrap() {}
        assert!(probing.report().samples.iter().all(|sample| !sample.text.contains('⟨')));
        let validated = block_on(run.losses(Split::Validation, 1)).unwrap();
        assert!(validated.fields().all(|field| field != Field::Memory));
    }
}

#[test]
fn what_is_recalled_of_facts_is_what_is_written() {
    let mut config = config(TaskKind::Facts);
    (config.model.d_model, config.model.n_heads) = (32, 4);
    (config.train.steps, config.train.lr, config.train.val_every) = (300, 0.01, 1000);
    let mut run = SweepRun::new(config, Device::flex(), &LIMITS).unwrap();
    let outcome = loop {
        if let Some(outcome) = block_on(run.next()).unwrap() {
            break outcome;
        }
    };
    assert!(outcome.recalled.right > 0, "{outcome:?}");
    let run = run.trainer();
    let Some(facts) = run.task.downcast_ref::<Facts>() else { unreachable!() };
    let is_written = |record: &&Record| {
        let prompt = format!("{{B}}{}", record.part(Field::Question));
        let options = SampleOptions { prompt, temperature: 0.0, ..SampleOptions::default() };
        draw(run, SampleOptions { max_chars: 200, ..options }) == record.text.trim_end()
    };
    let written = facts.records(Split::Train).iter().filter(is_written).count();
    assert_eq!(outcome.recalled.right, written, "{outcome:?}");
}

#[test]
fn attention_averaged_by_type_tells_theirs_apart() {
    let run = trained(TaskKind::Phone, 2);
    let mut averaging = Averaging::new(&run, None, 3);
    while block_on(averaging.next()).unwrap() {}
    let report = averaging.report();
    let shares = report.shares(0, 0);
    assert!(shares.iter().all(|(name, _)| *name != "memory"), "none of them asks for anything");
    for (name, shares) in shares {
        assert!((shares.values().sum::<f64>() - 1.0).abs() < 1e-6, "{name}: {shares:?}");
        assert!(shares[&Field::Memory] > 0.0, "{name}: {shares:?}");
    }
    let (names, mean) = report.pattern(0, 0);
    assert_eq!(names.iter().filter(|name| *name == "memory").count(), 1);
    for (name, row) in names.iter().zip(mean.chunks(names.len())) {
        let sum: f32 = row.iter().sum();
        assert!((sum - if name == "memory" { 0.0 } else { 1.0 }).abs() < 1e-4, "{name}: {sum}");
    }
}

#[test]
fn a_text_is_taught_up_to_the_room_beside_them() {
    let mut config = config(TaskKind::Facts);
    (config.model.memory.kind, config.model.memory.layers) = (MemoryKind::Featural, "1".into());
    let mut run = trainer(config);
    losses(&mut run, 2);
    let most = run.config.model.context + 1 - MEMORY;
    assert!(block_on(run.teach(&"a".repeat(most))).unwrap().is_finite());
    let refused = block_on(run.teach(&"a".repeat(most + 1)));
    assert!(matches!(refused, Err(TeachError::Length { got, min: 2, max: told })
        if (got, told) == (most + 1, most)));
}

#[test]
fn a_clone_learns_from_windows_behind_them() {
    let teacher = checkpoint(&trained(TaskKind::Facts, 1));
    let mut asked = teacher.config.clone();
    (asked.model.memory.kind, asked.train.steps) = (MemoryKind::ProductKey, 2);
    for text in [None, Some("ab"), Some(&*"The capital of France is Paris. ".repeat(20))] {
        let new = Distillation::new(teacher.clone(), &asked, text, None, Device::flex(), &LIMITS);
        let mut distillation = block_on(new).unwrap();
        while block_on(distillation.next()).unwrap() {}
        let report = distillation.progress();
        assert!(report.kl >= 0.0 && report.kl.is_finite());
        assert!(!report.sides.as_ref().unwrap().prompt.contains('⟨'));
        assert_eq!(distillation.trainer().tokenizer.memory_tokens(), MEMORY);
    }
}
