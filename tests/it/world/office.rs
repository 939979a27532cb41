//! The partner's mail server.

use std::{net::SocketAddr, sync::Arc};

use countersign_peers::{Authority, Postfix, SmtpTls};

/// Postfix with required STARTTLS, and who certified it.
pub(crate) struct Office {
    postfix: Postfix,
    root: Authority,
}

impl Office {
    /// Starts the server.
    pub(crate) fn open() -> Arc<Self> {
        let root = Authority::root("Mail root");
        let postfix = Postfix::start(&root.server("mail.test"), SmtpTls::StartTlsRequired);
        Arc::new(Self { postfix, root })
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.postfix.addr()
    }

    /// What its certificate is verified with.
    pub(crate) fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// Every mail to an address, oldest first.
    pub(crate) fn mails_to(&self, address: &str) -> Vec<Vec<u8>> {
        let delivered = format!("Delivered-To: {address}\n");
        let mine = |mail: &Vec<u8>| String::from_utf8_lossy(mail).contains(&delivered);
        self.postfix.messages().into_iter().filter(mine).collect()
    }

    /// What the server has to say about its work.
    pub(crate) fn log(&self) -> String {
        self.postfix.log()
    }
}
