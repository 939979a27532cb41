//! What partners say, and what an operator says for them.

use super::{
    InboxView, LetterView, RotationView, Service, ServiceError, Statement, error::chain,
    rotations::signed_name,
};
use crate::{
    exchange::{
        Expectations, Inbound, InboxError, OpenOffer, Refusal, evaluate, name_by_content,
        smime::DecryptionKey,
    },
    model::{
        Acknowledgement, Channel, Destination, EmailAddress, IdentityName, LetterKind, MessageId,
        Role,
        audit::{Action, Author},
        one_line,
        rotation::{Fact, Rotation, Step},
    },
    pki::digest_of,
    records::{Batch, InboxRecord, Versioned},
};

impl Service {
    /// Typed by one of us: the fingerprint must be the one that was offered, the contact one on file.
    pub(super) fn acknowledge(
        &self,
        by: &Author,
        statement: Statement,
    ) -> Result<RotationView, ServiceError> {
        let rotation = self.current_rotation(&statement.identity)?;
        let destination = &statement.destination;
        let leg = rotation.legs.get(destination).filter(|leg| !leg.left);
        if leg.is_none_or(|leg| leg.offer.is_none() || leg.withdrawn.is_some()) {
            return Err(
                ServiceError::refused(format!("no offer to {destination} is open"))
                    .hint(format!("countersign rotation show {}", statement.identity)),
            );
        }
        let offered = rotation
            .certificate
            .map(|certificate| certificate.fingerprint);
        if offered != Some(statement.fingerprint) {
            return Err(ServiceError::refused(format!(
                "{} is not the fingerprint that was offered to {destination}",
                statement.fingerprint
            ))
            .hint("read the fingerprint back digit by digit with the contact: another certificate may have been installed"));
        }
        let config = self.config();
        let contact = config
            .partners
            .get(&destination.partner)
            .and_then(|partner| {
                partner
                    .contacts_for(Role::JiraSec)
                    .find(|contact| contact.email == statement.contact)
            });
        if contact.is_none() {
            return Err(ServiceError::refused(format!(
                "{} is not on file with the role jira-sec at {}",
                statement.contact, destination.partner
            ))
            .hint(
                "add the contact to countersign.toml, from a source other than the mail itself",
            ));
        }
        let verified = one_line(&statement.verified);
        if verified.is_empty() {
            return Err(ServiceError::refused(
                "an acknowledgement needs to say how the contact was verified",
            )
            .hint("--verified \"called back on the number on file\""));
        }
        let acknowledgement = Acknowledgement {
            destination: destination.clone(),
            fingerprint: statement.fingerprint,
            contact: statement.contact,
            channel: Channel::Operator {
                by: signed_name(&statement.by)?,
                verified,
            },
            at: self.clock.now(),
        };
        self.note(
            by,
            &statement.identity,
            &Fact::Acknowledged { acknowledgement },
        )
    }

