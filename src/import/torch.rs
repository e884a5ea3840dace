//! Files of `torch.save`: a pickle of the value, and the bytes of every storage beside it.

use std::collections::HashMap;

use rawzip::{CompressionMethod, ZipArchive};

use super::pickle::{Pickle, Value};
use super::tensors::{Number, Tensor};
use super::{File, ImportError};
use crate::base::file_kind::FileKind;

/// Beginning of files before PyTorch 1.6: a pickle of this number.
const OLD: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

pub struct Archive<'a> {
    file: &'a str,
    pub pickle: Pickle<'a>,
    /// By the key that the pickle has for them.
    storages: HashMap<String, &'a [u8]>,
}

impl<'a> Archive<'a> {
    /// # Errors
    /// If the file is not whole. Checksums are not compared: PyTorch can leave them out, and what
    /// matters of damage shows in names, shapes and values.
    pub fn open(file: &File<'a>) -> Result<Self, ImportError> {
        match FileKind::of(file.bytes) {
            FileKind::Pickle => Self::open_old(file),
            _ => Self::open_zip(file),
        }
    }

    /// A zip with `<name>/data.pkl`, and the storages as `<name>/data/<key>`, not compressed (PyTorch
    /// 1.6 and later).
    fn open_zip(file: &File<'a>) -> Result<Self, ImportError> {
        let refuse = |why: String| refuse(file, why);
        let entries = entries(file.bytes).map_err(refuse)?;
        let folder = entries.iter().find_map(|(name, _)| name.strip_suffix("data.pkl"));
        let folder = folder.ok_or_else(|| refuse("it has no data.pkl".into()))?;
        let (mut pickle, mut storages): (&[u8], _) = (&[], HashMap::new());
        for (name, bytes) in &entries {
            match name.strip_prefix(folder).unwrap_or_default() {
                "data.pkl" => pickle = bytes,
                "byteorder" if *bytes == b"big" => {
                    return Err(refuse("its numbers begin with their greatest bytes".into()));
                }
                name => {
                    let key = name.strip_prefix("data/").unwrap_or_default();
                    storages.insert(key.to_string(), *bytes);
                }
            }
        }
        let (pickle, _) = Pickle::read(file.name, pickle)?;
        Ok(Self { file: file.name, pickle, storages })
    }

    /// Pickles of a number, a version, the machine, the value and the keys of its storages; then of
    /// each storage its length and its numbers (before PyTorch 1.6).
    fn open_old(file: &File<'a>) -> Result<Self, ImportError> {
        let refuse = |why: &str| refuse(file, why.into());
        let rest = file.bytes.strip_prefix(OLD);
        let rest = rest.ok_or_else(|| refuse("it is a pickle of another program"))?;
        let (_version, rest) = Pickle::read(file.name, rest)?;
        let (machine, rest) = Pickle::read(file.name, rest)?;
        let order = machine.root().get("little_endian").and_then(Value::scalar);
        if order != Some(true.into()) {
            return Err(refuse("its numbers begin with their greatest bytes"));
        }
        let (pickle, rest) = Pickle::read(file.name, rest)?;
        let (keys, mut rest) = Pickle::read(file.name, rest)?;
        let mut classes = HashMap::new();
        for storage in pickle.persistent().filter_map(Value::short_list) {
            let class = storage.get(1).and_then(|class| class.storage());
            let key = storage.get(2).and_then(|key| key.text());
            classes.extend(key.zip(class));
        }
        let mut storages = HashMap::new();
        for key in keys.root().list().unwrap_or_default() {
            let (key, bytes) = key
                .text()
                .and_then(|key| Some((key, take_storage(&mut rest, classes.get(key)?)?)))
                .ok_or_else(|| refuse("a storage is not whole"))?;
            storages.insert(key.to_string(), bytes);
        }
        Ok(Self { file: file.name, pickle, storages })
    }

