//! Whether a mail is an acknowledgement, and of what: pure, and refusing unless everything fits.
//!
//! A line that begins with ACCEPT, outside quotations, and: from a contact on file with their own signature, the
//! fingerprint and the environment, all of it signed. Without a signature: the fingerprint *and* the one-time code of
//! our letter, which knows its environment, from the contact's address, which alone proves nothing. One reply accepts
//! one certificate for one environment.

use jiff::Timestamp;

use super::{Inbound, InboundSignature, Missing, Refusal, Statement, inbox::fingerprint};
use crate::model::{
    Acknowledgement, Channel, CodeHash, Contact, Destination, EmailAddress, Fingerprint, MessageId,
    Partner, PartnerName, PendingCode, Role,
};

/// A letter that may be answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenOffer {
    /// For which environment.
    pub destination: Destination,
    /// Which certificate.
    pub fingerprint: Fingerprint,
    /// The offer and its reminders.
    pub message_ids: Vec<MessageId>,
    /// The codes of the offer and its reminders. Whoever records the acknowledgement marks all of them used.
    pub codes: Vec<PendingCode>,
    /// When it was withdrawn, if it was: kept here for a while, so that a late answer is understood.
    pub withdrawn_at: Option<Timestamp>,
}

/// Who may answer, and what there is to answer.
#[derive(Clone, Debug)]
pub struct Expectations<'a> {
    contacts: Vec<(&'a PartnerName, &'a Contact)>,
    offers: &'a [OpenOffer],
}

impl<'a> Expectations<'a> {
    /// The security contacts of these partners, and the offers to any of them.
    pub fn new(partners: impl IntoIterator<Item = &'a Partner>, offers: &'a [OpenOffer]) -> Self {
        let contacts = partners
            .into_iter()
            .flat_map(|p| p.contacts_for(Role::JiraSec).map(move |c| (&p.name, c)))
            .collect();
        Self { contacts, offers }
    }
}

/// Judges a mail at `now`, the instant at which it reached us.
pub fn evaluate(
    mail: &Inbound,
    expectations: &Expectations<'_>,
    now: Timestamp,
) -> Result<Acknowledgement, Refusal> {
    if let Some(reason) = mail.automation {
        return Err(Refusal::Automatic { reason });
    }
    match &mail.signature {
        InboundSignature::Broken { fault } => Err(Refusal::ForgedSignature {
            fault: fault.clone(),
        }),
        InboundSignature::None => unsigned(mail, expectations, now),
        InboundSignature::Valid(signed) => {
            let signer = signed.signer;
            let on_file = expectations.speaker(|c| {
                let own = c.certificate.as_deref().map(fingerprint);
                own == Some(signer)
            });
            match on_file {
                Some(speaker) => {
                    let offer = speaker.signed(&signed.statement)?;
                    let channel = Channel::SignedReply {
                        message_id: mail.message_id.clone(),
                        signer,
                    };
                    Ok(speaker.acknowledges(offer, channel, now))
                }
                // A signature that says nothing to us takes nothing away from a reply that suffices without.
                None => unsigned(mail, expectations, now).map_err(|refusal| match refusal {
                    Refusal::NoEvidence { .. } => Refusal::UnknownSigner { signer },
                    other => other,
                }),
            }
        }
    }
}

fn unsigned(
    mail: &Inbound,
    expectations: &Expectations<'_>,
    now: Timestamp,
) -> Result<Acknowledgement, Refusal> {
    let speaker = mail
        .from
        .as_ref()
        .and_then(|from| expectations.speaker(|c| &c.email == from))
        .ok_or_else(|| Refusal::NotFromContact {
            from: mail.from_shown.clone(),
        })?;
    let offer = speaker.coded(&mail.statement, now)?;
    let channel = Channel::CodeReply {
        message_id: mail.message_id.clone(),
    };
    Ok(speaker.acknowledges(offer, channel, now))
}

/// A contact on file, for all the partners that have them on file.
struct Speaker<'a> {
    email: &'a EmailAddress,
    partners: Vec<&'a PartnerName>,
    offers: Vec<&'a OpenOffer>,
}

// === impl Expectations ===

impl<'a> Expectations<'a> {
    fn speaker(&self, is: impl Fn(&Contact) -> bool) -> Option<Speaker<'a>> {
        let found: Vec<_> = self.contacts.iter().filter(|(_, c)| is(c)).collect();
        let email = &found.first()?.1.email;
        let partners: Vec<_> = found.iter().map(|(partner, _)| *partner).collect();
        Some(Speaker {
            email,
            offers: self
                .offers
                .iter()
                .filter(|o| partners.contains(&&o.destination.partner))
                .collect(),
            partners,
        })
    }
}

// === impl Speaker ===

impl<'a> Speaker<'a> {
    fn acknowledges(&self, offer: &OpenOffer, channel: Channel, at: Timestamp) -> Acknowledgement {
        Acknowledgement {
            destination: offer.destination.clone(),
            fingerprint: offer.fingerprint,
            contact: self.email.clone(),
            channel,
            at,
        }
    }

