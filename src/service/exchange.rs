//! What partners say, and what an operator says for them.

use aws_lc_rs::digest;

use super::{InboxView, LetterView, RotationView, Service, ServiceError, Statement, error::chain, rotations::signed_name};
use crate::{
    exchange::{Expectations, Inbound, OpenOffer, Refusal, evaluate},
    model::{
        Acknowledgement, Channel, Contact, IdentityName, LetterKind, MessageId, Partner, Role, one_line,
        rotation::{Fact, Rotation},
    },
    records::{Batch, InboxRecord, Versioned},
};

impl Service {
    /// Typed by one of us: the fingerprint must be the one that was offered, the contact one on file.
    pub(super) fn acknowledge(&self, statement: Statement) -> Result<RotationView, ServiceError> {
        let rotation = self.current_rotation(&statement.identity)?;
        let destination = &statement.destination;
        let leg = rotation.legs.get(destination).filter(|leg| !leg.left);
        if leg.is_none_or(|leg| leg.offer.is_none() || leg.withdrawn.is_some()) {
            return Err(ServiceError::refused(format!("no offer to {destination} is open"))
                .hint(format!("countersign rotation show {}", statement.identity)));
        }
        let offered = rotation.certificate.map(|certificate| certificate.fingerprint);
        if offered != Some(statement.fingerprint) {
            let expected = offered.map_or_else(String::new, |f| format!("; {f} was offered"));
            return Err(ServiceError::refused(format!(
                "{} is not the fingerprint that was offered to {destination}{expected}",
                statement.fingerprint
            ))
            .hint("read the fingerprint back digit by digit with the contact: another certificate may have been installed"));
        }
        let config = self.config();
        let contact = config
            .partners
            .get(&destination.partner)
            .and_then(|partner| security_contacts(partner).find(|contact| contact.email == statement.contact));
        if contact.is_none() {
            return Err(ServiceError::refused(format!(
                "{} is not on file with the role jira-sec at {}",
                statement.contact, destination.partner
            ))
            .hint("add the contact to countersign.toml, from a source other than the mail itself"));
        }
        let verified = one_line(&statement.verified);
        if verified.is_empty() {
            return Err(ServiceError::refused("an acknowledgement needs to say how the contact was verified")
                .hint("--verified \"called back on the number on file\""));
        }
        let acknowledgement = Acknowledgement {
            destination: destination.clone(),
            fingerprint: statement.fingerprint,
            contact: statement.contact,
            channel: Channel::Operator { by: signed_name(&statement.by)?, verified },
            at: self.clock.now(),
        };
        self.note(&statement.identity, Fact::Acknowledged { acknowledgement })
    }

    /// A mail, as a mail filter hands it over. Whatever it is, it is kept with what it was taken for.
    pub(super) fn receive(&self, mail: &[u8]) -> Result<LetterView, ServiceError> {
        let inbound = Inbound::parse(mail).map_err(|error| ServiceError::refused(chain(&error)))?;
        let id = inbound.message_id.clone().unwrap_or_else(|| {
            let digest = digest::digest(&digest::SHA256, mail);
            MessageId::from_header(&format!("{}@without-message-id.invalid", hex::encode(digest.as_ref())))
        });
        if let Some(known) = self.records.inbound(&id)?
            && known.value.accepted
        {
            let judgement = format!("taken already: {}", known.value.judgement);
            return Ok(LetterView { schema: 1, accepted: true, judgement });
        }
        let judged = self.judge(&inbound)?;
        let (accepted, judgement) = match &judged {
            Judged::Accepted(_, acknowledgement, _) => (
                true,
                format!(
                    "{} acknowledges {} for {}",
                    acknowledgement.contact,
                    acknowledgement.fingerprint.short(),
                    acknowledgement.destination
                ),
            ),
            Judged::Declined(_, refusal) | Judged::Refused(refusal) => (false, chain(refusal)),
        };
        let record = InboxRecord {
            from: inbound.from.clone(),
            received_at: self.clock.now(),
            accepted,
            judgement: judgement.clone(),
        };
        let version = self.records.inbound(&id)?.map_or(0, |old| old.version);
        let mut batch = Batch::new().inbound(&id, &Versioned { version, value: record });
        match judged {
            Judged::Accepted(identity, acknowledgement, used) => {
                // The code is spent in the same breath in which it opens the gate.
                for letter in used {
                    if let Some(mut code) = self.records.code(&letter)? {
                        code.value.used_at = Some(self.clock.now());
                        batch = batch.code(&letter, &code);
                    }
                }
                self.note_with(&identity, batch, Fact::Acknowledged { acknowledgement })?;
                Ok(LetterView { schema: 1, accepted, judgement })
            }
            Judged::Declined(identity, Refusal::Declined { destination, contact, reason }) => {
                self.note_with(&identity, batch, Fact::Declined { destination, contact, reason })?;
                Ok(LetterView { schema: 1, accepted, judgement })
            }
            Judged::Declined(_, refusal) | Judged::Refused(refusal) => {
                tracing::warn!(mail = %id, "refused as an acknowledgement: {judgement}");
                self.records.commit(batch)?;
                let error = ServiceError::refused(judgement);
                Err(match refusal.remedy() {
                    Some(remedy) => error.hint(remedy),
                    None => error,
                })
            }
        }
    }

