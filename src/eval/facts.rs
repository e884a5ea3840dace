//! Answers to questions, with the fact given, left out, or stated falsely.

use burn::tensor::ExecutionError;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::generate::Writer;
use crate::report::{Answers, FactsReport, Score};
use crate::run::{Field, Record};
use crate::task::{Split, Task};

/// End mark of a record.
const END: &str = "{E}";
/// More draws than are needed to meet a record with an answer.
const MAX_DRAWS: usize = 10_000;

/// Parts of a record.
struct Question {
    /// All before the answer, which is the last one of a chat.
    prompt: String,
    question: String,
    /// Empty for none.
    fact: String,
    /// All after `prompt` and before the end mark.
    answer: String,
}

/// True if `task` has records with answers to hold a model's against.
pub fn has_answers(task: &Task) -> bool {
    let all = |split| task.records(split).iter();
    all(Split::Train).any(has_answer) && all(Split::Validation).any(has_answer)
}

fn has_answer(record: &Record) -> bool {
    record.fields.contains(&Field::Answer)
}

/// Asks about one record. Records of the training set and held-out ones alternate.
pub async fn score(
    report: &mut FactsReport,
    task: &Task,
    index: usize,
    writer: &mut Writer,
    rng: &mut ChaCha8Rng,
) -> Result<(), ExecutionError> {
    let trained = index.is_multiple_of(2);
    let split = if trained { Split::Train } else { Split::Validation };
    let drawn = (0..MAX_DRAWS).map(|_| task.draw(split, usize::MAX, rng)).find(has_answer);
    let Some(record) = drawn else { return Ok(()) };
    let other = false_answer(task, &record, rng);
    let Question { prompt, question, fact, answer } = Question::of(&record);
    let answers = if trained { &mut report.trained } else { &mut report.held_out };

    let (given, confidence) = ask(writer, &prompt, &answer).await?;
    answers.given.add(given == answer);
    if let Some(category) = record.category {
        report.categories.entry(category).or_default().add(given == answer);
    }
    report.calibration.add(confidence, given == answer);
    if fact.is_empty() {
        return Ok(());
    }

    let (left_out, _) = ask(writer, &with_fact(&question, ""), &answer).await?;
    answers.left_out.add(left_out == answer);

    answers.alone.add(write_fact(writer, &question).await? == answer);

    if let Some(other) = other.filter(|_| fact.contains(&answer)) {
        let told = with_fact(&question, &fact.replace(&answer, &other));
        let (told, _) = ask(writer, &told, &answer).await?;
        let Answers { follows_context, follows_weights, .. } = answers;
        for (score, wanted) in [(follows_context, &other), (follows_weights, &answer)] {
            Score::add(score, told == *wanted);
        }
    }
    Ok(())
}

fn with_fact(question: &str, fact: &str) -> String {
    format!("{{B}}{question} ({fact}): ")
}

/// The model's answer after `prompt`, cut some characters after the length of the right one, and the probability of
/// the whole answer.
async fn ask(
    writer: &mut Writer,
    prompt: &str,
    right: &str,
) -> Result<(String, f64), ExecutionError> {
    const SHORTEST: usize = 64;
    let limit = (right.chars().count() + END.len()).max(SHORTEST);
    let written = writer.write(prompt, END, limit).await?;
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
fn false_answer(task: &Task, record: &Record, rng: &mut ChaCha8Rng) -> Option<String> {
    let answer = record.part(Field::Answer);
    let others: Vec<&Record> = task
        .records(Split::Train)
        .iter()
        .filter(|other| has_answer(other))
        .filter(|other| other.category == record.category && other.part(Field::Answer) != answer)
        .collect();
    (!others.is_empty()).then(|| others[rng.random_range(0..others.len())].part(Field::Answer))
}

impl Question {
    fn of(record: &Record) -> Self {
        let is_answer = |field: &Field| *field == Field::Answer;
        let last = record.fields.iter().rposition(is_answer).unwrap_or(0);
        let before = record.fields[..last].iter().rposition(|field| !is_answer(field));
        let prompt: String = record.symbols().take(before.map_or(0, |place| place + 1)).collect();
        let answer = record.text[prompt.len()..].trim_end_matches('\n');
        let answer = answer.strip_suffix(END).unwrap_or(answer).to_owned();
        let [question, fact] = [Field::Question, Field::Fact].map(|field| record.part(field));
        Self { prompt, question, fact, answer }
    }
}
