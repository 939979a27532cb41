//! Jira Sec at the partner, as far as a machine can play a person: reads mail, configures the gateway, answers.
//!
//! It knows of us what a partner knows: the certificate with which our letters are signed. It shares nothing
//! with the rest of the program but the wire.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use lettre::{
    Message,
    message::{
        Body, Mailbox as Address, MultiPart, SinglePart,
        header::{ContentDisposition, ContentTransferEncoding, ContentType},
    },
};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{
    gateway::Pins,
    letter::{Letter, LetterError, Wish},
    mailbox::Delivered,
    tale::Tale,
};
use crate::{
    exchange::smime::{DecryptionKey, Signer, SmimeError},
    model::{
        Clock, EmailAddress, Fingerprint, InvertedValidity, KeyAlgorithm, Lapse, SubjectRequest,
        Validity,
    },
    pki::{self, AuthorityError, CertificateAuthority, IssueError, KeyError, PrivateKey, Profile},
};

/// How long a person needs to open a mail and walk over to the gateway.
const READING: Duration = Duration::from_millis(600);

/// How long the partner's certificates last.
const LIFE: Lapse = Lapse::days(365);

/// What the partner's mail keys are: what every mail program opens.
const KEY: KeyAlgorithm = KeyAlgorithm::Rsa2048;

