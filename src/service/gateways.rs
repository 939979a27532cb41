//! What a partner is to install, for any product: from the store, or from loose certificates.

use serde::{Deserialize, Serialize};

use super::{GenerationSlot, Service, ServiceError, identities::in_slot, probing::environment_of};
use crate::{
    gateway::{Anchors, Bundle, Order, Sheet, Spelling, host_of, sheet, spelling},
    model::{
        CertificateFacts, Destination, Fingerprint, GatewayProduct, GenerationNumber, Identity,
        IdentityName, PinType,
    },
    pki::{inspect, inspect_chain, order_chain, pem},
};

/// The name under which the file of client certificates is handed over.
const BUNDLE: &str = "clients.pem";

/// `gateway render`, from the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GatewayOrder {
    /// Which identity.
    pub identity: IdentityName,
    /// Where.
    pub destination: Destination,
    /// Which product; the one on file when nothing is said.
    pub product: Option<GatewayProduct>,
    /// What it compares; what is on file when nothing is said.
    pub pin: Option<PinType>,
    /// Whether OAuth 1.0a is used, whatever is on file.
    pub oauth: bool,
    /// Only the newer generation, as it is to be when the older one may go.
    pub alone: bool,
}

/// `gateway render`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GatewayView {
    /// 1.
    pub schema: u32,
    /// Which identity; nothing for loose files.
    pub identity: Option<IdentityName>,
    /// Where; nothing for loose files.
    pub destination: Option<Destination>,
    /// The host name under which Jira is called.
    pub host: String,
    /// What is compared.
    pub pin: PinType,
    /// The generation that is to be trusted.
    pub new: CandidateView,
    /// The one that is presented today.
    pub present: Option<CandidateView>,
    /// What to do.
    pub sheet: Sheet,
    /// What to hand over: configurations and certificates.
    pub files: Vec<GatewayFile>,
}

/// A generation, as the product knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CandidateView {
    /// Its number; nothing for loose files.
    pub generation: Option<GenerationNumber>,
    /// Its subject, printable.
    pub subject: String,
    /// SHA-256.
    pub fingerprint: Fingerprint,
    /// When it ends.
    pub not_after: jiff::Timestamp,
    /// The product's own spelling.
    pub spelling: Spelling,
}

/// A file that belongs to the sheet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GatewayFile {
    /// Its name, without a directory.
    pub name: String,
    /// Its content.
    pub content: String,
}

/// `gateway list`.
#[derive(Clone, Debug, Serialize)]
pub struct GatewayList {
    /// 1.
    pub schema: u32,
    /// All products.
    pub products: Vec<GatewayEntry>,
}

/// A product.
#[derive(Clone, Debug, Serialize)]
pub struct GatewayEntry {
    /// As `--for` and the configuration name it.
    pub name: &'static str,
    /// As people call it.
    pub title: String,
    /// How far what is rendered for it has been tried.
    pub tried: crate::gateway::Tried,
}

/// Certificates to be installed: the leaf, and its issuers up to the root where they are known.
#[derive(Clone, Debug)]
pub struct Candidate {
    generation: Option<GenerationNumber>,
    facts: CertificateFacts,
    chain: Vec<Vec<u8>>,
}

