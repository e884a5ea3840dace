//! The option `--devices`: a run's own device, and others that take their part of its shards.

use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{Arg, ArgMatches};
use confab::base::parallel::Threads;
use confab::config::TrainConfig;
use confab::device::OpenDevice;
use confab::learn::devices::{Connection, Devices, Hand};
use confab::learn::{Crew, Helper};
use confab::run::DeviceChoice;
use futures::executor::block_on;

use super::terminal::report;

/// A device, as it is named.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// One of this machine; of several of a kind, that of a number.
    Here(DeviceChoice, Option<usize>),
    /// One that another program lends, at an address as `127.0.0.1:4747`.
    Lent(String),
}

/// The devices of a run, ready to train.
pub struct Gathered {
    pub own: OpenDevice,
    pub crew: Rc<dyn Crew>,
}

/// `--devices`
pub fn arg() -> Arg {
    Arg::new("devices")
        .long("devices")
        .value_name("LIST")
        .value_parser(parse_list)
        .conflicts_with("device")
        .help(
            "where to compute, on several devices of one kind that share the shards of each step: `cuda:0,cuda:1`, \
             `cpu,tcp://HOST:PORT` of a `confab lend`; the first is the run's own",
        )
}

/// The devices that `--devices` names; `None` without it.
pub fn named(matches: &ArgMatches) -> Option<Vec<Place>> {
    matches.get_one::<Vec<Place>>("devices").cloned()
}

/// Checks that a run's batches can be shared, if `--devices` names several devices.
pub fn check_shards(matches: &ArgMatches, train: &TrainConfig) -> Result<()> {
    let count = named(matches).map_or(1, |places| places.len());
    ensure!(
        count == 1 || train.shards != 1,
        "training on {count} devices: this run takes its batches whole (--shards 1), so there is nothing to share; \
         give --shards 0, which goes by the size of a batch, or a number of parts"
    );
    Ok(())
}

fn parse_list(text: &str) -> Result<Vec<Place>, String> {
    let places: Vec<Place> = text.split(',').map(parse).collect::<Result<_, _>>()?;
    match places.first() {
        Some(Place::Lent(_)) => {
            Err("the first is the run's own device, which must be of this machine: `cpu,tcp://…`"
                .into())
        }
        _ => Ok(places),
    }
}

/// # Errors
/// A sentence, if it is not the name of a device.
pub fn parse(text: &str) -> Result<Place, String> {
    let unknown = || {
        format!(
            "`{text}` names no device: there are {}, of which GPUs may have a number, as `cuda:1`, and `tcp://HOST:PORT`",
            DeviceChoice::NAMES.join(", ")
        )
    };
    if let Some(address) = text.strip_prefix("tcp://") {
        let port = address.rsplit_once(':').and_then(|(host, port)| {
            port.parse::<u16>().ok().filter(|port| !host.is_empty() && *port > 0)
        });
        return port.map(|_| Place::Lent(address.into())).ok_or_else(unknown);
    }
    let (name, number) = match text.split_once(':') {
        Some((name, number)) => (name, Some(number.parse().map_err(|_| unknown())?)),
        None => (text, None),
    };
    let choice = DeviceChoice::parse(name).ok_or_else(unknown)?;
    match (choice, number) {
        (DeviceChoice::Auto | DeviceChoice::Cpu, Some(_)) => Err(unknown()),
        _ => Ok(Place::Here(choice, number)),
    }
}

/// Opens the device that a place of this machine names.
pub fn open(choice: DeviceChoice, number: Option<usize>) -> Result<OpenDevice> {
    match number {
        Some(number) => {
            block_on(confab::device::open_number(choice, number)).map_err(anyhow::Error::msg)
        }
        None => super::device::open(choice),
    }
}

/// Opens all devices, and connects to those that are lent. `tell` is called with what becomes of them.
pub fn gather(places: &[Place], tell: impl Fn(String) + 'static) -> Result<Gathered> {
    let [Place::Here(choice, number), others @ ..] = places else {
        bail!("the first device is not of this machine");
    };
    let own = open(*choice, *number)?;
    let kind = &own.report.kind;
    let (mut here, mut lent) = (Vec::new(), Vec::new());
    for place in others {
        match place {
            Place::Here(choice, number) => here.push(open(*choice, *number)?),
            Place::Lent(address) => lent.push(address),
        }
    }
    if let Some(other) = here.iter().find(|other| other.report.kind != *kind) {
        bail!(
            "training on devices of the kinds `{kind}` and `{}`: they round differently, so losses would depend on \
             which of them took a shard; name devices of one kind",
            other.report.kind
        );
    }
    // Devices of the CPU share its cores.
    let threads = match here.len() {
        others if others > 0 && kind == DeviceChoice::Cpu.name() => {
            let each = (Threads::shared().count() / (1 + others)).max(1);
            Box::new(move || Arc::new(Threads::new(each))) as Box<dyn Fn() -> Arc<Threads>>
        }
        _ => Box::new(Threads::shared),
    };
    let mut names = vec![own.report.name.clone()];
    let mut hands = Vec::new();
    for OpenDevice { device, report, .. } in here {
        names.push(report.name.clone());
        let threads = threads();
        hands.push(Hand::start(report.name, move || Helper::new(device, threads)));
    }
    for address in lent {
        let (connection, name) = Connection::open(address, kind)
            .map_err(|reason| anyhow!("{reason}"))
            .with_context(|| format!("borrowing the device at tcp://{address}"))?;
        let name = format!("tcp://{address} ({name})");
        names.push(name.clone());
        hands.push(Hand::start(name, move || connection));
    }
    let hands = hands.into_iter().collect::<Result<_, _>>().map_err(anyhow::Error::msg)?;
    report(format_args!("Devices: {}", names.join(", ")));
    let crew = Rc::new(Devices::new(threads(), hands, tell));
    Ok(Gathered { own, crew })
}
