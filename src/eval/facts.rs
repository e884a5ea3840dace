//! Answers to questions, with the fact given, left out, or stated falsely.

use burn::tensor::ExecutionError;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::generate::Writer;
use crate::report::{Answers, FactsReport, Score};
use crate::task::{Facts, RecordSource, Split};
use crate::run::{Field, Record};

/// End mark of a record.
const END: &str = "{E}";

/// Parts of a record.
struct Question {
    question: String,
    fact: String,
    answer: String,
}

/// Asks about one record. Records of the training set and held-out ones alternate.
pub async fn score(
    report: &mut FactsReport,
    task: &Facts,
    index: usize,
    writer: &mut Writer,
    rng: &mut ChaCha8Rng,
) -> Result<(), ExecutionError> {
    let trained = index.is_multiple_of(2);
    let split = if trained { Split::Train } else { Split::Validation };
    let record = task.draw(split, usize::MAX, rng);
    let other = false_answer(task, &record, rng);
    let Question { question, fact, answer } = Question::of(&record);
    let answers = if trained { &mut report.trained } else { &mut report.held_out };

    let (given, confidence) = ask(writer, &question, &fact).await?;
    answers.given.add(given == answer);
    let category = record.category.unwrap_or_default();
    report.categories.entry(category).or_default().add(given == answer);
    report.calibration.add(confidence, given == answer);

    let (left_out, _) = ask(writer, &question, "").await?;
    answers.left_out.add(left_out == answer);

    answers.alone.add(write_fact(writer, &question).await? == answer);

    if let Some(other) = other.filter(|_| fact.contains(&answer)) {
        let (told, _) = ask(writer, &question, &fact.replace(&answer, &other)).await?;
        let Answers { follows_context, follows_weights, .. } = answers;
        for (score, wanted) in [(follows_context, &other), (follows_weights, &answer)] {
            Score::add(score, told == *wanted);
        }
    }
    Ok(())
}

/// The model's answer, and the probability of the whole answer.
async fn ask(
    writer: &mut Writer,
    question: &str,
    fact: &str,
) -> Result<(String, f64), ExecutionError> {
    const LONGEST: usize = 64;
    let written = writer.write(&format!("{{B}}{question} ({fact}): "), END, LONGEST).await?;
    let answer = written.text.strip_suffix(END).unwrap_or(&written.text).to_owned();
    Ok((answer, written.confidences.iter().product()))
}

/// The model's answer after a fact that it also writes.
async fn write_fact(writer: &mut Writer, question: &str) -> Result<String, ExecutionError> {
    const LONGEST: usize = 256;
    let written = writer.write(&format!("{{B}}{question} ("), END, LONGEST).await?;
    let told = written.text.strip_suffix(END).unwrap_or(&written.text);
    Ok(told.rsplit("): ").next().unwrap_or_default().to_owned())
}

/// Another answer to a question of the same category, if there is one.
fn false_answer(task: &Facts, record: &Record, rng: &mut ChaCha8Rng) -> Option<String> {
    let answer = record.part(Field::Answer);
    let others: Vec<&Record> = task
        .records(Split::Train)
        .iter()
        .filter(|other| other.category == record.category && other.part(Field::Answer) != answer)
        .collect();
    (!others.is_empty()).then(|| others[rng.random_range(0..others.len())].part(Field::Answer))
}

impl Question {
    fn of(record: &Record) -> Self {
        let [question, fact, answer] =
            [Field::Question, Field::Fact, Field::Answer].map(|field| record.part(field));
        Self { question, fact, answer }
    }
}