impl Candidate {
    /// From the certificates of a file, in any order; the first that is no authority is the leaf.
    pub fn from_pem(input: &[u8]) -> Result<Self, ServiceError> {
        let found = pem::certificates_from_pem(input).map_err(|e| ServiceError::from_error(&e))?;
        let said = found
            .iter()
            .map(|certificate| inspect(certificate))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| ServiceError::from_error(&e))?;
        let leaf = said.iter().find(|facts| !facts.is_ca).or(said.first());
        let facts = leaf
            .cloned()
            .ok_or_else(|| ServiceError::failed("there is no certificate"))?;
        let mut chain =
            order_chain(&found, facts.key_id).map_err(|e| ServiceError::from_error(&e))?;
        // A root is not sent, and so it is not in the order; but it is what gateways want.
        let root = found.iter().find(|candidate| is_above(&chain, candidate));
        chain.extend(root.cloned());
        Ok(Self {
            generation: None,
            facts,
            chain,
        })
    }

    /// The issuers; a self-signed certificate is its own.
    fn authorities(&self) -> &[Vec<u8>] {
        match self.facts.self_issued {
            true => &self.chain[..1],
            false => self.chain.get(1..).unwrap_or_default(),
        }
    }

    /// Whether a root is among them.
    fn is_complete(&self) -> bool {
        self.authorities()
            .last()
            .and_then(|last| inspect(last).ok())
            .is_some_and(|facts| facts.self_issued)
    }

    fn view(&self, product: GatewayProduct) -> CandidateView {
        CandidateView {
            generation: self.generation,
            subject: crate::model::one_line(&self.facts.subject),
            fingerprint: self.facts.fingerprint,
            not_after: self.facts.validity.not_after(),
            spelling: spelling(product, &self.facts),
        }
    }
}

/// Whether a certificate is the root that issued the last one of a chain.
fn is_above(chain: &[Vec<u8>], candidate: &Vec<u8>) -> bool {
    let root = inspect(candidate).is_ok_and(|facts| facts.self_issued);
    let longer: Vec<_> = chain.iter().chain([candidate]).cloned().collect();
    root && !chain.contains(candidate)
        && inspect_chain(&longer, None, &[]).is_ok_and(|chain| chain.order_fault.is_none())
}

/// What surrounds the certificates.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Which product.
    pub product: GatewayProduct,
    /// What it compares.
    pub pin: PinType,
    /// The host name under which Jira is called.
    pub host: String,
    /// Whether OAuth 1.0a is used.
    pub oauth: bool,
}

/// The sheet with everything that belongs to it.
pub fn gateway_view(
    around: &Surroundings,
    new: &Candidate,
    present: Option<&Candidate>,
) -> Result<GatewayView, ServiceError> {
    let issuer = match new.authorities().last() {
        Some(last) => inspect(last).map_or_else(|_| new.facts.issuer.clone(), |facts| facts.issuer),
        None => new.facts.issuer.clone(),
    };
    let order = Order {
        product: around.product,
        pin: around.pin,
        host: &around.host,
        new: &new.facts,
        present: present.map(|candidate| &candidate.facts),
        anchors: if !new.is_complete() {
            Anchors::Theirs { issuer: &issuer }
        } else if present.is_none_or(Candidate::is_complete) {
            Anchors::All { file: BUNDLE }
        } else {
            Anchors::New { file: BUNDLE }
        },
        oauth: around.oauth,
        until: present.map(|candidate| candidate.facts.validity.not_after()),
    };
    let sheet = sheet(&order).map_err(|unfit| {
        ServiceError::refused(unfit.to_string())
            .hint("`--for other` says in general words what is needed")
    })?;
    let files = files(&sheet, new, present);
    Ok(GatewayView {
        schema: 1,
        identity: None,
        destination: None,
        host: around.host.clone(),
        pin: around.pin,
        new: new.view(around.product),
        present: present.map(|candidate| candidate.view(around.product)),
        sheet,
        files,
    })
}

fn files(sheet: &Sheet, new: &Candidate, present: Option<&Candidate>) -> Vec<GatewayFile> {
    let mut files: Vec<GatewayFile> = sheet
        .steps
        .iter()
        .filter_map(|step| {
            Some(GatewayFile {
                name: step.file.clone()?,
                content: format!("{}\n", step.lines.as_deref()?),
            })
        })
        .collect();
    let mut put = |name: String, certificates: &[Vec<u8>]| {
        if !certificates.is_empty() {
            let content = certificates.iter().map(|der| pem::certificate_pem(der));
            files.push(GatewayFile {
                name,
                content: content.collect(),
            });
        }
    };
    let mut bundle: Vec<Vec<u8>> = Vec::new();
    let both = [Some(("new", new)), present.map(|p| ("present", p))];
    for (which, candidate) in both.into_iter().flatten() {
        let wanted = match sheet.bundle {
            Bundle::Authorities => candidate.authorities(),
            Bundle::Certificates => &candidate.chain[..1],
        };
        for certificate in wanted {
            if !bundle.contains(certificate) {
                bundle.push(certificate.clone());
            }
        }
        put(format!("{which}.pem"), &candidate.chain[..1]);
        match (sheet.product, candidate.authorities()) {
            (GatewayProduct::AzureApplicationGateway, chain) => {
                put(format!("chain-{which}.pem"), chain);
            }
            (GatewayProduct::Caddy, [.., root]) => {
                put(format!("anchor-{which}.pem"), std::slice::from_ref(root));
            }
            _ => {}
        }
    }
    put(BUNDLE.to_owned(), &bundle);
    files
}

