//! Messages between a run and a program that lends it a device: each is its length in 8 bytes, the lowest first, and as
//! many bytes of postcard.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;

/// The first bytes of a connection, from each side; the digit counts changes of what follows.
pub const MAGIC: &[u8; 8] = b"confab01";
/// Most bytes of a message that is no order and no answer.
pub const SHORT: u64 = 1 << 16;
/// Time after which a side that has nothing to say tells that it is there.
pub const BEAT: Duration = Duration::from_secs(5);
/// Time after which a side that said nothing is taken to be gone.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The first message of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the program, which must be the same on both sides.
    pub version: String,
    /// Kind of the run's own device: `cpu`.
    pub kind: String,
}

/// A message of a run.
#[derive(Debug, Serialize, Deserialize)]
pub enum Asked {
    /// It is still there.
    Alive,
    /// Orders from here on are for this model, with a vocabulary of this size.
    Model(Box<ModelConfig>, usize),
    /// An order follows.
    Order,
}

/// A message of a lender.
#[derive(Debug, Serialize, Deserialize)]
pub enum Told {
    /// The device is lent; its name.
    Welcome(String),
    /// It is not, or not any more.
    Refused(String),
    /// It still computes.
    Alive,
    /// An answer follows.
    Answer,
}

/// Why a message did not come or go.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("the connection was closed")]
    Closed,
    #[error("nothing came or went for {} seconds", PATIENCE.as_secs())]
    Silent,
    #[error("the connection failed ({0})")]
    Failed(io::Error),
    #[error("a message of {got} bytes was announced, where at most {most} are taken")]
    Long { got: u64, most: u64 },
    #[error("a message could not be read ({0})")]
    Malformed(postcard::Error),
    #[error("the other side is no Confab of this version")]
    Stranger,
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Self::Closed,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silent,
            _ => Self::Failed(error),
        }
    }
}

/// The text of another program, as it may be printed: a line of at most 200 characters.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// One end of a connection.
pub struct Wire(TcpStream);

impl Wire {
    /// Greets the other side, and waits for its greeting.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(stream: TcpStream) -> Result<Self, WireError> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut wire = Self(stream);
        wire.0.write_all(MAGIC)?;
        let mut magic = [0; MAGIC.len()];
        wire.0.read_exact(&mut magic)?;
        match magic == *MAGIC {
            true => Ok(wire),
            false => Err(WireError::Stranger),
        }
    }

    /// # Errors
    /// If the connection failed.
    pub fn send(&mut self, message: &impl Serialize) -> Result<(), WireError> {
        let bytes = postcard::to_allocvec(message).map_err(WireError::Malformed)?;
        self.0.write_all(&(bytes.len() as u64).to_le_bytes())?;
        Ok(self.0.write_all(&bytes)?)
    }

    /// The next message, of at most `most` bytes. Memory is taken for bytes that have come, not for those announced.
    ///
    /// # Errors
    /// If the connection failed, or the message is longer or none.
    pub fn receive<T: DeserializeOwned>(&mut self, most: u64) -> Result<T, WireError> {
        let mut length = [0; 8];
        self.0.read_exact(&mut length)?;
        let got = u64::from_le_bytes(length);
        if got > most {
            return Err(WireError::Long { got, most });
        }
        let mut bytes = Vec::new();
        (&mut self.0).take(got).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != got {
            return Err(WireError::Closed);
        }
        postcard::from_bytes(&bytes).map_err(WireError::Malformed)
    }
}
