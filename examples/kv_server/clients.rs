//! Who is connected.
//!
//! A list for `CLIENT LIST`, for the bound on how many there may be, and for the end: [`Clients::hang_up`] gives every
//! socket a deadline for reads that has passed. So each connection learns that the server ends, be it waiting or busy,
//! asks how much the kernel has received by then ([`unread`]), answers that, and ends.
//!
//! To shut the reading sides would be simpler. But Linux takes in what is sent after that all the same, so a client
//! that never stops would never be at its end; and it opens no window any more, so one that waits for that would still
//! wait when the server is long gone.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use hashbrown::HashMap;
use parking_lot::Mutex;
use pirn::net::TcpStream;

/// One connection, as others see it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) stream: TcpStream,
    address: SocketAddr,
    since: Instant,
    name: Mutex<Option<Box<str>>>,
    /// `Relaxed`: it is a word about the client, and orders nothing.
    is_subscriber: AtomicBool,
}

impl Client {
    pub(crate) fn name(&self) -> Option<Box<str>> {
        self.name.lock().clone()
    }

    /// An empty name takes the name away.
    pub(crate) fn set_name(&self, name: &str) {
        *self.name.lock() = (!name.is_empty()).then(|| name.into());
    }

    /// Whether it listens to anything.
    pub(crate) fn is_subscriber(&self) -> bool {
        self.is_subscriber.load(Relaxed)
    }

    pub(crate) fn set_subscriber(&self, is_one: bool) {
        self.is_subscriber.store(is_one, Relaxed);
    }

    /// Has its reads fail with `TimedOut`, also the one that waits, until the deadline is taken away again.
    fn hang_up(&self) {
        self.stream.set_read_deadline(Instant::now());
    }

    /// Its line in `CLIENT LIST`.
    pub(crate) fn describe(&self, into: &mut String) {
        let Self { id, address, .. } = self;
        let (name, age) = (self.name().unwrap_or_default(), self.since.elapsed().as_secs());
        // Writing into a string cannot fail.
        let flags = if self.is_subscriber() { 'P' } else { 'N' };
        let line = format_args!("id={id} addr={address} name={name} age={age} flags={flags} db=0");
        let _ = writeln!(into, "{line} resp=2 user=default");
    }
}

#[derive(Debug)]
pub(crate) struct Clients {
    list: Mutex<List>,
    max: usize,
}

#[derive(Debug, Default)]
struct List {
    connected: HashMap<u64, Arc<Client>>,
    /// The id given out last.
    last: u64,
    is_ending: bool,
}

impl Clients {
    pub(crate) fn new(max: usize) -> Self {
        Self { list: Mutex::default(), max }
    }

    /// Enters a new connection; gives it back if there are too many.
    pub(crate) fn enter(
        self: &Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Result<Entered, TcpStream> {
        let mut list = self.list.lock();
        if list.connected.len() >= self.max {
            return Err(stream);
        }
        list.last += 1;
        let id = list.last;
        let client = Arc::new(Client {
            id,
            stream,
            address,
            since: Instant::now(),
            name: Mutex::new(None),
            is_subscriber: AtomicBool::new(false),
        });
        if list.is_ending {
            client.hang_up();
        }
        list.connected.insert(id, client.clone());
        Ok(Entered { clients: self.clone(), client })
    }

    pub(crate) fn len(&self) -> usize {
        self.list.lock().connected.len()
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// How many have ever been here.
    pub(crate) fn total(&self) -> u64 {
        self.list.lock().last
    }

    /// Everybody, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        let mut all: Vec<_> = self.list.lock().connected.values().cloned().collect();
        all.sort_unstable_by_key(|client| client.id);
        all
    }

    /// The one with this number, if it is there.
    pub(crate) fn get(&self, id: i64) -> Option<Arc<Client>> {
        self.list.lock().connected.get(&u64::try_from(id).ok()?).cloned()
    }

    /// Tells everybody, also those who come later, that nothing counts any more of what arrives from now on.
    pub(crate) fn hang_up(&self) {
        self.list.lock().is_ending = true;
        self.all().iter().for_each(|client| client.hang_up());
    }
}

/// A place in the list, given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    clients: Arc<Clients>,
    pub(crate) client: Arc<Client>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.clients.list.lock().connected.remove(&self.client.id);
    }
}
