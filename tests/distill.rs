//! Clones that learn with memories what their teacher's MLPs did.

mod common;

use std::cell::RefCell;
use std::process::Output;

use burn::tensor::Device;
use confab::arch::Layout;
use confab::checkpoint::Checkpoint;
use confab::config::{
    MemoryKind, MemoryLimits, OptimizerKind, Preset, RunConfig, TaskConfig, TaskKind,
};
use confab::learn::distill::{DistillError, Distillation};
use confab::protocol::{Command as Order, Distill, DistillOptions, Event, JobRequest, Then};
use confab::run::DeviceChoice;
use confab::session;
use confab::session::RunStorage;
use futures::channel::mpsc::unbounded;
use futures::executor::block_on;

use common::{LIMITS, checkpoint, crew, resume, trainer, untimed_run};

const KINDS: [MemoryKind; 3] =
    [MemoryKind::Featural, MemoryKind::Associative, MemoryKind::ProductKey];

/// The preset 30k on twenty facts, trained for so many steps.
fn teacher(steps: usize) -> Checkpoint {
    let mut config = RunConfig::default();
    Preset::find("30k").unwrap().apply(&mut config);
    config.task.kind = TaskKind::Facts;
    config.task.facts.facts = 20;
    config.train.steps = 400;
    config.train.batch = 8;
    (config.train.lr, config.train.min_lr, config.train.warmup) = (0.01, 0.001, 20);
    (config.train.val_every, config.train.val_batches) = (1000, 1);
    let mut trainer = trainer(config);
    for _ in 0..steps {
        block_on(trainer.step()).unwrap();
    }
    checkpoint(&trainer)
}

/// The clone that is asked for: memories in the places of the MLPs 4 and 6.
fn asked(teacher: &Checkpoint, kind: MemoryKind, steps: usize) -> RunConfig {
    let mut config = teacher.config.clone();
    (config.model.memory.kind, config.model.memory.layers) = (kind, "4,6".into());
    (config.train.steps, config.train.warmup) = (steps, 10);
    config
}

fn begin(
    teacher: &Checkpoint,
    config: &RunConfig,
    text: Option<&str>,
) -> Result<Distillation, DistillError> {
    let limits = &LIMITS;
    block_on(Distillation::new(teacher.clone(), config, text, None, Device::flex(), limits))
}

fn refusal(teacher: &Checkpoint, config: &RunConfig) -> String {
    begin(teacher, config, None).err().expect("it is refused").to_string()
}

/// The clone after all steps, and how it stands.
fn distil(mut distillation: Distillation) -> (Distillation, Checkpoint) {
    while block_on(distillation.next()).unwrap() {}
    let clone = checkpoint(distillation.trainer());
    (distillation, clone)
}

/// KL divergence of the first step, and its mean over the last ten.
fn kls(clone: &Checkpoint) -> (f32, f32) {
    let kl: Vec<f32> = clone.history.iter().map(|point| point.train_loss).collect();
    (kl[0], kl[kl.len() - 10..].iter().sum::<f32>() / 10.0)
}

fn assert_kept(teacher: &Checkpoint, clone: &Checkpoint) {
    let layout = |of: &Checkpoint| Layout::new(&of.config.model, of.tokenizer.vocab_size());
    let (taught, cloned) = (layout(teacher), layout(clone));
    let mut new = 0;
    for parameter in cloned.parameters() {
        let Some(kept) = taught.find(parameter.name()) else {
            new += 1;
            continue;
        };
        let values = clone.parameters[parameter.range.clone()].iter().map(|value| value.to_bits());
        let expected = teacher.parameters[kept.range.clone()].iter().map(|value| value.to_bits());
        assert!(values.eq(expected), "{} has changed", parameter.name());
    }
    assert!(new > 0);
}

#[test]
fn memories_learn_by_every_optimizer_and_all_else_is_kept() {
    let teacher = teacher(200);
    for (optimizer, lr) in [(OptimizerKind::Sgd, 0.1), (OptimizerKind::Muon, 0.01)] {
        let mut config = asked(&teacher, MemoryKind::ProductKey, 40);
        (config.train.optimizer, config.train.lr) = (optimizer, lr);
        let (_, clone) = distil(begin(&teacher, &config, None).unwrap());
        let (first, last) = kls(&clone);
        assert!(last < first / 2.0, "{optimizer:?}: {first} to {last}");
        assert_kept(&teacher, &clone);
    }
}

