//! The vocabulary of the control socket: `POST /v1/call` with one of these as JSON.

use serde::{Deserialize, Serialize};

use super::audit::{AuditReply, AuditRequest};
use super::gateways::{GatewayOrder, GatewayView};
use super::probe_history::ProbeHistoryView;
use super::standing::StandingView;
use super::views::{
    AdoptedView, IdentityView, InboxView, LetterView, PemView, RenewView, RotationView, StatusView,
};
use crate::model::{
    Destination, EmailAddress, Fingerprint, HexBytes, IdentityName, IssuerName, KeyAlgorithm,
    PolicyName, ProbeReport, SubjectRequest,
    rotation::{Decision, Gate},
};
use crate::records::SecretBytes;

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

/// An identity that is in use already.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityAdopt {
    /// Our name for it.
    pub identity: IdentityName,
    /// What certifies its next generations.
    pub issuer: IssuerName,
    /// The rules that it lives by.
    pub policy: PolicyName,
    /// The private key, PKCS#8.
    pub key: SecretBytes,
    /// The certificates, DER, in any order.
    pub certificates: Vec<HexBytes>,
    /// The host names of the next generations; those of this one when nothing is said.
    pub names: Vec<String>,
    /// The kind of key that the next generation gets; the policy's when nothing is said.
    pub key_algorithm: Option<KeyAlgorithm>,
    /// The files that it came from, for the audit log.
    pub from: String,
    /// Who says that it is in use.
    pub by: String,
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
    Audit(AuditRequest),
    Status,
    Renew,
    IdentityAdd(IdentityAdd),
    IdentityAdopt(IdentityAdopt),
    IdentityList {
        #[serde(default)]
        after: Option<IdentityName>,
        #[serde(default)]
        limit: Option<u32>,
    },
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
    IdentityReinstate {
        identity: IdentityName,
        by: String,
        reason: Option<String>,
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
    ProbeHistory {
        identity: IdentityName,
        destination: Option<Destination>,
    },
    GatewayRender(GatewayOrder),
    Probe {
        identity: IdentityName,
        destination: Destination,
        generation: GenerationSlot,
    },
}

impl Request {
    /// The name by which it is called, here and in the audit log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Audit(request) => request.name(),
            Self::Status => "status",
            Self::Renew => "renew",
            Self::IdentityAdd(_) => "identity-add",
            Self::IdentityAdopt(_) => "identity-adopt",
            Self::IdentityList { .. } => "identity-list",
            Self::IdentityShow { .. } => "identity-show",
            Self::IdentityRequest { .. } => "identity-request",
            Self::IdentityCertificate { .. } => "identity-certificate",
            Self::IdentityImport { .. } => "identity-import",
            Self::IdentityReinstate { .. } => "identity-reinstate",
            Self::IssuerCreate { .. } => "issuer-create",
            Self::IssuerShow { .. } => "issuer-show",
            Self::IssuerCrl { .. } => "issuer-crl",
            Self::SignerCreate { .. } => "signer-create",
            Self::SignerImport { .. } => "signer-import",
            Self::SignerShow => "signer-show",
            Self::RotationStart { .. } => "rotation-start",
            Self::RotationShow { .. } => "rotation-show",
            Self::RotationWaive { .. } => "rotation-waive",
            Self::RotationDecide { .. } => "rotation-decide",
            Self::ExchangeAcknowledge(_) => "exchange-acknowledge",
            Self::ExchangeReceive { .. } => "exchange-receive",
            Self::ExchangeStatus => "exchange-status",
            Self::GatewayRender(_) => "gateway-render",
            Self::Probe { .. } => "probe",
            Self::ProbeHistory { .. } => "probe-history",
        }
    }

    /// What it is about, in a few words: for the refusal of it. Nothing of a file or a mail.
    pub fn about(&self) -> String {
        match self {
            Self::IdentityAdd(add) => add.identity.to_string(),
            Self::IdentityAdopt(adopt) => adopt.identity.to_string(),
            Self::IdentityImport { identity, .. }
            | Self::IdentityReinstate { identity, .. }
            | Self::RotationStart { identity } => identity.to_string(),
            Self::RotationWaive {
                identity,
                destination,
                gate,
                by,
                reason,
            } => format!("{gate} of {identity} at {destination}, by {by}: {reason}"),
            Self::RotationDecide {
                identity,
                decision,
                by,
                reason,
            } => format!(
                "{} {identity}, by {by}: {reason}",
                match decision {
                    Decision::Abandon => "abandon",
                    Decision::RollBack => "roll back",
                    Decision::Retry => "retry",
                }
            ),
            Self::ExchangeAcknowledge(said) => format!(
                "{} for {}, {} by {}, by {}: {}",
                said.fingerprint,
                said.destination,
                said.identity,
                said.contact,
                said.by,
                said.verified
            ),
            Self::IssuerCreate { issuer, .. }
            | Self::IssuerCrl { issuer }
            | Self::SignerCreate { issuer } => issuer.to_string(),
            _ => String::new(),
        }
    }

    /// Whether it leaves everything as it is.
    pub fn is_read_only(&self) -> bool {
        if let Self::Audit(request) = self {
            return request.is_read_only();
        }
        matches!(
            self,
            Self::Status
                | Self::IdentityList { .. }
                | Self::IdentityShow { .. }
                | Self::IdentityRequest { .. }
                | Self::IdentityCertificate { .. }
                | Self::IssuerShow { .. }
                | Self::SignerShow
                | Self::RotationShow { .. }
                | Self::ExchangeStatus
                | Self::GatewayRender(_)
                | Self::Probe { .. }
                | Self::ProbeHistory { .. }
        )
    }
}

/// An answer. With `--json` it is printed as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
#[allow(missing_docs, reason = "each wraps a documented view")]
pub enum Reply {
    Audit(AuditReply),
    Status(StatusView),
    Standing(StandingView),
    Identities {
        schema: u32,
        identities: Vec<IdentityView>,
        /// What the next page comes after; nothing when there is none.
        next: Option<IdentityName>,
    },
    Identity(IdentityView),
    Adopted(AdoptedView),
    Rotation(RotationView),
    Renewed(RenewView),
    Received(LetterView),
    Inbox {
        schema: u32,
        mails: Vec<InboxView>,
    },
    Pem(PemView),
    ProbeHistory(ProbeHistoryView),
    Gateway(Box<GatewayView>),
    Probe {
        schema: u32,
        #[serde(flatten)]
        report: Box<ProbeReport>,
    },
}