    /// A mail, as a mail filter hands it over. Whatever it is, it is kept with what it was taken for.
    pub(super) fn receive(&self, by: &Author, mail: &[u8]) -> Result<LetterView, ServiceError> {
        let now = self.clock.now();
        let inbound = match Inbound::parse_with(mail, &self.mail_keys()?) {
            Ok(inbound) => inbound,
            Err(error) => return Err(self.unreadable(by, mail, &error)?),
        };
        let id = &inbound.message_id;
        let known = self.records.inbound(id)?;
        if let Some(known) = known.as_ref().filter(|known| known.value.accepted) {
            let judgement = format!("taken already: {}", known.value.judgement);
            return Ok(LetterView {
                schema: 1,
                accepted: true,
                judgement,
            });
        }
        let config = self.config();
        let offers = self.open_offers()?;
        let flat: Vec<OpenOffer> = offers.iter().map(|(_, offer)| offer.clone()).collect();
        let judged = evaluate(
            &inbound,
            &Expectations::new(config.partners.values(), &flat),
            now,
        );
        let judgement = match &judged {
            Ok(ack) => {
                format!(
                    "{} acknowledges {} for {}",
                    ack.contact,
                    ack.fingerprint.short(),
                    ack.destination
                )
            }
            Err(refusal) => chain(refusal),
        };
        let record = InboxRecord {
            message_id: Some(id.clone()),
            from: inbound.from.clone(),
            received_at: now,
            accepted: judged.is_ok(),
            judgement: judgement.clone(),
        };
        let version = known.map_or(0, |old| old.version);
        let weighed = Action::MailWeighed {
            message_id: id.clone(),
            from: record.from.clone(),
            digest: digest_of(mail),
            accepted: record.accepted,
            judgement: judgement.as_str().into(),
        };
        let mut batch = Batch::new().tell(weighed).inbound(
            id,
            &Versioned {
                version,
                value: record,
            },
        );
        match judged {
            Ok(acknowledgement) => {
                let answered = |(_, offer): &&(IdentityName, OpenOffer)| {
                    offer.destination == acknowledgement.destination
                        && offer.fingerprint == acknowledgement.fingerprint
                };
                let Some((identity, offer)) = offers.iter().find(answered) else {
                    return Err(ServiceError::failed(
                        "a mail was taken for an answer to no offer at all",
                    ));
                };
                // The codes are spent in the same breath in which they open the gate.
                for letter in &offer.message_ids {
                    if let Some(mut code) = self.records.code(letter)? {
                        code.value.used_at = Some(now);
                        batch = batch.code(letter, &code);
                    }
                }
                self.note_with(by, identity, batch, &Fact::Acknowledged { acknowledgement })?;
                Ok(LetterView {
                    schema: 1,
                    accepted: true,
                    judgement,
                })
            }
            Err(refusal) => {
                tracing::warn!(mail = %id, "refused as an acknowledgement: {judgement}");
                self.records.commit(by, now, batch)?;
                if let Refusal::Declined { contact, reason } = &refusal {
                    self.declined(by, &inbound, &offers, contact, reason)?;
                }
                let error = ServiceError::refused(judgement).told();
                Err(match refusal.remedy() {
                    Some(remedy) => error.hint(remedy),
                    None => error,
                })
            }
        }
    }

    /// A mail filter drops what was refused: what could not be read would be gone without a trace, and it may
    /// have been the answer.
    fn unreadable(
        &self,
        by: &Author,
        mail: &[u8],
        error: &InboxError,
    ) -> Result<ServiceError, ServiceError> {
        let (id, judgement) = (name_by_content(mail), chain(error));
        tracing::warn!(mail = %id, "refused as an acknowledgement: {judgement}");
        let now = self.clock.now();
        let weighed = Action::MailWeighed {
            message_id: id.clone(),
            from: None,
            digest: digest_of(mail),
            accepted: false,
            judgement: judgement.as_str().into(),
        };
        let record = InboxRecord {
            message_id: Some(id.clone()),
            from: None,
            received_at: now,
            accepted: false,
            judgement: judgement.clone(),
        };
        let record = Versioned {
            version: self.records.inbound(&id)?.map_or(0, |known| known.version),
            value: record,
        };
        let batch = Batch::new().tell(weighed).inbound(&id, &record);
        self.records.commit(by, now, batch)?;
        Ok(ServiceError::refused(judgement).told().hint(
            "look for the mail in the mailbox; ask for another, or `exchange acknowledge` after a call",
        ))
    }

    /// What opens replies that were encrypted to us: the key that our letters are signed with.
    fn mail_keys(&self) -> Result<Vec<DecryptionKey>, ServiceError> {
        let Some(signer) = self.records.signer()? else {
            return Ok(Vec::new());
        };
        let key = signer.value.key.expose();
        let certificate = signer
            .value
            .chain
            .first()
            .map(|leaf| leaf.0.as_slice())
            .unwrap_or_default();
        let key = DecryptionKey::new(key, certificate)
            .map_err(|error| ServiceError::from_error(&error))?;
        Ok(vec![key])
    }

