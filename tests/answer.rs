//! Questions of tasks, and what a model answers.

mod common;

use confab::config::{RunConfig, TaskKind};
use confab::generate::{Sampler, read_back};
use confab::interp::answer;
use confab::interp::trace::trace;
use confab::protocol::SampleOptions;
use confab::task::{Question, Task};
use futures::executor::block_on;

use common::{losses, trainer};

fn question(kind: TaskKind, number: u64) -> Option<Question> {
    let mut config = RunConfig::tuned(kind).task;
    if kind == TaskKind::Text {
        config.text.text = "A text has no answers.\n".repeat(20);
    }
    Task::new(&config).unwrap().question(1, number)
}

#[test]
fn a_question_leaves_what_can_be_known() {
    for number in 0..20 {
        let Question { text, answer } = question(TaskKind::Phone, number).unwrap();
        // The name is given, and the number stands in the list.
        assert!(text.ends_with(": ") && text.contains(&answer), "{text}{answer}");
        let digits = answer.chars().filter(char::is_ascii_digit).count();
        assert!(answer.len() == 12 && digits == 10, "{answer}");

        let Question { text, answer } = question(TaskKind::Induction, number).unwrap();
        assert_eq!(text, format!("{answer}|"));

        let Question { text, answer } = question(TaskKind::Modular, number).unwrap();
        let terms: Vec<usize> =
            text.trim_end_matches('=').split('+').map(|term| term.parse().unwrap()).collect();
        assert_eq!(answer, ((terms[0] + terms[1]) % 43).to_string(), "{text}");

        let Question { text, answer } = question(TaskKind::Facts, number).unwrap();
        // The fact is not given, for it holds the answer.
        assert!(text.starts_with("{B}") && text.ends_with(" ("), "{text}");
        let (fact, answer) = answer.split_once("): ").expect("a fact and an answer");
        assert!(fact.contains(answer) && !answer.contains('{'), "{fact}{answer}");
        assert_eq!(question(TaskKind::Text, number), None);
    }
    assert_ne!(question(TaskKind::Phone, 0), question(TaskKind::Phone, 1));
    assert_eq!(question(TaskKind::Phone, 3), question(TaskKind::Phone, 3));
}

#[test]
fn an_answer_is_a_greedy_sample_and_what_a_head_reads_for_it() {
    for memory_tokens in [0, 2] {
        let mut config = RunConfig::tuned(TaskKind::Phone);
        (config.model.memory_tokens, config.train.batch) = (memory_tokens, 4);
        config.model.context += memory_tokens;
        let mut run = trainer(config);
        losses(&mut run, 3);
        let asked = run.task.question(1, 0).unwrap();
        let host = block_on(read_back(run.model())).unwrap();
        let answered = answer(&host, &run.config.model, &run.tokenizer, &asked, run.step).unwrap();
        assert_eq!(
            (answered.question.concat(), answered.truth.concat()),
            (asked.text.clone(), asked.answer)
        );
        assert_eq!(answered.said.len(), answered.truth.len());

        let options = SampleOptions {
            prompt: asked.text.clone(),
            temperature: 0.0,
            max_chars: answered.said.len(),
            ..SampleOptions::default()
        };
        let mut sampler = Sampler::new(run.model(), &run.tokenizer, &run.task, options).unwrap();
        for said in &answered.said {
            let sampled = block_on(sampler.next(&run.task)).unwrap().unwrap();
            assert_eq!(sampled.picked, said.token);
            assert!((sampled.alternatives[0].probability - said.probability).abs() < 1e-5);
        }

        // The query of a character is the one before it.
        let said: String = answered.said.iter().map(|said| said.token.as_str()).collect();
        let (traced, _) = block_on(trace(&run, &(asked.text.clone() + &said))).unwrap();
        let (seq, first) = (traced.tokens.len(), traced.tokens.len() - answered.said.len() - 1);
        let pattern = traced.pattern(answered.head.0, answered.head.1);
        for (place, reads) in answered.reads.iter().enumerate() {
            let row = &pattern[(first + place) * seq..(first + place + 1) * seq];
            let expected = &row[memory_tokens..memory_tokens + reads.len()];
            assert!(reads.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{place}");
        }
    }
}

#[test]
fn a_model_without_room_for_a_question_is_not_asked() {
    let run = trainer(RunConfig::tuned(TaskKind::Phone));
    let host = block_on(read_back(run.model())).unwrap();
    let asked = Question { text: "{B}".repeat(40), answer: "1".into() };
    assert_eq!(answer(&host, &run.config.model, &run.tokenizer, &asked, 0), None);
    let unknown = Question { text: "☃".into(), answer: "1".into() };
    assert_eq!(answer(&host, &run.config.model, &run.tokenizer, &unknown, 0), None);
}
