//! Records in JSON: one object a line, or an array of objects.

use serde_json::{Deserializer, Value};

use crate::run::{Field, Record};

/// The keys that an object may have.
const KEYS: &str = "`instruction` and `output` (and `input`), `question` and `answer` (and `fact`), `prompt` and \
                    `completion`, `messages`, or `text`";

/// Keys whose values are texts.
const TEXTS: [&str; 10] = [
    "instruction", "input", "output", "question", "fact", "answer", "prompt", "completion", "text", "category",
];

/// True if a text is JSON, not plain: if it begins like an object or an array, or if half of its lines or more are
/// records.
pub fn are_in(text: &str) -> bool {
    begins_like_json(text) || is_mostly_records(text)
}

/// Reads the records of a text in JSON.
///
/// # Errors
/// A sentence that names the first line that is no record.
pub fn read(text: &str) -> Result<Vec<Record>, String> {
    let refuse = |line: usize, why: &str| {
        format!(
            "line {line} of the JSON {why}; make it an object with {KEYS}, or remove it. A text that is no JSON must \
             not begin like it"
        )
    };
    let mut records = Vec::new();
    for value in Values::of(text) {
        let (line, value, written) = value.map_err(|(line, why)| refuse(line, &why))?;
        if let Some(number) = changed_number(&value, written) {
            return Err(format!(
                "line {line} of the JSON has a number that would become {number}; put it in quotes to keep it as it is"
            ));
        }
        records.push(record(&value).ok_or_else(|| refuse(line, "is no record"))?);
    }
    Ok(records)
}

/// True if the text begins with an object's key, in an array or not, or if its first line is a value.
fn begins_like_json(text: &str) -> bool {
    let text = text.trim_start();
    let object = text.strip_prefix('[').map_or(text, str::trim_start);
    let key = object.strip_prefix('{').map(str::trim_start).and_then(|rest| rest.strip_prefix('"'));
    let after_key = key.and_then(|key| key.lines().next()?.split_once('"'));
    let has_key = after_key.is_some_and(|(_, rest)| rest.trim_start().starts_with(':'));
    let first = text.lines().next().unwrap_or_default();
    has_key || first.starts_with(['{', '[']) && serde_json::from_str::<Value>(first).is_ok()
}

fn is_mostly_records(text: &str) -> bool {
    let is_record = |line: &&str| serde_json::from_str(line).is_ok_and(|value| record(&value).is_some());
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    2 * lines().filter(is_record).count() >= lines().count().max(1)
}

/// Values one after another, those of arrays one by one, each with the line it begins in.
struct Values<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    is_in_array: bool,
    /// True after a value of an array, until a comma.
    is_after_value: bool,
}

impl<'a> Values<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, is_in_array: false, is_after_value: false }
    }

    fn advance(&mut self, bytes: usize) {
        let passed = &self.text.as_bytes()[self.at..self.at + bytes];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at += bytes;
    }
}

impl<'a> Iterator for Values<'a> {
    /// Line, value and its text, or line and reason.
    type Item = Result<(usize, Value, &'a str), (usize, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = &self.text[self.at..];
            self.advance(rest.len() - rest.trim_start().len());
            match self.text.as_bytes().get(self.at) {
                None if self.is_in_array => {
                    self.is_in_array = false;
                    let why = "ends before its array does: its download may have stopped";
                    return Some(Err((self.line, why.into())));
                }
                None => return None,
                Some(b'[') if !self.is_in_array => {
                    (self.is_in_array, self.is_after_value) = (true, false);
                }
                Some(b']') if self.is_in_array => self.is_in_array = false,
                Some(b',') if self.is_in_array && self.is_after_value => self.is_after_value = false,
                Some(_) if self.is_in_array && self.is_after_value => {
                    (self.at, self.is_in_array) = (self.text.len(), false);
                    return Some(Err((self.line, "has no comma before it".into())));
                }
                Some(_) => break,
            }
            self.advance(1);
        }
        let line = self.line;
        let mut values = Deserializer::from_str(&self.text[self.at..]).into_iter();
        match values.next()? {
            Ok(value) => {
                let bytes = values.byte_offset();
                let written = &self.text[self.at..self.at + bytes];
                self.advance(bytes);
                self.is_after_value = true;
                Some(Ok((line, value, written)))
            }
            Err(why) => {
                // An object that is not closed in its line is found out in a later one.
                let within = self.text[self.at..].lines().take(why.line());
                let begins = within.enumerate().skip(1).filter(|(_, line)| line.starts_with('{'));
                let next = begins.map(|(index, _)| index).next();
                let found = line + next.unwrap_or(why.line()).saturating_sub(1);
                (self.at, self.is_in_array) = (self.text.len(), false);
                Some(Err((found, "cannot be read as JSON".into())))
            }
        }
    }
}

