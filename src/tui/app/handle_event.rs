//! Shows events to the user.

use super::Received;
use super::{App, clock, greeting};
use crate::core::{
    As, CommandKind, Decision, Event, IntroductionNews, OfflineReason, OpId, PeerInfo, Row, Verification,
};
use crate::model::address::PeerAddr;
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason, RejectReason};
use crate::model::message::{LOG_TARGET, SendError, SendResult};
use crate::model::name::{PeerName, folded, resembled, skeletons};
use crate::model::peer_id::Recipient;
use crate::runtime::Node;
use crate::tui::{
    self, Chosen, Ink, Line, NoticeKind, Partner, PeerList, Renamed, Renderer, Standing, Status, Subject,
};

/// What the log has in place of the text of a message.
const UNLOGGED: &str = "(text not logged)";

impl App {
    pub(super) fn event(&mut self, event: &Event) {
        self.stale = true;
        self.contacts.is_decided |= matches!(event, Event::Decided(_)) && !self.contacts.reports_edit(event);
        self.follow(event);
        let is_new_name = matches!(event, Event::Renamed(_));
        event.each_who(|who| self.meet(who, is_new_name));
        let moment = self.clock.now();
        let late = match event {
            Event::Message { sent: Some(sent), .. } => self.clock.late(*sent, clock::millis()),
            _ => None,
        };
        let late = late.unwrap_or_default();
        if log::log_enabled!(log::Level::Info) {
            let renderer = Renderer {
                labels: &self.labels,
                full: true,
                rows: false,
                durable: self.node.is_durable(),
                is_new: false,
                late: &late,
                stamp: &moment.stamp,
                date: clock::date,
            };
            let logs_text = log::log_enabled!(target: LOG_TARGET, log::Level::Info);
            let without_text = if logs_text { None } else { event.with_text(UNLOGGED) };
            let logged = without_text.as_ref().unwrap_or(event);
            tui::lines(logged, &renderer).iter().for_each(|line| log::info!("{line}"));
        }
        let lines = match event {
            event if self.contacts.reports_edit(event) => Vec::new(),
            Event::Listed { rows, unasked } => self.peer_list(rows, *unasked),
            Event::PeerRequest(request) => {
                tui::lines_of_request(request, &self.node.requests().0, &self.renderer(&moment.stamp))
            }
            Event::Message { from, .. } => {
                let is_new = !self.node.is_contact(from.id);
                tui::lines(event, &Renderer { is_new, late: &late, ..self.renderer(&moment.stamp) })
            }
            _ => self
                .untrusted_lines(event)
                .unwrap_or_else(|| tui::lines(event, &self.renderer(&moment.stamp))),
        };
        self.reads_that_it_is_online(event);
        if self.is_failure(event) {
            // Standard error may be the log, which holds no message text.
            let without_text =
                if self.untrusted_lines(event).is_some() { None } else { event.with_text(UNLOGGED) };
            let reasons = without_text.map(|event| tui::lines(&event, &self.renderer(&moment.stamp)));
            reasons.as_ref().unwrap_or(&lines).iter().for_each(|line| self.fails(&line.to_string()));
        }
        match event {
            Event::Message { from, text, row, .. } => {
                self.shown.extend(*row);
                self.received = Some(Received::new(from, text));
                self.heard(from, &lines);
                self.tell(lines);
            }
            Event::Delivery { op, who, status, is_first: true, total, .. } => {
                // On a terminal, one line sums up what became of a message to several peers. It
                // names no rejected ones.
                let is_rejected = matches!(status, DeliveryStatus::Failed(FailureReason::Rejected(_)));
                let is_summed = *total > 1 && !is_rejected && self.screen.is_terminal();
                let lines = if is_summed { Vec::new() } else { lines };
                self.first_status(*op, who, status, lines);
            }
            Event::Delivery { op, who, status, .. } => self.later(*op, who, status, lines),
            Event::ContactsChanged => self.note_contacts(),
            Event::IntroductionsChanged => self.introductions.is_unsaved = true,
            Event::NetworkChanged => {
                self.own_addr = greeting::own_addr(&self.node, self.advertise);
                self.follow_networks();
            }
            Event::Done { op, result, .. } if self.adding.contains(op) => {
                self.tell(lines);
                if !matches!(result, SendResult::Delivered | SendResult::HandedOver) {
                    self.say("No contact was added.");
                }
            }
            Event::NotSent { op, .. } | Event::NotFound { op: Some(op), .. } if self.adding.contains(op) => {
                self.tell(lines);
                self.say("No contact was added.");
            }
            Event::Settled(op) => {
                self.adding.remove(op);
                self.contacts.settled(*op);
                self.settle(*op);
                if self.busy == Some(*op) {
                    self.busy = None;
                    self.ask();
                    self.want_line();
                }
            }
            Event::PeerRequest(request) => {
                // Important even if the user looks elsewhere.
                let what =
                    if request.against.is_empty() { "a message request" } else { "a key that is not known" };
                self.call(what, &lines);
                self.tell(lines);
            }
            Event::RefusedStranger(met) => {
                // The user may have muted the unencrypted peer at the address.
                let is_muted = self.node.at(met.addr).iter().any(|id| self.node.is_muted(*id));
                if !is_muted {
                    let subject = self.subject(met.id.into(), Some(met.addr));
                    self.notice(subject, NoticeKind::RefusedStranger, lines);
                }
            }
            // The status line shows how many are online.
            Event::Dialed { total, connected } if total == connected && self.screen.shows_status() => {}
            // /requests lists it all the same.
            Event::Introduction(news)
                if matches!(
                    &**news, IntroductionNews::Introduced { by, .. } if self.node.is_muted(by.id)
                ) => {}
            Event::AsksToVerify(who) if self.node.is_muted(who.id) => {}
            Event::Offline(who, why) if self.was_told_of_outage(who, *why) => {
                let subject = self.subject(who.id, who.addr);
                self.notices.is_read_to_be_offline(subject, self.began.elapsed());
            }
            Event::Decided(Decision::Forgotten(who, _)) => {
                self.notices.forget(who.id);
                self.tell(lines);
                self.ends_talk_with(who);
                self.is_no_namesake(who.id, who.name.as_ref());
            }
            _ => match NoticeKind::of(event, |id| self.node.is_contact(id)) {
                Some((subject, kind)) => self.notice(subject, kind, lines),
                None => self.tell(lines),
            },
        }
    }

