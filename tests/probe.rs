//! Probes: prompts beyond what was trained, and where the answers to them are from.

mod common;

use confab::base::random::stream_rng;
use confab::config::{RunConfig, TaskConfig, TaskKind, TextConfig};
use confab::eval::Probing;
use confab::report::EvalOptions;
use confab::run::{AnswerSource, Field};
use confab::task::{Split, Task};
use futures::executor::block_on;

fn task(kind: TaskKind) -> Task {
    Task::new(&TaskConfig { kind, ..Default::default() }).unwrap()
}

fn prompt(task: &Task, name: &str) -> String {
    let probes = task.probes(3);
    probes.into_iter().find(|probe| probe.name == name).expect(name).prompt
}

#[test]
fn every_probe_can_be_read_and_begins_no_training_record_but_the_general_ones() {
    for kind in [TaskKind::Phone, TaskKind::Facts] {
        let task = task(kind);
        let (tokenizer, probes) = (task.tokenizer(), task.probes(3));
        assert!(probes.len() >= 5, "{probes:?}");
        for probe in probes {
            assert!(tokenizer.encode(&probe.prompt).is_ok(), "{probe:?}");
        }
    }
    let text = TextConfig { text: "some plain text ".repeat(9), ..TextConfig::default() };
    let text = TaskConfig { kind: TaskKind::Text, text, ..Default::default() };
    assert_eq!(Task::new(&text).unwrap().probes(3), []);
}

#[test]
fn a_phone_probe_is_what_its_name_says() {
    let task = task(TaskKind::Phone);
    let names = |prompt: &str| -> Vec<String> {
        let lines = prompt.lines().filter(|line| line.contains(':'));
        lines.map(|line| line.split(':').next().unwrap().to_owned()).collect()
    };
    let stranger = names(&prompt(&task, "name not on the list"));
    assert_eq!(stranger.len(), 6);
    assert!(!stranger[..5].contains(&stranger[5]), "{stranger:?}");
    assert_eq!(names(&prompt(&task, "one line only")).len(), 1);
    let same = names(&prompt(&task, "the same name on every line"));
    assert!(same.len() == 5 && same.iter().all(|name| *name == same[0]), "{same:?}");
    assert!(!prompt(&task, "wrong separator").contains('='));
}

#[test]
fn an_answer_is_from_the_prompt_from_training_or_made_up() {
    let phone = task(TaskKind::Phone);
    let prompt = "{B}\nAnn Lee: 212-345-6789 \n=========\n";
    assert_eq!(phone.source(prompt, "Ann Lee: 212-345-6789 "), AnswerSource::Context);
    assert_eq!(phone.source(prompt, "Ann Lee: 212-345-6780 "), AnswerSource::Neither);
    assert_eq!(phone.source(prompt, ""), AnswerSource::Neither);

    let facts = task(TaskKind::Facts);
    let record = facts.draw(Split::Train, 0, &mut stream_rng(1, 0));
    let answer = record.part(Field::Answer);
    let elsewhere = "{B}Who was it? (): ";
    assert_eq!(facts.source(&record.text, &format!("{answer}{{E}}")), AnswerSource::Context);
    assert_eq!(facts.source(elsewhere, &format!("{answer}{{E}}")), AnswerSource::Training);
    assert_eq!(facts.source(elsewhere, "Xyzzyq{E}"), AnswerSource::Neither);
}

#[test]
fn samples_of_a_probe_come_with_the_entropy_of_each_character() {
    let run = common::trainer(RunConfig::default());
    let options = EvalOptions { records: 5, temperature: 1.0, seed: 1 };
    let probe = || {
        let mut probing = Probing::new(&run, None, "{B}\n".into(), options).unwrap();
        while block_on(probing.next()).unwrap() {}
        probing.report().clone()
    };
    let report = probe();
    assert_eq!(report, probe());
    assert_eq!(report.samples.len(), 5);
    // An untrained model holds every character about as likely.
    let most = (run.tokenizer.vocab_size() as f64).ln();
    for (sum, count) in &report.entropies {
        let mean = sum / *count as f64;
        assert!(mean <= most + 1e-6 && mean > most - 0.1, "{mean} of {most}");
    }
    let shares = [AnswerSource::Context, AnswerSource::Training, AnswerSource::Neither];
    assert_eq!(shares.map(|source| report.of_source(source).right).iter().sum::<usize>(), 5);
    assert!(Probing::new(&run, None, "☃".into(), options).is_err());
}
