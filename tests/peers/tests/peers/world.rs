//! Two authorities and a gateway's certificate: what every test of a gateway needs.

use std::net::SocketAddr;

use countersign_peers::{Authority, Clients, Gateway, Identity};

use crate::tools::{curl, status};

pub(crate) const SERVER_INFO: &str = "/rest/api/2/serverInfo";

pub(crate) struct World {
    pub(crate) servers: Authority,
    pub(crate) server: Identity,
    pub(crate) clients: Authority,
}

pub(crate) fn world() -> World {
    let servers = Authority::root("Server root");
    let server = servers.server("gateway.test");
    World {
        server,
        servers,
        clients: Authority::root("Client root"),
    }
}

impl World {
    pub(crate) fn pinned(&self, pins: &[String]) -> Gateway {
        Gateway::new(&self.server, Clients::Pinned(pins.to_vec()))
    }

    pub(crate) fn anchored(&self) -> Gateway {
        Gateway::new(&self.server, Clients::Anchored(self.clients.pem()))
    }

    pub(crate) fn get(&self, addr: SocketAddr, identity: &Identity) -> u16 {
        let answer = curl(addr, &self.servers.pem(), Some(identity), SERVER_INFO, &[]);
        status(&answer.expect("the handshake succeeds"))
    }
}