/// Why the partner cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartnerError {
    /// Their authority cannot be made.
    #[error("the partner's authority cannot be made")]
    Authority(#[from] AuthorityError),
    /// Their mail certificate cannot be issued.
    #[error("the partner's mail certificate cannot be issued")]
    Certificate(#[from] IssueError),
    /// The clock stands where a year from now is not later than now.
    #[error("the partner's certificates cannot be dated")]
    Dates(#[from] InvertedValidity),
    /// No key can be made.
    #[error("the partner's mail key cannot be made")]
    Key(#[from] KeyError),
    /// A letter was not acted upon.
    #[error("the partner does not act upon a letter of ours")]
    Letter(#[from] LetterError),
    /// The letter wants something removed that is not there.
    #[error("the partner is to remove {fingerprint}, which the gateway does not trust")]
    NothingToRemove {
        /// What is to be removed.
        fingerprint: Fingerprint,
    },
    /// The answer cannot be written.
    #[error("the partner's answer cannot be written: {what}")]
    Answer {
        /// What cannot be built.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Keys and certificates do not work for mail.
    #[error("the partner's key cannot be used for mail")]
    Smime(#[from] SmimeError),
}

/// Jira Sec with a mail key.
pub(super) struct Partner {
    address: EmailAddress,
    certificate: Vec<u8>,
    signer: Signer,
    opens: DecryptionKey,
    clock: Arc<dyn Clock>,
}

impl Partner {
    /// Somebody new, certified for mail by the partner's own authority.
    pub(super) fn new(address: EmailAddress, clock: Arc<dyn Clock>) -> Result<Self, PartnerError> {
        let begins = Lapse::seconds(clock.now().as_second()).after(Timestamp::UNIX_EPOCH);
        let serial = pki::random_serial;
        let algorithm = KeyAlgorithm::EcdsaP256;
        let validity = Validity::new(begins, LIFE.after(begins))?;
        let root = CertificateAuthority::create_root("Acme Root", algorithm, validity, &serial()?)?;
        let issuing = CertificateAuthority::create_issuing(
            &root,
            "Acme Mail",
            algorithm,
            validity,
            &serial()?,
        )?;
        let key = PrivateKey::generate(KEY)?;
        let subject = SubjectRequest {
            common_name: "Acme Jira Sec".to_owned(),
            organization: Some("Acme".to_owned()),
            dns_names: Vec::new(),
        };
        let profile = Profile::Email(address.clone());
        let certificate =
            issuing.issue(key.public_key(), &subject, validity, &serial()?, &profile)?;
        let chain = [certificate.clone(), issuing.certificate().to_vec()];
        Ok(Self {
            address,
            signer: Signer::new(key.pkcs8(), &chain)?,
            opens: DecryptionKey::new(Zeroizing::new(key.pkcs8().to_vec()), &certificate)?,
            certificate,
            clock,
        })
    }

    /// Their certificate, as they give it to whoever writes to them: PEM.
    pub(super) fn certificate_pem(&self) -> String {
        pki::pem::certificate_pem(&self.certificate)
    }

    /// Does what the letters ask for, until there are no more; signed answers go to `answers`.
    pub(super) async fn work(
        self,
        ops: Correspondent,
        pins: Pins,
        mut mails: mpsc::Receiver<Delivered>,
        answers: mpsc::Sender<Vec<u8>>,
        tale: Tale,
    ) -> Result<(), PartnerError> {
        while let Some(delivered) = mails.recv().await {
            // A mail server takes mail for others too.
            if !delivered.to.iter().any(|to| to == self.address.as_str()) {
                continue;
            }
            tokio::time::sleep(READING).await;
            let letter = Letter::read(&delivered.mail, &self.opens, ops.signer)?;
            match &letter.wish {
                Wish::Install {
                    fingerprint,
                    answer,
                } => {
                    pins.trust(*fingerprint);
                    tale.say(
                        "partner",
                        &format!(
                            "opened and verified the letter, trusts {} at the gateway, answers signed",
                            fingerprint.short()
                        ),
                    );
                    let mail = self.answer(&ops.address, &letter, answer)?;
                    // Nobody listening means that the story is over.
                    let _ = answers.send(mail).await;
                }
                Wish::Remove { fingerprint } => {
                    if !pins.distrust(fingerprint) {
                        return Err(PartnerError::NothingToRemove {
                            fingerprint: *fingerprint,
                        });
                    }
                    tale.say(
                        "partner",
                        &format!(
                            "opened and verified the notice, trusts {} no more",
                            fingerprint.short()
                        ),
                    );
                }
            }
        }
        Ok(())
    }

    /// A signed reply with the lines that the letter asks for.
    fn answer(
        &self,
        to: &EmailAddress,
        letter: &Letter,
        lines: &[String],
    ) -> Result<Vec<u8>, PartnerError> {
        let text = format!(
            "{}\r\n\r\nInstalled.\r\n\r\nJira Sec, Acme\r\n",
            lines.join("\r\n")
        );
        let content = MultiPart::mixed().singlepart(
            SinglePart::builder()
                .header(ContentType::TEXT_PLAIN)
                .header(ContentTransferEncoding::SevenBit)
                .body(text),
        );
        let now = self.clock.now();
        let entity = content.formatted();
        let signed = entity.strip_suffix(b"\r\n").unwrap_or(&entity);
        let signature = self.signer.sign(signed, now)?;
        let kind = ContentType::parse("application/pkcs7-signature; name=\"smime.p7s\"")
            .map_err(|source| fault("content type", source))?;
        let encoded = Body::new_with_encoding(signature.signature, ContentTransferEncoding::Base64)
            .map_err(|_| fault("signature", SmimeError::Missing { what: "base64" }))?;
        let content = MultiPart::signed(
            "application/pkcs7-signature".into(),
            signature.micalg.into(),
        )
        .multipart(content)
        .singlepart(
            SinglePart::builder()
                .header(kind)
                .header(ContentDisposition::attachment("smime.p7s"))
                .body(encoded),
        );
        let seconds = Duration::from_secs(now.as_second().try_into().unwrap_or(0));
        let mail = Message::builder()
            .from(mailbox(&self.address)?)
            .to(mailbox(to)?)
            .date(std::time::UNIX_EPOCH + seconds)
            .message_id(None)
            .in_reply_to(letter.message_id.to_string())
            .references(letter.message_id.to_string())
            .subject("Re: your client certificate")
            .multipart(content)
            .map_err(|source| fault("message", source))?;
        Ok(mail.formatted())
    }
}

/// Whose letters the partner knows.
#[derive(Clone, Debug)]
pub(super) struct Correspondent {
    /// Where answers go.
    pub(super) address: EmailAddress,
    /// SHA-256 of the certificate with which the letters are signed.
    pub(super) signer: Fingerprint,
}

fn mailbox(address: &EmailAddress) -> Result<Address, PartnerError> {
    let parsed = address
        .as_str()
        .parse()
        .map_err(|source| fault("address", source))?;
    Ok(Address::new(None, parsed))
}

fn fault(
    what: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> PartnerError {
    PartnerError::Answer {
        what,
        source: Box::new(source),
    }
}
