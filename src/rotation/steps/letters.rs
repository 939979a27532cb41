//! Writing to a partner.
//!
//! Contract: the letter is written once, signed, and kept in the outbox before it is handed to the mail
//! server; after a crash the same bytes go out under the same Message-ID. A letter that the server has
//! accepted is not sent again. The number of a letter counts intentions, not attempts.

use super::{Done, StepError};
use crate::{
    delivery::Publisher,
    exchange::{Draft, LetterFacts, Mailer, OneTimeCode, Overlap, Sender, smime::Signer},
    model::{
        Contact, Destination, Generation, GenerationNumber, LetterKind, MessageId, PendingCode,
        Role, SealedLetter, SentLetter,
        rotation::{Output, Rotation},
    },
    probe::Prober,
    records::{Batch, OutboxRecord, Versioned},
    rotation::Driver,
};

impl<M: Mailer, P: Prober, B: Publisher> Driver<'_, M, P, B> {
    /// Writes and sends the `n`-th letter of a kind to a destination.
    pub(super) async fn write(
        &self,
        rotation: &Rotation,
        kind: LetterKind,
        n: u32,
        destination: &Destination,
    ) -> Result<Done, StepError> {
        let fault =
            |message: String, remedy: &str| StepError::permanent(message, remedy, Role::Ops);
        let (Some(mailer), Some(sender)) = (self.mailer, &self.setting.sender) else {
            return Err(fault(
                "no mail server is configured".to_owned(),
                "describe one in [mail] of countersign.toml",
            ));
        };
        let about = self.generation_of(rotation, rotation.to())?;
        let Some(leaf) = &about.leaf else {
            return Err(fault(
                format!("generation {} has no certificate", about.number),
                "abandon the rotation",
            ));
        };
        let host = &self.setting.message_id_host;
        let id = MessageId::for_letter(
            kind,
            rotation.identity(),
            about.number,
            &leaf.fingerprint,
            destination,
            n,
            host,
        );

        let mut outbox = match self.records.letter(&id)? {
            Some(written) => written,
            None => self.compose(rotation, kind, n, destination, &about, &id, sender)?,
        };
        let reply = match &outbox.value.accepted {
            Some((_, reply)) => reply.clone(),
            None => mailer.send(&outbox.value.letter).await.map_err(|error| {
                StepError::from_error(
                    &error,
                    error.is_transient(),
                    "then wait, or `countersign rotation retry IDENTITY`",
                )
            })?,
        };
        let at = self.clock.now();
        outbox
            .value
            .accepted
            .get_or_insert_with(|| (at, reply.clone()));
        let SealedLetter { to, encrypted, .. } = outbox.value.letter.clone();
        let letter = SentLetter {
            message_id: id.clone(),
            kind,
            to,
            encrypted,
            server_reply: reply,
            at,
        };
        Ok((Output::Sent { letter }, Batch::new().letter(&id, &outbox)))
    }

    fn generation_of(
        &self,
        rotation: &Rotation,
        number: GenerationNumber,
    ) -> Result<Generation, StepError> {
        let found = self.records.generation(rotation.identity(), number)?;
        found.map(|generation| generation.value).ok_or_else(|| {
            StepError::permanent(
                format!("there is no generation {number}"),
                "abandon the rotation",
                Role::Ops,
            )
        })
    }

    /// Writes a letter and keeps it, with the code that its answer may bear.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the letter")]
    fn compose(
        &self,
        rotation: &Rotation,
        kind: LetterKind,
        n: u32,
        destination: &Destination,
        about: &Generation,
        id: &MessageId,
        sender: &Sender,
    ) -> Result<Versioned<OutboxRecord>, StepError> {
        let now = self.clock.now();
        let rules = &self.setting.policy.exchange;
        let mut batch = Batch::new();
        // A reminder repeats the offer's request, so it needs a code of its own: the first is kept as a hash only.
        let code = match kind {
            LetterKind::Offer | LetterKind::Reminder => {
                let code = OneTimeCode::generate()
                    .map_err(|error| StepError::from_error(&error, true, "try again"))?;
                if let (Some(leaf), hash) = (&about.leaf, code.hash()) {
                    let pending = PendingCode {
                        hash,
                        destination: destination.clone(),
                        fingerprint: leaf.fingerprint,
                        issued_at: now,
                        expires_at: rules.code_lifetime.after(now),
                        used_at: None,
                    };
                    batch = batch.code(
                        id,
                        &Versioned {
                            version: 0,
                            value: pending,
                        },
                    );
                }
                Some(code)
            }
            LetterKind::Withdrawal | LetterKind::RemovalNotice => None,
        };
        let facts = self.facts(rotation, kind, n, destination, about, id, sender, code)?;
        let fault = |error: &dyn std::error::Error| {
            StepError::from_error(
                error,
                false,
                "mend what it names, then `countersign rotation retry IDENTITY`",
            )
        };
        let draft = Draft::write(&facts).map_err(|error| fault(&error))?;
        let letter = draft
            .sign(&self.signer()?)
            .map_err(|error| fault(&error))?
            .seal()
            .map_err(|error| fault(&error))?;
        let record = OutboxRecord {
            letter,
            written_at: now,
            accepted: None,
        };
        let batch = batch.letter(
            id,
            &Versioned {
                version: 0,
                value: record,
            },
        );
        self.records.commit(self.author, now, batch)?;
        self.records.letter(id)?.ok_or_else(|| {
            StepError::permanent(
                "the letter was written, but is not there",
                "run `countersign store verify`",
                Role::Ops,
            )
        })
    }

    #[expect(clippy::too_many_arguments, reason = "each is one fact of the letter")]
    fn facts(
        &self,
        rotation: &Rotation,
        kind: LetterKind,
        n: u32,
        destination: &Destination,
        about: &Generation,
        id: &MessageId,
        sender: &Sender,
        code: Option<OneTimeCode>,
    ) -> Result<LetterFacts, StepError> {
        let now = self.clock.now();
        let fault =
            |message: String| StepError::permanent(message, "correct countersign.toml", Role::Ops);
        let (partner, environment) = self
            .setting
            .environment(destination)
            .ok_or_else(|| fault(format!("{destination} is not in the configuration")))?;
        let to: Vec<Contact> = partner.contacts_for(Role::JiraSec).cloned().collect();
        if to.is_empty() {
            return Err(fault(format!(
                "nobody at {} has the role jira-sec",
                partner.name
            )));
        }
        let leaf = about
            .leaf
            .clone()
            .ok_or_else(|| fault("there is no certificate".to_owned()))?;
        let previous = match rotation.from {
            Some(number) => self.generation_of(rotation, number)?.leaf,
            None => None,
        };
        let leg = rotation.legs.get(destination);
        let in_reply_to = (kind != LetterKind::Offer)
            .then(|| {
                leg.and_then(|leg| leg.offer.as_ref())
                    .map(|letter| letter.message_id.clone())
            })
            .flatten();
        let rules = &self.setting.policy.exchange;
        let asks = matches!(kind, LetterKind::Offer | LetterKind::Reminder);
        let mut chain: Vec<Vec<u8>> = about
            .chain
            .iter()
            .map(|certificate| certificate.0.clone())
            .collect();
        // Most gateways take nothing less than the root for an anchor.
        if let Some(authority) = self.records.authority(&self.setting.issuer.name)?
            && chain.last() == Some(&authority.value.issuing.0)
        {
            chain.push(authority.value.root.0);
        }
        Ok(LetterFacts {
            kind,
            ordinal: n,
            message_id: id.clone(),
            in_reply_to,
            date: now,
            from: sender.clone(),
            to,
            partner_title: partner.title.clone(),
            destination: destination.clone(),
            endpoint: environment.endpoint.clone(),
            gateway: environment.gateway,
            pin: environment.pin,
            oauth: environment.oauth,
            identity: rotation.identity().clone(),
            generation: about.number,
            chain,
            leaf,
            overlap: Overlap {
                since: now,
                until: previous
                    .as_ref()
                    .filter(|_| asks)
                    .map(|previous| previous.validity.not_after()),
            },
            previous,
            respond_by: asks.then(|| rules.respond_within.after(now)),
            code,
        })
    }

    fn signer(&self) -> Result<Signer, StepError> {
        let record = self.records.signer()?.ok_or_else(|| {
            StepError::permanent(
                "there is no certificate to sign letters with",
                "run `countersign signer create --issuer NAME` or `countersign signer import --key FILE --chain FILE`, then `countersign rotation retry IDENTITY`",
                Role::Ops,
            )
        })?;
        let key = record.value.key.expose();
        let chain: Vec<Vec<u8>> = record
            .value
            .chain
            .into_iter()
            .map(|certificate| certificate.0)
            .collect();
        Signer::new(&key, &chain).map_err(|error| {
            StepError::from_error(&error, false, "import another signing certificate")
        })
    }
}
