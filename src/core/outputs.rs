//! What a step of the core wants done, until the step returns it.

use super::event::{Event, Output};
use crate::model::delivery::DeliveryStatus;
use crate::model::peer_id::Recipient;

/// The outputs of the current step.
#[derive(Debug, Default)]
pub(super) struct Outputs(Vec<Output>);

impl Outputs {
    pub(super) fn push(&mut self, output: Output) {
        if self.0.is_empty() {
            // There is nearly always one output, and room for more would be most of what it costs.
            self.0.reserve_exact(1);
        }
        self.0.push(output);
    }

    /// Ends the step.
    pub(super) fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.0)
    }

    /// Whether the user is told that a message to a peer has this status: a failure is shown even
    /// if it is not the first status.
    pub(super) fn has_status(&self, id: Recipient, of_message: &DeliveryStatus) -> bool {
        let is_shown = |status: &DeliveryStatus, is_first| {
            status == of_message && (is_first || matches!(status, DeliveryStatus::Failed(_)))
        };
        self.0.iter().any(|output| {
            matches!(output, Output::Tell(Event::Delivery { who, status, is_first, .. })
                if who.id == id && is_shown(status, *is_first))
        })
    }
}
