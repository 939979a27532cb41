//! What is due, what is under way, and pages of the rest: nothing here looks at what it does not show.

use std::collections::BTreeSet;

use super::{IdentityView, Service, ServiceError, Totals};
use crate::{
    model::{IdentityName, audit::Author, rotation::RotationReason},
    rotation::{Due, due},
};

/// How many identities a page has unless another number is asked for, and the most that it has.
const PAGE: usize = 500;
const LONGEST_PAGE: usize = 5_000;

/// How many identities a summary shows.
const SHOWN: usize = 100;

impl Service {
    /// The identities with a rotation in progress.
    pub fn rotating(&self) -> Result<Vec<IdentityName>, ServiceError> {
        Ok(self.records.under_way()?)
    }

    /// Plans the rotations whose lead times say that it is time. One that cannot be planned hinders no other.
    pub fn begin_due(&self, by: &Author) -> Result<Vec<IdentityName>, ServiceError> {
        let (config, now) = (self.config(), self.clock.now());
        let mut begun = Vec::new();
        for (name, policy) in &config.policies {
            let mut candidates = Vec::new();
            self.records.each_expiring(name, |expiring| {
                let is_due = policy.lead_time.begin_by(expiring.not_after) <= now;
                if is_due {
                    candidates.push(expiring.identity);
                }
                // The ends come in order, and each is due the same time before.
                is_due
            })?;
            for candidate in candidates {
                let Some(identity) = self.records.identity(&candidate)? else {
                    continue;
                };
                let current = match identity.value.slots.current {
                    Some(number) => self.records.generation(&candidate, number)?,
                    None => None,
                };
                let current = current.map(|generation| generation.value);
                if !matches!(
                    due(&identity.value, current.as_ref(), policy, now),
                    Due::Now { .. }
                ) {
                    continue;
                }
                match self.plan(by, &identity, RotationReason::Scheduled) {
                    Ok(()) => begun.push(candidate),
                    Err(error) => {
                        tracing::error!(identity = %candidate, "could not plan its rotation: {error}");
                    }
                }
            }
        }
        Ok(begun)
    }

    /// The identities whose names come after `after`: a page of them, and what the next one comes after.
    pub(super) fn identities(
        &self,
        after: Option<&IdentityName>,
        limit: Option<u32>,
    ) -> Result<(Vec<IdentityView>, Option<IdentityName>), ServiceError> {
        let limit = limit.map_or(PAGE, |limit| limit as usize);
        let limit = limit.clamp(1, LONGEST_PAGE);
        // One more than is shown tells whether there are more.
        let mut page = self.records.identities_after(after, limit + 1)?;
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page
            .last()
            .filter(|_| more)
            .map(|last| last.value.name.clone());
        let views = page
            .into_iter()
            .map(|identity| self.view_of(identity.value))
            .collect::<Result<_, _>>()?;
        Ok((views, next))
    }

    /// How many identities there are.
    pub(super) fn totals(&self) -> Result<Totals, ServiceError> {
        let (config, now) = (self.config(), self.clock.now());
        let mut due = 0;
        for (name, policy) in &config.policies {
            let ends_by = policy.lead_time.total().after(now);
            due += self.records.count_expiring(name, ends_by)?;
        }
        Ok(Totals {
            identities: self.records.count_identities()?,
            under_way: self.records.count_under_way()?,
            due,
        })
    }

    /// All identities while they are few, by name; else those under way, then those that expire first.
    pub(super) fn most_pressing(&self, totals: &Totals) -> Result<Vec<IdentityView>, ServiceError> {
        if totals.identities <= SHOWN as u64 {
            return Ok(self.identities(None, Some(SHOWN as u32))?.0);
        }
        let mut names = self.records.under_way()?;
        names.truncate(SHOWN);
        let mut expiring = BTreeSet::new();
        for policy in self.config().policies.keys() {
            let mut of_policy = 0;
            self.records.each_expiring(policy, |next| {
                expiring.insert((next.not_after, next.identity));
                of_policy += 1;
                of_policy < SHOWN
            })?;
        }
        names.extend(expiring.into_iter().map(|(_, identity)| identity));
        names.truncate(SHOWN);
        names.iter().map(|name| self.identity_view(name)).collect()
    }
}
