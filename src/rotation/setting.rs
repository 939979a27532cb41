//! What the configuration says about one identity, as far as its rotation is concerned.

use std::collections::BTreeMap;

use crate::{
    exchange::Sender,
    model::{Destination, Environment, Issuer, Partner, PartnerName, rotation::Scope},
    policy::Policy,
};

/// The surroundings of an identity.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The rules that it lives by.
    pub policy: Policy,
    /// What certifies it.
    pub issuer: Issuer,
    /// Who verifies it.
    pub partners: BTreeMap<PartnerName, Partner>,
    /// As whom we write; `None` when no mail is configured.
    pub sender: Option<Sender>,
    /// What stands after the `@` of our Message-IDs.
    pub message_id_host: String,
    /// What a rotation has to reach.
    pub scope: Scope,
}

impl Setting {
    /// The environment behind a destination.
    pub(super) fn environment(
        &self,
        destination: &Destination,
    ) -> Option<(&Partner, &Environment)> {
        let partner = self.partners.get(&destination.partner)?;
        Some((partner, partner.environments.get(&destination.environment)?))
    }
}