    /// Returns whether an event reports that a line could not be carried out. A queued or
    /// unconfirmed message is not a failure.
    fn is_failure(&self, event: &Event) -> bool {
        match event {
            Event::Delivery { op, status, total, .. } if self.texts.contains_key(op) => match status {
                // A message to all does not have to reach every peer.
                DeliveryStatus::Failed(FailureReason::Rejected(_)) => *total == 1,
                DeliveryStatus::Failed(_) | DeliveryStatus::Expired => true,
                _ => false,
            },
            Event::Done { kind: CommandKind::Connect, result, .. } => {
                matches!(result, SendResult::Failed(_) | SendResult::Astray(_))
            }
            // A peer that is offline needs no goodbye.
            Event::NotSent { why, .. } => *why != RejectReason::Offline,
            Event::NotFound { op: Some(_), .. }
            | Event::Nobody(CommandKind::Send | CommandKind::Connect)
            | Event::Undecided(_)
            | Event::NotWaiting => true,
            _ => false,
        }
    }

    /// Takes note of an event that tells the user that a peer is online.
    fn reads_that_it_is_online(&mut self, event: &Event) {
        let (who, is_line) = match event {
            Event::Message { from, .. } => (from, true),
            Event::MutedMessage(from) => (from, false),
            Event::Done { kind: CommandKind::Connect, who, result, .. } => {
                (who, matches!(result, SendResult::Delivered | SendResult::HandedOver))
            }
            Event::Pinned { who, .. } => (who, true),
            Event::Online(who) => (who, false),
            Event::Delivery { who, status: DeliveryStatus::Delivered, .. } => (who, false),
            _ => return,
        };
        self.told_waiting.remove(&who.id);
        if is_line {
            self.notices.is_read_of(who.id);
        }
    }

