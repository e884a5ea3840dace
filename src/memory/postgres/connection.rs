//! A connection whose answers are waited for only so long.
//!
//! The client waits without an end where a server is silent, so it has a thread of its own, which is given up then.

use std::sync::mpsc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use postgres::{Client, Config, NoTls};

use super::tables;
use crate::memory::StoreError;

/// Longest wait for a connection, unless the URL says `connect_timeout`.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for an answer: a graph of many keys takes a minute to make.
const ANSWER: Duration = Duration::from_secs(180);
/// Time after which the server gives a statement up, in its words.
const STATEMENT: &str = "SET statement_timeout = '150s'";

type Job = Box<dyn FnOnce(&mut Client) + Send>;

pub struct Connection {
    /// Place of the server, in words.
    pub place: String,
    /// Work for the thread; nothing once it was given up.
    jobs: Option<Sender<Job>>,
}

impl Connection {
    /// # Errors
    /// If the server cannot be reached, refuses, or says nothing.
    pub fn open(config: Config) -> Result<Self, StoreError> {
        let place = tables::place(&config);
        let patience = config.get_connect_timeout().copied().unwrap_or(CONNECT);
        let (jobs, received) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let connect = || {
                let mut client = config.connect(NoTls)?;
                client.batch_execute(STATEMENT)?;
                Ok::<Client, postgres::Error>(client)
            };
            match connect() {
                Ok(mut client) => {
                    let _ = tell.send(Ok(()));
                    received.iter().for_each(|job| job(&mut client));
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        });
        let doing = "connecting to";
        match told.recv_timeout(patience) {
            Ok(Ok(())) => Ok(Self { place, jobs: Some(jobs) }),
            Ok(Err(error)) => Err(tables::failed(doing, &place)(error)),
            Err(_) => Err(silent(doing, place, patience)),
        }
    }

    /// Does `work` with the client, and waits for its answer.
    ///
    /// # Errors
    /// If the server failed, or has said nothing for too long, now or before.
    pub fn ask<T: Send + 'static>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&mut Client) -> Result<T, postgres::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, told) = mpsc::channel();
        let job: Job = Box::new(move |client: &mut Client| drop(tell.send(work(client))));
        let is_sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        match told.recv_timeout(if is_sent { ANSWER } else { Duration::ZERO }) {
            Ok(answer) => answer.map_err(tables::failed(doing, &self.place)),
            Err(_) => {
                self.jobs = None;
                Err(silent(doing, self.place.clone(), ANSWER))
            }
        }
    }
}

fn silent(doing: &'static str, place: String, patience: Duration) -> StoreError {
    let reason = format!("it said nothing for {} seconds", patience.as_secs());
    let remedy = "see that a PostgreSQL server runs there, and what keeps it from answering";
    StoreError::Failed { doing, place, reason, remedy }
}
