//! The memory of an open session: of the program, and of a process that accepts bare TLS and holds
//! as many connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use socket2::{Domain, Socket, Type};

use super::bare::BareTls;
use super::node::{Blocking, tls};
use crate::RUNS;
use crate::common::process::memory;
use crate::common::program::{Program, listen_and_say_where};
use crate::common::table::Compared;

/// The name of the process that holds connections.
pub(crate) const HOLDER: &str = "holder";

/// Connections that are held: nearly as many as the program allows strangers
/// (`MAX_STRANGER_SESSIONS`).
const HELD: u32 = 250;

/// The holder prints this after the first connection, which brings what all share, and after the
/// last.
const ALL: &str = "has all";

pub(crate) fn measure() -> anyhow::Result<Vec<Compared>> {
    let mut row = Compared::new("memory of an open session", "bare TLS, accepted", "KB");
    for _ in 0..RUNS {
        row.add(of_program()?, of_bare()?);
    }
    Ok(vec![row])
}

/// Is the holder, until its input ends.
#[allow(clippy::print_stdout)]
pub(crate) fn hold() -> anyhow::Result<()> {
    let bare = BareTls::new()?;
    let listener = listen_and_say_where()?;
    let mut held = Vec::with_capacity(HELD as usize);
    for count in 1..=HELD {
        held.push(bare.accept(listener.accept()?.0)?);
        if count == 1 || count == HELD {
            println!("{ALL}");
            io::stdin().read_line(&mut String::new())?;
        }
    }
    Ok(())
}

/// Returns the kilobytes of each connection after the first.
fn each(before: f64, after: f64) -> f64 {
    (after - before) * 1024.0 / f64::from(HELD - 1)
}

fn of_bare() -> anyhow::Result<f64> {
    let bare = BareTls::new()?;
    let mut holder = Program::bare(HOLDER)?;
    let addr = SocketAddr::V4(holder.addr);
    let mut held = vec![bare.dial(addr)?];
    holder.wait_for(ALL, 1)?;
    let before = memory(holder.pid())?.anonymous;
    holder.line("")?;
    for _ in 1..HELD {
        held.push(bare.dial(addr)?);
    }
    holder.wait_for(ALL, 2)?;
    Ok(each(before, memory(holder.pid())?.anonymous))
}

/// Dials the program with different keys from different addresses. It has a row for each, and
/// remembers its key.
fn of_program() -> anyhow::Result<f64> {
    let program = Program::ours(&["--no-static"])?;
    let dial = |number: u32| -> anyhow::Result<Blocking> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + number);
        socket.bind(&SocketAddrV4::new(ip, 0).into())?;
        socket.connect(&program.addr.into())?;
        Blocking::dial(&format!("P{number}"), &*tls(number)?, socket.into())
    };
    let mut held = vec![dial(1)?];
    let before = memory(program.pid())?.anonymous;
    for number in 2..=HELD {
        held.push(dial(number)?);
    }
    let after = memory(program.pid())?.anonymous;
    // A session that was closed to make room would not have been counted.
    held.iter_mut().try_for_each(Blocking::check_open)?;
    Ok(each(before, after))
}
