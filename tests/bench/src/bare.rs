//! A server that does nothing but HTTP: the same answer from memory, or an upload that is hashed and written as the floor
//! writes it.

use crate::floor::Folder;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer, web};
use anyhow::Context;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use md5::{Digest, Md5};
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(clap::Args)]
pub(crate) struct Bare {
    #[arg(long)]
    port: u16,
    /// JSON: `headers` and `not_modified_headers`, lists of names and values as the server that is imitated has them.
    #[arg(long)]
    answer: PathBuf,
    /// The bytes of the answer.
    #[arg(long)]
    body: PathBuf,
    /// Where uploads are written.
    #[arg(long)]
    folder: PathBuf,
}

#[derive(Deserialize)]
struct Captured {
    headers: Vec<(String, String)>,
    not_modified_headers: Vec<(String, String)>,
}

struct Answer {
    headers: Vec<(HeaderName, HeaderValue)>,
    not_modified_headers: Vec<(HeaderName, HeaderValue)>,
    etag: HeaderValue,
    body: Bytes,
}

impl Bare {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let captured: Captured = serde_json::from_slice(&std::fs::read(&self.answer)?)?;
        let headers = parsed(&captured.headers)?;
        let etag = headers.iter().find(|(name, _)| name == header::ETAG);
        let answer = web::Data::new(Answer {
            etag: etag.context("the answer has an ETag")?.1.clone(),
            headers,
            not_modified_headers: parsed(&captured.not_modified_headers)?,
            body: std::fs::read(&self.body)?.into(),
        });
        let folder = web::Data::from(Arc::new(Folder::open(&self.folder)?));
        let server = move || {
            App::new()
                .app_data(answer.clone())
                .app_data(folder.clone())
                .default_service(web::to(serve))
        };
        let workers = std::thread::available_parallelism()?.get();
        actix_web::rt::System::new().block_on(async {
            HttpServer::new(server)
                .workers(workers)
                .bind(("127.0.0.1", self.port))?
                .run()
                .await
        })?;
        Ok(())
    }
}

fn parsed(headers: &[(String, String)]) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
    let parse = |(name, value): &(String, String)| Ok((name.parse()?, value.parse()?));
    headers.iter().map(parse).collect()
}

async fn serve(
    req: HttpRequest,
    payload: web::Payload,
    answer: web::Data<Answer>,
    folder: web::Data<Folder>,
) -> actix_web::Result<HttpResponse> {
    if req.method() == Method::POST {
        return receive(payload, folder).await;
    }
    if req.headers().get(header::IF_NONE_MATCH) == Some(&answer.etag) {
        return Ok(with(StatusCode::NOT_MODIFIED, &answer.not_modified_headers).finish());
    }
    // actix leaves the body of an answer to HEAD away and keeps its length.
    Ok(with(StatusCode::OK, &answer.headers).body(answer.body.clone()))
}

fn with(status: StatusCode, headers: &[(HeaderName, HeaderValue)]) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    for (name, value) in headers {
        answer.append_header((name.clone(), value.clone()));
    }
    answer
}

async fn receive(
    mut payload: web::Payload,
    folder: web::Data<Folder>,
) -> actix_web::Result<HttpResponse> {
    let mut body = BytesMut::new();
    let mut digest = Md5::new();
    while let Some(piece) = payload.next().await {
        let piece = piece?;
        digest.update(&piece);
        body.extend_from_slice(&piece);
    }
    let etag = format!("\"{}\"", hex::encode(digest.finalize()));
    web::block(move || folder.keep(&body)).await??;
    Ok(HttpResponse::NoContent()
        .insert_header((header::ETAG, etag))
        .finish())
}
