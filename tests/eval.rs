//! Evaluation: what it counts, and that it leaves a run alone.

mod common;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use burn::tensor::Tensor;
use confab::config::{AnswerRule, RunConfig, TaskConfig, TaskKind};
use confab::data::Targets;
use confab::eval::{EvalError, Evaluation};
use confab::interp::analysis::Averaging;
use confab::learn::{LossSums, Trainer, hits};
use confab::report::Evaluated;
use confab::report::{Calibration, EvalOptions, Report, Score};
use confab::run::Field;
use confab::task::Split;
use futures::executor::block_on;
use proptest::prelude::*;

fn trainer(change: impl FnOnce(&mut RunConfig)) -> Trainer {
    let mut config = RunConfig::default();
    config.task.phone.lines = 2;
    config.task.phone.names = 4;
    config.train.batch = 8;
    config.train.warmup = 2;
    config.train.val_batches = 1;
    change(&mut config);
    common::trainer(config)
}

fn evaluate(trainer: &Trainer, options: EvalOptions) -> Evaluated {
    let mut evaluation = Evaluation::new(trainer, None, options).unwrap();
    while block_on(evaluation.next()).unwrap() {}
    evaluation.progress()
}

#[test]
fn an_untrained_model_is_right_about_nothing() {
    for answer in [AnswerRule::List, AnswerRule::Random] {
        let run = trainer(|config| config.task.phone.answer = answer);
        let options = EvalOptions { records: 6, temperature: 1.0, seed: 1 };
        let Evaluated { done, report: Report::Phone(report), .. } = evaluate(&run, options) else {
            panic!("a phone run has a phone report");
        };
        assert_eq!(done, 6);
        assert_eq!(report.valid, Score { right: 0, of: 6 });
        assert_eq!(report.name, Score { right: 0, of: 6 });
        assert_eq!(report.number, Score::default(), "no name was right");
        assert_eq!(report.asked, Score { right: 0, of: 6 });
        assert!(report.digits.iter().all(|digit| digit.of == 6));
        // Each line is asked for in turn.
        assert_eq!(report.by_line.iter().map(|line| line.of).collect::<Vec<_>>(), [30, 30]);
        assert!(report.distinct.right > 90, "{:?}", report.distinct);
        // An untrained model holds every character about as likely.
        let (_, wrong) = report.calibration.confidences();
        assert!(wrong.unwrap() < 0.1);
    }
}

#[test]
fn what_is_learnt_by_heart_is_answered_and_the_rest_is_not() {
    let mut run = trainer(|config| {
        config.task.kind = TaskKind::Facts;
        config.task.facts.facts = 10;
        config.model.d_model = 32;
        config.model.n_heads = 4;
        config.train.steps = 400;
        config.train.lr = 5e-3;
        config.train.val_every = 1000;
    });
    while !run.finished() {
        block_on(run.step()).unwrap();
    }
    let options = EvalOptions { records: 40, temperature: 0.0, seed: 1 };
    let Evaluated { step, report: Report::Facts(report), .. } = evaluate(&run, options) else {
        panic!("a facts run has a facts report");
    };
    assert_eq!(step, 400);
    assert_eq!(report.trained.given.of, 20);
    assert_eq!(report.held_out.given.of, 20);
    assert!(report.trained.given.share() > Some(0.9), "{report:?}");
    assert!(report.held_out.given.share() < Some(0.5), "{report:?}");
    let categories: usize = report.categories.values().map(|score| score.of).sum();
    assert_eq!(categories, 40);
    let floor = run.task.floor().unwrap();
    let trained = block_on(run.losses(Split::Train, 4)).unwrap();
    assert!(f64::from(trained.mean()) > floor.nats_per_char, "nobody gets below the floor");
    assert!(trained.mean() < 0.4, "{}", trained.mean());
}

