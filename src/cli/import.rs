//! `confab import`: another's model as a checkpoint of Confab.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::base::file_kind::FileKind;
use confab::host::ParameterSource;
use confab::import;
use confab::import::File;

pub fn command() -> Command {
    Command::new("import")
        .about("Writes another's model as a checkpoint: Hugging Face's GPT-2, Llama, Mistral or Qwen3, or nanoGPT's")
        .arg(
            Arg::new("files")
                .required(true)
                .num_args(1..)
                .value_name("FILE|FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("config.json, model.safetensors or pytorch_model.bin, and tokenizer.json or vocab.json; or ckpt.pt and meta.pkl; or a folder with them, where an index decides which weights count. Of a checkpoint of Confab, all but what only training needs"),
        )
        .arg(
            Arg::new("out")
                .long("out")
                .required(true)
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("the checkpoint to write"),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let out = matches.get_one::<PathBuf>("out").context("no file was named")?;
    let mut paths = Vec::new();
    for path in matches.get_many::<PathBuf>("files").into_iter().flatten() {
        if path.is_dir() { paths.extend(list(path)?) } else { paths.push(path.clone()) }
    }
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    let named: Vec<_> =
        paths.iter().map(|path| ("the model's file", Some(path.as_path()))).collect();
    super::files::check(&named, &[("--out", Some(out))])?;
    let (read, passed_over) = read(&paths)?;
    let files: Vec<File> = read.iter().map(|(name, bytes)| File { name, bytes }).collect();
    let import::Opened { checkpoint, notes } =
        import::open_stored(&files).context("importing the model")?;
    passed_over.iter().chain(&notes).for_each(super::terminal::report);
    drop(read); // a large model's weights are then there once and not twice
    let model = &checkpoint.config.model;
    let wrote = format!(
        "Wrote {}: {} parameters, {} layers of {} heads, {} wide, {} tokens, context {}",
        out.display(),
        checkpoint.parameters.count(),
        model.n_layers,
        model.n_heads,
        model.d_model,
        checkpoint.tokenizer.vocab_size(),
        model.context
    );
    super::files::save(&checkpoint, out)?;
    super::terminal::report(wrote);
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file's name and bytes.
type Named = (String, Vec<u8>);

/// The files that a model is read from, and a line about the others.
fn read(paths: &[PathBuf]) -> Result<(Vec<Named>, Option<String>)> {
    if let [path] = paths {
        return Ok((vec![(name(path), super::files::read_bytes(path)?)], None));
    }
    let mut given = paths.iter().map(|path| Given::begin(path)).collect::<Result<Vec<_>>>()?;
    let files: Vec<File> = given.iter().map(Given::file).collect();
    let selection = import::select(&files).context("importing the model")?;
    let (names, note) = (selection.names(), selection.note());
    let is_read: Vec<bool> = files.iter().map(|file| names.contains(&file.name)).collect();
    let mut kept = is_read.into_iter();
    given.retain(|_| kept.next().unwrap_or_default());
    let read = given.into_iter().map(Given::finish).collect::<Result<_>>()?;
    Ok((read, note))
}

/// A file that was given, as far as it is read.
struct Given<'a> {
    path: &'a Path,
    name: String,
    bytes: Vec<u8>,
    is_whole: bool,
}

impl<'a> Given<'a> {
    /// Reads as much as tells if the file is needed.
    fn begin(path: &'a Path) -> Result<Self> {
        let name = name(path);
        // `read_bytes` refuses what is no regular file.
        let is_whole = name.ends_with(".index.json") || !path.is_file();
        let bytes = match is_whole {
            true => super::files::read_bytes(path)?,
            false => {
                let mut bytes = Vec::new();
                let file = std::fs::File::open(path);
                file.and_then(|file| file.take(FileKind::HEAD as u64).read_to_end(&mut bytes))
                    .with_context(|| format!("reading {}", path.display()))?;
                bytes
            }
        };
        Ok(Self { path, name, bytes, is_whole })
    }

    /// Reads the rest.
    fn finish(self) -> Result<Named> {
        let bytes = if self.is_whole { self.bytes } else { super::files::read_bytes(self.path)? };
        Ok((self.name, bytes))
    }

    fn file(&self) -> File<'_> {
        File { name: &self.name, bytes: &self.bytes }
    }
}

/// The files of a folder, in the order of their names.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    paths.sort();
    ensure!(
        !paths.is_empty(),
        "reading {}: no file is in it; name the folder that the model's files are in",
        folder.display()
    );
    Ok(paths)
}
