//! `confab export`: a model as another program's files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::builder::PossibleValue;
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::base::file;
use confab::export::{self, OutFile};
use confab::interp::lab::{Snapshot, numbers};
use futures::executor::block_on;

pub fn command() -> Command {
    Command::new("export")
        .about("Writes a model for other programs: Hugging Face's transformers, or nanoGPT")
        .arg(super::args::checkpoint_arg())
        .arg(
            Arg::new("to").long("to").required(true).value_name("PROGRAM").value_parser([
                PossibleValue::new("hugging-face")
                    .help("a folder of config.json, model.safetensors, tokenizer.json and tokenizer_config.json"),
                PossibleValue::new("nanogpt").help("ckpt.pt, and meta.pkl beside it"),
            ])
            .help("program to write for"),
        )
        .arg(
            Arg::new("out")
                .required(true)
                .value_name("FOLDER|FILE")
                .value_parser(value_parser!(PathBuf))
                .help("the folder to write, or the file for nanoGPT"),
        )
        .arg(
            Arg::new("notebook")
                .long("notebook")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("also writes a Jupyter notebook that computes in TransformerLens what Confab shows, of the folder for hugging-face"),
        )
        .arg(
            Arg::new("prompt")
                .long("prompt")
                .requires("notebook")
                .help("the notebook's prompt; default: a held-out record up to its answer; \\n is a line break, \\\\ a backslash"),
        )
        .arg(super::device::arg())
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let path = |name: &str| matches.get_one::<PathBuf>(name).map(PathBuf::as_path);
    let (run, out) = path("checkpoint").zip(path("out")).context("no file was named")?;
    let is_nanogpt = matches.get_one::<String>("to").is_some_and(|to| to == "nanogpt");
    let lab = path("notebook");
    ensure!(
        lab.is_none() || !is_nanogpt,
        "TransformerLens reads models of Hugging Face; give --notebook with --to hugging-face"
    );
    let checkpoint = super::files::load_checkpoint(run)?;
    let exporting = || format!("exporting {}", run.display());
    let (folder, files) = match is_nanogpt {
        true => (out.parent().unwrap_or(Path::new("")), export::nanogpt(&checkpoint)),
        false => (out, export::hugging_face(&checkpoint)),
    };
    let files = files.with_context(exporting)?;
    let mut paths: Vec<PathBuf> = files.iter().map(|file| folder.join(&file.name)).collect();
    match is_nanogpt {
        true => {
            paths[0] = out.into();
            check_beside(&paths[1..], &files[1..])?;
        }
        false => {
            check_folder(folder, &files)?;
            std::fs::create_dir_all(folder)
                .with_context(|| format!("making the folder {}", folder.display()))?;
        }
    }
    let mut written: Vec<_> =
        paths.iter().map(|path| ("the model's file", Some(path.as_path()))).collect();
    written.push(("--notebook", lab));
    super::files::check(&[("the run", Some(run))], &written)?;
    let mut out: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    if let Some(lab) = lab {
        out.push((lab.into(), notebook(matches, run, lab, folder)?.into_bytes()));
    }
    out.extend(paths.into_iter().zip(files.into_iter().map(|file| file.bytes)));
    for (path, bytes) in &out {
        super::files::write(path, bytes)?;
        super::terminal::report(format_args!("Wrote {}", path.display()));
    }
    Ok(())
}

/// The notebook `lab` of the model in `folder`.
fn notebook(matches: &ArgMatches, run: &Path, lab: &Path, folder: &Path) -> Result<String> {
    let trainer = super::files::load_run_of(run, matches)?;
    let prompt = super::inspect::prompt(matches, trainer.config.seed, &trainer.task);
    let snapshot = Arc::new(block_on(Snapshot::read(&trainer)).context("reading the weights")?);
    let numbers = numbers(&snapshot, &prompt).context("computing the notebook's numbers")?;
    // From the notebook's place, if the folder is below it.
    let finding = || format!("finding {}", folder.display());
    let whole = std::fs::canonicalize(folder).with_context(finding)?;
    let place = lab.parent().filter(|place| !place.as_os_str().is_empty());
    let place = std::fs::canonicalize(place.unwrap_or(Path::new("."))).with_context(finding)?;
    let folder = whole.strip_prefix(&place).unwrap_or(&whole);
    Ok(export::notebook(&folder.to_string_lossy(), &prompt, &numbers))
}

/// Refuses to write over files that are named by nobody, unless they are what would be written.
fn check_beside(paths: &[PathBuf], files: &[OutFile]) -> Result<()> {
    for (path, file) in paths.iter().zip(files) {
        let is_there = path.symlink_metadata().is_ok();
        if is_there && super::files::read_bytes(path)? != file.bytes {
            bail!(
                "writing {}: another file of that name is there; name a file in another folder",
                path.display()
            );
        }
    }
    Ok(())
}

/// Refuses a folder that holds anything but an earlier export.
fn check_folder(folder: &Path, files: &[OutFile]) -> Result<()> {
    if folder.symlink_metadata().is_err() {
        return Ok(());
    }
    let reading = || format!("reading the folder {}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(reading)? {
        names.push(entry.with_context(reading)?.file_name());
    }
    let other = names.iter().find(|name| !files.iter().any(|file| *name == file.name.as_str()));
    if let Some(other) = other {
        bail!(
            "writing into {}: {} is there, which is of no export; name a new folder",
            folder.display(),
            other.display()
        );
    }
    let config = folder.join("config.json");
    let is_ours = || -> Result<bool> {
        let limit = file::FileLimit { name: "a config.json", max_bytes: 1 << 20 };
        let config: serde_json::Value =
            serde_json::from_slice(&super::files::read(&config, limit)?).unwrap_or_default();
        Ok(config["exported_by"] == "confab")
    };
    ensure!(
        names.is_empty() || is_ours()?,
        "writing into {}: the model in it was not exported by Confab; name a new folder",
        folder.display()
    );
    Ok(())
}
