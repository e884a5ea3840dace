//! `confab import`: another's model as a checkpoint of Confab.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::import;
use confab::import::File;

/// Files that are read of a folder.
const READ: [&str; 5] = ["config.json", "tokenizer.json", "vocab.json", "ckpt.pt", "meta.pkl"];

pub fn command() -> Command {
    Command::new("import")
        .about("Writes another's model as a checkpoint: Hugging Face's GPT-2, Llama, Mistral or Qwen3, or nanoGPT's")
        .arg(
            Arg::new("files")
                .required(true)
                .num_args(1..)
                .value_name("FILE|FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("config.json, model.safetensors and tokenizer.json or vocab.json; or ckpt.pt and meta.pkl; or a folder with them. Of a checkpoint of Confab, all but what only training needs"),
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
    let named: Vec<_> =
        paths.iter().map(|path| ("the model's file", Some(path.as_path()))).collect();
    super::files::check(&named, &[("--out", Some(out))])?;
    let read: Vec<(String, Vec<u8>)> = paths
        .iter()
        .map(|path| Ok((name(path), super::files::read_bytes(path)?)))
        .collect::<Result<_>>()?;
    let files: Vec<File> = read.iter().map(|(name, bytes)| File { name, bytes }).collect();
    let mut checkpoint = import::open(&files).context("importing the model")?;
    checkpoint.moments = None;
    super::files::save(&checkpoint, out)?;
    let model = &checkpoint.config.model;
    super::terminal::report(format_args!(
        "Wrote {}: {} parameters, {} layers of {} heads, {} wide, {} tokens, context {}",
        out.display(),
        checkpoint.parameters.len(),
        model.n_layers,
        model.n_heads,
        model.d_model,
        checkpoint.tokenizer.vocab_size(),
        model.context
    ));
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of a folder that a model is read from, in the order of their names.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| {
            let name = name(path);
            path.is_file() && (READ.contains(&&*name) || name.ends_with(".safetensors"))
        })
        .collect();
    paths.sort();
    ensure!(
        !paths.is_empty(),
        "reading {}: none of {} and *.safetensors is in it",
        folder.display(),
        READ.join(", ")
    );
    Ok(paths)
}