    /// A signed statement: the fingerprint, and for which environment. What the mail answers says nothing here: its
    /// header is not signed, and an answer for `test` would be one for `production` with another header.
    fn signed(&self, statement: &Statement) -> Result<&'a OpenOffer, Refusal> {
        let candidates = self.candidates(statement, Missing::Fingerprint)?;
        accepted(statement)?;
        if self.said_destinations(statement).is_empty() {
            return Err(Refusal::NoEvidence {
                missing: Missing::Destination,
            });
        }
        the_one(&candidates)
    }

    /// An unsigned statement: the fingerprint, and the code, which says which environment is meant.
    fn coded(&self, statement: &Statement, now: Timestamp) -> Result<&'a OpenOffer, Refusal> {
        let missing = match statement.codes.is_empty() {
            true => Missing::FingerprintAndCode,
            false => Missing::Fingerprint,
        };
        let candidates = self.candidates(statement, missing)?;
        if statement.codes.is_empty() {
            return Err(Refusal::NoEvidence {
                missing: Missing::Code,
            });
        }
        accepted(statement)?;
        let matching: Vec<_> = candidates
            .iter()
            .copied()
            .filter(|o| code_of(o, &statement.codes).is_some())
            .collect();
        let Some(first) = matching.first() else {
            // `candidates` refuses to be empty.
            return Err(Refusal::WrongCode {
                destination: candidates[0].destination.clone(),
            });
        };
        let destination = first.destination.clone();
        let offer = the_one(&matching)?;
        match code_of(offer, &statement.codes) {
            Some(PendingCode {
                used_at: Some(used_at),
                ..
            }) => Err(Refusal::CodeUsed {
                destination,
                used_at: *used_at,
            }),
            Some(code) if code.expires_at < now => Err(Refusal::CodeExpired {
                destination,
                expired_at: code.expires_at,
            }),
            _ => Ok(offer),
        }
    }

    fn said_destinations<'s>(&self, statement: &'s Statement) -> Vec<&'s Destination> {
        let ours = |destination: &&Destination| self.partners.contains(&&destination.partner);
        statement.destinations.iter().filter(ours).collect()
    }

    /// The offers that stand and that the statement can mean; never empty.
    fn candidates(
        &self,
        statement: &Statement,
        missing: Missing,
    ) -> Result<Vec<&'a OpenOffer>, Refusal> {
        if let Some(reason) = &statement.refusal {
            return Err(Refusal::Declined {
                contact: self.email.clone(),
                reason: reason.clone(),
            });
        }
        if self.offers.is_empty() {
            return Err(Refusal::NoOpenOffer {
                contact: self.email.clone(),
            });
        }
        let Some(said) = statement.fingerprints.first() else {
            return Err(Refusal::NoEvidence { missing });
        };
        let named: Vec<&OpenOffer> = self
            .offers
            .iter()
            .copied()
            .filter(|o| statement.fingerprints.contains(&o.fingerprint))
            .collect();
        if named.is_empty() {
            return Err(Refusal::WrongFingerprint {
                said: *said,
                expected: distinct(self.offers.iter().map(|o| o.fingerprint)),
            });
        }
        let said_destinations = self.said_destinations(statement);
        let meant: Vec<&OpenOffer> = named
            .iter()
            .copied()
            .filter(|o| said_destinations.is_empty() || said_destinations.contains(&&o.destination))
            .collect();
        let Some(first) = meant.first() else {
            return Err(Refusal::WrongDestination {
                said: said_destinations[0].clone(),
                offered: distinct(named.iter().map(|o| o.destination.clone())),
            });
        };
        let standing: Vec<&OpenOffer> = meant
            .iter()
            .copied()
            .filter(|o| o.withdrawn_at.is_none())
            .collect();
        match (standing.is_empty(), first.withdrawn_at) {
            (true, Some(withdrawn_at)) => Err(Refusal::Withdrawn {
                destination: first.destination.clone(),
                withdrawn_at,
            }),
            _ => Ok(standing),
        }
    }
}

fn accepted(statement: &Statement) -> Result<(), Refusal> {
    let missing = Missing::Acceptance;
    if statement.acceptance {
        Ok(())
    } else {
        Err(Refusal::NoEvidence { missing })
    }
}

/// A code of the offer, for this very offer, among those that were said; an unused one before a used one.
fn code_of<'a>(offer: &'a OpenOffer, said: &[CodeHash]) -> Option<&'a PendingCode> {
    offer
        .codes
        .iter()
        .filter(|code| {
            code.destination == offer.destination
                && code.fingerprint == offer.fingerprint
                && said.contains(&code.hash)
        })
        .min_by_key(|code| (code.used_at.is_some(), std::cmp::Reverse(code.expires_at)))
}

fn the_one<'a>(candidates: &[&'a OpenOffer]) -> Result<&'a OpenOffer, Refusal> {
    match candidates {
        [one] => Ok(one),
        several => Err(Refusal::Ambiguous {
            candidates: several.iter().map(|o| o.destination.clone()).collect(),
        }),
    }
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut list = Vec::new();
    for item in items {
        if !list.contains(&item) {
            list.push(item);
        }
    }
    list
}

#[cfg(test)]
mod tests;
