//! What one connection is to the commands it sends: who it is, what it listens to, and whether it goes on.

use std::sync::Arc;

use crate::clients::Client;
use crate::pubsub::Subscriptions;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Arc<Client>,
    /// There are some as long as there is one: most connections never subscribe, and pay a pointer for it.
    pub(crate) subscriptions: Option<Box<Subscriptions>>,
    /// The connection ends once its replies are written.
    pub(crate) is_ending: bool,
}

impl Session {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self { client, subscriptions: None, is_ending: false }
    }
}
