//! Which pins a name or an address hints at. A blocked key hints at nobody: it shall keep neither a name nor an address from others.

use std::collections::BTreeSet;

use super::Pin;
use crate::model::address::PeerAddr;
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::name::PeerName;

/// The names and addresses of the pins.
#[derive(Default, Debug)]
pub(super) struct Hints {
    names: BTreeSet<(String, PublicKey)>,
    addrs: BTreeSet<(PeerAddr, PublicKey)>,
}

/// The keys before and behind all others.
const ALL: (PublicKey, PublicKey) = (PublicKey::new([0; KEY_BYTES]), PublicKey::new([0xff; KEY_BYTES]));

impl Hints {
    /// Those that are called so, whatever the size of the letters.
    pub(super) fn named(&self, name: &PeerName) -> impl Iterator<Item = PublicKey> {
        let name = folded(name);
        self.names.range((name.clone(), ALL.0)..=(name, ALL.1)).map(|(_, key)| *key)
    }

    /// Those that were there.
    pub(super) fn at(&self, addr: PeerAddr) -> impl Iterator<Item = PublicKey> {
        self.addrs.range((addr, ALL.0)..=(addr, ALL.1)).map(|(_, key)| *key)
    }

    pub(super) fn add(&mut self, pin: &Pin) {
        if !pin.blocked {
            self.names.extend(pin.name.iter().map(|name| (folded(name), pin.key)));
            self.addrs.extend(pin.addrs.iter().map(|addr| (*addr, pin.key)));
        }
    }

    pub(super) fn remove(&mut self, pin: &Pin) {
        if let Some(name) = &pin.name {
            self.names.remove(&(folded(name), pin.key));
        }
        for addr in &pin.addrs {
            self.addrs.remove(&(*addr, pin.key));
        }
    }

    /// How many names and addresses there are.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.names.len(), self.addrs.len())
    }
}

/// Whether two names look the same but for the size of their letters.
pub(super) fn same(one: &PeerName, other: &PeerName) -> bool {
    folded(one) == folded(other)
}

/// What two names have in common that look the same: the letters, without the selectors of the emoji presentation.
fn folded(name: &PeerName) -> String {
    name.as_str().to_lowercase().replace(['\u{fe0e}', '\u{fe0f}'], "")
}
