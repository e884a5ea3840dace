//! Tensors as they lie in files, and the matrices in them.

use std::collections::BTreeMap;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors};

use super::bare::bare;
use super::shards::Index;
use super::{File, ImportError};
use crate::base::numbers::{Encoding, Numbers};
use crate::host::Values;

/// Type of a tensor's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    F64,
    F32,
    F16,
    Bf16,
    /// None that weights are kept in.
    Other,
}

impl Number {
    fn of(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F64 => Self::F64,
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::BF16 => Self::Bf16,
            _ => Self::Other,
        }
    }

    /// Bytes of one; of others than weights, the fewest.
    pub fn bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Other => 1,
        }
    }
}

/// One tensor of a file.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    pub file: &'a str,
    /// The file's name for it.
    pub name: String,
    pub number: Number,
    pub shape: Vec<usize>,
    /// Numbers from one place of an axis to the next.
    pub strides: Vec<usize>,
    /// From its first number on.
    pub bytes: &'a [u8],
}

impl Tensor<'_> {
    pub fn refuse(&self, what: impl Into<String>) -> ImportError {
        ImportError::Tensor { file: self.file.into(), name: self.name.clone(), what: what.into() }
    }

    /// True if its values are those of `other`, to the bit.
    pub fn is_same(&self, other: &Tensor) -> bool {
        (self.number, &self.shape, &self.strides) == (other.number, &other.shape, &other.strides)
            && self.own_bytes() == other.own_bytes()
    }

    /// From its first number to its last; `None` if it has none.
    fn own_bytes(&self) -> Option<&[u8]> {
        let by_axis = self.shape.iter().zip(&self.strides);
        let last =
            by_axis.map(|(n, stride)| Some(n.checked_sub(1)? * stride)).sum::<Option<usize>>()?;
        self.bytes.get(..(last + 1) * self.number.bytes())
    }
}

/// Strides of a tensor whose numbers lie in the order of its axes.
pub fn dense(shape: &[usize]) -> Vec<usize> {
    // Strides of an empty tensor may be too large for a number; nothing is read by them.
    let after = |axis: usize| shape[axis + 1..].iter().fold(1, |a: usize, b| a.saturating_mul(*b));
    (0..shape.len()).map(after).collect()
}

/// All tensors of a model by their [bare name](bare).
#[derive(Debug)]
pub struct Tensors<'a> {
    files: Vec<File<'a>>,
    index: Option<Index<'a>>,
    by_name: BTreeMap<String, Tensor<'a>>,
}

impl<'a> Tensors<'a> {
    /// No tensors yet, of `files`.
    pub fn new(files: Vec<File<'a>>, index: Option<Index<'a>>) -> Self {
        Self { files, index, by_name: BTreeMap::new() }
    }

    /// Adds the tensors of a safetensors file.
    pub fn read_safetensors(&mut self, file: &File<'a>) -> Result<(), ImportError> {
        let read = SafeTensors::deserialize(file.bytes).map_err(|why| ImportError::Format {
            file: file.name.into(),
            kind: "safetensors",
            why: why.to_string(),
        })?;
        for (name, view) in read.tensors() {
            let shape = view.shape().to_vec();
            let (number, strides) = (Number::of(view.dtype()), dense(&shape));
            let (file, bytes) = (file.name, view.data());
            self.insert(Tensor { file, name, number, shape, strides, bytes })?;
        }
        Ok(())
    }

    pub fn insert(&mut self, tensor: Tensor<'a>) -> Result<(), ImportError> {
        let file = tensor.file;
        match self.by_name.insert(bare(&tensor.name), tensor) {
            Some(other) => Err(other.refuse(format!(
                "is there twice, also in {file}; give the files of one model"
            ))),
            None => Ok(()),
        }
    }

    /// Makes the tensor `from` known as `to` too, if there is none.
    pub fn alias(&mut self, from: &str, to: &str) {
        if let (Some(tensor), None) = (self.by_name.get(from).cloned(), self.by_name.get(to)) {
            self.by_name.insert(to.into(), tensor);
        }
    }

    /// Forgets the biases whose numbers are all 0.
    pub fn drop_zero_biases(&mut self) {
        let is_zero = |tensor: &Tensor| tensor.own_bytes().is_some_and(|b| b.iter().all(|byte| *byte == 0));
        self.by_name.retain(|name, tensor| !(name.ends_with(".bias") && is_zero(tensor)));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor<'a>)> {
        self.by_name.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    pub fn find(&self, name: &str) -> Option<&Tensor<'a>> {
        self.by_name.get(name)
    }

