//! Things with a connection and a time, instead of talks.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};

use super::*;

const IN_TIME: Duration = Duration::from_secs(30);

struct Thing {
    number: u8,
    stream: Arc<TcpStream>,
    until: Instant,
    source: Option<Source>,
}

impl Kept for Thing {
    fn key(&self) -> PublicKey {
        key(self.number)
    }

    fn stream(&self) -> &Arc<TcpStream> {
        &self.stream
    }

    fn until(&self) -> Instant {
        self.until
    }

    fn source(&self) -> Option<Source> {
        self.source
    }

    fn part(self, _: Option<ByeReason>) {}
}

fn key(number: u8) -> PublicKey {
    PublicKey::new([number; 32])
}

/// One to be kept for so long, and the other end of its connection.
fn thing(number: u8, lasts: Duration, source: Option<u8>) -> (Thing, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let stream = Arc::new(listener.accept().unwrap().0);
    let source = source.map(|last| Source::from(std::net::Ipv4Addr::new(127, 0, 0, last)));
    (Thing { number, stream, until: Instant::now() + lasts, source }, other)
}

/// A keeper, and what it attended to. What has something to be read is kept again after it was read; all else has ended.
fn keeper(most: usize) -> (Keeper<Thing>, Receiver<(u8, Why)>) {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let keeper = Keeper::new((most, Duration::ZERO), ("crew", 4), move |thing: Thing, why| {
        let _ = tell.lock().send((thing.number, why));
        if why == Why::Due && thing.until > Instant::now() && (&*thing.stream).read(&mut [0]).unwrap() > 0 {
            Then::Keep(thing)
        } else {
            Then::Ended
        }
    });
    (keeper, told)
}

#[test]
fn what_something_comes_on_is_attended_to_each_time() {
    let (keeper, told) = keeper(9);
    let (one, mut of_one) = thing(1, IN_TIME, None);
    let (two, of_two) = thing(2, IN_TIME, None);
    keeper.keep(one);
    keeper.keep(two);
    for _ in 0..3 {
        of_one.write_all(b"x").unwrap();
        assert_eq!(told.recv_timeout(IN_TIME).unwrap(), (1, Why::Due));
    }
    drop(of_two);
    assert_eq!(told.recv_timeout(IN_TIME).unwrap(), (2, Why::Due));
    of_one.write_all(b"x").unwrap();
    assert_eq!(told.recv_timeout(IN_TIME).unwrap(), (1, Why::Due));
    keeper.stop(Instant::now() + IN_TIME);
}

#[test]
fn whose_time_is_over_is_attended_to_and_one_that_is_kept_later_may_be_over_earlier() {
    let (keeper, told) = keeper(9);
    let (one, _of_one) = thing(1, Duration::from_millis(400), None);
    let (two, _of_two) = thing(2, Duration::from_millis(50), None);
    let begun = Instant::now();
    keeper.keep(one);
    keeper.keep(two);
    assert_eq!(told.recv_timeout(IN_TIME).unwrap(), (2, Why::Due));
    assert_eq!(told.recv_timeout(IN_TIME).unwrap(), (1, Why::Due));
    assert!(begun.elapsed() >= Duration::from_millis(350));
    assert_eq!(keeper.count().0, 0);
    keeper.stop(Instant::now() + IN_TIME);
}

#[test]
fn what_is_taken_is_not_attended_to_and_there_is_one_for_each_key() {
    let (keeper, told) = keeper(9);
    let (one, mut of_one) = thing(1, IN_TIME, None);
    let (other, mut of_other) = thing(1, IN_TIME, None);
    keeper.keep(one);
    keeper.keep(other);
    assert_eq!(told.recv_timeout(IN_TIME).unwrap(), (1, Why::Replaced));
    assert_eq!(of_one.read(&mut [0]).unwrap(), 0, "the older one has ended");
    let taken = keeper.take(&key(1)).expect("the newer one");
    assert!(keeper.take(&key(1)).is_none());
    of_other.write_all(b"x").unwrap();
    (&*taken.stream).read_exact(&mut [0]).unwrap();
    assert!(told.try_recv().is_err());
    keeper.stop(Instant::now() + IN_TIME);
}

#[test]
fn where_too_many_are_kept_the_one_goes_that_would_first_of_whose_source_has_most() {
    let (keeper, told) = keeper(4);
    let seconds = Duration::from_secs;
    let kept = [
        thing(1, seconds(40), Some(1)),
        thing(2, seconds(60), Some(2)),
        thing(3, seconds(50), Some(2)),
        thing(4, seconds(70), Some(2)),
        thing(5, seconds(30), Some(3)),
        thing(6, seconds(80), Some(1)),
        thing(7, seconds(45), Some(3)),
    ];
    let (things, _others): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
    things.into_iter().for_each(|thing| keeper.keep(thing));
    let gone: Vec<_> = told.try_iter().collect();
    assert_eq!(gone[..2], [(3, Why::Displaced), (2, Why::Displaced)]);
    // Now there is a draw of several, of which the first to end goes.
    assert_eq!((gone[2], gone.len()), ((1, Why::Displaced), 3));
    assert_eq!(keeper.count().0, 4);
    assert_eq!(keeper.stop(Instant::now() + IN_TIME).len(), 4);
}

#[test]
fn nothing_is_kept_once_it_has_stopped_and_its_threads_end() {
    let (keeper, _told) = keeper(9);
    let (one, _of_one) = thing(1, IN_TIME, None);
    let (two, mut of_two) = thing(2, IN_TIME, None);
    keeper.keep(one);
    assert_eq!(keeper.stop(Instant::now() + IN_TIME).len(), 1);
    assert_eq!(keeper.count(), (0, 0));
    keeper.keep(two);
    assert_eq!(of_two.read(&mut [0]).unwrap(), 0);
    assert_eq!(keeper.count(), (0, 0));
}
