//! Puts certificates in order and says where a chain does not hold. A link holds when the issuer's name is the
//! next one's subject, byte for byte, and the next one's key made the signature: equal names prove nothing.

use super::{InspectError, inspect, signed::CertificateParts};
use crate::model::{CertificateFacts, ChainFacts, KeyId, OrderFault};

/// Certificates that make no chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// None at all.
    #[error("there is no certificate")]
    Empty,
    /// None of them certifies the key.
    #[error(
        "none of these certificates certifies the key {wanted} (they are for: {}); ask the issuer for a certificate over the request that was exported last",
        .found.join("; ")
    )]
    NoLeaf {
        /// The key.
        wanted: KeyId,
        /// The subjects that were found instead.
        found: Vec<String>,
    },
    /// One of them does not parse.
    #[error("certificate {position} cannot be read (the first is 0)")]
    Unreadable {
        /// Counted from 0, as they were given.
        position: usize,
        /// Why.
        source: InspectError,
    },
    /// A trust anchor does not parse.
    #[error("trust anchor {position} cannot be read (the first is 0)")]
    UnreadableAnchor {
        /// Counted from 0, as they were given.
        position: usize,
        /// Why.
        source: InspectError,
    },
}

/// A certificate with what it says and where its parts lie.
struct Link<'a> {
    der: &'a [u8],
    facts: CertificateFacts,
    parts: CertificateParts<'a>,
}

impl<'a> Link<'a> {
    fn read(der: &'a [u8]) -> Result<Self, InspectError> {
        Ok(Self {
            der,
            facts: inspect(der)?,
            parts: CertificateParts::from_der(der)
                .map_err(|source| InspectError::Unreadable { source })?,
        })
    }

    fn is_issued_by(&self, issuer: &Link<'_>) -> bool {
        self.parts.is_issued_by(&issuer.parts)
    }
}

/// Reads a chain as it will be sent, leaf first, and finds what is wrong with it.
///
/// `key` is the key that the leaf is meant for, `anchors` are the certificates (DER) from which the other side
/// is known to start. An authority's key lasts longer than its certificate, so an anchor counts when its name and
/// key issued the last certificate, and also when it *is* the last certificate.
pub fn inspect_chain(
    chain: &[Vec<u8>],
    key: Option<KeyId>,
    anchors: &[Vec<u8>],
) -> Result<ChainFacts, ChainError> {
    let links = read_all(chain)?;
    let anchors = anchors
        .iter()
        .enumerate()
        .map(|(position, der)| {
            Link::read(der).map_err(|source| ChainError::UnreadableAnchor { position, source })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let (leaf, last) = match links.as_slice() {
        [] => return Err(ChainError::Empty),
        [only] => (only, only),
        [leaf, .., last] => (leaf, last),
    };
    Ok(ChainFacts {
        key_matches: key.map(|key| leaf.facts.key_id == key),
        order_fault: links
            .windows(2)
            .enumerate()
            .find(|(_, pair)| !pair[0].is_issued_by(&pair[1]))
            .map(|(position, pair)| OrderFault {
                position,
                issuer: pair[0].facts.issuer.clone(),
                next_subject: pair[1].facts.subject.clone(),
            }),
        complete: is_complete(last, links.len() == 1, &anchors),
        certificates: links.into_iter().map(|link| link.facts).collect(),
    })
}

fn is_complete(last: &Link<'_>, alone: bool, anchors: &[Link<'_>]) -> Option<bool> {
    if anchors
        .iter()
        .any(|anchor| anchor.der == last.der || last.is_issued_by(anchor))
    {
        return Some(true);
    }
    if anchors.is_empty() || alone {
        // With nothing to compare, a chain that goes up to a root at least lacks no link.
        if last.facts.self_issued {
            return Some(last.parts.is_self_signed());
        }
        if anchors.is_empty() {
            return None;
        }
    }
    Some(false)
}

/// Puts certificates that were given in any order into the order in which they are sent: the one that certifies
/// `leaf`, then each one's issuer. Duplicates, certificates that belong to no link, and a root at the end are
/// left out; a self-signed leaf stands alone.
///
/// Where several certify the key, as after a renewal, the one that begins last is taken.
pub fn order_chain(certificates: &[Vec<u8>], leaf: KeyId) -> Result<Vec<Vec<u8>>, ChainError> {
    let mut rest = read_all(certificates)?;
    let Some(first) = rest
        .iter()
        .enumerate()
        .filter(|(_, link)| link.facts.key_id == leaf)
        .max_by_key(|(_, link)| link.facts.validity.not_before())
        .map(|(position, _)| position)
    else {
        if rest.is_empty() {
            return Err(ChainError::Empty);
        }
        return Err(ChainError::NoLeaf {
            wanted: leaf,
            found: rest.into_iter().map(|link| link.facts.subject).collect(),
        });
    };
    let mut ordered = vec![rest.swap_remove(first)];
    // A copy of a link, or a second certificate for the same key and name, is no further link.
    rest.retain(|link| !link.parts.is_self_signed());
    while let Some(next) = ordered
        .last()
        .filter(|last| !last.parts.is_self_signed())
        .and_then(|last| {
            rest.iter().position(|link| {
                last.is_issued_by(link) && ordered.iter().all(|used| used.der != link.der)
            })
        })
    {
        ordered.push(rest.swap_remove(next));
    }
    Ok(ordered.into_iter().map(|link| link.der.to_vec()).collect())
}

/// Another way to send the same leaf: continued by what it lacks, through another certificate of one of its issuers, or,
/// where `spare` has neither, alone. `None` when there is no other way. What cannot be read in `spare` is passed over,
/// and so are roots, which nobody needs to be sent.
pub fn other_chain(sent: &[Vec<u8>], spare: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let links = read_all(sent).ok()?;
    let mut pool: Vec<Link<'_>> = spare
        .iter()
        .filter(|der| !sent.contains(der))
        .filter_map(|der| Link::read(der).ok())
        .filter(|link| !link.parts.is_self_signed())
        .collect();
    // The end first: what continues a chain changes nothing of it.
    for kept in (1..=links.len()).rev() {
        let last = &links[kept - 1];
        let Some(found) = pool.iter().position(|link| last.is_issued_by(link)) else {
            continue;
        };
        let mut other: Vec<&[u8]> = links[..kept].iter().map(|link| link.der).collect();
        let mut next = Some(found);
        while let Some(position) = next {
            let link = pool.swap_remove(position);
            other.push(link.der);
            next = pool.iter().position(|issuer| link.is_issued_by(issuer));
        }
        return Some(other.into_iter().map(<[u8]>::to_vec).collect());
    }
    (sent.len() > 1).then(|| vec![sent[0].clone()])
}

fn read_all(certificates: &[Vec<u8>]) -> Result<Vec<Link<'_>>, ChainError> {
    certificates
        .iter()
        .enumerate()
        .map(|(position, der)| {
            Link::read(der).map_err(|source| ChainError::Unreadable { position, source })
        })
        .collect()
}
