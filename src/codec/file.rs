//! A run of the codec as a file: a safetensors file as any checkpoint, with the codec's tables as its tensors.
//!
//! Numbers of keys and noises are in units of 10⁻⁹. `codec.keys` `[token, number]` holds the keys. These tensors hold
//! the contexts in windows of `n` neighbours to each side; a window without known contexts has none:
//!
//! - `codec.window.n.contexts` `[context, number]`: means of the keys' numbers, then their variances.
//! - `.misled` `[context]`: times that each context misled a choice.
//! - `.modes` `[context]`: number of modes of each context. The modes of all contexts follow one after the other.
//! - `.counts` `[mode]`: times that each mode was wanted.
//! - `.origins` `[mode, 2]`: record in which each mode was first wanted, and place of the token there.
//! - `.lengths` `[mode, 2]`: numbers of output tokens and of noises of each mode.
//! - `.outputs` `[token]`: the output tokens, one mode after the other.
//! - `.noises` and `.variances` `[noise, number]`: means and variances of the noises, one mode after the other.
//!
//! With a chain, `codec.chain` `[from, to]` holds its transitions, and `codec.past` contexts of past noises in the same
//! way.
//!
//! With graphs, `codec.graph.keys` holds the keys of the second dictionary, and `codec.graph.window.n` contexts in the
//! same way. `codec.graph.met` `[graph, 2]` holds length and count of each graph of training, `codec.graph.tokens` the
//! tokens of these graphs, and `codec.graph.macros` the places of those that macros stand for.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::graph::{Dictionary, GraphMapper, MACROS, Met, ROOM};
use super::layer::{Contexts, KeyLayer};
use super::learner::Codec;
use super::run::CodecRun;
use super::tensors::{Outputs, Part, Reader, context_parts, damaged, keys_part, part, take};
use super::window::Windows;
use crate::checkpoint::{
    CheckpointError, Head, LENGTH_BYTES, Summary, common_metadata, from_json, to_json,
};
use crate::config::LearnerKind;
use crate::report::{CodecPoint, Score};
use crate::run::{MAX_HISTORY, seconds_of};

const COUNTS: &str = "confab.codec.counts";
const HISTORY: &str = "confab.codec.history";
const KEYS: &str = "codec.keys";
const CHAIN: &str = "codec.chain";
const PAST: &str = "codec.past";
const GRAPH: &str = "codec.graph";

/// Counts of a run that its history does not hold yet.
#[derive(Serialize, Deserialize)]
struct Counts {
    draws: u64,
    drawn_for: u64,
    fitted: Score,
}

impl CodecRun {
    /// The file's bytes.
    ///
    /// # Errors
    /// If the format cannot hold the run, as with metadata over 100 MB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let Codec { keys, windows, layer, .. } = &self.codec;
        let mut parts = vec![keys_part(KEYS, keys)];
        parts.extend(layer_parts("codec", windows, layer));
        if let Some(chain) = &self.codec.chain {
            let transitions = chain.transitions().iter().flat_map(|count| count.to_le_bytes());
            parts.push((CHAIN.into(), Dtype::F64, vec![chain.states(); 2], transitions.collect()));
            parts.extend(context_parts(PAST, &chain.past, keys.width()));
        }
        if let Some(graphs) = &self.codec.graphs {
            parts.extend(graph_parts(windows, graphs));
        }
        let mut metadata = common_metadata(&self.config, self.step, &self.tokenizer, &self.losses)?;
        let counts =
            Counts { draws: self.fitter.draws, drawn_for: self.drawn_for, fitted: self.fitted };
        metadata.insert(COUNTS.into(), to_json(COUNTS, &counts)?);
        metadata.insert(HISTORY.into(), to_json(HISTORY, &self.history)?);
        let views = parts.iter().map(|(name, dtype, shape, bytes)| {
            Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?))
        });
        let views: Vec<_> = views.collect::<Result<_, CheckpointError>>()?;
        Ok(safetensors::serialize(views, Some(metadata))?)
    }

    /// True if these are the bytes of a codec's file, by its header.
    pub fn is_one(bytes: &[u8]) -> bool {
        let header = || {
            let length = Summary::header_len(*bytes.first_chunk()?)?;
            bytes.get(LENGTH_BYTES..LENGTH_BYTES + length)
        };
        header().is_some_and(Self::has_header)
    }

    /// True if a file with this header is that of a codec.
    pub fn has_header(header: &[u8]) -> bool {
        let summary = Summary::from_header(header);
        summary.is_ok_and(|summary| summary.config.learner == LearnerKind::Codec)
    }

    /// Reads a file's bytes. Checks sizes against the file's own length before it takes memory.
    ///
    /// # Errors
    /// If the file is no whole checkpoint of a codec.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let Head { summary, tokenizer, metadata } = Head::read(bytes)?;
        let Summary { config, step, history: losses } = summary;
        if config.learner != LearnerKind::Codec {
            return Err(CheckpointError::Foreign(COUNTS));
        }
        let mut run = Self::new(config)?;
        if run.tokenizer != tokenizer {
            return Err(CheckpointError::Alphabet);
        }
        let counts: Counts = from_json(COUNTS, entry(&metadata, COUNTS)?)?;
        let mut history: Vec<CodecPoint> = from_json(HISTORY, entry(&metadata, HISTORY)?)?;
        history.truncate(MAX_HISTORY);
        read_codec(&Reader(SafeTensors::deserialize(bytes)?), &mut run.codec)?;
        run.seconds = seconds_of(&losses, step);
        (run.step, run.history, run.losses) = (step, history, losses);
        (run.fitter.draws, run.drawn_for, run.fitted) =
            (counts.draws, counts.drawn_for, counts.fitted);
        Ok(run)
    }

    /// Name for a file that the run is saved as.
    pub fn file_name(&self) -> String {
        format!("confab-{}-codec-step{}.safetensors", self.config.task.kind.name(), self.step)
    }
}

