//! The answer of a model to a question of its task, beside the true one.

use super::trace::longest_prompt;
use crate::config::ModelConfig;
use crate::generate::{descending, surprisal};
use crate::host::{Cache, HostModel};
use crate::protocol::{Answer, Said};
use crate::task::Question;
use crate::tokenizer::Tokenizer;

/// Answers `question` with the likeliest token at each place, as many as the true answer has. `None` if the model lacks
/// a token of the question, or has no room for both.
pub fn answer(
    host: &HostModel,
    model: &ModelConfig,
    tokenizer: &Tokenizer,
    question: &Question,
    step: usize,
) -> Option<Answer> {
    let mut ids = tokenizer.encode(&question.text).ok()?;
    let truth = tokenizer.tokenize(&question.answer).ok()?;
    let (memory, asked) = (tokenizer.memory_tokens(), ids.len());
    if truth.is_empty() || asked + truth.len() > longest_prompt(model) {
        return None;
    }
    let token = |id: &u32| tokenizer.token(*id).unwrap_or("�").to_owned();
    let (mut said, mut cache) = (Vec::new(), Cache::default());
    let mut next = ids.clone();
    for _ in &truth {
        let logits = host.decode(&next, &mut cache);
        let id = *descending(&logits[..tokenizer.text_size()]).first()?;
        next = vec![id as u32];
        said.push(Said { token: token(&next[0]), probability: (-surprisal(&logits, id)).exp() });
        ids.push(next[0]);
    }
    let (read, answered) = (&ids[..ids.len() - 1], &ids[asked..]);
    let patterns: Vec<Vec<f32>> =
        host.record(read, &[]).layers.into_iter().map(|layer| layer.pattern).collect();
    let seq = read.len();
    // The query of a token is the token before it.
    let rows = |(layer, head): (usize, usize)| {
        let pattern = patterns[layer][head * seq * seq..].chunks(seq).take(seq);
        pattern.skip(asked - 1).map(|row| &row[memory..])
    };
    let copied = |head: (usize, usize)| -> f32 {
        let of_row = |(row, id): (&[f32], &u32)| -> f32 {
            let keys = row.iter().zip(&read[memory..]);
            keys.filter(|(_, key)| *key == id).map(|(weight, _)| weight).sum()
        };
        rows(head).zip(answered).map(of_row).sum()
    };
    let heads =
        (0..model.n_layers).flat_map(|layer| (0..model.n_heads).map(move |head| (layer, head)));
    let head = heads.max_by(|a, b| copied(*a).total_cmp(&copied(*b)))?;
    Some(Answer {
        step,
        question: ids[memory..asked].iter().map(token).collect(),
        truth: truth.iter().map(token).collect(),
        reads: rows(head).map(<[f32]>::to_vec).collect(),
        said,
        head,
    })
}
