//! Recall from the phone book.

use std::collections::HashSet;

use burn::tensor::ExecutionError;
use rand_chacha::ChaCha8Rng;

use crate::generate::{Writer, Written};
use crate::report::{PhoneReport, Score};
use crate::task::{Phone, RecordSource, Split, UNKNOWN};

/// Lines written after one list, to count the distinct ones.
const REPEATS: usize = 100;
/// Fewest characters that a line is cut off after.
const LONGEST_LINE: usize = 48;

/// A line of the phone book.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    first: String,
    last: String,
    number: String,
}

pub fn empty(task: &Phone) -> PhoneReport {
    PhoneReport { by_line: vec![Score::default(); task.lines()], ..Default::default() }
}

/// Scores recall on held-out record number `index`.
pub async fn score(
    report: &mut PhoneReport,
    task: &Phone,
    index: usize,
    writer: &mut Writer,
    rng: &mut ChaCha8Rng,
) -> Result<(), ExecutionError> {
    let (prompt, list) = draw(task, rng);
    let free = writer.write(&prompt, "\n", longest_line(task)).await?;
    score_free(report, &list, read_line(task, &free.text));

    // The requested line cycles through the list.
    let at = index % list.len();
    let Line { first, last, number } = &list[at];
    let asked = format!("{prompt}{first} {last}: ");
    let written = writer.write(&asked, "\n", number.len()).await?;
    score_asked(report, at, number, &written);
    if task.abstains() {
        abstain(report, &written, false);
        let listed: Vec<_> =
            list.iter().map(|line| format!("{} {}", line.first, line.last)).collect();
        if let Some(stranger) = task.stranger(&listed, rng) {
            let asked = format!("{prompt}{stranger}: ");
            let written = writer.write(&asked, "\n", number.len()).await?;
            abstain(report, &written, true);
        }
    }
    Ok(())
}

fn abstain(report: &mut PhoneReport, written: &Written, is_unlisted: bool) {
    let abstains = written.text.starts_with(UNKNOWN);
    if is_unlisted {
        report.unlisted.add(abstains);
    }
    if abstains {
        report.abstained.add(is_unlisted);
    }
}

/// Counts the distinct lines that the model writes after one list.
pub async fn repeat(
    report: &mut PhoneReport,
    task: &Phone,
    writer: &mut Writer,
    rng: &mut ChaCha8Rng,
) -> Result<(), ExecutionError> {
    let (prompt, _) = draw(task, rng);
    let mut lines = HashSet::new();
    for _ in 0..REPEATS {
        lines.insert(writer.write(&prompt, "\n", longest_line(task)).await?.text);
    }
    report.distinct = Score { right: lines.len(), of: REPEATS };
    Ok(())
}

/// Draws a held-out record: its text up to the recalled line, and its list.
fn draw(task: &Phone, rng: &mut ChaCha8Rng) -> (String, Vec<Line>) {
    let record = task.draw(Split::Validation, usize::MAX, rng).text;
    let lines: Vec<&str> = record.split_inclusive('\n').collect();
    let list = lines[1..=task.lines()].iter().filter_map(|line| read_line(task, line)).collect();
    (lines[..task.lines() + 2].concat(), list)
}

fn score_free(report: &mut PhoneReport, list: &[Line], line: Option<Line>) {
    report.valid.add(line.is_some());
    let has = |same: &dyn Fn(&Line, &Line) -> bool| {
        line.as_ref().is_some_and(|line| list.iter().any(|listed| same(listed, line)))
    };
    report.first_name.add(has(&|listed, line| listed.first == line.first));
    report.last_name.add(has(&|listed, line| listed.last == line.last));
    let same_name =
        |listed: &Line, line: &Line| (&listed.first, &listed.last) == (&line.first, &line.last);
    report.name.add(has(&same_name));
    if has(&same_name) {
        report.number.add(has(&|listed, line| listed == line));
    }
}

fn score_asked(report: &mut PhoneReport, at: usize, number: &str, written: &Written) {
    report.asked.add(written.text == number);
    report.edits += strsim::levenshtein(&written.text, number);
    let places = number.chars().enumerate().filter(|(_, c)| c.is_ascii_digit());
    for (digit, (index, wanted)) in places.enumerate().take(report.digits.len()) {
        let is_right = written.text.chars().nth(index) == Some(wanted);
        report.digits[digit].add(is_right);
        report.by_line[at].add(is_right);
        // In tokens that are pieces of text, a digit has no probability of its own.
        let has_each = written.confidences.len() == written.text.chars().count();
        if let Some(confidence) = written.confidences.get(index).filter(|_| has_each) {
            report.calibration.add(*confidence, is_right);
        }
    }
}

