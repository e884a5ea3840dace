//! Tables of a codec as tensors of a file.

use safetensors::tensor::{Dtype, SafeTensors};

use super::keys::Keys;
use super::layer::{Contexts, Entry, Mode};
use super::number::WHOLE;
use crate::checkpoint::CheckpointError;

/// A tensor to write: its name, type, shape and bytes.
pub type Part = (String, Dtype, Vec<usize>, Vec<u8>);

/// A tensor of whole numbers.
pub fn part(name: String, shape: Vec<usize>, numbers: impl Iterator<Item = u32>) -> Part {
    (name, Dtype::U32, shape, numbers.flat_map(u32::to_le_bytes).collect())
}

/// A tensor of keys: `[token, number]`.
pub fn keys_part(name: &str, keys: &Keys) -> Part {
    part(name.into(), vec![keys.len(), keys.width()], keys.numbers().iter().copied())
}

/// Tensors of contexts whose noises have `width` numbers; none if there are no contexts.
pub fn context_parts(prefix: &str, contexts: &Contexts, width: usize) -> Vec<Part> {
    let Contexts { table, entries } = contexts;
    if entries.is_empty() {
        return Vec::new();
    }
    let name = |of: &str| format!("{prefix}.{of}");
    let modes = || entries.iter().flat_map(|entry| &entry.modes);
    let count = modes().count();
    let outputs = modes().map(|mode| mode.output.len()).sum();
    let noises = modes().map(|mode| mode.mean.len()).sum::<usize>() / width;
    let variances = modes().flat_map(|mode| &mode.variance).flat_map(|of| of.to_le_bytes());
    vec![
        part(name("contexts"), vec![entries.len(), 2 * width], table.points().iter().copied()),
        part(name("misled"), vec![entries.len()], entries.iter().map(|entry| entry.misled)),
        part(
            name("modes"),
            vec![entries.len()],
            entries.iter().map(|entry| entry.modes.len() as u32),
        ),
        part(name("counts"), vec![count], modes().map(|mode| mode.count)),
        part(
            name("origins"),
            vec![count, 2],
            modes().flat_map(|mode| [mode.origin.0, mode.origin.1]),
        ),
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

/// Bounds of the outputs and noises in a file's contexts.
#[derive(Clone, Copy)]
pub struct Outputs {
    /// Numbers a key.
    pub width: usize,
    /// The token that ends an output, which is greater than the others.
    pub end: u32,
    /// Most noises of a token.
    pub most: usize,
}

/// The tensors of a file.
pub struct Reader<'a>(pub SafeTensors<'a>);

impl<'a> Reader<'a> {
    /// Reads as many keys as `own` has, with its metric.
    pub fn keys(&self, name: &str, own: &Keys) -> Result<Keys, CheckpointError> {
        let numbers = self.whole(name, &[own.len(), own.width()], WHOLE)?;
        let read = own.with_numbers(numbers);
        read.ok_or_else(|| damaged(name, "gives two tokens one key".into()))
    }

    /// Reads the contexts whose tensors begin with `prefix`; none if the file has none.
    pub fn contexts(&self, prefix: &str, outputs: Outputs) -> Result<Contexts, CheckpointError> {
        let Outputs { width, end, most } = outputs;
        let mut contexts = Contexts::new(2 * width);
        let name = |of: &str| format!("{prefix}.{of}");
        let Some(count) = self.length(&name("contexts")) else { return Ok(contexts) };
        let points = self.whole(&name("contexts"), &[count, 2 * width], WHOLE)?;
        let misled = self.whole(&name("misled"), &[count], u32::MAX)?;
        let modes = self.whole(&name("modes"), &[count], u32::MAX)?;
        let all = self.sum(&name("modes"), modes.iter())?;
        let origins = self.whole(&name("origins"), &[all, 2], u32::MAX)?;
        let counts = self.whole(&name("counts"), &[all], u32::MAX)?;
        let lengths = self.whole(&name("lengths"), &[all, 2], u32::MAX)?;
        let total = |of: usize| self.sum(&name("lengths"), lengths.iter().skip(of).step_by(2));
        let (outputs, noises) = (total(0)?, total(1)?);
        let outputs = self.whole(&name("outputs"), &[outputs], end)?;
        let means = self.whole(&name("noises"), &[noises, width], WHOLE)?;
        let variances = self.variances(&name("variances"), &[noises, width])?;
        let (mut outputs, mut means) = (outputs.as_slice(), means.as_slice());
        let mut variances = variances.as_slice();
        let rows = lengths.as_chunks::<2>().0.iter().zip(origins.as_chunks::<2>().0);
        let mut rows = counts.iter().zip(rows);
        let points = points.chunks_exact(2 * width);
        for (point, (modes, misled)) in points.zip(modes.iter().zip(misled)) {
            let read = rows.by_ref().take(*modes as usize).map(|(count, row)| {
                let ([written, noises], [record, place]) = row;
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
                    origin: (*record, *place),
                })
            });
            let modes: Vec<Mode> = read.collect::<Result<_, _>>()?;
            if modes.is_empty() {
                return Err(damaged(&name("modes"), "has a context without a mode".into()));
            }
            contexts.table.push(point);
            contexts.entries.push(Entry { modes, misled });
        }
        Ok(contexts)
    }

    /// Sum of the lengths in a tensor.
    pub fn sum<'n>(
        &self,
        name: &str,
        mut lengths: impl Iterator<Item = &'n u32>,
    ) -> Result<usize, CheckpointError> {
        let sum = lengths.try_fold(0_usize, |sum, length| sum.checked_add(*length as usize));
        sum.ok_or_else(|| damaged(name, "holds more than can be counted".into()))
    }

    /// Length of a tensor; `None` if the file has none of this name.
    pub fn length(&self, name: &str) -> Option<usize> {
        self.0.tensor(name).ok()?.shape().first().copied()
    }

    /// Reads a tensor of whole numbers, all of them below `below`.
    pub fn whole(
        &self,
        name: &str,
        shape: &[usize],
        below: u32,
    ) -> Result<Vec<u32>, CheckpointError> {
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

    /// Reads a tensor of 64-bit floats.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>, CheckpointError> {
        let (words, _) = self.bytes(name, Dtype::F64, shape)?.as_chunks::<8>();
        Ok(words.iter().map(|word| f64::from_le_bytes(*word)).collect())
    }

    fn bytes(
        &self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
    ) -> Result<&'a [u8], CheckpointError> {
        let tensor = self.0.tensor(name).map_err(|_| damaged(name, "is missing".into()))?;
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

/// Takes the first `count` items off `from`.
pub fn take<T: Clone>(from: &mut &[T], count: usize) -> Vec<T> {
    let (taken, left) = from.split_at(count);
    *from = left;
    taken.to_vec()
}

/// Error on a damaged tensor: its name, and what is wrong with it.
pub fn damaged(name: &str, what: String) -> CheckpointError {
    CheckpointError::Tensor { name: name.into(), what }
}
