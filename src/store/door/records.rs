//! Rows of other modules: looking them up, and changing them.

use crate::s3::{BucketName, ObjectKey};
use crate::store::door::store::Store;
use crate::store::effect::{Decision, Effect};
use crate::store::error::{RecordError, StoreError, stopped};
use crate::store::index::view::ReadView;
use crate::store::journal::locks::RowLock;
use crate::store::journal::work::{Check, Refused, Work};
use crate::telemetry::with_causes;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};

impl Store {
    /// Returns a view for looking up rows of other modules.
    ///
    /// # Errors
    /// `Unavailable` when the index cannot be queried.
    pub async fn read_view(&self) -> Result<ReadView, StoreError> {
        let connection = self.vault.reads.readers.acquire().await?;
        Ok(ReadView::pooled(connection))
    }

    /// Deletes the object of a key, if there is one, together with a row of the caller: one record for both. `rows`
    /// names the rows that `check` reads and changes; `check` runs as in [`Store::record`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn delete_with<C>(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        rows: Vec<String>,
        check: C,
    ) -> Result<bool, StoreError>
    where
        C: for<'v> FnOnce(&'v mut ReadView) -> BoxFuture<'v, Result<Option<Effect>, StoreError>>
            + Send
            + 'static,
    {
        let check: Check = Box::new(move |view| {
            let checking = check(view);
            Box::pin(async move {
                checking.await.map_err(|error| {
                    let error = with_causes(&error);
                    tracing::warn!(error, "the check of an object that is to be deleted failed");
                    Refused
                })
            })
        });
        let mut locks = RowLock::of_object(&bucket, &key);
        locks.extend(rows.iter().map(|row| RowLock::row(row)));
        let work = Work::DeleteWith { bucket, key, check };
        Ok(self.ask(locks, work).await?.is_some())
    }

    /// Changes rows of the caller. `rows` names the rows that it reads and changes. `check` runs in the order in which
    /// requests reach the writer, on an index without pending changes of those rows.
    ///
    /// # Errors
    /// `Refused` with the error of the check, or the store's own error.
    pub async fn record<T, E, C>(&self, rows: Vec<String>, check: C) -> Result<T, RecordError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        C: for<'v> FnOnce(&'v mut ReadView) -> BoxFuture<'v, Result<Decision<T>, E>>
            + Send
            + 'static,
    {
        let decided: Arc<Mutex<Option<Result<T, E>>>> = Arc::default();
        let told = decided.clone();
        let check: Check = Box::new(move |view| {
            let checking = check(view);
            Box::pin(async move {
                let (answer, effect) = match checking.await {
                    Ok(Decision { effect, answer }) => (Ok(answer), Ok(effect)),
                    Err(refusal) => (Err(refusal), Err(Refused)),
                };
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                effect
            })
        });
        let locks = rows.iter().map(|row| RowLock::row(row)).collect();
        self.ask(locks, Work::Check(check))
            .await
            .map_err(RecordError::Store)?;
        let decided = decided
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match decided {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refusal)) => Err(RecordError::Refused(refusal)),
            None => Err(RecordError::Store(stopped())),
        }
    }

    /// Records an effect that needs no check (a new row under a new id).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn record_new(&self, effect: Effect) -> Result<(), StoreError> {
        let names = effect.rows.iter().map(|row| RowLock::row(row)).collect();
        self.ask(names, Work::New(effect)).await.map(drop)
    }
}
