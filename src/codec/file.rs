//! A run of the codec as a file: a safetensors file as any checkpoint, with the codec's tables as its tensors.
//!
//! `codec.keys` is `[token, number]`. Of the contexts in windows of `n` neighbours to each side, `codec.window.n.contexts` is
//! `[context, number]`, `.origins` `[context, 2]` the record and the place where each was first met, and `.modes` how
//! many modes each has. Of the modes, one after the other, `.counts` says how often each was wanted, `.lengths` `[mode, 2]`
//! how many outputs and noises it has, `.outputs` are these tokens, `.noises` `[noise, number]` the means and `.variances`
//! their variances.
//!
//! With a chain, `codec.chain` `[from, to]` holds its transitions, and `codec.past` contexts of past noises in the same way.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::keys::Keys;
use super::layer::{Contexts, Entry, Mode};
use super::learner::Codec;
use super::number::WHOLE;
use super::run::CodecRun;
use crate::checkpoint::{CheckpointError, Head, Summary, common_metadata, from_json, to_json};
use crate::config::LearnerKind;
use crate::report::{CodecPoint, Score};
use crate::run::MAX_HISTORY;

const COUNTS: &str = "confab.codec.counts";
const HISTORY: &str = "confab.codec.history";
const CHAIN: &str = "codec.chain";
const PAST: &str = "codec.past";

/// Counts of a run that its history does not hold yet.
#[derive(Serialize, Deserialize)]
struct Counts {
    draws: u64,
    drawn_for: u64,
    fitted: Score,
}

/// A tensor to write: its name, type, shape and bytes.
type Part = (String, Dtype, Vec<usize>, Vec<u8>);

impl CodecRun {
    /// The file's bytes.
    ///
    /// # Errors
    /// If the format cannot hold the run, as with metadata over 100 MB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let keys = &self.codec.keys;
        let shape = vec![keys.len(), keys.width()];
        let mut parts = vec![part("codec.keys".into(), shape, keys.numbers().iter().copied())];
        for (sides, contexts) in self.codec.windows.sides.iter().zip(&self.codec.layer.windows) {
            if !contexts.entries.is_empty() {
                parts.extend(context_parts(&window(*sides), contexts, keys.width()));
            }
        }
        if let Some(chain) = &self.codec.chain {
            let transitions = chain.transitions().iter().flat_map(|count| count.to_le_bytes());
            parts.push((CHAIN.into(), Dtype::F64, vec![chain.states(); 2], transitions.collect()));
            if !chain.past.entries.is_empty() {
                parts.extend(context_parts(PAST, &chain.past, keys.width()));
            }
        }
        let mut metadata = common_metadata(&self.config, self.step, &self.tokenizer, &self.losses)?;
        let counts = Counts {
            draws: self.fitter.draws,
            drawn_for: self.drawn_for,
            fitted: self.fitted,
        };
        metadata.insert(COUNTS.into(), to_json(COUNTS, &counts)?);
        metadata.insert(HISTORY.into(), to_json(HISTORY, &self.history)?);
        let views = parts.iter().map(|(name, dtype, shape, bytes)| {
            Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?))
        });
        let views: Vec<_> = views.collect::<Result<_, CheckpointError>>()?;
        Ok(safetensors::serialize(views, Some(metadata))?)
    }

    /// True if a file is one of a codec.
    pub fn is_one(bytes: &[u8]) -> bool {
        Head::read(bytes).is_ok_and(|head| head.summary.config.learner == LearnerKind::Codec)
    }

    /// Reads a file's bytes. Sizes are checked against the file's own length before memory is taken.
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
        let reader = Reader { tensors: SafeTensors::deserialize(bytes)?, codec: &run.codec };
        let keys = reader.keys()?;
        let windows = run.codec.windows.sides.iter().map(|sides| reader.contexts(&window(*sides)));
        let windows = windows.collect::<Result<_, _>>()?;
        let chain = run.codec.chain.as_ref().map(|chain| reader.chain(chain)).transpose()?;
        (run.codec.keys, run.codec.layer.windows, run.codec.chain) = (keys, windows, chain);
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

