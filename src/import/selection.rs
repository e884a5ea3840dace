//! The files of a model among all that lie in its folder.

use super::shards::{Index, numbered_shards};
use super::{File, ImportError};
use crate::base::file_kind::FileKind;

/// Files that name tokens, but for nanoGPT's.
const TOKENS: [&str; 3] = ["tokenizer.json", "vocab.json", "merges.txt"];
/// Ends of names of PyTorch's files.
const PYTORCH: [&str; 4] = [".bin", ".pt", ".pth", ".ckpt"];
/// Ends of names of weights that are not read.
const OTHERS: [&str; 3] = [".gguf", ".onnx", ".h5"];
/// End of names of indices.
const INDEX: &str = ".index.json";
/// Beginnings of the names of what trainers keep beside a model's weights, or instead of them.
const ACCESSORIES: [&str; 16] = [
    "adapter_model",
    "bf16_zero_pp_rank",
    "consolidated",
    "mp_rank",
    "optim.",
    "optim_",
    "optimizer",
    "random_states",
    "rng_state",
    "sampler",
    "scaler",
    "scheduler",
    "trainer_state",
    "training_args",
    "training_state",
    "zero_pp_rank",
];
/// Names that a note lists at most.
const MAX_TOLD: usize = 12;

/// The files that a model is read from.
pub struct Selection<'a> {
    pub config: Option<File<'a>>,
    pub weights: Vec<File<'a>>,
    pub index: Option<Index<'a>>,
    pub tokens: Vec<File<'a>>,
    passed_over: Vec<&'a str>,
}

/// Chooses the files that a model is read from. An index decides which weights count; without one,
/// model.safetensors comes first. Needs all bytes of the indices (`*.index.json`), and of other
/// files the first [`FileKind::HEAD`].
///
/// # Errors
/// If there are none, if they are of several models, or if a part of the weights is missing.
pub fn select<'a>(files: &[File<'a>]) -> Result<Selection<'a>, ImportError> {
    let files: Vec<File> = files.iter().map(File::without_mark).collect();
    let config = files.iter().find(|file| file.name == "config.json").copied();
    let (index, weights) = choose_weights(&files, config.is_some())?;
    let all = || files.iter().filter(|file| is_weights(file)).map(|file| file.name);
    if weights.is_empty() {
        return Err(lacking(&files, config, &list(all())));
    }
    let mut tokens: Vec<File> =
        files.iter().filter(|file| TOKENS.contains(&file.name)).copied().collect();
    tokens.extend(meta(&files, &weights));

    let mut selection = Selection { config, weights, index, tokens, passed_over: Vec::new() };
    let read = selection.names();
    for file in files.iter().filter(|file| read.contains(&file.name)) {
        if files.iter().filter(|other| other.name == file.name).count() > 1 {
            return Err(ImportError::Twice { file: file.name.into() });
        }
        if let FileKind::Foreign(kind) = FileKind::of(file.bytes) {
            return Err(ImportError::Kind { file: file.name.into(), kind });
        }
    }
    let is_passed_over = |file: &&File| {
        !read.contains(&file.name) && (is_weights(file) || has_end(file, &[INDEX, ".pkl"]))
    };
    selection.passed_over = files.iter().filter(is_passed_over).map(|file| file.name).collect();
    Ok(selection)
}

impl<'a> Selection<'a> {
    /// Names of all files that are read.
    pub fn names(&self) -> Vec<&'a str> {
        let files = self.config.iter().chain(&self.weights).chain(&self.tokens);
        files.map(|file| file.name).chain(self.index.iter().map(|index| index.file)).collect()
    }

    /// Refusal of weights that nothing tells the settings of.
    pub fn without_config(&self) -> ImportError {
        let file = self.weights.first().map_or("", |file| file.name).to_string();
        match self.weights.iter().any(is_pytorch) {
            true => ImportError::Bare { file },
            false => ImportError::Alone {
                file,
                lacks: "config.json",
                which: "which says how the model is built",
            },
        }
    }

    /// A line for the user about files that are passed over, if there are any.
    pub fn note(&self) -> Option<String> {
        (!self.passed_over.is_empty())
            .then(|| format!("Passed over: {}", list(self.passed_over.iter().copied())))
    }
}

/// Files of weights, and the index that decides for them.
type Weights<'a> = (Option<Index<'a>>, Vec<File<'a>>);

/// The choice among the weights of one format.
enum Choice<'a> {
    Found(Weights<'a>),
    Nothing,
    /// An index is all that is left of them.
    Gone(ImportError),
}

