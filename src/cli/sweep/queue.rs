//! A queue of runs in a PostgreSQL database, from which programs on several machines take theirs.
//!
//! A run is leased to the program that takes it. The lease is renewed while the run trains, so that of a program that
//! was killed ends, and another takes the run. A run has one outcome, by the holder of its lease.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use confab::report::sweep;
use confab::report::sweep::Outcome;
use postgres::{Client, Config, NoTls};

use crate::cli::terminal;

/// Longest wait for a connection, and for a server that is gone.
const PATIENCE: Duration = Duration::from_secs(15);
/// Programs that begin together make the table one after the other.
const TABLE: &str = "
    SET statement_timeout = '15s';
    BEGIN;
    SELECT pg_advisory_xact_lock(7216823);
    CREATE TABLE IF NOT EXISTS confab_sweep
        (link text PRIMARY KEY, place bigint NOT NULL, worker text, until timestamptz, outcome text);
    COMMIT;";
const ENTER: &str = "
    INSERT INTO confab_sweep (link, place) SELECT * FROM unnest($1::text[]) WITH ORDINALITY
    ON CONFLICT DO NOTHING";
const TAKE: &str = "
    UPDATE confab_sweep SET worker = $2, until = now() + $3 * interval '1 second'
    WHERE link = (
        SELECT link FROM confab_sweep
        WHERE link = ANY($1) AND outcome IS NULL AND (until IS NULL OR until < now())
        ORDER BY place LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING link";
const RENEW: &str = "
    UPDATE confab_sweep SET until = now() + $3 * interval '1 second'
    WHERE link = $1 AND worker = $2 AND outcome IS NULL";
const RELEASE: &str = "
    UPDATE confab_sweep SET worker = NULL, until = NULL
    WHERE link = $1 AND worker = $2 AND outcome IS NULL";
const FINISH: &str = "
    UPDATE confab_sweep SET outcome = $3, until = NULL
    WHERE link = $1 AND worker = $2 AND outcome IS NULL";
const LEFT: &str = "SELECT count(*) FROM confab_sweep WHERE link = ANY($1) AND outcome IS NULL";
const OUTCOMES: &str =
    "SELECT outcome FROM confab_sweep WHERE link = ANY($1) AND outcome IS NOT NULL ORDER BY place";

/// The runs of a sweep, in the database.
pub struct Queue {
    client: Arc<Mutex<Client>>,
    links: Vec<String>,
    /// A name of this program that no other has.
    worker: String,
    lease: Duration,
}

impl Queue {
    /// Enters the runs that are not there yet.
    ///
    /// # Errors
    /// If the URL is none, or the database does not answer or refuses.
    pub fn open(url: &str, links: Vec<String>, lease: Duration) -> Result<Self> {
        let mut config: Config =
            url.parse().context("reading --queue: postgres://user@host/database is expected")?;
        config.connect_timeout(PATIENCE).tcp_user_timeout(PATIENCE);
        let mut client = config.connect(NoTls).context("connecting to the database of --queue")?;
        let mut open = || {
            client.batch_execute(TABLE)?;
            client.execute(ENTER, &[&links])?;
            client.query_one("SELECT gen_random_uuid()::text", &[])?.try_get(0)
        };
        let worker = open().context("entering the runs into the table confab_sweep of --queue")?;
        Ok(Self { client: Arc::new(Mutex::new(client)), links, worker, lease })
    }

    /// Leases a run that nobody trains; `None` if there is none now.
    ///
    /// # Errors
    /// If the database fails.
    pub fn take(&self) -> Result<Option<Lease>> {
        let seconds = self.lease.as_secs_f64();
        let taken = lock(&self.client).query_opt(TAKE, &[&self.links, &self.worker, &seconds]);
        let taken = taken.context("taking a run of --queue")?;
        taken.map(|row| Ok(Lease::hold(self, row.try_get(0)?))).transpose()
    }

    /// The outcomes so far, in the order of the runs.
    ///
    /// # Errors
    /// If the database fails, or holds something else.
    pub fn outcomes(&self) -> Result<Vec<Outcome>> {
        let rows = lock(&self.client).query(OUTCOMES, &[&self.links]);
        let rows = rows.context("reading the outcomes of --queue")?;
        let lines: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        sweep::read(lines.concat().as_bytes()).context("reading the outcomes of --queue")
    }

    /// True if every run has an outcome.
    ///
    /// # Errors
    /// If the database fails.
    pub fn is_done(&self) -> Result<bool> {
        let left = lock(&self.client).query_one(LEFT, &[&self.links]);
        let left: i64 = left.context("counting the runs of --queue")?.try_get(0)?;
        Ok(left == 0)
    }
}

/// A run that this program trains. Dropped without an outcome, it is anybody's again.
pub struct Lease {
    pub link: String,
    client: Arc<Mutex<Client>>,
    worker: String,
    /// It could not be renewed.
    lost: Arc<AtomicBool>,
    /// Ends the thread that renews it, by being dropped.
    renewing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Lease {
    fn hold(queue: &Queue, link: String) -> Self {
        let Queue { client, worker, lease, .. } = queue;
        let lost = Arc::new(AtomicBool::new(false));
        let (end, ended) = channel();
        let renew = {
            let (client, worker, lease) = (client.clone(), worker.clone(), *lease);
            let (link, lost) = (link.clone(), lost.clone());
            move || {
                while ended.recv_timeout(lease / 3) == Err(RecvTimeoutError::Timeout) {
                    let renewed =
                        lock(&client).execute(RENEW, &[&link, &worker, &lease.as_secs_f64()]);
                    let renewed = renewed.context("asking the database of --queue");
                    if let Err(error) = &renewed {
                        terminal::report(format_args!("The lease was not renewed: {error:#}"));
                    }
                    if !matches!(renewed, Ok(1)) {
                        return lost.store(true, Ordering::SeqCst);
                    }
                }
            }
        };
        let renewing = Some((end, std::thread::spawn(renew)));
        Self { link, client: client.clone(), worker: worker.clone(), lost, renewing }
    }

    /// True once it could not be renewed: another program may train the run.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Writes the outcome of the run; `false` if another program has the run by now.
    ///
    /// # Errors
    /// If the database fails.
    pub fn finish(mut self, outcome: &Outcome) -> Result<bool> {
        self.stop_renewing();
        let line = sweep::write(outcome);
        let written = lock(&self.client).execute(FINISH, &[&self.link, &self.worker, &line]);
        Ok(written.context("writing an outcome to --queue")? == 1)
    }

    fn stop_renewing(&mut self) {
        if let Some((end, thread)) = self.renewing.take() {
            drop(end);
            let _ = thread.join();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop_renewing();
        // Where this fails, the lease ends by itself.
        let _ = lock(&self.client).execute(RELEASE, &[&self.link, &self.worker]);
    }
}

fn lock(client: &Mutex<Client>) -> std::sync::MutexGuard<'_, Client> {
    client.lock().unwrap_or_else(PoisonError::into_inner)
}
