//! Rows of other modules, and what they record with objects.

use crate::db::Readers;
use crate::s3::{BucketName, ObjectKey};
use crate::store::door::store::Store;
use crate::store::effect::{Companion, Effect, Judged};
use crate::store::error::{RecordError, StoreError, stopped};
use crate::store::journal::locks::Name;
use crate::store::journal::planner::{Judge, Refused, Work};
use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use std::sync::{Arc, Mutex, PoisonError};

impl Store {
    /// For the statements of other modules.
    #[must_use]
    pub fn readers(&self) -> Readers {
        self.vault.reads.readers.clone()
    }

    /// Names who records something of its own with objects that come. To be said before the first of them comes.
    pub fn accompany(&self, companion: Arc<dyn Companion>) {
        self.vault.state.accompany(companion);
    }

    /// Deletes the object of a key, if there is one, together with a row of the caller's own: one record for both.
    /// `names` are the rows that `judge` looks at and touches; it runs as in [`Store::record`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn delete_with<J>(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        names: Vec<String>,
        judge: J,
    ) -> Result<bool, StoreError>
    where
        J: for<'c> FnOnce(
                &'c mut SqliteConnection,
            ) -> BoxFuture<'c, Result<Option<Effect>, sqlx::Error>>
            + Send
            + 'static,
    {
        let judge: Judge = Box::new(move |connection| {
            let judged = judge(connection);
            Box::pin(async move {
                judged.await.map_err(|error| {
                    tracing::warn!(%error, "an object could not be judged");
                    Refused
                })
            })
        });
        let mut held = Name::of_object(&bucket, &key);
        held.extend(names.iter().map(|name| Name::row(name)));
        let work = Work::DeleteWith { bucket, key, judge };
        Ok(self.ask(held, work).await?.is_some())
    }

    /// Changes rows of the caller's own. `names` are the rows that it judges and touches; `judge` runs in the writer's
    /// order of arrival, against a database in which no change of those rows is under way.
    ///
    /// # Errors
    /// `Refused` with what the judge answered, or the store's trouble.
    pub async fn record<T, E, J>(&self, names: Vec<String>, judge: J) -> Result<T, RecordError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        J: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<Judged<T>, E>>
            + Send
            + 'static,
    {
        let verdict: Arc<Mutex<Option<Result<T, E>>>> = Arc::default();
        let told = verdict.clone();
        let judge: Judge = Box::new(move |connection| {
            let judged = judge(connection);
            Box::pin(async move {
                let (answer, effect) = match judged.await {
                    Ok(Judged { effect, answer }) => (Ok(answer), Ok(effect)),
                    Err(refusal) => (Err(refusal), Err(Refused)),
                };
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                effect
            })
        });
        let names = names.iter().map(|name| Name::row(name)).collect();
        self.ask(names, Work::Judge(judge))
            .await
            .map_err(RecordError::Store)?;
        let verdict = verdict
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match verdict {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refusal)) => Err(RecordError::Refused(refusal)),
            None => Err(RecordError::Store(stopped())),
        }
    }

    /// Records an effect that needs no judging (a new row under a new id).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn record_new(&self, effect: Effect) -> Result<(), StoreError> {
        let names = effect.touches.iter().map(|row| Name::row(row)).collect();
        self.ask(names, Work::New(effect)).await.map(drop)
    }
}