#[test]
fn the_same_seed_gives_the_same_report_and_the_run_goes_on_as_it_would_have() {
    let (mut whole, mut asked) = (trainer(|_| {}), trainer(|_| {}));
    let options = EvalOptions { records: 3, temperature: 1.0, seed: 7 };
    let first = evaluate(&asked, options);
    assert_eq!(first, evaluate(&asked, options));
    for _ in 0..3 {
        let (a, b) = (block_on(whole.step()).unwrap(), block_on(asked.step()).unwrap());
        assert_eq!(a.loss.train_loss, b.loss.train_loss);
        evaluate(&asked, options);
    }
}

#[test]
fn an_evaluation_is_the_same_whoever_evaluates_which_record() {
    let facts = |config: &mut RunConfig| {
        config.task.kind = TaskKind::Facts;
        config.task.facts.facts = 20;
    };
    let changes: [&dyn Fn(&mut RunConfig); 3] =
        [&|_| {}, &|config| config.task.phone.unknown = 0.5, &facts];
    for change in changes {
        let run = trainer(change);
        let options = EvalOptions { records: 60, temperature: 1.0, seed: 3 };
        let crew = Rc::new(common::crew::Mortal::default());
        let file = common::checkpoint(&run).to_bytes().unwrap();
        let helped = Evaluation::new(&run, None, options).unwrap();
        let mut helped = helped.helped(crew.clone(), file, Duration::ZERO);
        while block_on(helped.next()).unwrap() {}
        assert_eq!(helped.progress(), evaluate(&run, options));
        assert!(crew.sent.get() > 4, "{} errands", crew.sent.get());
    }
}

#[test]
fn a_text_has_no_right_answers() {
    let run = trainer(|config| {
        config.task.kind = TaskKind::Text;
        config.task.text.text = "to and fro ".repeat(9);
    });
    let refused = Evaluation::new(&run, None, EvalOptions::default()).err();
    assert_eq!(refused, Some(EvalError::Task));
}

/// One token of three is held likeliest; the answer is not.
#[test]
fn accuracy_is_of_the_answers_if_there_are_any() {
    let device = burn::tensor::Device::flex();
    let logits = Tensor::<3>::from_data([[[0.0, 2.0], [0.0, 1.0], [0.5, -1.0]]], &device);
    let targets = Targets::Classes(Tensor::from_data([[1, 0, 1]], &device));
    let data = hits(logits, &targets).unwrap().into_data();
    let of = |answer: Option<Field>| {
        let mut sums = LossSums::default();
        sums.add_hits(data.iter::<bool>(), &[Some(Field::Question), Some(Field::Question), answer]);
        sums.accuracy()
    };
    assert_eq!(of(Some(Field::Text)), Some(1.0 / 3.0));
    assert_eq!(of(Some(Field::Answer)), Some(0.0));
    assert_eq!(of(None), Some(0.5));
    assert_eq!(LossSums::default().accuracy(), None);
}

#[test]
fn losses_by_field_are_those_of_the_whole() {
    let run = trainer(|_| {});
    let sums = block_on(run.losses(Split::Validation, 2)).unwrap();
    let floor = run.task.floor().unwrap();
    // Weighted by how many characters of each field there are, the fields make the mean.
    let (nats, chars) = sums.fields().fold((0.0, 0.0), |(nats, chars), field| {
        let part = floor.field(field).unwrap();
        (nats + f64::from(sums.of(field).unwrap()) * part.chars, chars + part.chars)
    });
    assert!((nats / chars - f64::from(sums.mean())).abs() < 0.02);
}

proptest! {
    #[test]
    fn calibration_adds_up(answers in prop::collection::vec((0.0..=1.0f64, any::<bool>()), 1..200)) {
        let mut calibration = Calibration::default();
        answers.iter().for_each(|(confidence, right)| calibration.add(*confidence, *right));
        let right = answers.iter().filter(|(_, right)| *right).count();
        prop_assert_eq!(calibration.score(), Score { right, of: answers.len() });
        let error = calibration.error().unwrap();
        prop_assert!((0.0..=1.0).contains(&error));
        // Of all answers together the mean confidence is off by no more than bin by bin.
        let mean = answers.iter().map(|(confidence, _)| confidence).sum::<f64>() / answers.len() as f64;
        let accuracy = right as f64 / answers.len() as f64;
        prop_assert!((mean - accuracy).abs() <= error + 1e-9);
    }
}