/// Characters after which a line is cut off.
fn longest_line(task: &Phone) -> usize {
    task.longest_line().max(LONGEST_LINE)
}

/// Parses `First Last: NNN-NNN-NNNN \n`, where the number may be [`UNKNOWN`]; `None` for any other form.
fn read_line(task: &Phone, text: &str) -> Option<Line> {
    let (name, number) = text.strip_suffix(" \n")?.split_once(": ")?;
    let (first, last) = name.split_once(' ')?;
    let is_name = |name: &str| task.has_form_of_name(name);
    let has_form = number.len() == 12
        && number.bytes().enumerate().all(|(index, c)| match index {
            3 | 7 => c == b'-',
            _ => c.is_ascii_digit(),
        });
    let has_form = has_form || number == UNKNOWN;
    (is_name(first) && is_name(last) && has_form).then(|| Line {
        first: first.into(),
        last: last.into(),
        number: number.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PhoneConfig;

    const LIST: [&str; 2] = ["Ann Lee: 212-345-6789 \n", "Bob Ray: 313-000-1112 \n"];

    fn phone() -> Phone {
        Phone::new(&PhoneConfig::default()).unwrap()
    }

    fn list() -> Vec<Line> {
        LIST.iter().map(|line| read_line(&phone(), line).unwrap()).collect()
    }

    fn free(text: &str) -> [bool; 5] {
        let mut report = PhoneReport::default();
        score_free(&mut report, &list(), read_line(&phone(), text));
        let PhoneReport { valid, first_name, last_name, name, number, .. } = report;
        [valid, first_name, last_name, name, number].map(|score| score.right == 1)
    }

    #[test]
    fn a_line_is_right_as_far_as_the_list_has_it() {
        assert_eq!(free(LIST[1]), [true; 5]);
        assert_eq!(free("Bob Ray: 313-000-1113 \n"), [true, true, true, true, false]);
        assert_eq!(free("Ann Ray: 313-000-1112 \n"), [true, true, true, false, false]);
        assert_eq!(free("Ann Poe: 313-000-1112 \n"), [true, true, false, false, false]);
        for malformed in ["", "Ann Lee: 212-345-678 \n", "Ann: 212-345-6789 \n", "ann Lee: 2"] {
            assert_eq!(free(malformed), [false; 5], "{malformed:?}");
        }
    }

    #[test]
    fn names_of_a_user_are_read_whole() {
        let own_names = "Zo\u{eb}-A\nO'Neil".to_string();
        let own = Phone::new(&PhoneConfig { own_names, ..PhoneConfig::default() }).unwrap();
        let line = read_line(&own, "Zo\u{eb}-A O'Neil: 212-345-6789 \n").unwrap();
        assert_eq!((line.first.as_str(), line.last.as_str()), ("Zo\u{eb}-A", "O'Neil"));
        for malformed in ["Zo\u{eb}-A: 212-345-6789 \n", "Zo3 O'Neil: 212-345-6789 \n", " O'Neil: ? \n"] {
            assert_eq!(read_line(&own, malformed), None);
        }
        assert_eq!(read_line(&phone(), "Zo\u{eb}-A O'Neil: 212-345-6789 \n"), None);
    }

    #[test]
    fn abstaining_counts_for_recall_where_the_name_is_unlisted_and_for_precision_where_it_is_done()
    {
        let mut report = PhoneReport::default();
        let unlisted = [("? \n", true), ("212-345-6789", true), ("? \n", false), ("313", false)];
        for (text, is_unlisted) in unlisted {
            let written = Written { text: text.into(), ..Written::default() };
            abstain(&mut report, &written, is_unlisted);
        }
        assert_eq!(report.unlisted, Score { right: 1, of: 2 });
        assert_eq!(report.abstained, Score { right: 1, of: 2 });
        assert_eq!(free("Ann Lee: ? \n"), [true, true, true, true, false]);
    }

    #[test]
    fn digits_are_held_against_the_line_asked_for() {
        let mut report = PhoneReport { by_line: vec![Score::default(); 2], ..Default::default() };
        let written = Written {
            text: "212-345-6799".into(),
            confidences: vec![0.5; 12],
            entropies: Vec::new(),
        };
        score_asked(&mut report, 0, "212-345-6789", &written);
        assert_eq!(report.asked, Score { right: 0, of: 1 });
        assert_eq!(report.edits, 1);
        assert_eq!(report.by_line[0], Score { right: 9, of: 10 });
        let wrong: Vec<usize> = (0..10).filter(|index| report.digits[*index].right == 0).collect();
        assert_eq!(wrong, [8]);
        assert_eq!(report.calibration.score(), Score { right: 9, of: 10 });
        assert!((report.calibration.error().unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(report.calibration.confidences(), (Some(0.5), Some(0.5)));
    }
}