    pub(super) fn inbox(&self) -> Result<Vec<InboxView>, ServiceError> {
        let mails = self.records.inbox()?.into_iter().map(|mail| InboxView {
            message_id: None,
            from: mail.value.from,
            received_at: mail.value.received_at,
            accepted: mail.value.accepted,
            judgement: mail.value.judgement,
        });
        Ok(mails.collect())
    }

    /// Weighs a mail against every open offer.
    fn judge(&self, inbound: &Inbound) -> Result<Judged, ServiceError> {
        let config = self.config();
        let mut last = None;
        for identity in self.rotating()? {
            let rotation = self.current_rotation(&identity)?;
            for partner in config.partners.values() {
                let contacts: Vec<Contact> = security_contacts(partner).cloned().collect();
                // Another partner's contacts have no say here; with one partner only, its refusal says more.
                let theirs = contacts.iter().any(|contact| Some(&contact.email) == inbound.from.as_ref());
                let offers = self.open_offers(&rotation, partner)?;
                if offers.is_empty() || (!theirs && config.partners.len() > 1) {
                    continue;
                }
                let expectations = Expectations { contacts: &contacts, offers: &offers };
                match evaluate(inbound, &expectations, self.clock.now()) {
                    Ok(acknowledgement) => {
                        let used = self.letters_to(&rotation, &acknowledgement);
                        return Ok(Judged::Accepted(identity, acknowledgement, used));
                    }
                    Err(refusal @ Refusal::Declined { .. }) => return Ok(Judged::Declined(identity, refusal)),
                    Err(refusal) => last = Some(refusal),
                }
            }
        }
        match last {
            Some(refusal) => Ok(Judged::Refused(refusal)),
            None => {
                let nobody = Expectations { contacts: &[], offers: &[] };
                match evaluate(inbound, &nobody, self.clock.now()) {
                    Err(refusal) => Ok(Judged::Refused(refusal)),
                    Ok(_) => Err(ServiceError::failed("a mail was taken for an answer to no offer at all")),
                }
            }
        }
    }

    fn open_offers(&self, rotation: &Rotation, partner: &Partner) -> Result<Vec<OpenOffer>, ServiceError> {
        let Some(certificate) = rotation.certificate else { return Ok(Vec::new()) };
        let mut offers = Vec::new();
        for (destination, leg) in rotation.active_legs().filter(|(d, _)| d.partner == partner.name) {
            for letter in leg.offer.iter().chain(&leg.reminders) {
                let code = self.records.code(&letter.message_id)?.map(|code| code.value);
                offers.push(OpenOffer {
                    destination: destination.clone(),
                    fingerprint: certificate.fingerprint,
                    message_id: letter.message_id.clone(),
                    code,
                    withdrawn: rotation.ending.is_some(),
                });
            }
        }
        Ok(offers)
    }

    /// Every letter whose code an acknowledgement spends: all that were sent to its destination.
    fn letters_to(&self, rotation: &Rotation, acknowledgement: &Acknowledgement) -> Vec<MessageId> {
        let leg = rotation.legs.get(&acknowledgement.destination);
        let letters = leg.into_iter().flat_map(|leg| leg.offer.iter().chain(&leg.reminders));
        letters
            .filter(|letter| matches!(letter.kind, LetterKind::Offer | LetterKind::Reminder))
            .map(|letter| letter.message_id.clone())
            .collect()
    }
}

enum Judged {
    Accepted(IdentityName, Acknowledgement, Vec<MessageId>),
    Declined(IdentityName, Refusal),
    Refused(Refusal),
}

fn security_contacts(partner: &Partner) -> impl Iterator<Item = &Contact> {
    partner.contacts_for(Role::JiraSec)
}
