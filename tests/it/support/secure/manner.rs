//! What a peer of the tests' own does with who opens the encrypted exchange.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::net::secure::talk::{Accepted, Reply};
use p2p_chat::net::secure::{Channel, accept};
use p2p_chat::protocol::session::opening::OK_LINE;
use p2p_chat::protocol::session::{ByeReason, Record};

use super::foreign::serves_with_certificate;
use super::raw::{Ended, Raw};
use super::{Shared, Text};

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
    /// Shows a certificate where its key should be.
    ShowsCertificate,
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
    pub(super) fn is_opened(&self, mut stream: TcpStream, said: &[u8], manner: Manner) -> io::Result<()> {
        match manner {
            Manner::Says(words) => {
                stream.write_all(&words)?;
                self.hears_the_rest(stream)
            }
            Manner::ShowsCertificate => {
                stream.write_all(OK_LINE)?;
                let end = serves_with_certificate(&self.seed, stream);
                self.tell(|got| got.ends.push(format!("refused: {end:?}")));
                Ok(())
            }
            manner => {
                let end = match accept(&self.tls, stream, said, Instant::now() + self.patience) {
                    Ok(channel) => self.talks(channel, manner),
                    Err(refused) => format!("{refused:?}"),
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

    /// Talks to who has proven a key, and tells how that ended.
    fn talks(&self, channel: Channel, manner: Manner) -> String {
        match manner {
            Manner::Good => match Accepted::greet(channel, |_, _| Ok(self.hello())) {
                Ok((talk, hello)) => {
                    let from = talk.peer();
                    self.tell(|got| got.met.push((from, hello)));
                    format!("{:?}", talk.serve(|texts| Reply::Receipts(self.takes(from, texts))))
                }
                Err(end) => format!("{end:?}"),
            },
            Manner::SaysBye(reason) => {
                format!("{:?}", Accepted::greet(channel, |_, _| Err(reason)).expect_err("it is not welcome"))
            }
            bad => format!("{:?}", self.talks_badly(Raw::new(channel), bad)),
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
    fn takes(&self, from: PublicKey, texts: Vec<Record>) -> Vec<MessageId> {
        let mut ids = Vec::new();
        for text in texts {
            let Record::Text { id, again, body, .. } = text else { continue };
            ids.push(id);
            self.tell(|got| got.texts.push(Text { id, again, body: body.to_string(), from }));
        }
        ids
    }
}
