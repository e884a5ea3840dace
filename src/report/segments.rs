//! Attention averaged over records. Records differ in length, so the average is over segments rather than
//! positions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::{Field, Record};

/// The characters of one field in one line of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Line breaks before the segment.
    pub line: usize,
    /// `None` for all segments beyond the limit.
    pub field: Option<Field>,
}

/// Most distinct segments. It bounds the message to the page: 640 KB with 256 heads.
const MAX_SEGMENTS: usize = 24;
const OTHERS: Segment = Segment { line: usize::MAX, field: None };
const MEMORY: Segment = Segment { line: 0, field: Some(Field::Memory) };

/// Attention of every head between segments, summed over records. A query belongs to the segment of the character
/// that it predicts, a key to its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SegmentAttention {
    /// In order of occurrence.
    pub segments: Vec<Segment>,
    /// Number of queries by segment.
    pub queries: Vec<u32>,
    /// Attention summed over queries, by the indices in `segments` of query and key, and then by head. Pairs
    /// without attention are left out. They are about half, because no query reads later tokens.
    pub sums: BTreeMap<(usize, usize), Vec<f32>>,
}

impl SegmentAttention {
    /// Index in `segments` of each of the first `limit` symbols of `record`. Adds new segments.
    pub fn place(&mut self, record: &Record, limit: usize) -> Vec<usize> {
        let mut line = 0;
        let symbols = record.symbols().zip(&record.fields).take(limit);
        symbols
            .map(|(symbol, field)| {
                let place = self.place_of(Segment { line, field: Some(*field) });
                line += usize::from(symbol == "\n");
                place
            })
            .collect()
    }

    /// Index in `segments` of each of `count` memory tokens, which precede a record.
    pub fn place_memory(&mut self, count: usize) -> Vec<usize> {
        (0..count).map(|_| self.place_of(MEMORY)).collect()
    }

    fn place_of(&mut self, segment: Segment) -> usize {
        let find = |segments: &[Segment], wanted| segments.iter().position(|s| *s == wanted);
        if let Some(place) = find(&self.segments, segment) {
            return place;
        }
        let segment = if self.segments.len() < MAX_SEGMENTS { segment } else { OTHERS };
        find(&self.segments, segment).unwrap_or_else(|| {
            self.segments.push(segment);
            self.queries.push(0);
            self.segments.len() - 1
        })
    }

    /// Counts the queries of a record by segment.
    pub fn count(&mut self, queries: &[usize]) {
        for query in queries {
            self.queries[*query] += 1;
        }
    }

    /// Adds a record's `pattern`, `[query, key]`, of one of `n_heads` heads, given the segments of its queries and
    /// keys. Skips queries beyond the given ones.
    pub fn add(
        &mut self,
        (head, n_heads): (usize, usize),
        pattern: &[f32],
        (queries, keys): (&[usize], &[usize]),
    ) {
        let count = self.segments.len();
        let mut sums = vec![0.0; count * count];
        for (query, weights) in queries.iter().zip(pattern.chunks(keys.len())) {
            let row = &mut sums[query * count..][..count];
            for (key, weight) in keys.iter().zip(weights) {
                row[*key] += weight;
            }
        }
        for (cell, sum) in sums.into_iter().enumerate().filter(|(_, sum)| *sum > 0.0) {
            let heads = self.sums.entry((cell / count, cell % count));
            heads.or_insert_with(|| vec![0.0; n_heads])[head] += sum;
        }
    }

    /// Names of the segments, line by line, and a head's mean attention `[query segment, key segment]`. Each row
    /// adds up to 1, or to 0 without a query.
    pub fn mean(&self, head: usize) -> (Vec<String>, Vec<f32>) {
        let by_line = |a: usize, b: usize| self.segments[a].line.cmp(&self.segments[b].line);
        let order = super::order(self.segments.len(), &by_line);
        let mean = |query: usize, key: usize| {
            let sum = self.sums.get(&(query, key)).and_then(|heads| heads.get(head));
            sum.copied().unwrap_or(0.0) / self.queries[query].max(1) as f32
        };
        let cells = order.iter().flat_map(|query| order.iter().map(|key| mean(*query, *key)));
        (order.iter().map(|place| self.name(self.segments[*place])).collect(), cells.collect())
    }

    /// Name of a segment: `line 2 digit`, or `answer` where records are one line.
    fn name(&self, Segment { line, field }: Segment) -> String {
        match field {
            None => "others".into(),
            Some(field) if field == Field::Memory || self.segments.iter().all(|s| s.line == 0) => {
                field.name().into()
            }
            Some(field) => format!("line {line} {}", field.name()),
        }
    }
}
