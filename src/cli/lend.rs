//! `confab lend`: this machine's device, for a run of another program.

use std::io::Write;
use std::net::{IpAddr, TcpListener};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Command};
use confab::device::OpenDevice;
use confab::learn::devices::Lender;

use super::devices::{Place, open, parse};
use super::terminal::report;

pub fn command() -> Command {
    Command::new("lend")
        .about("Lends a device to a run of another program, `confab train --devices cpu,tcp://HOST:PORT`, until Ctrl-C")
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:4747")
                .help(
                    "where to listen; port 0 takes one that is free. Nothing is encrypted and nobody is asked for a \
                     password: leave it at 127.0.0.1, and let other machines in by `ssh -L`",
                ),
        )
        .arg(
            Arg::new("device")
                .long("device")
                .value_name("DEVICE")
                .value_parser(parse)
                .default_value("auto")
                .help("what to lend, of the kind of the run's own device: auto, cpu, webgpu, vulkan, cuda, or `cuda:1`"),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let (choice, number) = match matches.get_one::<Place>("device") {
        Some(Place::Here(choice, number)) => (*choice, *number),
        _ => bail!(
            "lending a device: it must be of this machine; run `confab lend` where the device is"
        ),
    };
    let address = matches.get_one::<String>("listen").context("no address was named")?;
    let listener = TcpListener::bind(address).with_context(|| {
        format!("listening on {address}: is it taken, or no address? --listen names another")
    })?;
    let at = listener.local_addr().with_context(|| format!("listening on {address}"))?;
    let OpenDevice { device, report: opened, limits, .. } = open(choice, number)?;
    if !is_loopback(at.ip()) {
        report(format_args!(
            "Whoever reaches {at} can have this machine compute: nothing is encrypted, and nobody is asked for a password."
        ));
    }
    let mut out = super::terminal::output();
    writeln!(out, "{} is lent at tcp://{at} until Ctrl-C", opened.name)?;
    out.flush()?;
    drop(out);
    let lender = Lender { device, kind: opened.kind, name: opened.name, limits };
    lender.serve(&listener, report).with_context(|| format!("listening on {at}"))
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
