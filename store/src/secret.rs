//! What opens a store: a passphrase, a key file, a token with its PIN. None is ever printed, all are wiped.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::files::{IoContext, create_private, sync_parent};
use crate::token::{Token, TokenPlace};

const KEY_BYTES: usize = 32;

/// How many hexadecimal digits a key file holds.
pub(crate) const KEY_FILE_DIGITS: usize = 2 * KEY_BYTES;

/// The secret with which a store is opened.
#[derive(Debug)]
pub enum Unlock {
    /// Something that a person remembers; stretched by Argon2id.
    Passphrase(Passphrase),
    /// A passphrase that a service manager hands over. It opens what the same text opens when it is
    /// typed; a slot that is made with it says where it comes from.
    Credential(Passphrase),
    /// Random bytes in a file.
    KeyFile(KeyFile),
    /// A private key on a PKCS#11 token, which is asked when the store is opened.
    Token(Token),
}

impl Unlock {
    /// What to call this secret in a message.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "passphrase",
            Self::Credential(_) => "credential",
            Self::KeyFile(_) => "key file",
            Self::Token(_) => "token",
        }
    }

    /// Whether it is a text of no length, which guards nothing.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Passphrase(text) | Self::Credential(text) => text.is_empty(),
            Self::KeyFile(_) | Self::Token(_) => false,
        }
    }

    /// This secret as bytes, to be handed to another process that opens the store. They are as
    /// secret as it is. Of a token these are its PIN and which token and key are meant, and *not* the module:
    /// nobody makes another process load a library.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let (kind, secret) = match self {
            Self::Passphrase(passphrase) => (PASSPHRASE, passphrase.as_bytes()),
            Self::Credential(passphrase) => (CREDENTIAL, passphrase.as_bytes()),
            Self::KeyFile(key) => (KEY_FILE, key.as_bytes()),
            Self::Token(token) => {
                let mut bytes = token.encode();
                bytes.insert(0, TOKEN);
                return bytes;
            }
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + secret.len()));
        bytes.push(kind);
        bytes.extend_from_slice(secret);
        bytes
    }

    /// What [`encode`](Self::encode) encoded. `place` says where this process looks for tokens, if it does.
    ///
    /// # Errors
    /// [`UnknownSecret`] when it is of no known form, or of a token and there is no place to look for one.
    pub fn decode(bytes: &[u8], place: Option<&TokenPlace>) -> Result<Self, UnknownSecret> {
        let (kind, secret) = bytes.split_first().ok_or(UnknownSecret::Form)?;
        let text = || {
            let text = std::str::from_utf8(secret).map_err(|_| UnknownSecret::Form)?;
            Ok(Passphrase::new(text.to_owned().into()))
        };
        match *kind {
            PASSPHRASE => Ok(Self::Passphrase(text()?)),
            CREDENTIAL => Ok(Self::Credential(text()?)),
            KEY_FILE => {
                if secret.len() != KEY_BYTES {
                    return Err(UnknownSecret::Form);
                }
                Ok(Self::KeyFile(KeyFile(Zeroizing::new(secret.to_vec()))))
            }
            TOKEN => {
                let place = place.ok_or(UnknownSecret::NoModule)?;
                let token = Token::decode(secret, place).ok_or(UnknownSecret::Form)?;
                Ok(Self::Token(token))
            }
            _ => Err(UnknownSecret::Form),
        }
    }
}

/// Why a secret that another process handed over is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownSecret {
    /// Bytes that no known version of this program writes.
    #[error("a secret came in a form that is not understood")]
    Form,
    /// A token's PIN, for a process that has no PKCS#11 module.
    #[error("the PIN of a token came, and no PKCS#11 module is configured here")]
    NoModule,
}

// The first byte of an encoded secret.
const PASSPHRASE: u8 = b'p';
const CREDENTIAL: u8 = b'c';
const KEY_FILE: u8 = b'k';
const TOKEN: u8 = b't';

/// A passphrase, as typed. Its bytes are used as they are: no trimming, no Unicode normalisation.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes over a passphrase that was read from a person or a credential.
    #[must_use]
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// A random key in a file: 64 hexadecimal digits (256 bits) and a line end, so that
/// `openssl rand -hex 32` makes one too.
pub struct KeyFile(
    // On the heap: what is moved about leaves no copies of it on the stack.
    Zeroizing<Vec<u8>>,
);

