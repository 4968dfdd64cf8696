//! Threads that accept connections and do something with each.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::common::program::listen;

/// Accepts at one port of all loopback addresses. Dropping it waits for the connections that there
/// are.
pub(super) struct Acceptor {
    pub(super) addr: SocketAddr,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Acceptor {
    #[allow(clippy::print_stderr)]
    pub(super) fn start(
        threads: usize,
        act: impl Fn(TcpStream) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let listener = Arc::new(listen()?);
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

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // One connection for each thread.
        self.threads.iter().for_each(|_| drop(TcpStream::connect(self.addr)));
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}
