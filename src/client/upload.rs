//! An upload: the ask, and the form that its answer describes.

use crate::client::connection::{
    ANSWER_TIMEOUT, Answered, Client, MAX_ANSWER_BYTES, connection, header_text, read,
};
use crate::client::error::ClientError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, StatusCode, Url};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

/// Where an upload for the token's own user is requested.
const USER_ASSETS: &str = "/api/v1/assets/user-assets/";
const PIECE_BYTES: usize = 64 * 1024;
/// An upload takes as long as it takes, while something of it moves; a store behind the server may take its time to answer.
const PATIENCE: Duration = Duration::from_mins(5);

/// What is asked for: the body of the request, in this order.
#[derive(Debug, Clone, Serialize)]
pub struct Ask {
    pub entity_type: String,
    pub name: String,
    #[serde(rename = "type")]
    pub content_type: String,
    /// Bytes
    pub size: u64,
}

/// The answer to an [`Ask`]: where the file goes, and where it will be.
#[derive(Debug, Clone, Deserialize)]
pub struct Reserved {
    upload_data: UploadData,
    pub asset_id: String,
    pub asset_url: String,
}

#[derive(Debug, Clone, Deserialize)]
struct UploadData {
    url: String,
    fields: Fields,
}

/// Form fields in the order of the answer.
#[derive(Debug, Clone)]
struct Fields(Vec<(String, String)>);

impl Reserved {
    /// Where the form goes.
    #[must_use]
    pub fn upload_url(&self) -> &str {
        &self.upload_data.url
    }

    /// The names of the form's fields, in order.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        self.upload_data
            .fields
            .0
            .iter()
            .map(|(name, _)| name.as_str())
    }

    /// The most bytes that the policy allows, where it says so.
    fn limit_bytes(&self) -> Option<u64> {
        let (_, policy) = self
            .upload_data
            .fields
            .0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("policy"))?;
        let policy: serde_json::Value =
            serde_json::from_slice(&STANDARD.decode(policy).ok()?).ok()?;
        policy
            .get("conditions")?
            .as_array()?
            .iter()
            .find_map(|condition| {
                (condition.get(0)?.as_str()? == "content-length-range")
                    .then(|| condition.get(2)?.as_u64())?
            })
    }
}

/// Told after each piece how many bytes it had.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// The bytes of a file, and how many there are.
pub struct Content {
    body: Body,
    size_bytes: u64,
    moves: Moves,
}

/// When the last piece of a body was taken.
type Moves = watch::Sender<Instant>;

impl Content {
    /// Streams from the disk; a file that has become shorter meanwhile is an error of the upload.
    #[must_use]
    pub fn streamed(file: tokio::fs::File, size_bytes: u64, progress: Progress) -> Self {
        let reader = file.take(size_bytes);
        let moves = Moves::new(Instant::now());
        let moved = moves.clone();
        let pieces = futures_util::stream::try_unfold(
            (reader, size_bytes),
            move |(mut reader, left_bytes)| {
                let progress = Arc::clone(&progress);
                moved.send_replace(Instant::now());
                async move {
                    let mut piece = bytes::BytesMut::with_capacity(PIECE_BYTES);
                    let read_bytes = reader.read_buf(&mut piece).await? as u64;
                    if read_bytes == 0 {
                        return if left_bytes == 0 {
                            Ok(None)
                        } else {
                            Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))
                        };
                    }
                    progress(read_bytes);
                    Ok(Some((piece.freeze(), (reader, left_bytes - read_bytes))))
                }
            },
        );
        Self {
            body: Body::wrap_stream(pieces),
            size_bytes,
            moves,
        }
    }

    #[must_use]
    pub fn of_bytes(bytes: Bytes) -> Self {
        Self {
            size_bytes: bytes.len() as u64,
            body: bytes.into(),
            moves: Moves::new(Instant::now()),
        }
    }
}