/// Every product, with how far its sheets have been tried.
pub fn gateway_list() -> GatewayList {
    let products = GatewayProduct::ALL.into_iter().map(|product| GatewayEntry {
        name: product.name(),
        title: product.to_string(),
        tried: crate::gateway::tried(product),
    });
    GatewayList {
        schema: 1,
        products: products.collect(),
    }
}

impl Service {
    pub(super) fn gateway(&self, wanted: &GatewayOrder) -> Result<GatewayView, ServiceError> {
        let config = self.config();
        let (identity, destination) = (&wanted.identity, &wanted.destination);
        let found = self.existing(identity)?.value;
        let environment = environment_of(&config, identity, destination)?;
        let next = self.candidate(&found, GenerationSlot::Next)?;
        let current = self.candidate(&found, GenerationSlot::Current)?;
        let previous = self.candidate(&found, GenerationSlot::Previous)?;
        let (new, present) = match (next, current) {
            (Some(next), current) => (next, current),
            (None, Some(current)) => (current, previous),
            (None, None) => {
                return Err(
                    ServiceError::refused(format!("{identity} has no certificate yet"))
                        .hint(format!("countersign identity show {identity}")),
                );
            }
        };
        let around = Surroundings {
            product: wanted.product.unwrap_or(environment.gateway),
            pin: wanted.pin.unwrap_or(environment.pin),
            host: host_of(&environment.endpoint).to_owned(),
            oauth: wanted.oauth || environment.oauth,
        };
        let present = present.filter(|_| !wanted.alone);
        let view = gateway_view(&around, &new, present.as_ref())?;
        Ok(GatewayView {
            identity: Some(identity.clone()),
            destination: Some(destination.clone()),
            ..view
        })
    }

    /// The generation in a slot, if it has a certificate, with the root of our own authority where that issued it.
    fn candidate(
        &self,
        identity: &Identity,
        slot: GenerationSlot,
    ) -> Result<Option<Candidate>, ServiceError> {
        let Ok(number) = in_slot(identity, slot) else {
            return Ok(None);
        };
        let generation = self.records.generation(&identity.name, number)?;
        let Some((facts, chain)) = generation
            .map(|found| found.value)
            .and_then(|found| Some((found.leaf?, found.chain)))
            .filter(|(_, chain)| !chain.is_empty())
        else {
            return Ok(None);
        };
        let mut chain: Vec<Vec<u8>> = chain.into_iter().map(|certificate| certificate.0).collect();
        if let Some(authority) = self.records.authority(&identity.issuer)?
            && chain.last() == Some(&authority.value.issuing.0)
        {
            chain.push(authority.value.root.0);
        }
        Ok(Some(Candidate {
            generation: Some(number),
            facts,
            chain,
        }))
    }
}

#[cfg(test)]
mod tests {
    use countersign_peers::{Authority, Identity as Peer};

    use super::*;

    fn candidate(text: &str) -> Candidate {
        Candidate::from_pem(text.as_bytes()).unwrap()
    }

    fn around(product: GatewayProduct) -> Surroundings {
        Surroundings {
            product,
            pin: PinType::Certificate,
            host: "jira.test".into(),
            oauth: false,
        }
    }

