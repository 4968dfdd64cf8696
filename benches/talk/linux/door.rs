//! Somebody who accepts, in some threads, and does something with each connection.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use socket2::SockRef;

/// Connections that the system keeps: as many as for ours.
const BACKLOG: i32 = 4096;

/// Accepts at one port of all loopback addresses until dropped, which waits for what is done with
/// the connections that there are.
pub(super) struct Door {
    pub(super) addr: SocketAddr,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Door {
    pub(super) fn open(
        threads: usize,
        act: impl Fn(TcpStream) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let listener = Arc::new(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?);
        SockRef::from(&*listener).listen(BACKLOG)?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr()?.port()));
        let (stopping, act) = (Arc::new(AtomicBool::new(false)), Arc::new(act));
        let serve = |_| {
            let (listener, stopping, act) = (Arc::clone(&listener), Arc::clone(&stopping), Arc::clone(&act));
            thread::spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    if stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    if let Err(error) = act(stream) {
                        eprintln!("an accepted connection failed: {error:#}");
                    }
                }
            })
        };
        Ok(Self { addr, stopping: Arc::clone(&stopping), threads: (0..threads).map(serve).collect() })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // One connection for each thread.
        self.threads.iter().for_each(|_| drop(TcpStream::connect(self.addr)));
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}
