//! What is answered on the connection that a message came on.

/// The answer to `CONNECT_REQUEST`: SmartCookies waits for exactly this word.
pub const CONNECTED: &str = "CONNECTED";

/// The receipt for a message taken, as SmartCookies words it; `port` is our listening port.
pub fn receipt(port: u16) -> String {
    format!("{PREFIX} from {port}")
}

const PREFIX: &str = "[ACK] Message received";

/// What a peer answered on the connection that we sent a message on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receipt {
    /// It acknowledged the message.
    Acknowledged,
    /// Nothing, or nothing that we know as a receipt.
    None,
}

impl Receipt {
    /// Reads an answer. Besides our own wording, `ACK from <port>` of the siblings counts.
    pub fn parse(answer: &[u8]) -> Self {
        let answer = answer.trim_ascii();
        if answer.starts_with(PREFIX.as_bytes()) || answer.starts_with(b"ACK from ") {
            Self::Acknowledged
        } else {
            Self::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_receipt_and_the_siblings_are_known() {
        assert_eq!(receipt(5000), "[ACK] Message received from 5000");
        assert_eq!(Receipt::parse(receipt(5000).as_bytes()), Receipt::Acknowledged);
        assert_eq!(Receipt::parse(b"ACK from 5000\n"), Receipt::Acknowledged);
        assert_eq!(Receipt::parse(b"[ACK] Message received from 1 p2p-chat/1 ab"), Receipt::Acknowledged);
    }

    #[test]
    fn anything_else_is_no_receipt() {
        for answer in ["", "[ACK", "CONNECTED", "HTTP/1.1 400 Bad Request"] {
            assert_eq!(Receipt::parse(answer.as_bytes()), Receipt::None, "{answer}");
        }
    }
}
