//! Waits for gdb, and carries bytes between it and the stub.

use super::target::Debugger;
use super::wire::{Heard, Wire};
use crate::error::LabError;
use crate::interrupt;
use gdbstub::common::Signal;
use gdbstub::stub::state_machine::GdbStubStateMachine;
use gdbstub::stub::{DisconnectReason, GdbStub, MultiThreadStopReason};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

/// A port of this host that gdb can come to, and nobody from elsewhere.
pub(super) struct Port {
    listener: TcpListener,
    number: u16,
}

/// How gdb left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It let go of the run.
    Detached,
    /// It killed the run.
    Killed,
    /// It is gone without a word, or said what cannot be understood.
    Gone,
    /// Somebody pressed Ctrl-C here, or nobody waits for gdb any more.
    Interrupted,
}

/// What has come out of one connection.
type Stub<'a> = GdbStubStateMachine<'a, Debugger, Wire>;

impl Port {
    /// Opens this port, or any that is free.
    ///
    /// # Errors
    /// If it is in use, or the host gives none.
    pub(super) fn open(number: Option<u16>) -> Result<Port, LabError> {
        let failed = |error: io::Error| match (number, error.kind()) {
            (Some(number), ErrorKind::AddrInUse) => LabError::Usage(format!(
                "port {number} is in use, perhaps by another `cargo lab debug`. Choose another \
                 with --port, or leave it out: then a free one is found."
            )),
            (Some(number), ErrorKind::PermissionDenied) => LabError::Usage(format!(
                "port {number} is not for everybody: choose one from 1024 to 65535"
            )),
            _ => LabError::infrastructure("no port can be opened", error),
        };
        let address = (Ipv4Addr::LOCALHOST, number.unwrap_or(0));
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let number = listener.local_addr().map_err(failed)?.port();
        Ok(Port { listener, number })
    }

    /// Its number.
    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// Waits for gdb while `still` says so, and serves it until it leaves.
    ///
    /// # Errors
    /// If the runner is gone.
    pub(super) fn serve(
        &self,
        debugger: &mut Debugger,
        mut still: impl FnMut() -> bool,
    ) -> Result<Ended, LabError> {
        let stream = loop {
            match self.listener.accept() {
                Ok((stream, _)) => break stream,
                Err(_) if interrupt::check().is_err() || !still() => return Ok(Ended::Interrupted),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let ended = Wire::new(stream).map(|wire| talk(debugger, wire));
        debugger.forget_places();
        debugger.session.stop_when(|| false);
        ended.unwrap_or(Ok(Ended::Gone))
    }
}

/// Talks with gdb until it leaves.
fn talk(debugger: &mut Debugger, wire: Wire) -> Result<Ended, LabError> {
    if let Ok(ear) = wire.ear() {
        debugger.session.stop_when(ear);
    }
    let Ok(mut stub) = GdbStub::new(wire).run_state_machine(debugger) else {
        return Ok(Ended::Gone);
    };
    loop {
        if let GdbStubStateMachine::Disconnected(inner) = &stub {
            return Ok(match inner.get_reason() {
                DisconnectReason::Kill => Ended::Killed,
                _ => Ended::Detached,
            });
        }
        stub = match next(stub, debugger)? {
            Ok(stub) => stub,
            Err(ended) => return Ok(ended),
        };
    }
}

/// What comes next: a byte from gdb, or the run's next stop.
fn next<'a>(stub: Stub<'a>, debugger: &mut Debugger) -> Result<Result<Stub<'a>, Ended>, LabError> {
    let stepped = match stub {
        GdbStubStateMachine::Idle(mut inner) => match inner.borrow_conn().hear() {
            Heard::Byte(byte) => inner.incoming_data(debugger, byte),
            Heard::Nothing => return Ok(Err(Ended::Gone)),
            Heard::Interrupted => return Ok(Err(Ended::Interrupted)),
        },
        GdbStubStateMachine::Running(mut inner) => {
            let reason = debugger.travel()?;
            if inner.borrow_conn().say(&debugger.report()).is_err() {
                return Ok(Err(Ended::Gone));
            }
            match reason {
                Some(reason) => inner.report_stop(debugger, reason),
                None => match inner.borrow_conn().hear() {
                    Heard::Byte(byte) => inner.incoming_data(debugger, byte),
                    Heard::Nothing => return Ok(Err(Ended::Gone)),
                    Heard::Interrupted => return Ok(Err(Ended::Interrupted)),
                },
            }
        }
        GdbStubStateMachine::CtrlCInterrupt(inner) => {
            let reason = MultiThreadStopReason::SignalWithThread {
                tid: debugger.current(),
                signal: Signal::SIGINT,
            };
            inner.interrupt_handled(debugger, Some(reason))
        }
        GdbStubStateMachine::Disconnected(inner) => Ok(inner.into()),
    };
    match stepped {
        Ok(stub) => Ok(Ok(stub)),
        Err(error) if error.is_target_error() => {
            Err(error.into_target_error().unwrap_or(LabError::Interrupted))
        }
        Err(_) => Ok(Err(Ended::Gone)),
    }
}
