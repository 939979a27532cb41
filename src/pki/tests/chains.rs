//! Order, completeness and belonging.

use super::{Family, days, subject};
use crate::{
    model::KeyAlgorithm,
    pki::{
        AuthorityError, CertificateAuthority, ChainError, Credentials, CredentialsError,
        IssueError, PrivateKey, Profile, inspect, inspect_chain, order_chain, other_chain, pem,
        random_serial, self_signed,
    },
};

fn alone(key: &PrivateKey) -> Vec<u8> {
    self_signed(key, &subject(), days(90), &random_serial().unwrap()).unwrap()
}

#[test]
fn a_chain_in_order_holds_for_every_algorithm() {
    for algorithm in KeyAlgorithm::ALL {
        let family = Family::new(algorithm);
        let root = vec![family.root.certificate().to_vec()];
        let facts = inspect_chain(&family.chain(), Some(family.key.key_id()), &root).unwrap();
        assert_eq!(facts.order_fault, None, "{algorithm}");
        assert_eq!(facts.key_matches, Some(true));
        assert_eq!(facts.complete, Some(true));
        assert_eq!(facts.leaf().key_algorithm, Some(algorithm));
    }
}

#[test]
fn the_first_link_that_does_not_hold_is_named() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let [leaf, issuing, root] = family.chain().try_into().unwrap();
    let fault = inspect_chain(&[leaf, root, issuing], None, &[])
        .unwrap()
        .order_fault
        .unwrap();
    assert_eq!(
        (
            fault.position,
            fault.issuer.as_str(),
            fault.next_subject.as_str()
        ),
        (0, "CN=Test Issuing", "CN=Test Root")
    );
}

#[test]
fn an_issuer_of_the_same_name_with_another_key_is_a_fault() {
    let ours = Family::new(KeyAlgorithm::EcdsaP256);
    let theirs = Family::new(KeyAlgorithm::EcdsaP256);
    let chain = [ours.leaf.clone(), theirs.issuing.certificate().to_vec()];
    let facts = inspect_chain(&chain, None, &[]).unwrap();
    let fault = facts.order_fault.unwrap();
    assert_eq!(fault.issuer, fault.next_subject);
    let anchors = [theirs.issuing.certificate().to_vec()];
    let facts = inspect_chain(&[ours.leaf], None, &anchors).unwrap();
    assert_eq!(facts.complete, Some(false));
}

#[test]
fn completeness_is_known_only_where_something_tells() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let [leaf, issuing, root] = family.chain().try_into().unwrap();
    let stranger = vec![Family::named("Other", KeyAlgorithm::EcdsaP256).chain()[2].clone()];
    let own = alone(&family.key);
    let complete = |chain: &[&Vec<u8>], anchors: &[Vec<u8>]| -> Option<bool> {
        let chain: Vec<Vec<u8>> = chain.iter().map(|der| (*der).clone()).collect();
        inspect_chain(&chain, None, anchors).unwrap().complete
    };
    let anchors = [root.clone()];
    assert_eq!(complete(&[&leaf, &issuing], &anchors), Some(true));
    assert_eq!(complete(&[&leaf, &issuing, &root], &anchors), Some(true));
    assert_eq!(complete(&[&leaf], &anchors), Some(false));
    assert_eq!(complete(&[&leaf, &issuing], &stranger), Some(false));
    assert_eq!(complete(&[&leaf, &issuing, &root], &stranger), Some(false));
    assert_eq!(complete(&[&leaf, &issuing], &[]), None);
    assert_eq!(complete(&[&leaf, &issuing, &root], &[]), Some(true));
    assert_eq!(complete(&[&own], &[]), Some(true));
    assert_eq!(complete(&[&own], &stranger), Some(true));
}

#[test]
fn certificates_pasted_in_any_order_come_out_in_the_order_of_sending() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let [leaf, issuing, root] = family.chain().try_into().unwrap();
    let stranger = Family::named("Other", KeyAlgorithm::EcdsaP256).leaf;
    let wanted = [leaf.clone(), issuing.clone()];
    for pasted in [
        vec![root.clone(), issuing.clone(), leaf.clone()],
        vec![issuing.clone(), leaf.clone()],
        vec![
            leaf.clone(),
            leaf.clone(),
            root,
            issuing.clone(),
            issuing,
            stranger,
        ],
    ] {
        assert_eq!(order_chain(&pasted, family.key.key_id()).unwrap(), wanted);
    }
}

#[test]
fn a_self_signed_leaf_stands_alone() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let own = alone(&family.key);
    let pasted = [family.root.certificate().to_vec(), own.clone()];
    assert_eq!(order_chain(&pasted, family.key.key_id()).unwrap(), [own]);
}

#[test]
fn another_way_to_send_a_leaf_is_longer_or_shorter_and_never_the_same() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let [leaf, issuing, root] = family.chain().try_into().unwrap();
    let stranger = Family::named("Other", KeyAlgorithm::EcdsaP256);
    let spare = [
        b"junk".to_vec(),
        root.clone(),
        stranger.issuing.certificate().to_vec(),
        issuing.clone(),
    ];
    let whole = vec![leaf.clone(), issuing.clone()];
    assert_eq!(
        other_chain(std::slice::from_ref(&leaf), &spare),
        Some(whole.clone())
    );
    // Nothing that is left belongs to it.
    assert_eq!(other_chain(&whole, &spare), Some(vec![leaf.clone()]));
    assert_eq!(other_chain(std::slice::from_ref(&leaf), &spare[..3]), None);
    assert_eq!(other_chain(&[alone(&family.key)], &spare), None);
    assert_eq!(other_chain(&[], &spare), None);
    assert_eq!(other_chain(&[b"junk".to_vec()], &spare), None);
}

