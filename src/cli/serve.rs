//! `confab serve`: the built page, from its folder.

use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Arg, ArgMatches, Command, value_parser};
use flate2::Compression;
use flate2::read::GzEncoder;
use percent_encoding::percent_decode_str;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

/// Requests that are answered at once.
const THREADS: usize = 4;
/// Folder of the page, beside this program or in the current folder.
const DIST: &str = "dist";

pub fn command() -> Command {
    Command::new("serve")
        .about("Serves the page to this machine's browser")
        .arg(
            Arg::new("folder")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("the built page; default: `dist` beside this program, or in the current folder"),
        )
        .arg(
            Arg::new("address")
                .long("address")
                .value_name("IP")
                .default_value("127.0.0.1")
                .help("where to listen; 0.0.0.0 serves other machines too, whose browsers have no WebGPU without HTTPS"),
        )
        .arg(
            Arg::new("port")
                .long("port")
                .value_name("N")
                .value_parser(value_parser!(u16))
                .default_value("8080")
                .help("0 takes one that is free"),
        )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let folder = find_page(matches.get_one::<PathBuf>("folder"))?;
    let address = matches.get_one::<String>("address").map_or("127.0.0.1", String::as_str);
    let port = matches.get_one::<u16>("port").map_or(8080, |port| *port);
    let server = Server::http((address, port))
        .map_err(|error| anyhow!("{error}: is it taken? --port chooses another"))
        .with_context(|| format!("listening on {address}:{port}"))?;
    let mut out = super::terminal::output();
    writeln!(out, "Confab is at http://{}/ until Ctrl-C", server.server_addr())?;
    out.flush()?;
    drop(out);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for request in server.incoming_requests() {
                    let url = request.url().to_owned();
                    // A browser that went away is none of these errors.
                    if let Err(error) = answer(request, &folder) {
                        super::terminal::report(format_args!("{url} was not served: {error}"));
                    }
                }
            });
        }
    });
    Ok(())
}

/// The folder of the page, with its real name.
fn find_page(given: Option<&PathBuf>) -> Result<PathBuf> {
    let beside = || std::env::current_exe().ok().map(|program| program.with_file_name(DIST));
    let folders: Vec<PathBuf> = match given {
        Some(folder) => vec![folder.clone()],
        None => beside().into_iter().chain([PathBuf::from(DIST)]).collect(),
    };
    let has_page = |folder: &&PathBuf| folder.join("index.html").is_file();
    let Some(folder) = folders.iter().find(has_page) else {
        let names: Vec<String> =
            folders.iter().map(|folder| folder.display().to_string()).collect();
        bail!("there is no page in {}: `./dev build` makes one in `{DIST}`", names.join(" or "));
    };
    folder.canonicalize().with_context(|| format!("opening {}", folder.display()))
}

fn answer(request: Request, folder: &Path) -> std::io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(refusal(405));
    }
    let Some(path) = find_file(request.url(), folder) else {
        return request.respond(refusal(404));
    };
    let file = File::open(&path)?;
    let kind = kind_of(&path);
    let mut headers = vec![header("content-type", kind), header("cache-control", "no-cache")];
    let takes_gzip = request.headers().iter().any(|header| {
        header.field.equiv("accept-encoding") && header.value.as_str().contains("gzip")
    });
    if takes_gzip && kind.contains("charset") {
        let mut packed = Vec::new();
        GzEncoder::new(file, Compression::default()).read_to_end(&mut packed)?;
        headers.push(header("content-encoding", "gzip"));
        headers.push(header("vary", "accept-encoding"));
        let length = packed.len();
        return request.respond(Response::new(
            StatusCode(200),
            headers,
            Cursor::new(packed),
            Some(length),
            None,
        ));
    }
    let length = usize::try_from(file.metadata()?.len()).ok();
    let response = Response::new(StatusCode(200), headers, file, length, None);
    // The page tells how much of its worker has come, by this length.
    request.respond(response.with_chunked_threshold(usize::MAX))
}

/// The file that a URL names: a regular one within the folder, and `index.html` for a folder.
fn find_file(url: &str, folder: &Path) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?;
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let relative = Path::new(path.trim_start_matches('/'));
    let is_plain = |part| matches!(part, Component::Normal(_));
    if path.contains('\0') || !relative.components().all(is_plain) {
        return None;
    }
    let mut path = folder.join(relative);
    if path.is_dir() {
        path.push("index.html");
    }
    // A link may lead out.
    let path = path.canonicalize().ok()?;
    (path.starts_with(folder) && path.is_file()).then_some(path)
}

fn kind_of(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml; charset=utf-8",
        "md" | "txt" => "text/plain; charset=utf-8",
        "json" => "application/json; charset=utf-8",
        "png" => "image/png",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("it is ASCII")
}

fn refusal(status: u16) -> Response<Cursor<Vec<u8>>> {
    let reason = StatusCode(status).default_reason_phrase();
    Response::from_string(format!("{status} {reason}\n")).with_status_code(status)
}