impl KeyFile {
    /// Makes a new key in a new file that only its owner can read, durable before this returns.
    ///
    /// # Errors
    /// [`Error::Io`] when the file exists or cannot be written, [`Error::Random`].
    pub fn generate(path: &Path) -> Result<Self> {
        let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
        getrandom::fill(&mut key).map_err(|source| Error::Random { source })?;
        let mut text = Zeroizing::new(vec![b'\n'; KEY_FILE_DIGITS + 1]);
        hex::encode_to_slice(&*key, &mut text[..KEY_FILE_DIGITS]).map_err(|_| {
            Error::MalformedKeyFile {
                path: path.to_owned(),
            }
        })?;
        let mut file = create_private(path)?;
        file.write_all(&text).while_trying("write", path)?;
        file.sync_all().while_trying("make durable", path)?;
        sync_parent(path)?;
        Ok(Self(key))
    }

    /// Reads a key from a file that nobody but its owner can read.
    ///
    /// # Errors
    /// [`Error::ExposedKeyFile`] when group or others have rights on it,
    /// [`Error::MalformedKeyFile`] when it holds anything but a key, [`Error::Io`].
    pub fn read(path: &Path) -> Result<Self> {
        let malformed = || Error::MalformedKeyFile {
            path: path.to_owned(),
        };
        let file = File::open(path).while_trying("open key file", path)?;
        let metadata = file.metadata().while_trying("inspect", path)?;
        if !metadata.is_file() {
            return Err(malformed());
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 && !acl::is_for_this_user_only(&file, &metadata) {
            return Err(Error::ExposedKeyFile {
                path: path.to_owned(),
                mode,
            });
        }
        // Room for the longest acceptable content and one byte more, so that the buffer never
        // moves and leaves a copy behind.
        let longest = KEY_FILE_DIGITS + 2;
        let mut text = Zeroizing::new(Vec::with_capacity(longest + 1));
        file.take(longest as u64 + 1)
            .read_to_end(&mut text)
            .while_trying("read", path)?;
        if text.len() > longest {
            return Err(malformed());
        }
        let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
        hex::decode_to_slice(text.trim_ascii_end(), &mut key).map_err(|_| malformed())?;
        Ok(Self(key))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile(..)")
    }
}

/// Service managers hand a credential over as root's file with an access list naming the service's
/// user; the group bits of such a file are the list's mask and say nothing about the group.
mod acl {
    use std::fs::{File, Metadata};
    use std::os::unix::fs::MetadataExt;

    /// From `linux/posix_acl_xattr.h` and `linux/posix_acl.h`.
    const VERSION: u32 = 2;
    const USER_OBJ: u16 = 0x01;
    const USER: u16 = 0x02;
    const MASK: u16 = 0x10;
    const ENTRY: usize = 8;

    pub(super) fn is_for_this_user_only(file: &File, metadata: &Metadata) -> bool {
        let mut list = [0; 4 + 16 * ENTRY];
        let Ok(length) =
            rustix::fs::fgetxattr(file, "system.posix_acl_access", list.as_mut_slice())
        else {
            return false;
        };
        let me = rustix::process::geteuid().as_raw();
        metadata.uid() == 0 && grants_only(&list[..length], me)
    }

