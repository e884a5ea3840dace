//! The option `--device`, and the device that it opens.

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches};
use confab::device::OpenDevice;
use confab::generate::MAX_HOST_PARAMETERS;
use confab::run::DeviceChoice;
use futures::executor::block_on;

use super::terminal::report;

/// `--device`, with what this build offers.
pub fn arg() -> Arg {
    Arg::new("device")
        .long("device")
        .value_name("DEVICE")
        .value_parser(PossibleValuesParser::new(DeviceChoice::NAMES))
        .default_value("auto")
        .help("where to compute")
}

/// The device that `--device` names.
pub fn choice(matches: &ArgMatches) -> DeviceChoice {
    let name = matches.get_one::<String>("device");
    name.and_then(|name| DeviceChoice::parse(name)).unwrap_or_default()
}

/// Opens the device that `--device` names, saying on standard error what the user should know.
pub fn open_chosen(matches: &ArgMatches) -> Result<OpenDevice> {
    open(choice(matches))
}

/// Opens the device that `--device` names, if it names a GPU, where the host computes anyway: a device that is not
/// there is an error.
pub fn check_named(matches: &ArgMatches) -> Result<()> {
    match choice(matches) {
        DeviceChoice::Auto | DeviceChoice::Cpu => Ok(()),
        named => open(named).map(drop),
    }
}

/// Opens a device for a model of so many parameters that is not trained. With `auto`, a small model is looked into
/// on the CPU, and a large one too where there is no GPU, without a word: neither matters to the user.
pub fn open_to_look(matches: &ArgMatches, parameters: usize) -> Result<OpenDevice> {
    match choice(matches) {
        DeviceChoice::Auto if parameters <= MAX_HOST_PARAMETERS => open(DeviceChoice::Cpu),
        DeviceChoice::Auto => {
            let opened = block_on(confab::device::open(DeviceChoice::Auto));
            Ok(opened.map_err(anyhow::Error::msg)?.0)
        }
        named => open(named),
    }
}

pub fn open(choice: DeviceChoice) -> Result<OpenDevice> {
    let opened = block_on(confab::device::open(choice));
    let (device, notice) = opened.map_err(anyhow::Error::msg)?;
    if let Some(notice) = notice {
        report(notice);
    }
    Ok(device)
}