/// A tensor of whole numbers.
fn part(name: String, shape: Vec<usize>, numbers: impl Iterator<Item = u32>) -> Part {
    (name, Dtype::U32, shape, numbers.flat_map(u32::to_le_bytes).collect())
}

fn context_parts(prefix: &str, contexts: &Contexts, width: usize) -> Vec<Part> {
    let Contexts { table, entries } = contexts;
    let name = |of: &str| format!("{prefix}.{of}");
    let modes = || entries.iter().flat_map(|entry| &entry.modes);
    let count = modes().count();
    let outputs = modes().map(|mode| mode.output.len()).sum();
    let noises = modes().map(|mode| mode.mean.len()).sum::<usize>() / width;
    let variances = modes().flat_map(|mode| &mode.variance).flat_map(|of| of.to_le_bytes());
    vec![
        part(name("contexts"), vec![entries.len(), 2 * width], table.points().iter().copied()),
        part(
            name("origins"),
            vec![entries.len(), 2],
            entries.iter().flat_map(|entry| [entry.origin.0, entry.origin.1]),
        ),
        part(
            name("modes"),
            vec![entries.len()],
            entries.iter().map(|entry| entry.modes.len() as u32),
        ),
        part(name("counts"), vec![count], modes().map(|mode| mode.count)),
        part(
            name("lengths"),
            vec![count, 2],
            modes().flat_map(|mode| [mode.output.len(), mode.mean.len() / width]).map(|n| n as u32),
        ),
        part(name("outputs"), vec![outputs], modes().flat_map(|mode| mode.output.iter().copied())),
        part(
            name("noises"),
            vec![noises, width],
            modes().flat_map(|mode| mode.mean.iter().copied()),
        ),
        (name("variances"), Dtype::F64, vec![noises, width], variances.collect()),
    ]
}

/// Name of what the file holds of windows with as many neighbours to each side.
fn window(sides: usize) -> String {
    format!("codec.window.{sides}")
}

/// The tensors of a file, to be read for a codec that knows nothing.
struct Reader<'a> {
    tensors: SafeTensors<'a>,
    codec: &'a Codec,
}

impl<'a> Reader<'a> {
    fn keys(&self) -> Result<Keys, CheckpointError> {
        let (name, own) = ("codec.keys", &self.codec.keys);
        let numbers = self.whole(name, &[own.len(), own.width()], WHOLE)?;
        let read = own.with_numbers(numbers);
        read.ok_or_else(|| damaged(name, "gives two tokens one key".into()))
    }

    /// The chain, as one that knows nothing is.
    fn chain(&self, empty: &Chain) -> Result<Chain, CheckpointError> {
        let counts = self.floats(CHAIN, &[empty.states(); 2])?;
        let mut read = empty.clone();
        read.past = self.contexts(PAST)?;
        let what = "holds a transition that is not from 0 up, or too large";
        read.with_transitions(counts).ok_or_else(|| damaged(CHAIN, what.into()))
    }