    /// Returns whether the user was told that a message waits because the peer is offline, so that
    /// they need no notice of it.
    fn was_told_of_outage(&self, who: &PeerInfo, why: OfflineReason) -> bool {
        let is_same =
            matches!(why, OfflineReason::Refused | OfflineReason::NotSeenYet | OfflineReason::NoAnswer);
        is_same && self.told_waiting.get(&who.id) == Some(&PendingReason::Unreachable)
    }

    /// Shows a notice, unless it is about a peer that the user has muted, or the user was told the
    /// same a moment ago.
    fn notice(&mut self, subject: Subject, kind: NoticeKind, lines: Vec<Line>) {
        if subject.about.peer().is_some_and(|id| self.node.is_muted(id)) {
            return;
        }
        let lines = self.notices.take(subject, kind, lines, self.began.elapsed());
        self.tell_now(lines);
    }

    /// Shows notices with the current time, even if some were held: no line follows one with a
    /// later time.
    pub(super) fn tell_now(&mut self, lines: Vec<Line>) {
        let stamp = self.clock.now().stamp;
        self.tell(lines.into_iter().map(|line| line.shown_at(&stamp)).collect());
    }

    /// Returns a peer as the subject of a notice.
    fn subject(&self, id: Recipient, addr: Option<PeerAddr>) -> Subject {
        Subject::peer(id, addr, self.node.is_contact(id))
    }

    /// The line about something that did not go to a key that the user has not accepted: whose key
    /// it is, and what to type.
    fn untrusted_lines(&self, event: &Event) -> Option<Vec<Line>> {
        let (how, who, key) = match event {
            Event::Done { who, result: SendResult::Failed(SendError::NotTrusted(key)), .. } => {
                ("Not connected", who, **key)
            }
            Event::Delivery {
                who,
                status: DeliveryStatus::Failed(FailureReason::NotSent(SendError::NotTrusted(key))),
                ..
            } => ("Not sent", who, **key),
            Event::Delivery {
                who,
                status: DeliveryStatus::Failed(FailureReason::Rejected(RejectReason::NotTrusted)),
                ..
            } => ("Not sent", who, who.id.public_key()?),
            _ => return None,
        };
        let (requests, _) = self.node.requests();
        let pin = self.node.pin_of(key.into());
        let source = who.addr.map(PeerAddr::share).filter(|_| !self.node.is_contact(key.into()));
        let blocked = source.filter(|source| self.node.blocked_sources().contains(source));
        let why = match blocked {
            Some(source) => format!("{source} is blocked. /unblock {source} unblocks it."),
            None => tui::untrusted_words(key, &requests, pin.as_ref(), self.node.policy(), &self.labels),
        };
        let who = self.renderer("").named(who);
        Some(vec![Line::of(Ink::Bad, format!("{how} to {who}: {why}"))])
    }

    fn peer_list(&self, rows: &[Row], unasked: usize) -> Vec<Line> {
        let (unlisted, blocked) = (self.node.unlisted_contacts(), self.node.blocked_contacts());
        let blocked_legacy = self.node.blocked_legacy();
        let muted = self.node.muted();
        let is_muted = |id| muted.contains(&id);
        let (requests, _) = self.node.requests();
        let window = if self.screen.is_terminal() { tui::columns() } else { 0 };
        let columns = tui::USUAL_COLUMNS.max(window.saturating_sub(1));
        let list = PeerList {
            rows,
            unasked,
            unlisted: &unlisted,
            blocked: &blocked,
            blocked_legacy: &blocked_legacy,
            requests: &requests,
            is_muted: &is_muted,
            columns,
        };
        tui::peer_list(&list, &self.labels)
    }

    /// Updates the label of a peer and of the other peers with its name.
    pub(super) fn meet_again(&mut self, id: Recipient, name: Option<PeerName>) {
        let who = self.info(id, name);
        let node = &self.node;
        let renamed = self.labels.meet_again(&who, |id| standing(node, id));
        self.are_renamed(who.id, who.name.as_ref(), renamed, false);
    }