    /// Whether an access list gives rights to the file's owner and to `user`, and to nobody else.
    pub(super) fn grants_only(list: &[u8], user: u32) -> bool {
        let Some((version, entries)) = list.split_first_chunk() else {
            return false;
        };
        let (entries, rest) = entries.as_chunks::<ENTRY>();
        u32::from_le_bytes(*version) == VERSION
            && rest.is_empty()
            && entries.iter().all(|&[t0, t1, p0, p1, i0, i1, i2, i3]| {
                match u16::from_le_bytes([t0, t1]) {
                    USER_OBJ | MASK => true,
                    USER => u32::from_le_bytes([i0, i1, i2, i3]) == user,
                    _ => u16::from_le_bytes([p0, p1]) == 0,
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::OpenOptionsExt;

    fn write(path: &Path, mode: u32, text: &str) {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.set_permissions(fs::Permissions::from_mode(mode))
            .unwrap();
    }

    #[test]
    fn a_generated_key_file_is_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let made = KeyFile::generate(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o600
        );
        assert_eq!(KeyFile::read(&path).unwrap().as_bytes(), made.as_bytes());
        assert!(matches!(KeyFile::generate(&path), Err(Error::Io { .. })));
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        for mode in [0o640, 0o604, 0o660, 0o610] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("key");
            write(&path, mode, &"ab".repeat(KEY_BYTES));
            let refused = KeyFile::read(&path);
            assert!(matches!(refused, Err(Error::ExposedKeyFile { mode: m, .. }) if m == mode));
        }
    }

    #[test]
    fn a_key_file_of_the_wrong_length_or_content_is_refused() {
        let digits = "ab".repeat(KEY_BYTES);
        let cases = [
            String::new(),
            digits[2..].into(),
            format!("{digits}ab"),
            format!("{digits}\n\n\n"),
        ];
        for text in cases.into_iter().chain([digits.replace('a', "g")]) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("key");
            write(&path, 0o600, &text);
            let refused = KeyFile::read(&path);
            assert!(
                matches!(refused, Err(Error::MalformedKeyFile { .. })),
                "{text:?}"
            );
        }
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            KeyFile::read(dir.path()),
            Err(Error::MalformedKeyFile { .. })
        ));
    }

    #[test]
    fn an_encoded_secret_is_the_same_secret_again() {
        let passphrase = Unlock::Passphrase(Passphrase::new(Zeroizing::new("a b\n".into())));
        let Ok(Unlock::Passphrase(again)) = Unlock::decode(&passphrase.encode(), None) else {
            panic!("a passphrase became something else");
        };
        assert_eq!(again.as_bytes(), b"a b\n");
        let key = Unlock::KeyFile(KeyFile(Zeroizing::new(vec![7; KEY_BYTES])));
        let Ok(Unlock::KeyFile(again)) = Unlock::decode(&key.encode(), None) else {
            panic!("a key file became something else");
        };
        assert_eq!(again.as_bytes(), [7; KEY_BYTES]);
        for foreign in [&b""[..], b"k", b"kshort", b"x123", b"p\xff"] {
            assert!(Unlock::decode(foreign, None).is_err(), "{foreign:?}");
        }
    }

    #[test]
    fn secrets_are_not_in_debug_output() {
        let unlock = Unlock::Passphrase(Passphrase::new(Zeroizing::new("tr0ub4dor".into())));
        assert_eq!(format!("{unlock:?}"), "Passphrase(Passphrase(..))");
        let dir = tempfile::tempdir().unwrap();
        let key = KeyFile::generate(&dir.path().join("key")).unwrap();
        assert_eq!(
            format!("{:?}", Unlock::KeyFile(key)),
            "KeyFile(KeyFile(..))"
        );
    }

    #[test]
    fn an_access_list_may_name_this_user_and_nobody_else() {
        let list = |entries: &[(u16, u16, u32)]| {
            let mut bytes = 2_u32.to_le_bytes().to_vec();
            for (tag, permissions, id) in entries {
                bytes.extend(tag.to_le_bytes());
                bytes.extend(permissions.to_le_bytes());
                bytes.extend(id.to_le_bytes());
            }
            bytes
        };
        let nobody = u32::MAX;
        let (owner, me, mask, group, others) = (
            (1, 4, nobody),
            (2, 4, 1000),
            (16, 4, nobody),
            (4, 0, nobody),
            (32, 0, nobody),
        );
        assert!(acl::grants_only(
            &list(&[owner, me, group, mask, others]),
            1000
        ));
        assert!(!acl::grants_only(
            &list(&[owner, me, group, mask, others]),
            1001
        ));
        assert!(!acl::grants_only(
            &list(&[owner, me, (4, 4, nobody), mask, others]),
            1000
        ));
        assert!(!acl::grants_only(
            &list(&[owner, (8, 4, 50), group, mask, others]),
            1000
        ));
        assert!(!acl::grants_only(
            &list(&[owner, group, mask, (32, 4, nobody)]),
            1000
        ));
        assert!(!acl::grants_only(&list(&[owner])[..9], 1000));
        assert!(!acl::grants_only(&[], 1000));
    }
}
