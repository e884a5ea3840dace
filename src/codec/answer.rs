//! The answer of a codec to a question of its task, beside the true one.

use super::learner::Said as Spoken;
use super::run::CodecRun;
use crate::protocol::{Answer, Said};
use crate::run::Field;

impl CodecRun {
    /// Answers question `number`; `None` for a record without an answer. A token's probability is the share of its
    /// output in the context that was taken. The token reads all tokens of the key layer's window with the same weight.
    pub fn answer(&self, number: u64) -> Option<Answer> {
        let record = self.task.question_record(self.config.seed, number);
        let example = self.examples().of(&record)?;
        let start = self.task.answer_start(&record)?;
        let is_read = |field: &Field| !matches!(field, Field::Marker | Field::Separator);
        // Places in the question of the tokens that are read.
        let places: Vec<usize> =
            (0..start).filter(|place| is_read(&record.fields[*place])).collect();
        let (mut said, mut reads) = (Vec::new(), Vec::new());
        let steps = self.codec.trace(&example.input);
        for Spoken { token, at, share } in self.codec.said(&steps) {
            let near = steps[at].near;
            let sides = near.map_or(0, |near| self.codec.windows.sides[near.window]);
            let mut row = vec![0.0; start + said.len()];
            let window = at.saturating_sub(sides)..(at + sides + 1).min(places.len());
            let each = 1.0 / window.len().max(1) as f32;
            places.get(window).into_iter().flatten().for_each(|place| row[*place] = each);
            reads.push(row);
            let token = self.tokenizer.token(token).unwrap_or_default().to_owned();
            said.push(Said { token, probability: share });
        }
        let token = |id: &u32| self.tokenizer.token(*id).unwrap_or_default().to_owned();
        let truth: Vec<String> = example.output.iter().map(token).collect();
        // As many tokens as the true answer has.
        said.truncate(truth.len());
        for missing in said.len()..truth.len() {
            said.push(Said { token: String::new(), probability: 0.0 });
            reads.push(vec![0.0; start + missing]);
        }
        reads.truncate(truth.len());
        let question = record.symbols().take(start).map(str::to_owned).collect();
        Some(Answer { step: self.step, question, truth, said, head: (0, 0), reads })
    }
}
