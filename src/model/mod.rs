//! Layer 0: the domain, pure. No I/O, no async, no clock of its own; imports nothing from outside.
//!
//! The words are those of `docs/TERMS.md`. What is written here is either a value that cannot be
//! wrong once it exists (names, fingerprints, validities), a fact that was seen (certificate facts,
//! evidence), or the story of a rotation with its one transition function.

pub mod audit;
mod certificate;
mod code;
mod evidence;
mod finding;
mod fingerprint;
mod gateway;
mod history;
mod identity;
mod issuer;
mod key;
mod letter;
mod name;
mod partner;
mod restoration;
pub mod rotation;
mod text;
mod time;

pub use certificate::{
    CertificateFacts, ChainFacts, ExtendedKeyUsage, KeyUsage, OrderFault, SerialNumber,
};
pub use code::{CodeHash, PendingCode};
pub use evidence::{
    Acknowledgement, Activation, AddressEvidence, AppliedBy, CertificateSummary, Channel,
    ConnectorReport, Control, ControlEvidence, OtherChain, ProbeReport, Tier, VerbEvidence,
    Verdict,
};
pub use finding::{Check, Finding, Outcome, Sureness};
pub use fingerprint::{Fingerprint, KeyId, ParseFingerprintError, Sha1Fingerprint};
pub use gateway::{GatewayProduct, UnknownGateway};
pub use history::{Changed, ProbeHistory, ServerChange, Stretch, next_daily_probe};
pub use identity::{
    Generation, GenerationNumber, HexBytes, Identity, KeyOrigin, Slots, SubjectRequest,
};
pub use issuer::{Issuer, IssuerKind};
pub use key::{KeyAlgorithm, KeyState, UnknownKeyAlgorithm};
pub use letter::{LetterKind, MessageId, SealedLetter, SentLetter};
pub use name::{
    ConnectorName, Destination, EnvironmentKind, IdentityName, InvalidName, IssuerName,
    PartnerName, PolicyName,
};
pub use partner::{
    Contact, EmailAddress, Environment, InvalidEmailAddress, Partner, PinType, Role,
};
pub use restoration::{
    ForgottenKey, HeldIdentity, HeldKey, Holdings, Informant, Informants, Restoration, RestoredKey,
    StoreEvent, StoreFact, Why, restoration,
};
pub use text::{Printable, one_line};
pub use time::{Clock, InvalidLapse, InvertedValidity, Lapse, Validity};
