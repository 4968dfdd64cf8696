//! Keys as TLS writes them: ours with its secret half, and those that peers show in a handshake.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use rustls::SignatureScheme;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::model::key::{KEY_BYTES, PublicKey};
use crate::protocol::session::SIGNATURE_BYTES;

/// Returns a random number to spread out what many programs would do at once; 0 if the system has
/// none.
pub fn jitter() -> u8 {
    let mut byte = [0];
    match rand::fill(&mut byte) {
        Ok(()) => byte[0],
        Err(_) => 0,
    }
}

/// Returns a random number; 0 if the system has none.
pub(crate) fn random_number() -> u64 {
    let mut bytes = [0; 8];
    match rand::fill(&mut bytes) {
        Ok(()) => u64::from_be_bytes(bytes),
        Err(_) => 0,
    }
}

/// The bytes before a public key in DER (RFC 8410, section 4): a SEQUENCE of the algorithm,
/// 1.3.101.112, and a BIT STRING.
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The bytes before a seed in PKCS#8 (RFC 8410, section 7): version 0, the algorithm, and an OCTET
/// STRING in another one.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Returns the key in this SubjectPublicKeyInfo, if it is an Ed25519 key in DER.
pub(super) fn from_spki(spki: &[u8]) -> Option<PublicKey> {
    let bytes = spki.strip_prefix(&SPKI_HEAD)?;
    Some(PublicKey::new(bytes.try_into().ok()?))
}

/// Returns the SubjectPublicKeyInfo of a key.
fn spki(key: &PublicKey) -> Vec<u8> {
    [&SPKI_HEAD[..], key.as_bytes()].concat()
}

/// Our key, with the secret half that proves it. The secret half is never shown. Only aws-lc holds
/// it, which overwrites the memory that it frees.
#[derive(Clone)]
pub struct OwnKey {
    key: PublicKey,
    pub(super) certified: Arc<CertifiedKey>,
}

impl OwnKey {
    /// Returns the key of this seed (RFC 8032, section 5.1.5). `None` if aws-lc rejects the seed,
    /// which is not expected of a random one.
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let key = PublicKey::new(pair.public_key().as_ref().try_into().ok()?);
        let pkcs8 = Zeroizing::new([&PKCS8_HEAD[..], seed].concat());
        let signing = PrivatePkcs8KeyDer::from(&pkcs8[..]);
        let signing = rustls::crypto::aws_lc_rs::sign::any_eddsa_type(&signing).ok()?;
        let certified = CertifiedKey::new(vec![CertificateDer::from(spki(&key))], signing);
        Some(Self { key, certified: Arc::new(certified) })
    }

    /// Signs bytes (Ed25519, RFC 8032). For any purpose other than TLS, the bytes begin with a text
    /// that names the purpose. `None` if aws-lc fails, which is not expected.
    pub fn sign(&self, bytes: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
        let signer = self.certified.key.choose_scheme(&[SignatureScheme::ED25519])?;
        signer.sign(bytes).ok()?.try_into().ok()
    }

    /// Returns the public half, by which peers know us.
    pub fn public(&self) -> PublicKey {
        self.key
    }
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnKey").field(&self.key).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(hex: &str) -> [u8; KEY_BYTES] {
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(byte)
    }

    /// RFC 8032, section 7.1, tests 1 and 2.
    #[test]
    fn seed_makes_the_key_of_rfc_8032() {
        for (seed, public) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            ),
        ] {
            let key = OwnKey::from_seed(&bytes_of(seed)).unwrap();
            assert_eq!(key.public(), PublicKey::new(bytes_of(public)));
            assert_eq!(from_spki(&key.certified.cert[0]), Some(key.public()));
            let signed = key.certified.key.public_key().unwrap();
            assert_eq!(signed.as_ref(), spki(&key.public()), "what signs is what is shown");
        }
    }

    #[test]
    fn our_secret_is_not_shown() {
        let key = OwnKey::from_seed(&[7; KEY_BYTES]).unwrap();
        assert_eq!(format!("{key:?}"), format!("OwnKey({})", key.public()));
    }

    proptest! {
        #[test]
        fn key_is_parsed_from_its_exact_der_only(bytes: [u8; KEY_BYTES], at in 0usize..12, flip in 1u8..) {
            let key = PublicKey::new(bytes);
            let mut der = spki(&key);
            prop_assert_eq!(from_spki(&der), Some(key));
            prop_assert_eq!(from_spki(&der[..43]), None);
            prop_assert_eq!(from_spki(&[&der[..], &[0]].concat()), None);
            der[at] ^= flip;
            prop_assert_eq!(from_spki(&der), None);
        }
    }
}
