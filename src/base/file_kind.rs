//! Kinds of files, by their first bytes.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Safetensors,
    /// As `torch.save` writes since PyTorch 1.6, among others.
    Zip,
    Pickle,
    /// None that a model is read from.
    Foreign(Foreign),
    Unknown,
}

/// A kind of file that no model is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    Empty,
    GitLfs,
    Gguf,
    Onnx,
    Hdf5,
    Html,
}

impl FileKind {
    /// Bytes from a file's beginning on that tell its kind.
    pub const HEAD: usize = 64;

    /// The kind of a file that begins with `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [] => Self::Foreign(Foreign::Empty),
            // The header's length, and the header.
            [_, _, _, _, _, _, 0, 0, b'{', ..] => Self::Safetensors,
            [b'P', b'K', 3, 4, ..] => Self::Zip,
            [0x80, 2..=5, ..] => Self::Pickle,
            _ => Foreign::of(bytes).map_or(Self::Unknown, Self::Foreign),
        }
    }
}

impl Foreign {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [b'G', b'G', b'U', b'F', ..] => Some(Self::Gguf),
            [0x89, b'H', b'D', b'F', ..] => Some(Self::Hdf5),
            // A version, and another of the fields of a model.
            [8, 1..=31, 0x12 | 0x1a | 0x22 | 0x2a | 0x32 | 0x3a | 0x42, ..] => Some(Self::Onnx),
            _ if bytes.starts_with(b"version https://git-lfs") => Some(Self::GitLfs),
            _ => {
                let bytes = bytes.trim_ascii_start();
                let begins = |with: &str| {
                    bytes.get(..with.len()).is_some_and(|b| b.eq_ignore_ascii_case(with.as_bytes()))
                };
                (begins("<!doctype html") || begins("<html")).then_some(Self::Html)
            }
        }
    }

    /// Name of the kind, and advice.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Empty => "empty; its download may have stopped: use another copy",
            Self::GitLfs => {
                "a Git LFS pointer, which stands for a file that was not downloaded; run `git lfs pull` \
                 in its folder, or download the file itself"
            }
            Self::Gguf => {
                "a GGUF file of llama.cpp; give the config.json and the .safetensors that it was made \
                 from, as Hugging Face has them"
            }
            Self::Onnx => {
                "an ONNX graph; give the config.json and the .safetensors that it was exported from"
            }
            Self::Hdf5 => {
                "an HDF5 file, as TensorFlow writes it; give the model's config.json and its .safetensors"
            }
            Self::Html => {
                "a web page about a file; download the file itself (on Hugging Face, `resolve` stands in \
                 its address where the page has `blob`)"
            }
        }
    }
}