    /// The contexts of a kind; none if the file has none.
    fn contexts(&self, prefix: &str) -> Result<Contexts, CheckpointError> {
        let (width, most) = (self.codec.keys.width(), self.codec.config.noises);
        let mut contexts = Contexts::new(2 * width);
        let name = |of: &str| format!("{prefix}.{of}");
        let Ok(tensor) = self.tensors.tensor(&name("contexts")) else { return Ok(contexts) };
        let count = tensor.shape().first().copied().unwrap_or(0);
        let points = self.whole(&name("contexts"), &[count, 2 * width], WHOLE)?;
        let origins = self.whole(&name("origins"), &[count, 2], u32::MAX)?;
        let modes = self.whole(&name("modes"), &[count], u32::MAX)?;
        let all = sum(&modes);
        let counts = self.whole(&name("counts"), &[all], u32::MAX)?;
        let lengths = self.whole(&name("lengths"), &[all, 2], u32::MAX)?;
        let [outputs, noises] = [0, 1].map(|of| {
            lengths.iter().skip(of).step_by(2).map(|length| *length as usize).sum::<usize>()
        });
        let outputs = self.whole(&name("outputs"), &[outputs], self.codec.end())?;
        let means = self.whole(&name("noises"), &[noises, width], WHOLE)?;
        let variances = self.variances(&name("variances"), &[noises, width])?;
        let (mut outputs, mut means) = (outputs.as_slice(), means.as_slice());
        let mut variances = variances.as_slice();
        let mut rows = counts.iter().zip(lengths.as_chunks::<2>().0);
        for ((point, origin), modes) in
            points.chunks_exact(2 * width).zip(origins.as_chunks::<2>().0).zip(&modes)
        {
            let read = rows.by_ref().take(*modes as usize).map(|(count, [written, noises])| {
                let (written, noises) = (*written as usize, *noises as usize);
                let is_whole = noises == written + 1 || noises == written && written == most;
                if !is_whole || noises > most || *count == 0 {
                    let what =
                        format!("has {written} outputs of {noises} noises, wanted {count} times");
                    return Err(damaged(&name("lengths"), what));
                }
                Ok(Mode {
                    output: take(&mut outputs, written),
                    mean: take(&mut means, noises * width),
                    variance: take(&mut variances, noises * width),
                    count: *count,
                })
            });
            let modes: Vec<Mode> = read.collect::<Result<_, _>>()?;
            if modes.is_empty() {
                return Err(damaged(&name("modes"), "has a context without a mode".into()));
            }
            contexts.table.push(point);
            contexts.entries.push(Entry { origin: (origin[0], origin[1]), modes });
        }
        Ok(contexts)
    }

    /// A tensor of whole numbers below `below`.
    fn whole(&self, name: &str, shape: &[usize], below: u32) -> Result<Vec<u32>, CheckpointError> {
        let (words, _) = self.bytes(name, Dtype::U32, shape)?.as_chunks::<4>();
        let numbers: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        match numbers.iter().find(|number| **number >= below) {
            Some(number) => {
                Err(damaged(name, format!("holds {number}, which is not below {below}")))
            }
            None => Ok(numbers),
        }
    }

    fn variances(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>, CheckpointError> {
        let numbers = self.floats(name, shape)?;
        match numbers.iter().any(|number| !(0.0..=1.0).contains(number)) {
            true => Err(damaged(name, "holds a variance that is not from 0 to 1".into())),
            false => Ok(numbers),
        }
    }

    fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>, CheckpointError> {
        let (words, _) = self.bytes(name, Dtype::F64, shape)?.as_chunks::<8>();
        Ok(words.iter().map(|word| f64::from_le_bytes(*word)).collect())
    }

    fn bytes(
        &self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
    ) -> Result<&'a [u8], CheckpointError> {
        let tensor = self.tensors.tensor(name).map_err(|_| damaged(name, "is missing".into()))?;
        if tensor.dtype() != dtype || tensor.shape() != shape {
            let (is, has) = (tensor.dtype(), tensor.shape());
            return Err(damaged(
                name,
                format!("is {is:?} {has:?} where {dtype:?} {shape:?} is expected"),
            ));
        }
        Ok(tensor.data())
    }
}

fn sum(numbers: &[u32]) -> usize {
    numbers.iter().map(|number| *number as usize).sum()
}

/// Takes the first `count` of what is left.
fn take<T: Clone>(from: &mut &[T], count: usize) -> Vec<T> {
    let (taken, left) = from.split_at(count);
    *from = left;
    taken.to_vec()
}

fn damaged(name: &str, what: String) -> CheckpointError {
    CheckpointError::Tensor { name: name.into(), what }
}