impl Client {
    /// Asks for an upload. The file is known from here on, and is nowhere yet.
    /// # Errors
    /// When the server is away or refuses.
    pub async fn request_upload(&self, ask: &Ask) -> Result<Answered<Reserved>, ClientError> {
        let url = self.address_of(USER_ASSETS)?;
        let started = Instant::now();
        let response = self
            .connection
            .post(url.clone())
            .header("X-API-Key", self.token.clone())
            .timeout(ANSWER_TIMEOUT)
            .json(ask)
            .send()
            .await
            .map_err(|source| ClientError::of_transport(&url, None, source))?;
        let status = response.status();
        let header = header_text(
            &response,
            if status.is_redirection() {
                "location"
            } else {
                "retry-after"
            },
        );
        let body = read(response, &url, MAX_ANSWER_BYTES).await?;
        if status != StatusCode::OK {
            return Err(ClientError::of_api(&url, status, header.as_deref(), &body));
        }
        let value: Reserved =
            serde_json::from_slice(&body).map_err(|_| self.not_the_api(Some(status)))?;
        self.address_of(&value.asset_url)?;
        Ok(Answered {
            value,
            status: status.as_u16(),
            elapsed: started.elapsed(),
        })
    }

    /// Sends the form: its fields in order, then the file. When it answers `Ok`, the server has the file.
    /// # Errors
    /// When the server is away or refuses.
    pub async fn send_form(
        &self,
        reserved: &Reserved,
        name: &str,
        content: Content,
    ) -> Result<Answered<()>, ClientError> {
        self.send_form_within(PATIENCE, reserved, name, content)
            .await
    }

    pub(super) async fn send_form_within(
        &self,
        patience: Duration,
        reserved: &Reserved,
        name: &str,
        content: Content,
    ) -> Result<Answered<()>, ClientError> {
        let (size_bytes, moves) = (content.size_bytes, content.moves.clone());
        // A server that refuses a long body halfway may close before its reason is read: so check first.
        if let Some(limit_bytes) = reserved.limit_bytes().filter(|limit| size_bytes > *limit) {
            return Err(ClientError::TooLarge {
                size_bytes,
                limit_bytes,
            });
        }
        let url = Url::parse(reserved.upload_url())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| self.not_the_api(None))?;
        let connection = if url.origin() == self.base.origin() {
            self.connection.clone()
        } else {
            connection(&url)?
        };
        let started = Instant::now();
        let sent = connection
            .post(url.clone())
            .multipart(form(reserved, name, content))
            .send();
        moves.send_replace(started);
        let sent = while_it_moves(sent, &moves, patience).await;
        let stalled = || ClientError::Stalled {
            address: url.origin().ascii_serialization(),
        };
        let response = sent
            .ok_or_else(stalled)?
            .map_err(|source| ClientError::of_transport(&url, Some(&self.base), source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Answered {
                value: (),
                status: status.as_u16(),
                elapsed: started.elapsed(),
            });
        }
        let location = header_text(&response, "location");
        let body = read(response, &url, MAX_ANSWER_BYTES);
        let body = tokio::time::timeout(ANSWER_TIMEOUT, body).await;
        let body = body.map_err(|_| stalled())??;
        let location = location.as_deref();
        Err(ClientError::of_s3(
            &url, status, location, &body, size_bytes,
        ))
    }
}

/// `None`: nothing has moved for too long.
pub(super) async fn while_it_moves<T>(
    work: impl Future<Output = T>,
    moves: &Moves,
    patience: Duration,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    loop {
        let moved = *moves.borrow();
        let left = (moved + patience).saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, &mut work).await {
            Ok(done) => return Some(done),
            Err(_) if *moves.borrow() == moved => return None,
            Err(_) => {}
        }
    }
}

/// The stored type is the field `Content-Type`, so the part has none of its own.
fn form(reserved: &Reserved, name: &str, content: Content) -> Form {
    let mut form = Form::new();
    for (field, value) in &reserved.upload_data.fields.0 {
        form = form.text(field.clone(), value.clone());
    }
    form.part(
        "file",
        Part::stream_with_length(content.body, content.size_bytes).file_name(name.to_owned()),
    )
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
