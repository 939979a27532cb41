//! The program as its users meet it: the real binary against real peers.
//!
//! Nothing is simulated: nginx is the partner's gateway, Postfix their mail server, `openssl cms` their mail program.
//! What has to die at a chosen append needs `--features fault-injection`; `scripts/test` gives it.

// Clippy's leave for tests does not reach their helpers.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

/// The surroundings: configuration, peers, daemon, and what a partner does with a letter.
#[cfg_attr(
    not(feature = "fault-injection"),
    allow(dead_code, reason = "some of it is for programs that die")
)]
mod world;

/// The whole story, over TLS 1.2 and TLS 1.3.
mod story;

/// An endpoint, and a person without a store.
mod endpoint;

/// The probe, of endpoints that stand in no configuration.
mod probe_url;

/// The probe's one login by OAuth 1.0a.
mod probe_oauth;

/// The probe of an identity of the store.
mod probe_store;

/// Limits and proxies between us and Jira.
mod probe_between;

/// What the contact finds in the mailbox.
mod story_mail;

/// Self-signed certificates, and those of the partner's own authority.
mod story_issuers;

/// Identities that reach their programs as files.
mod story_files;

/// Rotations that nobody begins.
mod story_schedule;

/// Daemons that are stopped and killed while a rotation is under way.
mod story_restarts;

/// Two machines that share a store, of which one leads.
mod pair;

/// What opens the store that two machines share, and its master key.
mod pair_secrets;

/// A pair of which the leader dies or stands still at appends to a journal.
#[cfg(feature = "fault-injection")]
mod pair_faults;

/// Death at every append to a journal.
#[cfg(feature = "fault-injection")]
mod story_kills;

/// Daemons that are killed at random, over and over.
mod story_sigkill;

/// Daemons whose disk fills up.
mod story_disks;

/// Which layer may know which.
mod architecture;

/// An installation without a partner.
mod cli_home;

/// The quick start, the shipped policies and the demonstration, as a first user meets them.
mod quick_start;

/// Making and opening a store.
mod cli_store;

/// Backups, taken, looked into and refused.
mod backup;

/// What comes back from a backup after a rotation, and what must not.
mod restore;

/// Stores of older and newer versions.
mod migrate;

/// The command line and the daemon.
mod cli_daemon;

/// Daemons that have no secret at hand.
mod sealed;

/// Several secrets that open one store.
mod slots;

/// Slots that a key on a PKCS#11 token opens.
mod tokens;

/// Daemons and tokens.
mod tokens_daemon;

/// The master key is replaced.
mod rekey;

/// Secrets in the memory of a running daemon.
mod memory;

/// Exit codes, JSON, help, completions.
mod cli_output;
/// Lists that come in pages.
mod cli_pages;

/// Certificates that are not what was asked for.
mod refusals_import;

/// What is in the files that people have.
mod import_inspect;

/// Identities that were in use before.
mod import_adopt;

/// Replies that are not what they seem.
mod refusals_mail;

/// Certificates, requests and revocation lists, judged by others.
mod certificates;

/// Who did what, when, and on what evidence.
mod audit;

/// The log in other hands.
mod audit_export;

/// Secrets and names, searched for where they do not belong.
mod leaks;

/// What is rendered for gateways, loaded by them.
mod gateway_pack;

/// What is rendered for gateways that do not run here, before parsers.
mod gateway_parsers;

/// Rules that compare by themselves, run outside of their products.
mod gateway_rules;

/// `gateway render` and `gateway list`, as people run them.
mod gateway_render;

/// Probes of what the store holds.
mod probe_places;

/// The page for a ticket, in a browser.
mod probe_page;
