//! Passes what the discovery thread finds on the local network to the machine.

use std::sync::Weak;

use super::shared::Shared;
use crate::core::Found;
use crate::model::key::PublicKey;
use crate::net::DiscoveryHandler;

/// Takes one step for each peer that announces itself or no longer does.
pub(super) struct ToMachine(pub(super) Weak<Shared>);

impl DiscoveryHandler for ToMachine {
    fn contacts(&self) -> Vec<PublicKey> {
        let shared = self.0.upgrade();
        shared.map(|shared| shared.locked.lock().machine.state().trusted().contact_keys()).unwrap_or_default()
    }

    fn found(&self, found: Found) {
        if let Some(shared) = self.0.upgrade() {
            shared.step(|step| step.discovered(found));
        }
    }

    fn lost(&self, key: PublicKey) {
        if let Some(shared) = self.0.upgrade() {
            shared.step(|step| step.undiscovered(key));
        }
    }
}