    /// A peer is forgotten: no line goes to it any more.
    fn ends_talk_with(&mut self, who: &PeerInfo) {
        let with = self.menu.conversation().filter(|with| with.peer() == Some(who.id));
        let was_talking = with.is_some();
        if !self.menu.forget(who.id) {
            return;
        }
        self.conversation_changed();
        if !was_talking {
            self.say("Choose another recipient for your message.");
        }
        self.ask_again();
    }

    /// Updates the labels of peers that share their name with a forgotten one.
    fn is_no_namesake(&mut self, id: Recipient, name: Option<&PeerName>) {
        self.labels.forget(id);
        let Some(name) = name.map(PeerName::as_str) else { return };
        let (name, skeletons) = (folded(name), skeletons(name));
        let is_called = |other: &Option<PeerName>| {
            other.as_ref().is_some_and(|other| {
                folded(other.as_str()) == name || !resembled(other.as_str()).is_disjoint(&skeletons)
            })
        };
        for (id, name) in self.labeled_peers().into_iter().filter(|(_, name)| is_called(name)) {
            self.meet_again(id, name);
        }
    }

    /// Shows the first status of a message.
    fn first_status(&mut self, op: OpId, who: &PeerInfo, status: &DeliveryStatus, lines: Vec<Line>) {
        if let (DeliveryStatus::Queued(_), Some(sent)) = (status, self.texts.get_mut(&op)) {
            sent.waiting += 1;
        }
        if lines.is_empty() {
            return;
        }
        if !self.screen.shows_status() || !self.texts.get(&op).is_some_and(|sent| sent.quiet) {
            self.tell(lines);
            return;
        }
        let is_quiet = match status {
            // Being queued behind other messages is normal; being refused is not.
            DeliveryStatus::Queued(PendingReason::InLine) => true,
            DeliveryStatus::Queued(why @ (PendingReason::Unreachable | PendingReason::NotAcceptedYet)) => {
                // Whether the user was already told so, since the peer was last online.
                self.told_waiting.insert(who.id, *why) == Some(*why)
            }
            status => tui::is_good(status),
        };
        if is_quiet {
            self.outcome(who, status);
        } else {
            self.outcome = None;
            self.tell(lines);
        }
    }

    /// Shows a later status of a message.
    fn later(&mut self, op: OpId, who: &PeerInfo, status: &DeliveryStatus, lines: Vec<Line>) {
        let is_here = self.texts.get(&op).is_some_and(|sent| {
            sent.quiet && self.menu.conversation().is_some_and(|with| with.target == sent.to.target)
        });
        let has_ended = matches!(status, DeliveryStatus::Failed(FailureReason::Ended { .. }));
        match status {
            _ if has_ended => self.undelivered.extend(lines),
            status if tui::is_good(status) && self.screen.shows_status() => {
                self.outcome(who, status);
            }
            DeliveryStatus::Queued(_) if is_here => self.outcome(who, status),
            _ => self.tell(lines),
        }
        if !status.is_final() {
            return;
        }
        if let Some(sent) = self.texts.get_mut(&op) {
            sent.waiting = sent.waiting.saturating_sub(1);
            // Until then the message has no status for others.
            if sent.settled {
                self.settle(op);
            }
        }
    }

    /// Shows the status of the last message in the status line. In the conversation with its
    /// recipient, the status line names the recipient already.
    fn outcome(&mut self, who: &PeerInfo, status: &DeliveryStatus) {
        let plain = if who.verification == Verification::Plain { " unencrypted" } else { "" };
        let sign = if tui::is_good(status) { format!("{} ", tui::DELIVERED) } else { String::new() };
        let is_here = self.menu.conversation().and_then(Chosen::peer) == Some(who.id);
        let to = if is_here {
            String::new()
        } else {
            let to = if tui::is_good(status) { "to" } else { "for" };
            format!(" {to} {}", self.labels.label(who.id, who.name.as_ref()))
        };
        let words = match status {
            DeliveryStatus::Queued(_) => "queued".to_owned(),
            status => tui::status_words(status),
        };
        self.outcome = Some(format!("{sign}{words}{plain}{to}"));
    }

