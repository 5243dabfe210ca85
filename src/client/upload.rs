//! An upload: the request for it, and the form that the answer describes.

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
/// How long no byte of an upload may move before it fails. There is no limit for a whole upload, and a store behind the
/// server may answer late.
const STALL_TIMEOUT: Duration = Duration::from_mins(5);

/// The body of a request for an upload, in this order.
#[derive(Debug, Clone, Serialize)]
pub struct Ask {
    pub entity_type: String,
    pub name: String,
    #[serde(rename = "type")]
    pub content_type: String,
    /// Bytes
    pub size: u64,
}

/// The answer to an [`Ask`]: where to send the file, and the URL that it will have.
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
    /// Where to send the form.
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

    /// The most bytes that the policy allows, where it has a limit.
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

/// Called after each piece with its number of bytes.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// The bytes of a file, and their number.
pub struct Content {
    body: Body,
    size_bytes: u64,
    last_read: LastRead,
}

/// When the last piece of a body was read for sending.
type LastRead = watch::Sender<Instant>;

impl Content {
    /// Streams from the disk; a file that has become shorter meanwhile is an error of the upload.
    #[must_use]
    pub fn streamed(file: tokio::fs::File, size_bytes: u64, progress: Progress) -> Self {
        let reader = file.take(size_bytes);
        let last_read = LastRead::new(Instant::now());
        let read_now = last_read.clone();
        let pieces = futures_util::stream::try_unfold(
            (reader, size_bytes),
            move |(mut reader, left_bytes)| {
                let progress = Arc::clone(&progress);
                read_now.send_replace(Instant::now());
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
            last_read,
        }
    }

    #[must_use]
    pub fn of_bytes(bytes: Bytes) -> Self {
        Self {
            size_bytes: bytes.len() as u64,
            body: bytes.into(),
            last_read: LastRead::new(Instant::now()),
        }
    }
}

impl Client {
    /// Asks for an upload. The server records the asset, which has no bytes yet.
    /// # Errors
    /// When the server does not answer, or refuses.
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

    /// Sends the form: its fields in order, then the file. On `Ok` the server has stored the file.
    /// # Errors
    /// When the server does not answer, or refuses.
    pub async fn send_form(
        &self,
        reserved: &Reserved,
        name: &str,
        content: Content,
    ) -> Result<Answered<()>, ClientError> {
        self.send_form_within(STALL_TIMEOUT, reserved, name, content)
            .await
    }

    pub(super) async fn send_form_within(
        &self,
        stall_timeout: Duration,
        reserved: &Reserved,
        name: &str,
        content: Content,
    ) -> Result<Answered<()>, ClientError> {
        let (size_bytes, last_read) = (content.size_bytes, content.last_read.clone());
        // A server that refuses a long body halfway may close before its reason is read: so judge first.
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
        last_read.send_replace(started);
        let sent = unless_stalled(sent, &last_read, stall_timeout).await;
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

/// Runs `work` as long as pieces are read for it. `None`: none was read for `stall_timeout`.
pub(super) async fn unless_stalled<T>(
    work: impl Future<Output = T>,
    last_read: &LastRead,
    stall_timeout: Duration,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    loop {
        let read_at = *last_read.borrow();
        let left = (read_at + stall_timeout).saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, &mut work).await {
            Ok(done) => return Some(done),
            Err(_) if *last_read.borrow() == read_at => return None,
            Err(_) => {}
        }
    }
}

/// The form field `Content-Type` holds the type, so the part of the file has none.
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
