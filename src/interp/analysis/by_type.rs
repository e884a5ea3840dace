//! Attention averaged over many records, by head and by the type of what is asked.
//!
//! A weight of a pattern goes from a query to a key. Keys are added up by field. Queries are
//! grouped by what they are to predict, the next character: of a record with a category those that
//! predict the answer, or its text if it has none, by category; of others by field. The whole pattern
//! is averaged by segment, over all queries.

use std::collections::BTreeMap;

use burn::tensor::ExecutionError;

use crate::base::random::stream_rng;
use crate::data::Row;
use crate::generate::{Shown, read_back};
use crate::host::HostModel;
use crate::learn::Trainer;
use crate::model::Model;
use crate::report::AttentionByType;
use crate::run::{Field, Record};
use crate::task::{Split, Task, in_tokens};
use crate::tokenizer::Tokenizer;

const STREAM: u64 = u64::MAX - 4;

/// An average under way, by the weights that the model had at first.
pub struct Averaging {
    model: Model,
    /// The model on the host, once it has been read back.
    host: Option<HostModel>,
    task: Task,
    tokenizer: Tokenizer,
    context: usize,
    seed: u64,
    records: usize,
    report: AttentionByType,
}

impl Averaging {
    /// Over `records` held-out records, of the run's model or of what is shown in its place.
    pub fn new(trainer: &Trainer, shown: Option<Shown>, records: usize) -> Self {
        let model = &trainer.config.model;
        let report = AttentionByType {
            step: shown.as_ref().map_or(trainer.step, |(step, _)| *step),
            n_layers: model.n_layers,
            n_heads: model.n_heads,
            ..AttentionByType::default()
        };
        Self {
            model: trainer.model().clone(),
            host: shown.map(|(_, host)| host),
            task: trainer.task.clone(),
            tokenizer: trainer.tokenizer.clone(),
            context: model.context,
            seed: trainer.config.seed,
            records,
            report,
        }
    }

    /// Adds one more record; `false` if all are in.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self) -> Result<bool, ExecutionError> {
        if self.report.records == self.records {
            return Ok(false);
        }
        let mut rng = stream_rng(self.seed, STREAM - self.report.records as u64);
        let memory = self.tokenizer.memory_tokens();
        let window = self.context - memory;
        let record = self.task.draw(Split::Validation, window, &mut rng);
        let record = in_tokens(&record, &self.tokenizer);
        let row = Row::new(&record, &self.tokenizer, self.context);
        let host = match &mut self.host {
            Some(host) => host,
            None => self.host.insert(read_back(&self.model).await?),
        };
        let cache = host.record(&row.ids, &[]);
        let seq = row.ids.len();
        let groups = group_queries(&record, seq - memory);
        let all_heads = self.report.n_layers * self.report.n_heads;
        let remembered = self.report.by_segment.place_memory(memory);
        let characters = self.report.by_segment.place(&record, seq + 1 - memory);
        let keys = [&remembered[..], &characters].concat();
        // Memory tokens ask for nothing, and a record's last query has nothing to predict.
        let (queries, keys) = (&characters[1..], &keys[..seq]);
        self.report.by_segment.count(queries);
        for (layer, activations) in cache.layers.iter().enumerate() {
            for (head, rows) in activations.pattern.chunks(seq * seq).enumerate() {
                let place = layer * self.report.n_heads + head;
                let rows = &rows[memory * seq..];
                self.report.by_segment.add((place, all_heads), rows, (queries, keys));
                for (query, weights) in rows.chunks(seq).enumerate() {
                    let Some(group) = &groups[query] else { continue };
                    let sums = self.report.sums.entry(group.clone()).or_default();
                    add(sums, place, &weights[..=memory + query], &row.fields);
                }
            }
        }
        self.report.records += 1;
        Ok(true)
    }

    /// The average so far.
    pub fn report(&self) -> &AttentionByType {
        &self.report
    }
}

/// The group of each of a record's first `seq` characters, as a query, by the character after it;
/// `None` for one that is not looked at.
fn group_queries(record: &Record, seq: usize) -> Vec<Option<String>> {
    let told = if record.fields.contains(&Field::Answer) { Field::Answer } else { Field::Text };
    (0..seq)
        .map(|query| {
            let next = *record.fields.get(query + 1)?;
            match &record.category {
                Some(category) => (next == told).then(|| category.clone()),
                None => Some(next.name().to_owned()),
            }
        })
        .collect()
}

fn add(sums: &mut Vec<BTreeMap<Field, f64>>, place: usize, weights: &[f32], fields: &[Field]) {
    if sums.len() <= place {
        sums.resize(place + 1, BTreeMap::new());
    }
    let mut rest = weights;
    // A field at a time: weights are many, runs of one field few.
    for run in fields[..weights.len()].chunk_by(|a, b| a == b) {
        let (of_run, later) = rest.split_at(run.len());
        let sum: f64 = of_run.iter().copied().map(f64::from).sum();
        *sums[place].entry(run[0]).or_default() += sum;
        rest = later;
    }
}