#[test]
fn the_youngest_certificate_of_a_key_is_the_leaf() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let later = crate::model::Validity::new(super::now(), days(90).not_after()).unwrap();
    let renewed = family
        .issuing
        .issue(
            family.key.public_key(),
            &subject(),
            later,
            &random_serial().unwrap(),
            &Profile::Client,
        )
        .unwrap();
    for pasted in [
        [family.leaf.clone(), renewed.clone()],
        [renewed.clone(), family.leaf.clone()],
    ] {
        let ordered = order_chain(&pasted, family.key.key_id()).unwrap();
        assert_eq!(ordered, std::slice::from_ref(&renewed));
    }
}

#[test]
fn a_chain_for_another_key_is_refused_and_says_whose_it_is() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let other = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let refused = order_chain(&family.chain(), other.key_id()).unwrap_err();
    assert!(
        refused.to_string().contains("CN=align.acme.example"),
        "{refused}"
    );
    assert!(matches!(refused, ChainError::NoLeaf { .. }));
    assert!(matches!(
        order_chain(&[], other.key_id()),
        Err(ChainError::Empty)
    ));
    assert!(matches!(
        inspect_chain(&[], None, &[]),
        Err(ChainError::Empty)
    ));
}

#[test]
fn credentials_exist_only_when_the_leaf_certifies_the_key() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let other = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let held = other.key_id();
    match Credentials::new(family.chain(), other).unwrap_err() {
        CredentialsError::KeyMismatch { certified, held: h } => {
            assert_eq!((certified, h), (family.key.key_id(), held));
        }
        error => panic!("{error}"),
    }
    let refused = Credentials::new(vec![], family.key.clone());
    assert!(matches!(refused, Err(CredentialsError::EmptyChain)));
    let refused = Credentials::new(vec![b"0".to_vec()], family.key.clone());
    assert!(matches!(
        refused,
        Err(CredentialsError::Unreadable { position: 0, .. })
    ));
}

#[test]
fn a_bundle_is_key_leaf_and_intermediates_without_the_root() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let credentials = Credentials::new(family.chain(), family.key.clone()).unwrap();
    let bundle = credentials.bundle_pem();
    assert!(bundle.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let chain = pem::certificates_from_pem(credentials.chain_pem().as_bytes()).unwrap();
    assert_eq!(chain, family.chain()[..2]);
    assert_eq!(
        *bundle,
        [family.key.pem().as_str(), &credentials.chain_pem()].concat()
    );
    assert!(!format!("{credentials:?}").contains("pkcs8"));

    let own = alone(&family.key);
    let credentials = Credentials::new(vec![own.clone()], family.key.clone()).unwrap();
    assert_eq!(credentials.presented_chain(), [own]);
}

#[test]
fn an_authority_is_whole_again_from_its_parts_and_from_no_others() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let issuing = &family.issuing;
    let restored =
        CertificateAuthority::from_parts(issuing.chain().to_vec(), issuing.key().clone()).unwrap();
    assert_eq!(restored.certificate(), issuing.certificate());

    let refused = CertificateAuthority::from_parts(issuing.chain().to_vec(), family.key.clone());
    assert!(matches!(refused, Err(AuthorityError::Credentials { .. })));
    let refused = CertificateAuthority::from_parts(family.chain(), family.key.clone());
    assert!(matches!(refused, Err(AuthorityError::NotAuthority { .. })));
    let other = Family::named("Other", KeyAlgorithm::EcdsaP256);
    let mixed = vec![
        issuing.certificate().to_vec(),
        other.root.certificate().to_vec(),
    ];
    let refused = CertificateAuthority::from_parts(mixed, issuing.key().clone());
    assert!(matches!(refused, Err(AuthorityError::BrokenChain { .. })));
}

#[test]
fn an_authority_issues_nothing_that_outlives_it_and_no_authority_below_an_issuing_one() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let refused = family.issuing.issue(
        family.key.public_key(),
        &subject(),
        days(1801),
        &random_serial().unwrap(),
        &Profile::Client,
    );
    assert!(matches!(refused, Err(IssueError::OutlivesAuthority { .. })));
    let refused = CertificateAuthority::create_issuing(
        &family.issuing,
        "Third",
        KeyAlgorithm::EcdsaP256,
        days(1),
        &random_serial().unwrap(),
    );
    assert!(matches!(
        refused,
        Err(AuthorityError::Issue {
            source: IssueError::NotRoot { .. }
        })
    ));
}

#[test]
fn an_authority_of_one_algorithm_certifies_a_key_of_any_other() {
    let authority = Family::new(KeyAlgorithm::EcdsaP384).issuing;
    for algorithm in KeyAlgorithm::ALL {
        let key = PrivateKey::generate(algorithm).unwrap();
        let serial = random_serial().unwrap();
        let leaf = authority
            .issue(
                key.public_key(),
                &subject(),
                days(90),
                &serial,
                &Profile::Client,
            )
            .unwrap();
        let facts = inspect(&leaf).unwrap();
        assert!(facts.allows_client_auth() && !facts.is_ca);
        assert_eq!(facts.validity, days(90));
        assert_eq!((facts.key_id, facts.serial), (key.key_id(), serial));
    }
}