#[test]
fn memories_learn_what_mlps_did() {
    let teacher = teacher(200);
    for kind in KINDS {
        let distillation = begin(&teacher, &asked(&teacher, kind, 80), None).unwrap();
        let (distillation, clone) = distil(distillation);
        let report = distillation.progress();
        let (first, last) = kls(&clone);
        println!("{kind:?}: {first} to {last}, {report:?}");
        assert!(first > 0.1, "the MLPs did nothing: {first}");
        assert!(last < first / 10.0, "{kind:?}: {first} to {last}");
        assert_eq!((report.step, clone.step, report.first_kl), (80, 80, first));
        assert!(report.agreement > 0.9 && report.layers.len() == 2, "{report:?}");
        let is_stored = |slots: Option<usize>| slots.is_some_and(|slots| slots > 0);
        assert!(report.layers.iter().all(|of| of.error < 0.5));
        assert!(report.layers.iter().all(|of| is_stored(of.slots) == kind.is_stored()));
        let sides = report.sides.as_ref().unwrap();
        assert!(sides.step == 80 && !sides.teacher.is_empty() && !sides.clone.is_empty());
        assert_kept(&teacher, &clone);
        let again = Checkpoint::from_bytes(&clone.to_bytes().unwrap()).unwrap();
        assert_eq!(untimed_run(again), untimed_run(clone));
    }
}

#[test]
fn a_clone_trains_on_as_a_new_run() {
    let teacher = teacher(2);
    let distillation = begin(&teacher, &asked(&teacher, MemoryKind::Associative, 2), None).unwrap();
    let (_, clone) = distil(distillation);
    let mut config = clone.config.clone();
    config.train.steps = 3;
    let clone = clone.restart(config).unwrap();
    let mut run = resume(clone);
    assert!(block_on(run.step()).unwrap().loss.train_loss.is_finite());
}

#[test]
fn micro_batches_add_up_and_frozen_weights_stay() {
    let teacher = teacher(2);
    let mut config = asked(&teacher, MemoryKind::Featural, 3);
    config.train.accumulation = 2;
    config.train.frozen = true;
    let (distillation, clone) = distil(begin(&teacher, &config, None).unwrap());
    let slots: Vec<_> = distillation.progress().layers.iter().map(|of| of.slots).collect();
    assert!(slots.iter().all(|slots| slots.is_some_and(|slots| slots > 0)), "{slots:?}");
    let untrained = confab::learn::distill::untrained(&teacher, &config, &LIMITS).unwrap();
    assert_eq!(untrained.parameters, clone.parameters);
    let (_, again) = distil(begin(&teacher, &config, None).unwrap());
    assert_eq!(untimed_run(again), untimed_run(clone));
}

#[test]
fn a_model_from_elsewhere_is_distilled_on_a_text() {
    let mut teacher = teacher(0);
    teacher.config.task = TaskConfig { kind: TaskKind::Text, ..TaskConfig::default() };
    let config = asked(&teacher, MemoryKind::ProductKey, 2);
    assert!(refusal(&teacher, &config).contains("--text-file"));
    let refuse = |text: &str| begin(&teacher, &config, Some(text)).err().unwrap().to_string();
    assert!(refuse("a").contains("1 tokens long"));
    assert!(refuse("a €").contains('€'));
    for text in ["ab", &"The capital of France is Paris. ".repeat(40)] {
        let (distillation, clone) = distil(begin(&teacher, &config, Some(text)).unwrap());
        assert!(distillation.progress().kl >= 0.0 && clone.config.task.is_unknown());
        assert_kept(&teacher, &clone);
    }
}

