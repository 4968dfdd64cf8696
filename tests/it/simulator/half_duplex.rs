//! Reports what today's half-duplex connections did as the events of a session: up, receipts, and
//! the end of the request.

use p2p_chat::core::{Env, JobId, Output, RequestEnded, SessionUp, State, Time};
use p2p_chat::model::session::{Met, SessionReport};

/// Reports what became of a request.
pub(super) fn report(
    state: &mut State,
    job: JobId,
    ended: SessionReport,
    env: Env,
    now: Time,
) -> Vec<Output> {
    let SessionReport { addr, met, written, receipts, end } = ended;
    let mut outputs = Vec::new();
    if let Some(Met { key, hello }) = met {
        let up = SessionUp { key, hello, addr, source: addr.source(), dialed: true };
        let (_, up) = state.session_up(Some(job), up, env, now);
        outputs.extend(up);
        if !receipts.is_empty() {
            outputs.extend(state.receipts(key, &receipts, now));
        }
    }
    // Only written messages have receipts.
    let ended = RequestEnded { addr: Some(addr), written: written.saturating_sub(receipts.len()), end };
    outputs.extend(state.request_ended(job, ended, env, now));
    outputs
}
