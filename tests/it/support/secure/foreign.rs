//! The first bytes of an older TLS version.

/// A ClientHello as TLS 1.2 had it, with all else that we want.
pub(crate) fn hello_of_tls12() -> Vec<u8> {
    let extensions = [
        &[0, 10, 0, 4, 0, 2, 0x11, 0xec][..], // X25519MLKEM768
        &[0, 11, 0, 2, 1, 0],                 // points that are not compressed
        &[0, 13, 0, 4, 0, 2, 8, 7],           // Ed25519
        &[0, 16, 0, 13, 0, 11, 10],
        b"p2p-chat/2",
    ]
    .concat();
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).expect("short").to_be_bytes();
    let body =
        [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2b, 1, 0], &length(&extensions), &extensions].concat();
    let message = [&[1, 0][..], &length(&body), &body].concat();
    [&[22, 3, 1][..], &length(&message), &message].concat()
}