    /// Shows lines about the present, after a line with the date on a new day.
    pub(super) fn tell(&mut self, lines: Vec<Line>) {
        if lines.is_empty() {
            return;
        }
        if let Some(day) = self.clock.begins_day() {
            self.out.push(tui::day_line(&day));
        }
        self.out.extend(lines);
    }

    /// Returns how to word events on this output.
    pub(in crate::tui) fn renderer<'a>(&'a self, stamp: &'a str) -> Renderer<'a> {
        let terminal = self.screen.is_terminal();
        let (full, rows, durable) = (!terminal, self.screen.edits(), self.node.is_durable());
        Renderer {
            labels: &self.labels,
            full,
            rows,
            durable,
            is_new: false,
            late: "",
            stamp,
            date: clock::date,
        }
    }

    /// Updates the label of a peer, and shows a change. A peer that has just said its new name in a
    /// session has `is_new_name`: sessions limit how often that is.
    fn meet(&mut self, who: &PeerInfo, is_new_name: bool) {
        // An unproven claim changes no label.
        if matches!(who.verification, Verification::Claims(_)) {
            return;
        }
        let node = &self.node;
        let renamed = self.labels.meet(who, |id| standing(node, id));
        self.are_renamed(who.id, who.name.as_ref(), renamed, is_new_name);
    }

    /// Shows changed labels. `met` may have one, `renamed` have.
    fn are_renamed(
        &mut self,
        met: Recipient,
        name: Option<&PeerName>,
        renamed: Vec<Renamed>,
        is_new_name: bool,
    ) {
        if self.menu.names(met) && self.menu.relabel(met, &self.labels.label(met, name)) {
            self.ask_again();
        }
        for renamed in renamed {
            // A key stays the same peer under any name. Other peers are distinguished only by name.
            let was_meant = renamed.id.public_key().is_none() && self.menu.forget(renamed.id);
            if was_meant {
                self.conversation_changed();
            }
            self.menu.relabel(renamed.id, &renamed.now);
            self.ask_again();
            if was_meant {
                self.say(format!(
                    "{} is now at the address of {}. Choose a recipient for your next line.",
                    renamed.now, renamed.before
                ));
            }
            let (stamp, addr) = (self.clock.now().stamp, self.node.dialed_at(renamed.id));
            let line = self.renderer(&stamp).renamed(&renamed, addr);
            if is_new_name && renamed.id == met {
                if !self.node.is_muted(met) {
                    self.tell_now(vec![line]);
                }
            } else if self.screen.is_terminal() {
                // On a pipe, every line shows the name and the address.
                self.notice(self.subject(renamed.id, addr), NoticeKind::Called, vec![line]);
            }
        }
    }

    /// Updates a recipient that has changed: the first peer has proven itself at an address, or the
    /// user has taken a new key for a contact.
    fn follow(&mut self, event: &Event) {
        match event {
            Event::AsksToVerify(who) => _ = self.verifying.insert(who.id),
            Event::ProvenAt(addr, who) => {
                let from = Recipient::Address(*addr);
                let name = who.name.as_ref().map(|name| folded(name.as_str()));
                let was_named = self.labels.name(from).map(folded);
                if was_named.is_some() && was_named != name && self.menu.forget(from) {
                    self.conversation_changed();
                    self.ask_again();
                    self.say("Another peer is at that address now. Choose a recipient for your next line.");
                }
                self.replace(from, who.id, who.name.as_ref());
            }
            Event::Decided(Decision::Trusted(pin, As::NewKeyOf(old))) => {
                self.move_alias((*old).into(), pin.key.into());
                self.replace((*old).into(), pin.key.into(), pin.name.as_ref());
            }
            Event::Decided(Decision::Trusted(pin, As::Another) | Decision::Unblocked(pin)) => {
                self.meet_again(pin.key.into(), pin.name.clone());
            }
            Event::Decided(Decision::Blocked(pin)) => {
                self.menu.is_no_default(pin.key.into());
                self.notices.forget(pin.key.into());
                self.meet_again(pin.key.into(), pin.name.clone());
            }
            Event::Decided(Decision::Muted(who)) => self.notices.forget(who.id),
            Event::Decided(Decision::BlockedSource(source)) => self.notices.forget_source(*source),
            Event::Decided(Decision::BlockedLegacy(who)) => {
                self.menu.is_no_default(who.id);
                self.notices.forget(who.id);
                self.meet_again(who.id, who.name.clone());
            }
            Event::Decided(Decision::UnblockedLegacy(who, _)) => self.meet_again(who.id, who.name.clone()),
            Event::Decided(Decision::Added(who, _) | Decision::AddedIntroduced { who, .. }) => {
                self.meet_again(who.id, who.name.clone())
            }
            _ => {}
        }
    }