/// A number of an object that its text `written` has in other digits: too many, or too many zeros.
fn changed_number(value: &Value, written: &str) -> Option<String> {
    let is_part = |character: char| character.is_ascii_digit() || ".+-eE".contains(character);
    let is_kept = |number: &String| {
        written.match_indices(number.as_str()).any(|(at, _)| {
            let (before, after) = (&written[..at], &written[at + number.len()..]);
            !before.ends_with(is_part) && !after.starts_with(is_part)
        })
    };
    let values = value.as_object()?.iter().filter(|(key, _)| TEXTS.contains(&key.as_str()));
    let mut numbers = values.filter(|(_, value)| value.is_f64()).map(|(_, value)| value.to_string());
    numbers.find(|number| !is_kept(number))
}

/// The record of an object; `None` without the keys for one.
fn record(value: &Value) -> Option<Record> {
    let object = value.as_object()?;
    let text = |key: &str| object.get(key).and_then(as_text);
    // What may be left out is a text, or nothing.
    let optional = |key: &str| match object.get(key) {
        None | Some(Value::Null) => Some(String::new()),
        Some(value) => as_text(value),
    };
    let mut record = Record::new();
    record.push(Field::Marker, "{B}");
    if let (Some(instruction), Some(output)) = (text("instruction"), text("output")) {
        push_question(&mut record, &instruction, &optional("input")?, &output);
    } else if let (Some(question), Some(answer)) = (text("question"), text("answer")) {
        push_question(&mut record, &question, &optional("fact")?, &answer);
    } else if let (Some(prompt), Some(completion)) = (text("prompt"), text("completion")) {
        record.push(Field::Question, &prompt);
        let is_apart = prompt.ends_with(char::is_whitespace) || completion.starts_with(char::is_whitespace);
        record.push(Field::Separator, if is_apart { "" } else { " " });
        record.push(Field::Answer, &completion);
    } else if let Some(messages) = object.get("messages").and_then(Value::as_array) {
        push_messages(&mut record, messages)?;
    } else {
        record.push(Field::Text, &text("text")?);
    }
    record.push(Field::Marker, "{E}\n");
    record.category = text("category").filter(|category| !category.is_empty());
    Some(record)
}

/// Appends `question (fact): answer`, or `question: answer` without a fact.
fn push_question(record: &mut Record, question: &str, fact: &str, answer: &str) {
    record.push(Field::Question, question);
    if !fact.is_empty() {
        record.push(Field::Separator, " (");
        record.push(Field::Fact, fact);
        record.push(Field::Separator, ")");
    }
    record.push(Field::Separator, ": ");
    record.push(Field::Answer, answer);
}

/// Appends the messages of a chat, each as `role: content` and a line break; `None` if one is no message.
fn push_messages(record: &mut Record, messages: &[Value]) -> Option<()> {
    for message in messages {
        let role = message["role"].as_str()?;
        let content = match &message["content"] {
            Value::Array(parts) => {
                parts.iter().map(|part| part["text"].as_str()).collect::<Option<String>>()?
            }
            content => as_text(content)?,
        };
        record.push(Field::Separator, &format!("{role}: "));
        record.push(if role == "assistant" { Field::Answer } else { Field::Question }, &content);
        record.push(Field::Separator, "\n");
    }
    (!messages.is_empty()).then_some(())
}

/// A text, or a number or truth as one.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
