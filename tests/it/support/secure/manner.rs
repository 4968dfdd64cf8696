//! What a peer of the tests' own does with who opens the encrypted exchange.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::protocol::session::{ByeReason, Record};

use super::channel::Channel;
use super::raw::{Ended, Raw};
use super::session::Session;
use super::{Shared, Text};

/// The time between two records of [`Manner::Endless`], each of which would keep a session open. As
/// many as a machine can send would slow down the tests beside it.
pub(crate) const BETWEEN_RECORDS: Duration = Duration::from_millis(1);

/// What it does with who opens the encrypted exchange.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// All that it should.
    Good,
    /// Says this in place of ok, and hears the rest.
    Says(Vec<u8>),
    /// Shakes hands, and says nothing more.
    SilentBehindHandshake,
    /// Says hello, and answers nothing.
    SilentBehindHello,
    /// Says these bytes where its hello should be.
    InsteadOfHello(Vec<u8>),
    /// Says these bytes where receipts should be, and then ends in good order.
    InsteadOfReceipts(Vec<u8>),
    /// Says records without an end where receipts should be: these bytes again and again.
    Endless(Vec<u8>),
    /// Takes each text, and cuts the connection where its receipt should be.
    CutsBehindTexts,
    /// Says bye to whom it meets.
    SaysBye(ByeReason),
}

impl Shared {
    /// Serves a connection that began with the line.
    pub(super) fn is_opened(
        self: &Arc<Self>,
        mut stream: TcpStream,
        said: &[u8],
        manner: Manner,
    ) -> io::Result<()> {
        match manner {
            Manner::Says(words) => {
                stream.write_all(&words)?;
                self.hears_the_rest(stream)
            }
            Manner::Good => {
                // From here on, or one that is being opened would not be ended.
                let number = self.begins_session();
                let end = match Channel::accept(&self.tls, stream, said, Instant::now() + self.patience) {
                    Ok(channel) => self.serves(channel, number),
                    Err(error) => format!("{error:?}"),
                };
                self.ended_session(number);
                self.tell(|got| got.ends.push(end));
                Ok(())
            }
            manner => {
                let end = match Channel::accept(&self.tls, stream, said, Instant::now() + self.patience) {
                    Ok(channel) => self.talks(channel, manner),
                    Err(error) => format!("{error:?}"),
                };
                self.tell(|got| got.ends.push(end));
                Ok(())
            }
        }
    }

    fn hears_the_rest(&self, mut stream: TcpStream) -> io::Result<()> {
        self.lock().held.push(stream.try_clone()?);
        let mut behind = Vec::new();
        let _ = stream.read_to_end(&mut behind);
        self.tell(|got| got.behind.push(behind));
        Ok(())
    }

    /// Does all that it should in a session, and tells how that ended.
    fn serves(self: &Arc<Self>, channel: Channel, number: u64) -> String {
        match Session::accepted(self, channel) {
            Ok((session, hello)) => {
                let from = session.peer();
                self.tell(|got| got.met.push((from, hello)));
                format!("{:?}", session.serves(number))
            }
            Err(end) => format!("{end:?}"),
        }
    }

    /// Talks badly to who has proven a key, and tells how that ended.
    fn talks(&self, channel: Channel, manner: Manner) -> String {
        let mut talk = Raw::new(channel);
        match manner {
            Manner::SaysBye(reason) => {
                let bye = match talk.hears() {
                    Ok(_) => {
                        talk.says(&Record::Bye(reason).encode()).map_err(|error| Ended::Badly(error.kind()))
                    }
                    Err(end) => Err(end),
                };
                talk.closes();
                format!("{:?}", bye.err().unwrap_or(Ended::Well))
            }
            bad => format!("{:?}", self.talks_badly(talk, bad)),
        }
    }

    fn talks_badly(&self, mut talk: Raw, manner: Manner) -> Result<(), Ended> {
        let from = talk.peer();
        if let Record::Hello(hello) = talk.hears()? {
            self.tell(|got| got.met.push((from, hello)));
        }
        let cut = |error: io::Error| Ended::Badly(error.kind());
        match &manner {
            Manner::SilentBehindHandshake => {}
            Manner::InsteadOfHello(bytes) => talk.says(bytes).map_err(cut)?,
            _ => talk.says_hello(self.hello()).map_err(cut)?,
        }
        loop {
            let record = talk.hears()?;
            if !matches!(record, Record::Text { .. }) {
                continue;
            }
            self.takes(from, vec![record]);
            match &manner {
                Manner::InsteadOfReceipts(bytes) => {
                    talk.says(bytes).map_err(cut)?;
                    talk.closes();
                    return Ok(());
                }
                Manner::Endless(bytes) => loop {
                    talk.says(bytes).map_err(cut)?;
                    thread::sleep(BETWEEN_RECORDS);
                },
                Manner::CutsBehindTexts => {
                    talk.breaks_off();
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// Keeps these texts, and returns their ids.
    pub(super) fn takes(&self, from: PublicKey, texts: Vec<Record>) -> Vec<MessageId> {
        let mut ids = Vec::new();
        for text in texts {
            let Record::Text { id, again, body, .. } = text else { continue };
            ids.push(id);
            self.tell(|got| got.texts.push(Text { id, again, body: body.to_string(), from }));
        }
        ids
    }
}