fn choose_weights<'a>(files: &[File<'a>], has_config: bool) -> Result<Weights<'a>, ImportError> {
    let safetensors: (fn(&File) -> bool, _) = (is_safetensors, "model");
    let pytorch: (fn(&File) -> bool, _) = (is_pytorch, "pytorch_model");
    // Without its settings, a model can be in nanoGPT's ckpt.pt only.
    let order = if has_config { [safetensors, pytorch] } else { [pytorch, safetensors] };
    let mut gone = None;
    for (is_format, usual) in order {
        match choose(files, is_format, usual)? {
            Choice::Found(weights) => return Ok(weights),
            Choice::Nothing => {}
            Choice::Gone(error) => gone = gone.or(Some(error)),
        }
    }
    let other: Vec<File> = files.iter().filter(|file| is_other(file)).take(1).copied().collect();
    match gone {
        Some(error) if other.is_empty() => Err(error),
        _ => Ok((None, other)),
    }
}

/// Chooses among the weights of one format, whose files are usually called `usual`.
fn choose<'a>(
    files: &[File<'a>],
    is_format: fn(&File) -> bool,
    usual: &str,
) -> Result<Choice<'a>, ImportError> {
    let is_usual = |file: &File| file.name.split('.').next() == Some(usual);
    let is_index = |file: &File| {
        let of = file.name.strip_suffix(INDEX);
        of.is_some_and(|name| is_format(&File { name, bytes: &[] }))
    };
    let sorted = |is_wanted: &dyn Fn(&File) -> bool| {
        let wanted = files.iter().filter(|file| is_wanted(file) && !is_accessory(file.name));
        let mut wanted: Vec<File> = wanted.copied().collect();
        wanted.sort_by_key(|file| (!is_usual(file), file.name.len(), file.name));
        wanted
    };
    let mut gone = None;
    for file in sorted(&is_index) {
        let index = Index::parse(&file)?;
        match index.find(files) {
            (shards, None) => return Ok(Choice::Found((Some(index), shards))),
            (shards, Some(error)) if shards.is_empty() => gone = gone.or(Some(error)),
            (_, Some(error)) => return Err(error),
        }
    }
    let own = sorted(&is_format);
    let weights = match own.first().filter(|file| is_usual(file)) {
        Some(file) => vec![*file],
        None => match numbered_shards(&own)? {
            Some(shards) => shards,
            None => unnumbered(own)?,
        },
    };
    Ok(match gone {
        _ if !weights.is_empty() => Choice::Found((None, weights)),
        Some(error) => Choice::Gone(error),
        None => Choice::Nothing,
    })
}

/// All of `own` if they may be parts of one model, as files of safetensors may; of PyTorch's, one.
fn unnumbered(own: Vec<File>) -> Result<Vec<File>, ImportError> {
    if own.len() < 2 || !is_pytorch(&own[0]) {
        return Ok(own);
    }
    let checkpoint = own.iter().find(|file| file.name == "ckpt.pt").copied();
    let names = || list(own.iter().map(|file| file.name));
    checkpoint.map(|file| vec![file]).ok_or_else(|| ImportError::Ambiguous { given: names() })
}

/// nanoGPT's names of tokens.
fn meta<'a>(files: &[File<'a>], weights: &[File<'a>]) -> Option<File<'a>> {
    let is_pickle = |file: &&File| file.name.ends_with(".pkl") && !is_accessory(file.name);
    let other = || files.iter().find(is_pickle).filter(|_| weights.iter().all(is_pytorch));
    files.iter().find(|file| file.name == "meta.pkl").or_else(other).copied()
}

fn lacking(files: &[File], config: Option<File>, weights: &str) -> ImportError {
    match config {
        None => ImportError::Nothing { given: list(files.iter().map(|file| file.name)) },
        Some(_) if !weights.is_empty() => ImportError::Unfit { given: weights.into() },
        Some(config) => ImportError::Alone {
            file: config.name.into(),
            lacks: "a .safetensors file",
            which: "which holds the weights",
        },
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let shown = names[..names.len().min(MAX_TOLD)].join(", ");
    match names.len().checked_sub(MAX_TOLD) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

fn is_accessory(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ACCESSORIES.iter().any(|beginning| name.starts_with(beginning))
}

fn is_weights(file: &File) -> bool {
    is_safetensors(file) || is_pytorch(file) || is_other(file)
}

fn has_end(file: &File, ends: &[&str]) -> bool {
    ends.iter().any(|end| file.name.ends_with(end))
}

fn is_safetensors(file: &File) -> bool {
    let has_no_end = !file.name.contains('.');
    file.name.ends_with(".safetensors")
        || (has_no_end && FileKind::of(file.bytes) == FileKind::Safetensors)
}

pub fn is_pytorch(file: &File) -> bool {
    has_end(file, &PYTORCH)
}

fn is_other(file: &File) -> bool {
    has_end(file, &OTHERS)
}
