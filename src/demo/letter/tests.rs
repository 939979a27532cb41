use zeroize::Zeroizing;

use super::*;
use crate::{
    demo::partner::Partner,
    exchange::smime::Signer,
    model::{KeyAlgorithm, Lapse, SubjectRequest, Validity},
    pki::{CertificateAuthority, PrivateKey, Profile, random_serial},
    service::system_clock,
};
