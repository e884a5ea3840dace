//! `confab adapter`: low-rank adapters as files of their own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, ensure};
use clap::{Arg, ArgMatches, Command, value_parser};
use confab::arch::Layout;
use confab::base::file::FileLimit;
use confab::checkpoint::Checkpoint;
use confab::import::peft;
use confab::run::MAX_ADAPTERS;

const CONFIG: &str = "adapter_config.json";
const TENSORS: &str = "adapter_model.safetensors";
const CONFIG_LIMIT: FileLimit =
    FileLimit { name: "an adapter's configuration", max_bytes: 1 << 20 };

pub fn command() -> Command {
    let folder = |help| {
        Arg::new("folder")
            .required(true)
            .value_name("FOLDER")
            .value_parser(value_parser!(PathBuf))
            .help(help)
    };
    Command::new("adapter")
        .about("Saves a low-rank adapter as Hugging Face's PEFT does, or puts one on a model")
        .subcommand_required(true)
        .subcommand(
            Command::new("save")
                .about("Saves an adapter of a checkpoint alone: adapter_config.json and adapter_model.safetensors")
                .arg(super::args::checkpoint_arg())
                .arg(folder("where both files are written"))
                .arg(
                    Arg::new("number")
                        .long("number")
                        .value_name("N")
                        .value_parser(value_parser!(u32).range(0..MAX_ADAPTERS as i64))
                        .default_value("0")
                        .help("which adapter, from 0"),
                ),
        )
        .subcommand(
            Command::new("load")
                .about("Puts an adapter on a model, switched on, after those that it has")
                .arg(super::args::checkpoint_arg())
                .arg(folder("with adapter_config.json and adapter_model.safetensors"))
                .arg(
                    Arg::new("out")
                        .short('o')
                        .long("out")
                        .required(true)
                        .value_name("FILE")
                        .value_parser(value_parser!(PathBuf))
                        .help("the checkpoint to write"),
                ),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    match matches.subcommand() {
        Some(("save", matches)) => save(matches),
        Some(("load", matches)) => load(matches),
        _ => unreachable!("clap requires one of them"),
    }
}

fn save(matches: &ArgMatches) -> Result<()> {
    let (checkpoint, folder) = read(matches)?;
    let number = matches.get_one::<u32>("number").map_or(0, |number| *number as usize);
    let count = checkpoint.adapters.len();
    let adapter = checkpoint.adapters.get(number).with_context(|| match count {
        0 => "saving an adapter: this model has none; train one with `confab train --from … --lora-rank 4`".to_owned(),
        count => format!("saving the adapter {number}: this model's are 0 to {}", count - 1),
    })?;
    let layout = layout(&checkpoint);
    let (config, tensors) = peft::write(adapter, &checkpoint.config.model, &layout)
        .map_err(Error::msg)
        .context("saving the adapter")?;
    super::files::check_folder(folder)?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("making the folder {}", folder.display()))?;
    let files = [folder.join(CONFIG), folder.join(TENSORS)];
    let written: Vec<(&str, Option<&Path>)> =
        files.iter().map(|file| ("FOLDER", Some(file.as_path()))).collect();
    super::files::check(&[], &written)?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("making the folder {}", folder.display()))?;
    super::files::write(&files[0], config.as_bytes())?;
    super::files::write(&files[1], &tensors)?;
    super::terminal::report(format_args!(
        "Wrote adapter {number}, {} numbers in {} matrices, to {}",
        adapter.values.len(),
        adapter.targets.len(),
        folder.display()
    ));
    Ok(())
}

fn load(matches: &ArgMatches) -> Result<()> {
    let (mut checkpoint, folder) = read(matches)?;
    let out = matches.get_one::<PathBuf>("out").context("no file was named")?;
    super::files::check(&[], &[("--out", Some(out))])?;
    let count = checkpoint.adapters.len();
    ensure!(
        count < MAX_ADAPTERS,
        "loading an adapter: this model has {count} already; merge or remove some with `confab edit`"
    );
    let config = super::files::read(&folder.join(CONFIG), CONFIG_LIMIT)?;
    let config = String::from_utf8(config)
        .with_context(|| format!("reading {}", folder.join(CONFIG).display()))?;
    let tensors = super::files::read_bytes(&folder.join(TENSORS))?;
    let adapter = peft::read(&config, &tensors, &checkpoint.config.model, &layout(&checkpoint))
        .map_err(Error::msg)
        .with_context(|| format!("loading the adapter in {}", folder.display()))?;
    super::terminal::report(format_args!(
        "Adapter {count}: rank {}, α {}, {} matrices",
        adapter.rank,
        adapter.alpha,
        adapter.targets.len()
    ));
    checkpoint.adapters.push(adapter);
    // What would be trained next is not the one that was.
    checkpoint.config.train.lora.rank = 0;
    super::files::save(&checkpoint, out)?;
    super::terminal::report(format_args!("Wrote {}", out.display()));
    Ok(())
}

fn read(matches: &ArgMatches) -> Result<(Checkpoint, &PathBuf)> {
    let file = matches.get_one::<PathBuf>("checkpoint").context("no checkpoint was named")?;
    let folder = matches.get_one::<PathBuf>("folder").context("no folder was named")?;
    Ok((super::files::load_checkpoint(file)?, folder))
}

fn layout(checkpoint: &Checkpoint) -> Layout {
    Layout::new(&checkpoint.config.model, checkpoint.tokenizer.vocab_size())
}
