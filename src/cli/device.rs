//! The option `--device`, and the device that it opens.

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches};
use confab::device::OpenDevice;
use confab::run::DeviceChoice;
use futures::executor::block_on;

use super::terminal::tell;

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

pub fn open(choice: DeviceChoice) -> Result<OpenDevice> {
    let opened = block_on(confab::device::open(choice));
    let (device, notice) = opened.map_err(anyhow::Error::msg)?;
    if let Some(notice) = notice {
        tell(notice);
    }
    Ok(device)
}