fn entry<'a>(
    metadata: &'a HashMap<String, String>,
    key: &'static str,
) -> Result<&'a str, CheckpointError> {
    metadata.get(key).map(String::as_str).ok_or(CheckpointError::Foreign(key))
}

/// Reads a file's tables into a codec that knows nothing.
fn read_codec(reader: &Reader, codec: &mut Codec) -> Result<(), CheckpointError> {
    let Codec { keys, windows, layer, chain, graphs, config } = codec;
    *keys = reader.keys(KEYS, keys)?;
    let outputs = Outputs { width: keys.width(), end: keys.len() as u32 - 1, most: config.noises };
    layer.windows = read_layer(reader, "codec", windows, outputs)?;
    if let Some(chain) = chain {
        let mut read = chain.clone();
        read.past = reader.contexts(PAST, outputs)?;
        let counts = reader.floats(CHAIN, &[read.states(); 2])?;
        let what = "holds a transition that is not from 0 up, or too large";
        *chain = read.with_transitions(counts).ok_or_else(|| damaged(CHAIN, what.into()))?;
    }
    if let Some(graphs) = graphs {
        graphs.dictionary = Dictionary::new(keys);
        read_graphs(reader, windows, graphs)?;
    }
    Ok(())
}

fn layer_parts(prefix: &str, windows: &Windows, layer: &KeyLayer) -> Vec<Part> {
    let windows = windows.sides.iter().zip(&layer.windows);
    let parts = windows.map(|(sides, contexts)| {
        context_parts(&window(prefix, *sides), contexts, contexts.table.width() / 2)
    });
    parts.flatten().collect()
}

fn read_layer(
    reader: &Reader,
    prefix: &str,
    windows: &Windows,
    outputs: Outputs,
) -> Result<Vec<Contexts>, CheckpointError> {
    windows.sides.iter().map(|sides| reader.contexts(&window(prefix, *sides), outputs)).collect()
}

/// Prefix of the tensors of windows with as many neighbours to each side.
fn window(prefix: &str, sides: usize) -> String {
    format!("{prefix}.window.{sides}")
}

fn graph_name(of: &str) -> String {
    format!("{GRAPH}.{of}")
}

fn graph_parts(windows: &Windows, graphs: &GraphMapper) -> Vec<Part> {
    let GraphMapper { keys, layer, met, macros, .. } = graphs;
    let mut parts = layer_parts(GRAPH, windows, layer);
    let lengths = met.iter().flat_map(|met| [met.graph.len() as u32, met.count]);
    let tokens: Vec<u32> = met.iter().flat_map(|met| met.graph.iter().copied()).collect();
    parts.extend([
        keys_part(&graph_name("keys"), keys),
        part(graph_name("met"), vec![met.len(), 2], lengths),
        part(graph_name("tokens"), vec![tokens.len()], tokens.into_iter()),
        part(graph_name("macros"), vec![macros.len()], macros.iter().copied()),
    ]);
    parts
}

fn read_graphs(
    reader: &Reader,
    windows: &Windows,
    graphs: &mut GraphMapper,
) -> Result<(), CheckpointError> {
    let GraphMapper { keys, layer, met, macros, .. } = graphs;
    *keys = reader.keys(&graph_name("keys"), keys)?;
    let end = keys.len() as u32 - 1;
    layer.windows =
        read_layer(reader, GRAPH, windows, Outputs { width: keys.width(), end, most: ROOM })?;
    let [count, named] = ["met", "macros"].map(|of| reader.length(&graph_name(of)).unwrap_or(0));
    let rows = reader.whole(&graph_name("met"), &[count, 2], u32::MAX)?;
    let all = reader.sum(&graph_name("met"), rows.iter().step_by(2))?;
    let tokens = reader.whole(&graph_name("tokens"), &[all], end)?;
    let mut left = tokens.as_slice();
    let graph = |row: &[u32; 2]| Met { graph: take(&mut left, row[0] as usize), count: row[1] };
    *met = rows.as_chunks::<2>().0.iter().map(graph).collect();
    let name = graph_name("macros");
    if named > MACROS {
        return Err(damaged(&name, format!("names {named} graphs, more than {MACROS}")));
    }
    *macros = reader.whole(&name, &[named], count as u32)?;
    Ok(())
}
