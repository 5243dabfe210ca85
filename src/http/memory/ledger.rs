//! The ledger of a shared memory: how much each body holds, and which one is evicted.

use crate::http::memory::body_state::BodyState;
use crate::http::memory::bounds::{Bounds, SmallHolders};
use crate::http::memory::client::Client;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// There is no room for a body, or it was evicted for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no memory for the body")]
pub(crate) struct NoRoom;

/// Whether a body that finds no room may evict others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Eviction {
    NotNow,
    Allowed,
}

/// How much is held, and by which bodies.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) held_bytes: usize,
    /// How much each client holds. A client that holds nothing has no entry.
    clients: HashMap<Client, usize>,
    bodies: HashMap<u64, Entry>,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    client: Client,
    bytes: usize,
    body: Arc<BodyState>,
}

impl Ledger {
    /// Enters a body, which holds nothing yet, and returns its id.
    pub(super) fn enter(&mut self, client: Client, body: Arc<BodyState>) -> u64 {
        let id = self.next;
        self.next += 1;
        let entry = Entry {
            client,
            bytes: 0,
            body,
        };
        self.bodies.insert(id, entry);
        id
    }

    /// Whether the body is entered: a body that was evicted is not.
    pub(super) fn has(&self, id: u64) -> bool {
        self.bodies.contains_key(&id)
    }

    /// Removes a body and what it holds.
    pub(super) fn leave(&mut self, id: u64) {
        self.remove(id);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.held_bytes == 0 && self.clients.is_empty() && self.bodies.is_empty()
    }

    /// Makes room for `bytes` more of a body of `client`. `own_bytes`: how much the body holds; `speed`: its speed in
    /// bytes a second.
    pub(super) fn make_room(
        &mut self,
        bounds: &Bounds,
        client: Client,
        (own_bytes, bytes): (usize, usize),
        speed: f64,
        eviction: Eviction,
    ) -> Result<(), NoRoom> {
        loop {
            let of_client = self.clients.get(&client).copied().unwrap_or(0);
            let is_part_full = of_client + bytes > bounds.of_one_client_bytes;
            if !is_part_full && self.held_bytes + bytes <= bounds.all_bytes {
                return Ok(());
            }
            if eviction == Eviction::NotNow {
                return Err(NoRoom);
            }
            let slowest = if is_part_full {
                let greatest =
                    Some(client).filter(|_| bounds.small_holders == SmallHolders::MayDisplaceAny);
                let greatest = greatest.and_then(|client| self.greatest_body(client));
                greatest
                    .filter(|(_, held)| 2 * (own_bytes + bytes) < *held)
                    .map(|(id, _)| id)
                    .or_else(|| self.slowest(bounds, speed, Some(client)))
            } else {
                let greatest = self.clients.iter().max_by_key(|(_, bytes)| **bytes);
                let (greatest, held) = greatest.map_or((None, 0), |(it, held)| (Some(*it), *held));
                if bounds.small_holders == SmallHolders::MayDisplaceAny
                    && 2 * (of_client + bytes) < held
                {
                    let any = Bounds {
                        protected_for: Duration::ZERO,
                        ..*bounds
                    };
                    self.slowest(&any, f64::INFINITY, greatest)
                } else {
                    self.slowest(bounds, speed, greatest)
                        .or_else(|| self.slowest(bounds, speed, None))
                }
            };
            let entry = slowest.and_then(|id| self.remove(id)).ok_or(NoRoom)?;
            entry.body.evict();
        }
    }

    /// The slowest body, of one client or of all, that may be evicted for a body of this `speed`.
    fn slowest(&self, bounds: &Bounds, speed: f64, of: Option<Client>) -> Option<u64> {
        #[expect(clippy::cast_precision_loss, reason = "a bound on speed is no count")]
        let protected_above = bounds.protected_above as f64;
        let candidates = self.bodies.iter().filter(|(_, entry)| {
            of.is_none_or(|client| entry.client == client)
                && entry.body.waits_for_client()
                && entry.body.age() >= bounds.protected_for
        });
        candidates
            .map(|(id, entry)| (*id, entry.body.speed()))
            .filter(|(_, its_speed)| *its_speed <= protected_above && *its_speed < speed)
            .min_by(|(_, one), (_, other)| one.total_cmp(other))
            .map(|(id, _)| id)
    }

    /// The body of a client that holds most, among those whose client the server waits for.
    fn greatest_body(&self, client: Client) -> Option<(u64, usize)> {
        let bodies = self
            .bodies
            .iter()
            .filter(|(_, entry)| entry.client == client && entry.body.waits_for_client());
        bodies
            .map(|(id, entry)| (*id, entry.bytes))
            .max_by_key(|(_, bytes)| *bytes)
    }

    pub(super) fn add(&mut self, id: u64, client: Client, bytes: usize) {
        if let Some(entry) = self.bodies.get_mut(&id) {
            entry.bytes += bytes;
            self.held_bytes += bytes;
            *self.clients.entry(client).or_default() += bytes;
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.bodies.remove(&id)?;
        self.held_bytes -= entry.bytes;
        if let Some(held) = self.clients.get_mut(&entry.client) {
            *held -= entry.bytes;
            if *held == 0 {
                self.clients.remove(&entry.client);
            }
        }
        Some(entry)
    }
}