/// The model of `run`, as an import makes it: without a task.
fn elsewhere(run: &Trainer) -> Trainer {
    let mut checkpoint = common::checkpoint(run);
    checkpoint.config.task = TaskConfig { kind: TaskKind::Text, ..TaskConfig::default() };
    checkpoint.moments = None;
    let imported = common::resume(checkpoint);
    assert!(imported.task.is_none());
    imported
}

#[test]
fn a_model_from_elsewhere_answers_a_task_that_its_alphabet_allows() {
    let mut run = trainer(|config| (config.model.d_model, config.model.context) = (16, 160));
    common::losses(&mut run, 30);
    let options = EvalOptions { records: 5, temperature: 0.0, seed: 1 };
    assert_eq!(Evaluation::new(&elsewhere(&run), None, options).err(), Some(EvalError::Task));
    let given = elsewhere(&run).with_task(run.config.task.clone()).unwrap();
    let (own, given) = (evaluate(&run, options), evaluate(&given, options));
    assert_eq!((own.report, own.done), (given.report, given.done));

    let refused = |task: TaskConfig| match elsewhere(&run).with_task(task) {
        Ok(_) => panic!("a task that the model cannot read"),
        Err(error) => error.to_string(),
    };
    let induction = refused(TaskConfig { kind: TaskKind::Induction, ..TaskConfig::default() });
    assert!(induction.contains("never seen “|”"), "{induction}");
    let mut long = run.config.task.clone();
    long.phone.lines = 9;
    assert!(refused(long).contains("context"));
}

#[test]
fn records_in_json_are_asked_about_by_category() {
    let line = |i: usize| match i % 4 {
        0 => format!(
            "{{\"question\": \"Which {i}?\", \"fact\": \"It is {i}.\", \"answer\": \"{i}\", \"category\": \"even\"}}"
        ),
        1 => {
            format!("{{\"instruction\": \"Say {i}\", \"output\": \"{i}\", \"category\": \"odd\"}}")
        }
        2 => format!("{{\"prompt\": \"Go {i}\", \"completion\": \"on\"}}"),
        _ => format!("{{\"text\": \"No answer {i}\", \"category\": \"none\"}}"),
    };
    let lines: Vec<String> = (0..60).map(line).collect();
    let run = |text: String| {
        trainer(|config| {
            config.task.kind = TaskKind::Text;
            config.task.text.text = text;
        })
    };
    let json = run(lines.join("\n"));
    let options = EvalOptions { records: 40, temperature: 0.0, seed: 1 };
    let Evaluated { report: Report::Facts(report), .. } = evaluate(&json, options) else {
        panic!("answers in JSON have the report of facts");
    };
    assert_eq!((report.trained.given.of, report.held_out.given.of), (20, 20));
    let categories: Vec<&str> = report.categories.keys().map(String::as_str).collect();
    assert_eq!(categories, ["even", "odd"]);
    // Only records with a fact can have it left out.
    let even = report.categories["even"].of;
    assert_eq!(report.trained.left_out.of + report.held_out.left_out.of, even);
    assert_eq!(report.trained.alone.of + report.held_out.alone.of, even);

    // What heads read is told by category: of an answer, or of a text without one.
    let mut average = Averaging::new(&json, None, 40);
    while block_on(average.next()).unwrap() {}
    let types: Vec<&str> = average.report().sums.keys().map(String::as_str).collect();
    let held_out = json.task.records(Split::Validation).iter();
    let categories: BTreeSet<&str> =
        held_out.filter_map(|record| record.category.as_deref()).collect();
    assert!(categories.contains("none") && categories.len() > 1, "{categories:?}");
    assert!(categories.iter().all(|category| types.contains(category)), "{types:?}");

    let no_answers: Vec<String> =
        (0..20).map(|i| format!("{{\"text\": \"No answer {i}\"}}")).collect();
    for text in [no_answers.join("\n"), "A plain text of some length and no more. ".repeat(9)] {
        let refused = Evaluation::new(&run(text), None, options).err();
        assert_eq!(refused, Some(EvalError::Task));
    }
}