    /// A contact said no: to the letter that was answered, or to everything that was offered to their organisation.
    fn declined(
        &self,
        by: &Author,
        inbound: &Inbound,
        offers: &[(IdentityName, OpenOffer)],
        contact: &EmailAddress,
        reason: &str,
    ) -> Result<(), ServiceError> {
        let config = self.config();
        let theirs = |offer: &OpenOffer| {
            config
                .partners
                .get(&offer.destination.partner)
                .is_some_and(|partner| {
                    partner
                        .contacts_for(Role::JiraSec)
                        .any(|c| c.email == *contact)
                })
        };
        let answered = |offer: &OpenOffer| {
            offer
                .message_ids
                .iter()
                .any(|letter| inbound.answers.contains(letter))
        };
        let to_one = offers
            .iter()
            .any(|(_, offer)| theirs(offer) && answered(offer));
        for (identity, offer) in offers {
            if offer.withdrawn_at.is_none() && theirs(offer) && (answered(offer) || !to_one) {
                let (destination, contact, reason) = (
                    offer.destination.clone(),
                    contact.clone(),
                    reason.to_owned(),
                );
                self.note(
                    by,
                    identity,
                    &Fact::Declined {
                        destination,
                        contact,
                        reason,
                    },
                )?;
            }
        }
        Ok(())
    }

    pub(super) fn inbox(&self) -> Result<Vec<InboxView>, ServiceError> {
        let mails = self.records.inbox()?.into_iter().map(|mail| InboxView {
            message_id: mail.value.message_id,
            from: mail.value.from,
            received_at: mail.value.received_at,
            accepted: mail.value.accepted,
            judgement: mail.value.judgement,
        });
        Ok(mails.collect())
    }

    /// Every offer of every rotation in progress, with whose it is.
    fn open_offers(&self) -> Result<Vec<(IdentityName, OpenOffer)>, ServiceError> {
        let mut offers = Vec::new();
        for identity in self.rotating()? {
            let rotation = self.current_rotation(&identity)?;
            let Some(certificate) = rotation.certificate else {
                continue;
            };
            for (destination, leg) in rotation.active_legs() {
                let mut message_ids: Vec<_> = leg
                    .offer
                    .iter()
                    .chain(&leg.reminders)
                    .map(|letter| letter.message_id.clone())
                    .collect();
                message_ids.extend(self.letter_in_doubt(&rotation, destination)?);
                if message_ids.is_empty() {
                    continue;
                }
                let mut codes = Vec::new();
                for letter in &message_ids {
                    codes.extend(self.records.code(letter)?.map(|code| code.value));
                }
                let offer = OpenOffer {
                    destination: destination.clone(),
                    fingerprint: certificate.fingerprint,
                    message_ids,
                    codes,
                    withdrawn_at: rotation.ending.as_ref().map(|ending| ending.at),
                };
                offers.push((identity.clone(), offer));
            }
        }
        Ok(offers)
    }

    /// A letter that was on its way when we stopped: the partner may have it, and answers before we have noted
    /// that it was sent.
    fn letter_in_doubt(
        &self,
        rotation: &Rotation,
        destination: &Destination,
    ) -> Result<Option<MessageId>, ServiceError> {
        let (kind, number, to) = match &rotation.in_doubt {
            Some(Step::Offer { destination }) => (LetterKind::Offer, 1, destination),
            Some(Step::Remind {
                destination,
                number,
            }) => (LetterKind::Reminder, *number, destination),
            _ => return Ok(None),
        };
        let (Some(certificate), true) = (rotation.certificate, to == destination) else {
            return Ok(None);
        };
        let identity = self.existing(rotation.identity())?.value;
        let id = MessageId::for_letter(
            kind,
            rotation.identity(),
            rotation.to(),
            &certificate.fingerprint,
            destination,
            number,
            &self.setting(&identity)?.message_id_host,
        );
        Ok(self.records.letter(&id)?.map(|_| id))
    }
}
