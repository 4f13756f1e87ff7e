//! Where the frames of a run go.

use crate::lines::LinesOut;
use crate::session::{Session, What};
use serde::Serialize;

/// A file for whoever reads it when the run is over, or a session with somebody
/// who looks at the run.
pub(crate) enum Out {
    File(LinesOut),
    Session(Session),
}

impl Out {
    /// Reports a frame.
    pub(crate) fn put<F: Serialize + Clone>(&mut self, frame: &F)
    where
        What: From<F>,
    {
        match self {
            Out::File(lines) => lines.put(frame),
            Out::Session(session) => session.put(frame.clone().into()),
        }
    }

    /// From now on drops what comes.
    pub(crate) fn end(&mut self) {
        if let Out::File(lines) = self {
            lines.end();
        }
    }
}
