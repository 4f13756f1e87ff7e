//! Where the frames of a run go.

use crate::held::Held;
use crate::session::{Session, What};
use serde::Serialize;

/// A file for whoever reads it when the run is over, or a session with somebody
/// who looks at the run.
pub(crate) enum Out<F> {
    File(Held<F>),
    Session(Session),
}

impl<F: Serialize> Out<F>
where
    What: From<F>,
{
    /// Reports a frame.
    pub(crate) fn put(&mut self, frame: F) {
        match self {
            Out::File(held) => held.put(frame),
            Out::Session(session) => session.put(frame.into()),
        }
    }

    /// From now on holds back what goes to a file, until [`release`](Out::release).
    pub(crate) fn hold(&mut self) {
        if let Out::File(held) = self {
            held.hold();
        }
    }

    /// Writes down what was held back.
    pub(crate) fn release(&mut self) {
        if let Out::File(held) = self {
            held.release();
        }
    }

    /// From now on drops what comes.
    pub(crate) fn end(&mut self) {
        if let Out::File(held) = self {
            held.lines.end();
        }
    }
}
