//! To whom a backup is encrypted, and who opens it: recipients and identities of age, or a passphrase.
//!
//! Never the store's own secret: who loses that has lost the store, and a backup should help then.

use std::io::{Read, Write};
use std::str::FromStr;

use age::secrecy::SecretString;
use age::{
    DecryptError, Decryptor, Encryptor, scrypt, stream::StreamReader, stream::StreamWriter, x25519,
};
use zeroize::Zeroizing;

use super::error::{BackupError, BackupFault};
use crate::secret::Passphrase;

/// What a guess at a passphrase costs, as the logarithm of scrypt's N: that of the `age` program, fixed so that a
/// backup does not get weaker when it is taken on a busy machine.
const WORK: u8 = 18;

/// The most that is spent on a file that says what it costs: 4 GiB of memory would be 22.
const MOST_WORK: u8 = 20;

/// To whom a backup is encrypted.
pub enum BackupRecipients {
    /// To each of these.
    Recipients(Vec<x25519::Recipient>),
    /// To who knows this.
    Passphrase(Passphrase),
}

/// A text that names no recipient.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{text}` is no age recipient: `age-keygen` prints one that begins with age1")]
pub struct UnreadableRecipient {
    /// What was given.
    pub text: String,
}

impl BackupRecipients {
    /// The recipients of these names, such as `age1…`.
    ///
    /// # Errors
    /// [`UnreadableRecipient`] for the first that is none.
    pub fn parse(names: &[String]) -> Result<Self, UnreadableRecipient> {
        names
            .iter()
            .map(|name| {
                x25519::Recipient::from_str(name.trim()).map_err(|_| UnreadableRecipient {
                    text: name.chars().filter(|c| !c.is_control()).take(100).collect(),
                })
            })
            .collect::<Result<_, _>>()
            .map(Self::Recipients)
    }

    /// Their names; a passphrase has none.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Recipients(recipients) => recipients.iter().map(ToString::to_string).collect(),
            Self::Passphrase(_) => vec!["a passphrase".to_owned()],
        }
    }

    pub(super) fn encrypt<W: Write>(&self, out: W) -> Result<StreamWriter<W>, BackupError> {
        let encryptor = match self {
            Self::Recipients(recipients) => {
                Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as _))
            }
            // Nobody has to guess an empty one.
            Self::Passphrase(passphrase) if passphrase.is_empty() => {
                return Err(BackupError::NoRecipient);
            }
            Self::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(secret(passphrase));
                recipient.set_work_factor(WORK);
                Encryptor::with_recipients(std::iter::once(&recipient as _))
            }
        };
        encryptor
            .map_err(|_| BackupError::NoRecipient)?
            .wrap_output(out)
            .map_err(BackupError::Write)
    }
}

impl std::fmt::Debug for BackupRecipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Recipients(_) => "Recipients(..)",
            Self::Passphrase(_) => "Passphrase(..)",
        })
    }
}

/// What opens a backup.
pub enum BackupIdentity {
    /// One of these private keys.
    Keys(Vec<x25519::Identity>),
    /// The passphrase that it was encrypted to.
    Passphrase(Passphrase),
}

/// A text that holds no private keys of age. Which text is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no age identity: those begin with AGE-SECRET-KEY-1")]
pub struct UnreadableIdentity {
    /// The first line that is none; 0 when there is no line at all.
    pub line: usize,
}

impl BackupIdentity {
    /// The private keys in the text of an identity file, as `age-keygen` writes it.
    ///
    /// # Errors
    /// [`UnreadableIdentity`] when a line is neither empty, a comment nor a key, or there is no key.
    pub fn parse(text: &Zeroizing<String>) -> Result<Self, UnreadableIdentity> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = x25519::Identity::from_str(line);
            keys.push(key.map_err(|_| UnreadableIdentity { line: number + 1 })?);
        }
        if keys.is_empty() {
            return Err(UnreadableIdentity { line: 0 });
        }
        Ok(Self::Keys(keys))
    }

    pub(super) fn decrypt<R: Read>(&self, input: R) -> Result<StreamReader<R>, BackupError> {
        let decryptor = Decryptor::new(input).map_err(refused)?;
        let by_passphrase = decryptor.is_scrypt();
        let opened = match self {
            Self::Keys(_) if by_passphrase => {
                return Err(BackupError::OtherKind { passphrase: true });
            }
            Self::Passphrase(_) if !by_passphrase => {
                return Err(BackupError::OtherKind { passphrase: false });
            }
            Self::Keys(keys) => decryptor.decrypt(keys.iter().map(|key| key as _)),
            Self::Passphrase(passphrase) => {
                let mut identity = scrypt::Identity::new(secret(passphrase));
                identity.set_max_work_factor(MOST_WORK);
                decryptor.decrypt(std::iter::once(&identity as _))
            }
        };
        opened.map_err(refused)
    }
}

impl std::fmt::Debug for BackupIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keys(_) => "Keys(..)",
            Self::Passphrase(_) => "Passphrase(..)",
        })
    }
}

fn secret(passphrase: &Passphrase) -> SecretString {
    SecretString::from(passphrase.as_str().to_owned())
}

fn refused(error: DecryptError) -> BackupError {
    match error {
        DecryptError::NoMatchingKeys
        | DecryptError::DecryptionFailed
        | DecryptError::KeyDecryptionFailed => BackupError::NotForUs,
        DecryptError::Io(error)
            if error.kind() != std::io::ErrorKind::UnexpectedEof
                && error.kind() != std::io::ErrorKind::InvalidData =>
        {
            BackupError::Read(error)
        }
        DecryptError::InvalidMac | DecryptError::ExcessiveWork { .. } => {
            BackupFault::Altered.into()
        }
        _ => BackupFault::NotEncrypted.into(),
    }
}