    fn file<'a>(view: &'a GatewayView, name: &str) -> &'a str {
        let found = view.files.iter().find(|file| file.name == name);
        &found.unwrap_or_else(|| panic!("{view:#?}")).content
    }

    fn normal(pem: &str) -> String {
        pem.replace("\r\n", "\n")
    }

    fn peers() -> (Authority, Authority, Peer, Peer) {
        let root = Authority::root("root");
        let issuing = root.intermediate("issuing");
        let (new, present) = (issuing.client("next.test"), issuing.client("now.test"));
        (root, issuing, new, present)
    }

    #[test]
    fn loose_certificates_in_any_order_become_authorities_once_and_leaves_each() {
        let (root, issuing, new, present) = peers();
        let text = root.pem() + &issuing.pem() + &new.certificate_pem();
        let (new_one, old_one) = (
            candidate(&text),
            candidate(&(present.chain_pem() + &root.pem())),
        );
        let view = gateway_view(&around(GatewayProduct::Nginx), &new_one, Some(&old_one)).unwrap();
        assert_eq!(
            normal(file(&view, "clients.pem")),
            normal(&(issuing.pem() + &root.pem()))
        );
        assert_eq!(
            normal(file(&view, "new.pem")),
            normal(&new.certificate_pem())
        );
        assert_eq!(
            normal(file(&view, "present.pem")),
            normal(&present.certificate_pem())
        );
        assert!(file(&view, "countersign-map.conf").contains(&new.sha1_lower()));
    }

    #[test]
    fn a_product_that_compares_nothing_is_given_the_certificates_and_no_authority() {
        let (root, _, new, present) = peers();
        let both = [&new, &present].map(|peer| candidate(&(peer.chain_pem() + &root.pem())));
        let view = gateway_view(&around(GatewayProduct::Traefik), &both[0], Some(&both[1]));
        assert_eq!(
            normal(file(&view.unwrap(), "clients.pem")),
            normal(&(new.certificate_pem() + &present.certificate_pem()))
        );
    }

    #[test]
    fn azure_application_gateway_gets_a_chain_with_one_root_for_each_generation() {
        let (root, issuing, new, _) = peers();
        let present = Authority::root("old root").client("now.test");
        let view = gateway_view(
            &around(GatewayProduct::AzureApplicationGateway),
            &candidate(&(new.chain_pem() + &root.pem())),
            Some(&candidate(&present.chain_pem())),
        )
        .unwrap();
        assert_eq!(
            normal(file(&view, "chain-new.pem")),
            normal(&(issuing.pem() + &root.pem()))
        );
        // Nothing of the old root was at hand.
        assert!(
            view.files
                .iter()
                .all(|file| file.name != "chain-present.pem")
        );
    }

    #[test]
    fn caddy_gets_each_root_in_a_file_of_its_own() {
        let (root, _, new, _) = peers();
        let old = Authority::root("old root");
        let view = gateway_view(
            &around(GatewayProduct::Caddy),
            &candidate(&(new.chain_pem() + &root.pem())),
            Some(&candidate(
                &(old.client("now.test").chain_pem() + &old.pem()),
            )),
        )
        .unwrap();
        for (name, authority) in [("anchor-new.pem", root), ("anchor-present.pem", old)] {
            assert_eq!(normal(file(&view, name)), normal(&authority.pem()));
        }
    }

    #[test]
    fn without_the_root_the_sheet_names_it_instead_of_an_incomplete_file() {
        let (_, _, new, _) = peers();
        let view = gateway_view(
            &around(GatewayProduct::Nginx),
            &candidate(&new.chain_pem()),
            None,
        )
        .unwrap();
        assert!(
            view.sheet.steps[0].what.contains("CN=root and its root"),
            "{view:#?}"
        );
    }

    #[test]
    fn the_list_names_every_product_and_what_was_tried() {
        let list = gateway_list();
        assert_eq!(list.products.len(), GatewayProduct::ALL.len());
        let of = |name| list.products.iter().find(|p| p.name == name).unwrap().tried;
        assert_eq!(of("nginx"), crate::gateway::Tried::Loaded);
        assert_ne!(of("f5"), crate::gateway::Tried::Loaded);
    }
}
