//! Weights of a model as they are stored, shared by all that read them.

use std::ops::Range;
use std::sync::Arc;

use crate::arch::Parameter;
use crate::base::numbers::{Encoding, Numbers};

/// The weights of a model, in the order of its layout. Clones share them.
#[derive(Clone, Debug)]
pub struct Weights(Stored);

#[derive(Clone, Debug)]
enum Stored {
    /// All in one vector.
    Flat(Arc<Vec<f32>>),
    /// Each parameter by itself.
    Apart(Arc<Vec<Values>>),
}

/// The values of one parameter. Clones share them.
#[derive(Clone, Debug)]
pub struct Values {
    source: Source,
    /// Place in the source, in numbers or in bytes.
    range: Range<usize>,
}

#[derive(Clone, Debug)]
enum Source {
    Memory(Arc<Vec<f32>>),
    /// Bytes of a file.
    File(Arc<Vec<u8>>, Encoding),
}

/// Values of parameters, whatever they are stored in.
pub trait ParameterSource {
    /// Values of a parameter of the layout.
    fn numbers(&self, parameter: &Parameter) -> Numbers<'_>;

    /// Number of values of all parameters together.
    fn count(&self) -> usize;
}

impl Values {
    /// Values in the bytes of a file.
    ///
    /// # Panics
    /// If the file is shorter.
    pub fn of_file(file: impl Into<Arc<Vec<u8>>>, encoding: Encoding, range: Range<usize>) -> Self {
        let file = file.into();
        assert!(range.end <= file.len(), "{range:?} of {} bytes", file.len());
        Self { source: Source::File(file, encoding), range }
    }

    pub fn numbers(&self) -> Numbers<'_> {
        match &self.source {
            Source::Memory(values) => Numbers::F32(&values[self.range.clone()]),
            Source::File(bytes, encoding) => Numbers::of_bytes(&bytes[self.range.clone()], *encoding),
        }
    }

    /// The values in a copy, without the rest of what they are stored in.
    #[cfg(feature = "cli")]
    pub fn apart(&self) -> Self {
        match &self.source {
            Source::Memory(values) => values[self.range.clone()].to_vec().into(),
            Source::File(bytes, encoding) => {
                Self::of_file(bytes[self.range.clone()].to_vec(), *encoding, 0..self.range.len())
            }
        }
    }

    /// The transposed matrix, in a copy.
    pub fn transposed(&self, rows: usize) -> Self {
        match self.numbers() {
            Numbers::F32(stored) => transpose(stored, rows).into(),
            Numbers::Le32(stored) => self.of_bytes(transpose(stored, rows)),
            Numbers::F16(stored) | Numbers::Bf16(stored) => self.of_bytes(transpose(stored, rows)),
        }
    }

    fn of_bytes<const BYTES: usize>(&self, numbers: Vec<[u8; BYTES]>) -> Self {
        let bytes = numbers.into_flattened();
        let range = 0..bytes.len();
        Self::of_file(bytes, self.numbers().encoding(), range)
    }
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        let range = 0..values.len();
        Self { source: Source::Memory(Arc::new(values)), range }
    }
}

impl Weights {
    /// Values of a parameter of the model's layout.
    pub fn values(&self, parameter: &Parameter) -> Values {
        match &self.0 {
            Stored::Flat(flat) => {
                Values { source: Source::Memory(flat.clone()), range: parameter.range.clone() }
            }
            Stored::Apart(parameters) => parameters[parameter.position].clone(),
        }
    }

    /// Changes the values of a parameter, which are then in 32 bits.
    pub fn change(&mut self, parameter: &Parameter, change: impl FnOnce(&mut [f32])) {
        match &mut self.0 {
            Stored::Flat(flat) => change(&mut Arc::make_mut(flat)[parameter.range.clone()]),
            Stored::Apart(parameters) => {
                let values = &mut Arc::make_mut(parameters)[parameter.position];
                let mut widened = values.numbers().widen().into_owned();
                change(&mut widened);
                *values = widened.into();
            }
        }
    }

    /// All values in 32 bits.
    pub fn into_flat(self) -> Vec<f32> {
        match self.0 {
            Stored::Flat(flat) => Arc::unwrap_or_clone(flat),
            Stored::Apart(parameters) => {
                let mut flat = Vec::with_capacity(parameters.iter().map(|of| of.numbers().len()).sum());
                parameters.iter().for_each(|of| flat.extend_from_slice(&of.numbers().widen()));
                flat
            }
        }
    }
}

impl ParameterSource for Weights {
    fn numbers(&self, parameter: &Parameter) -> Numbers<'_> {
        match &self.0 {
            Stored::Flat(flat) => Numbers::F32(&flat[parameter.range.clone()]),
            Stored::Apart(parameters) => parameters[parameter.position].numbers(),
        }
    }

    fn count(&self) -> usize {
        match &self.0 {
            Stored::Flat(flat) => flat.len(),
            Stored::Apart(parameters) => parameters.iter().map(|of| of.numbers().len()).sum(),
        }
    }
}

impl ParameterSource for Vec<f32> {
    fn numbers(&self, parameter: &Parameter) -> Numbers<'_> {
        Numbers::F32(&self[parameter.range.clone()])
    }

    fn count(&self) -> usize {
        self.len()
    }
}

/// Weights of the flat vector.
impl From<Vec<f32>> for Weights {
    fn from(flat: Vec<f32>) -> Self {
        Self(Stored::Flat(Arc::new(flat)))
    }
}

/// A copy of the flat vector.
impl From<&Vec<f32>> for Weights {
    fn from(flat: &Vec<f32>) -> Self {
        flat.clone().into()
    }
}

/// Weights of each parameter, in the order of the layout.
impl From<Vec<Values>> for Weights {
    fn from(parameters: Vec<Values>) -> Self {
        Self(Stored::Apart(Arc::new(parameters)))
    }
}

/// Transposes a matrix with `rows` rows.
fn transpose<T: Copy>(matrix: &[T], rows: usize) -> Vec<T> {
    let columns = matrix.len() / rows;
    (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns).copied()).collect()
}