    /// The tensor that `value` is rebuilt to, called `name`. Its numbers stay where they lie.
    ///
    /// # Errors
    /// If it is no tensor, or if its numbers do not lie in its storage, each but once.
    pub fn tensor(&self, name: &str, value: Value<'_, 'a>) -> Result<Tensor<'a>, ImportError> {
        self.try_tensor(name, value).ok_or_else(|| ImportError::Tensor {
            file: self.file.into(),
            name: name.chars().take(80).collect(),
            what: "is no tensor whose numbers are in the file; it may be cut off or damaged: use \
                   another copy"
                .into(),
        })
    }

    fn try_tensor(&self, name: &str, value: Value<'_, 'a>) -> Option<Tensor<'a>> {
        // (storage, offset, size, stride, …), with offset and strides in numbers.
        let from = value.tensor()?.short_list()?;
        let sizes = |value: &Value<'_, 'a>| {
            value.short_list()?.into_iter().map(Value::size).collect::<Option<Vec<usize>>>()
        };
        let (offset, shape, strides) =
            (from.get(1)?.size()?, sizes(from.get(2)?)?, sizes(from.get(3)?)?);
        // ('storage', class, key, device, length), and before PyTorch 1.6 the part that it is of another
        let storage = from.first()?.persistent()?.short_list()?;
        if storage.get(5).is_some_and(|part| !part.is_none()) {
            return None;
        }
        let number = number(storage.get(1)?.storage()?);
        let bytes = *self.storages.get(storage.get(2)?.text()?)?;
        let held = bytes.len() / number.bytes();
        if shape.len() != strides.len() {
            return None;
        }
        let (mut count, mut end) = (1usize, offset);
        for (size, stride) in shape.iter().zip(&strides) {
            count = count.checked_mul(*size)?;
            end = end.checked_add(size.saturating_sub(1).checked_mul(*stride)?)?;
        }
        if count > held || (count > 0 && end >= held) {
            return None;
        }
        let bytes = bytes.get(offset.checked_mul(number.bytes())?..)?;
        Some(Tensor { file: self.file, name: name.into(), number, shape, strides, bytes })
    }
}

fn refuse(file: &File, why: String) -> ImportError {
    ImportError::Format { file: file.name.into(), kind: "a file of PyTorch", why }
}

/// The bytes of a storage of `class` that `rest` begins with: its length in numbers, and the numbers.
fn take_storage<'a>(rest: &mut &'a [u8], class: &str) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let length = usize::try_from(i64::from_le_bytes(*length)).ok()?;
    let (bytes, after) = after.split_at_checked(length.checked_mul(width(class)?)?)?;
    *rest = after;
    Some(bytes)
}

/// Bytes of a number in storages of a class.
fn width(class: &str) -> Option<usize> {
    match class {
        "ComplexDoubleStorage" => Some(16),
        "DoubleStorage" | "LongStorage" | "ComplexFloatStorage" => Some(8),
        "FloatStorage" | "IntStorage" => Some(4),
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => Some(2),
        "CharStorage" | "ByteStorage" | "BoolStorage" => Some(1),
        _ => None,
    }
}

/// The numbers in storages of a class.
fn number(storage: &str) -> Number {
    match storage {
        "DoubleStorage" => Number::F64,
        "FloatStorage" => Number::F32,
        "HalfStorage" => Number::F16,
        "BFloat16Storage" => Number::Bf16,
        _ => Number::Other,
    }
}

/// Names and bytes of all entries.
fn entries(bytes: &[u8]) -> Result<Vec<(String, &[u8])>, String> {
    let archive = ZipArchive::from_slice(bytes).map_err(|why| why.to_string())?;
    let mut out = Vec::new();
    let mut records = archive.entries();
    while let Some(record) = records.next_entry().map_err(|why| why.to_string())? {
        if record.compression_method() != CompressionMethod::STORE {
            return Err("it is compressed".into());
        }
        let entry = archive.get_entry(record.wayfinder()).map_err(|why| why.to_string())?;
        let (start, end) = entry.compressed_data_range();
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let data = range.and_then(|(start, end)| bytes.get(start..end));
        let name = String::from_utf8_lossy(record.file_path().as_bytes()).into_owned();
        out.push((name, data.ok_or("an entry lies beyond its end")?));
    }
    Ok(out)
}