#[test]
fn what_cannot_be_distilled_is_refused() {
    let teacher = teacher(0);
    let ask = |change: fn(&mut RunConfig)| {
        let mut config = asked(&teacher, MemoryKind::Featural, 2);
        change(&mut config);
        refusal(&teacher, &config)
    };
    assert!(ask(|config| config.model.memory.layers = "3,8".into()).contains("layers 0 to 7"));
    assert!(ask(|config| config.model.memory.kind = MemoryKind::None).contains("associative"));
    assert!(ask(|config| config.model.memory.slots = 0).contains("Slots"));
    let config = asked(&teacher, MemoryKind::ProductKey, 2);
    let with = |change: fn(&mut Checkpoint)| {
        let mut other = teacher.clone();
        change(&mut other);
        refusal(&other, &config)
    };
    let mlp = confab::config::MlpKind::None;
    let without = RunConfig {
        model: confab::config::ModelConfig { mlp, ..teacher.config.model.clone() },
        ..teacher.config.clone()
    };
    let without = checkpoint(&trainer(without));
    assert!(refusal(&without, &config).contains("no MLPs"));
    assert!(
        with(|teacher| teacher.config.model.memory.kind = MemoryKind::Featural)
            .contains("has memories already")
    );
    let mut large = config.clone();
    large.model.memory.slots = 1 << 22;
    let limits = MemoryLimits { total: 1 << 26, buffer: 1 << 26 };
    let refused =
        block_on(Distillation::new(teacher.clone(), &large, None, None, Device::flex(), &limits));
    assert!(matches!(refused.err(), Some(DistillError::Config(_))));
    let prompt = Some("€".into());
    let unknown = Distillation::new(teacher, &config, None, prompt, Device::flex(), &LIMITS);
    assert!(matches!(block_on(unknown).err(), Some(DistillError::Unknown(_))));
}

#[test]
fn a_session_goes_on_with_the_clone() {
    let config = teacher(0).config;
    let mut asked = config.clone();
    (asked.model.memory.kind, asked.train.steps) = (MemoryKind::Featural, 2);
    let (orders, received) = unbounded();
    let build =
        Order::Build { config: Box::new(config), device: DeviceChoice::Cpu, then: Then::Wait };
    let options = DistillOptions { config: asked.clone(), text: None, prompt: None };
    let distill = Order::StartJob(JobRequest::new::<Distill>(&options).unwrap());
    orders.unbounded_send(build).unwrap();
    orders.unbounded_send(distill).unwrap();
    let (models, reports) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let emit = |event| match event {
        Event::Built(built) => {
            models.borrow_mut().push((built.config.model, built.step));
            if models.borrow().len() == 2 {
                orders.close_channel();
            }
        }
        Event::Job(report) => reports.borrow_mut().extend(report.of::<Distill>().unwrap()),
        Event::Notice { text } | Event::Refused { reason: text } => panic!("{text}"),
        _ => {}
    };
    block_on(session::run(received, emit, RunStorage::none(), crew()));
    assert_eq!(models.borrow()[1], (asked.model, 2));
    let reports = reports.borrow();
    let last = reports.last().unwrap();
    assert!(last.step == 2 && last.layers.len() == 8, "{last:?}");
}

#[test]
fn the_terminal_distils_a_file_into_another() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("teacher.safetensors"), teacher(2).to_bytes().unwrap()).unwrap();
    let distil = |args: &[&str]| {
        let all = [&["distill", "teacher.safetensors", "--device", "cpu"], args].concat();
        let Output { status, stdout, stderr } = common::terminal::confab(at, &all);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (status.success(), text(&stdout), text(&stderr))
    };
    let (is_ok, told, errors) = distil(&[
        "--memory",
        "4,6:associative",
        "--steps",
        "2",
        "--memory-slots",
        "64",
        "--out",
        "clone.safetensors",
    ]);
    assert!(is_ok, "{errors}");
    assert!(told.contains("teacher  ") && told.contains("clone    "), "{told}");
    assert!(errors.contains("step 2: KL"), "{errors}");
    let clone =
        Checkpoint::from_bytes(&std::fs::read(at.join("clone.safetensors")).unwrap()).unwrap();
    assert_eq!((clone.step, clone.config.model.memory.slots), (2, 64));
    for (args, told) in [
        (["--memory", "4:featural", "--out", "./teacher.safetensors"], "are one file"),
        (["--memory", "4:none", "--out", "x"], "a kind is one of"),
        (["--memory", "x:featural", "--out", "x"], "numbers of layers"),
        (["--memory", "9:featural", "--out", "x"], "layers 0 to 7"),
    ] {
        let (is_ok, _, errors) = distil(&args);
        assert!(!is_ok && errors.contains(told), "{errors}");
    }
}
