//! The scrub: a slow background task that reads and verifies every stored body once in an interval.

use crate::store::blocking::blocking;
use crate::store::dir::Dir;
use crate::store::error::StoreError;
use crate::store::index;
use crate::store::progress::Progress;
use crate::store::upkeep::findings::Damage;
use crate::store::upkeep::handle::Upkeep;
use crate::store::upkeep::verify::verify_body;
use std::time::Duration;

/// The file that records the progress of the scrub.
const PLACE: &str = "scrub";
/// The cost of a body in addition to its bytes.
const LEAST_BYTES: u64 = 4096;

/// The progress of a scrub.
#[derive(Debug, Default)]
pub struct Scrub {
    /// The last body that was read.
    after: u64,
    /// About how many bytes a round reads.
    total: u64,
    /// The time that has accrued for reading. Each body uses up its part of it.
    owed: Duration,
    damages: u64,
}

impl Upkeep {
    /// Reads the part that falls to `elapsed`, if everything is to be read once in `interval`. Reports damage in the
    /// server's log and in readiness.
    ///
    /// # Errors
    /// When the index cannot be queried.
    pub async fn scrub(
        &self,
        scrub: &mut Scrub,
        elapsed: Duration,
        interval: Duration,
    ) -> Result<(), StoreError> {
        let folder = &self.vault.folder;
        if scrub.after == 0 {
            scrub.after = read_place(folder.home());
        }
        let before = scrub.after;
        scrub.owed += elapsed;
        if scrub.total == 0 {
            let mut connection = self.vault.reads.readers.acquire().await?;
            let (bodies, bytes) = index::stored(&mut connection).await?;
            scrub.total = bytes + bodies * LEAST_BYTES;
        }
        loop {
            let mut connection = self.vault.reads.readers.acquire().await?;
            let next = index::bodies_after(&mut connection, scrub.after, 1).await?;
            drop(connection);
            let Some((id, body)) = next.into_iter().next() else {
                self.end_round(scrub);
                break;
            };
            let bytes = body.size_bytes + LEAST_BYTES;
            let part = interval.as_nanos() * u128::from(bytes) / u128::from(scrub.total.max(1));
            let cost = Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX));
            let Some(rest) = scrub.owed.checked_sub(cost) else {
                break;
            };
            scrub.owed = rest;
            scrub.after = id;
            let places = folder.places().clone();
            let read = move || Ok(verify_body(&body, &places, &Progress::default()).err());
            if let Some((damage, at)) = blocking(read).await? {
                self.damaged(scrub, id, damage, at).await?;
            }
        }
        if scrub.after != before {
            let kept = folder.home().make_anew(PLACE).and_then(|mut file| {
                std::io::Write::write_all(&mut file, scrub.after.to_string().as_bytes())
            });
            if let Err(error) = kept {
                tracing::debug!(%error, "how far the bodies were read is not kept");
            }
        }
        Ok(())
    }

    async fn damaged(
        &self,
        scrub: &mut Scrub,
        body: u64,
        damage: Damage,
        at: u64,
    ) -> Result<(), StoreError> {
        let mut connection = self.vault.reads.readers.acquire().await?;
        let users = index::users_of_bodies(&mut connection, &[body]).await?;
        drop(connection);
        if let Some((_, key)) = users.first() {
            scrub.damages += 1;
            tracing::error!(
                ?damage,
                body,
                at,
                key,
                "stored bytes are damaged: run `hangar fsck`"
            );
            self.vault.state.report_damages(scrub.damages);
        }
        Ok(())
    }

    /// Ends a round, in which all bodies were read.
    fn end_round(&self, scrub: &mut Scrub) {
        let damages = scrub.damages;
        tracing::info!(
            damages,
            "all stored bytes were read and held against their checksums"
        );
        self.vault.state.report_damages(damages);
        // The next round begins when it is due, not at once.
        *scrub = Scrub::default();
        drop(self.vault.folder.home().remove(PLACE));
    }
}

/// 0 if it is unknown.
fn read_place(home: &Dir) -> u64 {
    let text = home.read_short(PLACE, 64).ok().flatten();
    let text = text.and_then(|text| String::from_utf8(text).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
