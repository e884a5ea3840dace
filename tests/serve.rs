//! `confab serve`: the built page, and nothing else of the machine.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use common::terminal::{command, refused};
use flate2::read::GzDecoder;

struct Serving {
    process: Child,
    address: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Serving {
    fn of(folder: &Path, args: &[&str]) -> Self {
        let mut serve = command(folder, &[&["serve", "--port", "0"], args].concat());
        let mut process = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.expect(&line).to_owned();
        Self { process, address }
    }

    /// The head of the answer, in small letters, and its body.
    fn ask(&self, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..at]).to_lowercase();
        (head, answer[at + 4..].to_vec())
    }
}

#[test]
fn the_page_is_served_compressed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let dist = at.join("dist");
    std::fs::create_dir_all(dist.join("docs")).unwrap();
    let html = "<!doctype html>".repeat(100);
    std::fs::write(dist.join("index.html"), &html).unwrap();
    std::fs::write(dist.join("a b.packed"), vec![7; 100_000]).unwrap();
    std::fs::write(dist.join("app.js"), "1").unwrap();
    std::fs::write(at.join("secret.txt"), "secret").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(at.join("secret.txt"), dist.join("link.txt")).unwrap();

    let serving = Serving::of(at, &[]);
    for path in ["/", "/index.html", "/?embed=loss", "/?x=../secret.txt"] {
        let (head, body) = serving.ask("GET", path, "");
        assert!(
            head.starts_with("http/1.1 200") && head.contains("text/html; charset=utf-8"),
            "{head}"
        );
        assert_eq!(body, html.as_bytes());
    }
    let (head, body) = serving.ask("GET", "/", "accept-encoding: gzip, br\r\n");
    assert!(head.contains("content-encoding: gzip") && body.len() < html.len() / 10, "{head}");
    let mut unpacked = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, html);
    // What is packed already is sent as it is.
    let (head, body) = serving.ask("GET", "/a%20b.packed", "accept-encoding: gzip\r\n");
    assert!(
        head.contains("application/octet-stream") && head.contains("content-length: 100000"),
        "{head}"
    );
    assert_eq!(body, vec![7; 100_000]);
    assert!(serving.ask("GET", "/app.js", "").0.contains("text/javascript"));
    let (head, body) = serving.ask("HEAD", "/", "");
    assert!(head.starts_with("http/1.1 200") && body.is_empty(), "{head}");

    for path in [
        "/../secret.txt",
        "/docs/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/link.txt",
        "/docs/",
        "/index.html%00.js",
        "/%ff",
        "/none",
    ] {
        let (head, body) = serving.ask("GET", path, "");
        assert!(head.starts_with("http/1.1 404"), "{path}: {head}");
        assert_eq!(body, b"404 Not Found\n", "{path}");
    }
    assert!(serving.ask("POST", "/", "content-length: 0\r\n").0.starts_with("http/1.1 405"));
}

#[test]
fn a_folder_without_a_page_and_a_port_that_is_taken_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    refused(at, &["serve"], &["there is no page in", "dist", "./dev build"]);
    refused(at, &["serve", "none"], &["there is no page in none"]);
    std::fs::create_dir(at.join("page")).unwrap();
    std::fs::write(at.join("page/index.html"), "x").unwrap();
    let serving = Serving::of(at, &["page"]);
    let port = serving.address.rsplit(':').next().unwrap();
    refused(at, &["serve", "page", "--port", port], &["listening on 127.0.0.1", "--port"]);
    refused(at, &["serve", "page", "--address", "nowhere"], &["listening on nowhere"]);
}
