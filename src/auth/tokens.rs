//! Making, listing and revoking tokens.
use crate::auth::error::AuthError;
use crate::auth::registry::Auth;
use crate::auth::rows::people::{self, TokenCreated, TokenListing, TokenRevoked};
use crate::auth::token::{self, TokenSecret};
use crate::auth::user::Email;
use crate::clock::Timestamp;
use crate::store::{Decision, RecordError, StoreError};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

const UNNAMED_TOKEN: &str = "API token";

/// The wanted properties of a new token.
#[derive(Debug, Clone, Default)]
pub struct NewToken {
    pub email: String,
    pub name: Option<String>,
    /// None named: [`DEFAULT_SCOPES`]
    pub scopes: Vec<String>,
    /// Seconds from now
    pub expires_in: Option<u64>,
    pub any_workspace: bool,
}
/// A token that was just made, with the secret that is shown this once.
#[derive(Debug)]
pub struct CreatedToken {
    pub secret: SecretString,
    pub id: Uuid,
    /// The user's email.
    pub user: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub expires_at: Option<Timestamp>,
}

impl Auth {
    /// Creates a token, and its user where the email is new.
    /// # Errors
    /// `Refused` when the email, a scope, the name or the expiry is not acceptable.
    pub async fn create_token(&self, wanted: NewToken) -> Result<CreatedToken, AuthError> {
        let email = Email::parse(&wanted.email).map_err(AuthError::Refused)?;
        let scopes = token::parse_scopes(&wanted.scopes).map_err(AuthError::Refused)?;
        let name = token::parse_name(wanted.name, UNNAMED_TOKEN).map_err(AuthError::Refused)?;
        let life = token::parse_life(wanted.expires_in).map_err(AuthError::Refused)?;
        if wanted.any_workspace && !self.inner.is_local {
            return Err(AuthError::Refused(
                "A token for any workspace is for development on one machine, and this hangar listens on more than loopback: set HANGAR_LISTEN to 127.0.0.1:9000, or make its user a member with `hangar workspace member add`.".to_owned(),
            ));
        }
        let secret = TokenSecret::generate().ok_or_else(|| {
            AuthError::Refused("The system's random generator does not answer.".to_owned())
        })?;
        let user_id = self.ensure_user(&email).await?;
        let now = self.inner.clock.now();
        let created = TokenCreated {
            id: Uuid::new_v4(),
            user_id,
            secret_sha256: secret.digest().to_hex(),
            name,
            hint: secret.hint(),
            scopes,
            any_workspace: wanted.any_workspace,
            created_at: now,
            expires_at: life.map(|life| now.plus(life)),
        };
        self.record_token(created.clone()).await?;
        Ok(CreatedToken {
            secret: secret.into_inner(),
            id: created.id,
            user: email.as_str().to_owned(),
            name: created.name,
            scopes: created.scopes,
            expires_at: created.expires_at,
        })
    }

    /// The writer checks that the user exists, so that it is there when the record is applied.
    async fn record_token(&self, created: TokenCreated) -> Result<(), AuthError> {
        let rows = vec![
            people::token_row(&created.id.to_string()),
            people::user_row(created.user_id),
        ];
        self.inner
            .store
            .record(rows, move |view| {
                Box::pin(async move {
                    let user = people::user_by_id(view, created.user_id).await;
                    if user?.is_none() {
                        let gone = "The user was removed meanwhile; try again.";
                        return Err(AuthError::Refused(gone.to_owned()));
                    }
                    Ok(Decision {
                        effect: Some(created.effect()),
                        answer: (),
                    })
                })
            })
            .await
            .map_err(RecordError::into_refusal)
    }

    /// All tokens, revoked ones too, the oldest first.
    /// # Errors
    /// When the index does not answer.
    pub async fn tokens(&self) -> Result<Vec<TokenListing>, StoreError> {
        let mut view = self.view().await?;
        people::tokens(&mut view).await
    }

    /// Revokes a token, at once and for good. One that is revoked already stays as it is.
    /// # Errors
    /// `Refused` when there is no such token.
    pub async fn revoke_token(&self, id: &str) -> Result<(), AuthError> {
        let (auth, id) = (self.clone(), id.to_owned());
        // A task of its own: if the caller is cancelled half-way, a revoked token must still leave the cache.
        let revoking = tokio::spawn(async move {
            let revoked = auth.record_revocation(id).await;
            auth.inner.principals.forget_all();
            revoked
        });
        revoking.await.unwrap_or_else(|error| {
            let trouble = format!("revoking a token did not finish: {error}");
            Err(AuthError::Store(StoreError::Unavailable(trouble.into())))
        })
    }

    async fn record_revocation(&self, id: String) -> Result<(), AuthError> {
        let revoked_at = self.inner.clock.now();
        self.inner
            .store
            .record(vec![people::token_row(&id)], move |view| {
                Box::pin(async move {
                    let known = people::revocation(view, &id)
                        .await
                        ?;
                    let effect = match known {
                        None => {
                            return Err(AuthError::Refused(format!(
                                "There is no token with the id {id:?}; `hangar token list` shows those there are."
                            )));
                        }
                        Some(Some(_)) => None,
                        Some(None) => Some(TokenRevoked { id, revoked_at }.effect()),
                    };
                    Ok(Decision { effect, answer: () })
                })
            })
            .await
            .map_err(RecordError::into_refusal)
    }

    /// In a folder without any user: creates `admin@localhost` with a token of the default scopes, and returns its
    /// secret.
    /// # Errors
    /// When the index does not answer or the change cannot be stored.
    pub async fn first_start(&self) -> Result<Option<String>, StoreError> {
        let mut view = self.view().await?;
        let has_users = people::has_users(&mut view).await?;
        drop(view);
        if has_users {
            return Ok(None);
        }
        let wanted = NewToken {
            email: "admin@localhost".to_owned(),
            name: Some("First token".to_owned()),
            ..NewToken::default()
        };
        match self.create_token(wanted).await {
            Ok(created) => Ok(Some(created.secret.expose_secret().to_owned())),
            Err(AuthError::Store(error)) => Err(error),
            Err(AuthError::Refused(reason)) => Err(StoreError::Unavailable(reason.into())),
        }
    }
}
