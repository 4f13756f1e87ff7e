//! The socket between the two: one JSON value a line, in both directions.

use super::protocol::Answer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// One end of the socket.
pub struct Post {
    stream: BufReader<UnixStream>,
    /// The line that was read or written last; kept for its memory.
    line: Vec<u8>,
}

/// Makes a socket at `path` for a runner to come to.
///
/// # Errors
/// If the host refuses.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    UnixListener::bind(path)
}

impl Post {
    /// An end of a socket.
    pub fn new(stream: UnixStream) -> Post {
        Post {
            stream: BufReader::new(stream),
            line: Vec::new(),
        }
    }

    /// The runner's end of the socket at `path`.
    ///
    /// # Errors
    /// If nobody listens there.
    pub(super) fn connect(path: &Path) -> io::Result<Post> {
        Ok(Post::new(UnixStream::connect(path)?))
    }

    /// Sends a value.
    ///
    /// # Errors
    /// If the other end is closed.
    pub fn send(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, value)?;
        self.line.push(b'\n');
        self.stream.get_mut().write_all(&self.line)
    }

    /// Waits until something has come, or the other end is closed, or `most` is
    /// over, and says whether it was one of the first two.
    ///
    /// # Errors
    /// If the socket is broken.
    pub fn wait(&mut self, most: Duration) -> io::Result<bool> {
        self.stream.get_mut().set_read_timeout(Some(most))?;
        let looked = self.stream.fill_buf().map(|_| true);
        self.stream.get_mut().set_read_timeout(None)?;
        match looked {
            Err(error) if is_nothing(&error) => Ok(false),
            looked => looked,
        }
    }

    /// Waits for an answer, which can be long. (It is read here, in a crate that is
    /// always optimised.)
    ///
    /// # Errors
    /// If the other end is closed or sends something else.
    pub fn answer(&mut self) -> io::Result<Answer> {
        self.receive()
    }

    /// Waits for a value.
    ///
    /// # Errors
    /// If the other end is closed or sends something else.
    pub(super) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        self.line.clear();
        self.stream.read_until(b'\n', &mut self.line)?;
        match self.line.last() {
            Some(b'\n') => Ok(serde_json::from_slice(&self.line)?),
            _ => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Whether something has come, or the other end is closed.
    pub(super) fn has_mail(&mut self) -> bool {
        if !self.stream.buffer().is_empty() {
            return true;
        }
        if self.stream.get_mut().set_nonblocking(true).is_err() {
            return false;
        }
        let looked = self.stream.fill_buf().map(|_| ());
        self.mend();
        !matches!(looked, Err(error) if is_nothing(&error))
    }

    /// Undoes what a process has done to the socket that ended inside
    /// [`has_mail`](Post::has_mail).
    pub(super) fn mend(&mut self) {
        // If it fails, so does the next read, which says it.
        let _ = self.stream.get_mut().set_nonblocking(false);
    }
}

/// Whether an error only says that nothing has come.
fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