    /// The tensor `name`, which must be of `shape`, and whose numbers can be read.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&Tensor<'a>, ImportError> {
        let tensor = self.find(name).ok_or_else(|| self.missing(name))?;
        if tensor.shape != shape {
            let found = &tensor.shape;
            return Err(tensor.refuse(format!(
                "is {found:?} where {shape:?} is expected; the settings are another model's"
            )));
        }
        if tensor.number == Number::Other {
            return Err(tensor.refuse("is not in F64, F32, F16 or BF16; use a copy that is"));
        }
        Ok(tensor)
    }

    /// Checks that the files are long enough for `values` of two bytes, which tensors that share
    /// their bytes need not be.
    pub fn check_size(&self, values: u64) -> Result<(), ImportError> {
        let bytes: u64 = self.files.iter().map(|file| file.bytes.len() as u64).sum();
        if values <= bytes / 2 {
            return Ok(());
        }
        let why = format!("{bytes} bytes cannot hold the model's {values} weights");
        Err(ImportError::Format { file: self.file_names(), kind: "weights", why })
    }

    fn missing(&self, name: &str) -> ImportError {
        let index = self.index.as_ref();
        let (file, what) = match index.and_then(|index| Some((index.shard_of(name)?, index.file))) {
            Some((shard, index)) => {
                (shard.into(), format!("is missing, which {index} has in it; use another copy"))
            }
            None => {
                let what = "is missing; a file of the model was not given, or its settings are another model's";
                (self.file_names(), what.into())
            }
        };
        ImportError::Tensor { file, name: name.into(), what }
    }

    fn file_names(&self) -> String {
        self.files.iter().map(|file| file.name).collect::<Vec<_>>().join(", ")
    }
}

/// A matrix in a tensor: the number of a row and a column is at the sum of their places.
#[derive(Debug)]
pub struct View<'t> {
    tensor: &'t Tensor<'t>,
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl<'t> View<'t> {
    /// All of `tensor`, which has one or two axes; a vector is one row.
    pub fn new(tensor: &'t Tensor<'t>) -> Self {
        let places = |axis: usize| {
            let stride = tensor.strides[axis];
            (0..tensor.shape[axis]).map(|at| at * stride).collect()
        };
        match tensor.shape.len() {
            1 => Self { tensor, rows: vec![0], columns: places(0) },
            _ => Self { tensor, rows: places(0), columns: places(1) },
        }
    }

    pub fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, ..self }
    }

    /// The columns that are third `third` of three.
    pub fn third(mut self, third: usize) -> Self {
        let width = self.columns.len() / 3;
        self.columns = self.columns[third * width..(third + 1) * width].to_vec();
        self
    }

    pub fn with_rows(mut self, order: &[usize]) -> Self {
        self.rows = order.iter().map(|row| self.rows[*row]).collect();
        self
    }

    pub fn with_columns(self, order: &[usize]) -> Self {
        self.transposed().with_rows(order).transposed()
    }

    /// Adds its values in 32 bits to `out`, a row after the other.
    pub fn read(&self, out: &mut Vec<f32>) -> Result<(), ImportError> {
        let start = out.len();
        match self.tensor.number {
            Number::F64 => self.gather(out, |bytes| f64::from_le_bytes(bytes) as f32),
            Number::F32 => self.gather(out, f32::from_le_bytes),
            Number::F16 => self.gather(out, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Number::Bf16 => self.gather(out, |bytes| bf16::from_le_bytes(bytes).to_f32()),
            Number::Other => unreachable!("such tensors are refused by `Tensors::get`"),
        }
        self.check(Numbers::F32(&out[start..]))
    }

    /// Its values, a row after the other, in 16 bits if they are so in the file.
    pub fn values(&self) -> Result<Values, ImportError> {
        let encoding = match self.tensor.number {
            Number::F16 => Encoding::F16,
            Number::Bf16 => Encoding::Bf16,
            Number::F64 | Number::F32 | Number::Other => {
                let mut values = Vec::new();
                self.read(&mut values)?;
                return Ok(values.into());
            }
        };
        let mut numbers: Vec<[u8; 2]> = Vec::new();
        self.gather(&mut numbers, |number| number);
        let bytes = numbers.into_flattened();
        self.check(Numbers::of_bytes(&bytes, encoding))?;
        let range = 0..bytes.len();
        Ok(Values::of_file(bytes, encoding, range))
    }

    /// Adds what `number` makes of its values to `out`, a square at a time: each row of a transposed matrix is spread
    /// over the whole tensor.
    fn gather<const BYTES: usize, T: Copy + Default>(
        &self,
        out: &mut Vec<T>,
        number: impl Fn([u8; BYTES]) -> T,
    ) {
        let (numbers, _) = self.tensor.bytes.as_chunks::<BYTES>();
        let (start, width) = (out.len(), self.columns.len());
        out.resize(start + self.rows.len() * width, T::default());
        let mut strips = out[start..].chunks_mut((SIDE * width).max(1));
        for rows in self.rows.chunks(SIDE) {
            let Some(strip) = strips.next() else { return };
            for (at, columns) in self.columns.chunks(SIDE).enumerate() {
                for (row, to) in rows.iter().zip(strip.chunks_mut(width)) {
                    let to = to[at * SIDE..].iter_mut().zip(columns);
                    to.for_each(|(to, column)| *to = number(numbers[row + column]));
                }
            }
        }
    }

    fn check(&self, numbers: Numbers) -> Result<(), ImportError> {
        match numbers.is_finite() {
            true => Ok(()),
            false => {
                let what = "holds a value that is not a finite number; use another copy";
                Err(self.tensor.refuse(what))
            }
        }
    }
}

/// Rows and columns of a square.
const SIDE: usize = 64;