    fn replace(&mut self, from: Recipient, to: Recipient, name: Option<&PeerName>) {
        self.labels.replace(from, to);
        if self.named_unproven.remove(&from) {
            self.move_alias(from, to);
        }
        let to = Chosen::one(to, self.labels.label(to, name));
        for sent in self.texts.values_mut() {
            sent.to.replace(from, &to);
        }
        self.menu.replace(from, &to);
        self.ask_again();
    }

    /// Shows the prompt again after a peer in it got another label.
    pub(super) fn ask_again(&mut self) {
        if self.screen.edits() {
            self.ask();
        }
    }

    /// Updates what `/reply` answers, and rings or notifies if the user looks elsewhere.
    fn heard(&mut self, from: &PeerInfo, lines: &[Line]) {
        let label = self.labels.label(from.id, from.name.as_ref());
        self.call(&self.labels.shown(from.id, from.name.as_ref()), lines);
        self.menu.heard(Chosen::one(from.id, label));
    }

    /// Rings or notifies if the user looks elsewhere.
    fn call(&mut self, what: &str, lines: &[Line]) {
        let line = lines.first().filter(|_| self.screen.edits());
        let call = line.and_then(|line| self.attention.call(what, line, self.began.elapsed()));
        self.calls.push_str(&call.unwrap_or_default());
    }

    /// Returns a peer as the screen shows it.
    pub(super) fn info(&self, id: Recipient, name: Option<PeerName>) -> PeerInfo {
        let (addr, verification) = (self.node.dialed_at(id), self.node.verification_of(id));
        PeerInfo { id, name, addr, claimed: None, verification }
    }

    /// Updates what the status line and the prompt show of other peers.
    pub(super) fn refresh(&mut self) {
        if std::mem::take(&mut self.stale) {
            self.here = self.node.online_count();
            let with = self.menu.conversation();
            let partner = |id| Partner {
                label: with.map_or_else(String::new, |with| with.label.clone()),
                presence: self.node.presence_of(id),
                verification: self.node.verification_of(id),
                refuses: self.node.refusal_of(id),
                is_blocked: self.node.is_blocked(id),
                is_muted: self.node.is_muted(id),
            };
            let partner = with.and_then(Chosen::peer).map(partner);
            let is_new = self.with != partner;
            self.with = partner;
            if is_new {
                self.ask_again();
            }
        }
    }

    pub(super) fn status(&self) -> Status {
        let under_way = self.texts.values().filter(|sent| sent.quiet && !sent.settled).count();
        let sending = if under_way > 0 { Some("sending".into()) } else { self.outcome.clone() };
        let unread = self.node.unread().into_iter();
        let unread = unread.map(|(id, count)| (self.labels.label(id, None), count));
        Status {
            name: self.node.name().to_string(),
            addr: self.own_addr.clone(),
            here: self.here,
            with: self.with.clone(),
            unread: unread.collect(),
            sending,
        }
    }

    /// Marks a message as one that has a status for each recipient, and drops it once all are
    /// final.
    fn settle(&mut self, op: OpId) {
        let Some(sent) = self.texts.get_mut(&op) else { return };
        sent.settled = true;
        if sent.waiting == 0 {
            self.texts.remove(&op);
        }
    }
}

/// Returns the standing of a peer, which decides its label.
pub(super) fn standing(node: &Node, id: Recipient) -> Standing {
    match (node.is_contact(id), node.knows(id)) {
        (true, _) if node.is_blocked(id) => Standing::Stranger,
        (true, _) => Standing::Contact,
        (false, true) => Standing::Stranger,
        (false, false) => Standing::Forgotten,
    }
}
