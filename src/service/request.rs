//! The vocabulary of the control socket: `POST /v1/call` with one of these as JSON.

use serde::{Deserialize, Serialize};

use super::standing::StandingView;
use super::views::{
    IdentityView, InboxView, LetterView, PemView, RenewView, RotationView, StatusView,
};
use crate::model::{
    Destination, EmailAddress, Fingerprint, IdentityName, IssuerName, KeyAlgorithm, PolicyName,
    ProbeReport, SubjectRequest,
    rotation::{Decision, Gate},
};

/// A generation by its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GenerationSlot {
    /// Presented today.
    Current,
    /// Being made ready.
    Next,
    /// Being retired.
    Previous,
}

/// A new identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityAdd {
    /// Our name for it.
    pub identity: IdentityName,
    /// What certifies it.
    pub issuer: IssuerName,
    /// The rules that it lives by.
    pub policy: PolicyName,
    /// What its certificates say.
    pub subject: SubjectRequest,
    /// The kind of key; the policy's when nothing is said.
    pub key_algorithm: Option<KeyAlgorithm>,
}

/// What an operator states after speaking with a contact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Statement {
    /// Which identity.
    pub identity: IdentityName,
    /// Where it is trusted from now on.
    pub destination: Destination,
    /// The fingerprint, as the contact read it out.
    pub fingerprint: Fingerprint,
    /// The contact on file.
    pub contact: EmailAddress,
    /// Who types this.
    pub by: String,
    /// How the contact was known to be the contact.
    pub verified: String,
}

/// Something to be answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
#[allow(
    missing_docs,
    reason = "each is documented where it is a command, in `cli`"
)]
pub enum Request {
    Status,
    Renew,
    IdentityAdd(IdentityAdd),
    IdentityList,
    IdentityShow {
        identity: IdentityName,
    },
    IdentityRequest {
        identity: IdentityName,
    },
    IdentityCertificate {
        identity: IdentityName,
        generation: GenerationSlot,
    },
    IdentityImport {
        identity: IdentityName,
        file: Vec<u8>,
    },
    IssuerCreate {
        issuer: IssuerName,
        common_name: String,
    },
    IssuerShow {
        issuer: IssuerName,
    },
    IssuerCrl {
        issuer: IssuerName,
    },
    SignerCreate {
        issuer: IssuerName,
    },
    SignerImport {
        key: zeroize::Zeroizing<String>,
        chain: String,
    },
    SignerShow,
    RotationStart {
        identity: IdentityName,
    },
    RotationShow {
        identity: IdentityName,
    },
    RotationWaive {
        identity: IdentityName,
        destination: Destination,
        gate: Gate,
        by: String,
        reason: String,
    },
    RotationDecide {
        identity: IdentityName,
        decision: Decision,
        by: String,
        reason: String,
    },
    ExchangeAcknowledge(Statement),
    ExchangeReceive {
        mail: Vec<u8>,
    },
    ExchangeStatus,
    Probe {
        identity: IdentityName,
        destination: Destination,
        generation: GenerationSlot,
    },
}

impl Request {
    /// Whether it leaves everything as it is.
    pub fn is_read_only(&self) -> bool {
        matches!(
            self,
            Self::Status
                | Self::IdentityList
                | Self::IdentityShow { .. }
                | Self::IdentityRequest { .. }
                | Self::IdentityCertificate { .. }
                | Self::IssuerShow { .. }
                | Self::SignerShow
                | Self::RotationShow { .. }
                | Self::ExchangeStatus
                | Self::Probe { .. }
        )
    }
}

/// An answer. With `--json` it is printed as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
#[allow(missing_docs, reason = "each wraps a documented view")]
pub enum Reply {
    Status(StatusView),
    Standing(StandingView),
    Identities {
        schema: u32,
        identities: Vec<IdentityView>,
    },
    Identity(IdentityView),
    Rotation(RotationView),
    Renewed(RenewView),
    Received(LetterView),
    Inbox {
        schema: u32,
        mails: Vec<InboxView>,
    },
    Pem(PemView),
    Probe {
        schema: u32,
        #[serde(flatten)]
        report: Box<ProbeReport>,
    },
}
