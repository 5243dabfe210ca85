//! Avatars, covers and logos, served without a token. Plane contract, section 3.7.
//!
//! Uploaded bytes may be hostile: they are served as the image that they are, or as a download, and never under a name that
//! a user chose. No token is checked.
use crate::assets::content::ImageFormat;
use crate::cache::VersionStamp;
use crate::http::app_state::AppState;
use crate::http::plane::error::{INVALID_ENTITY_TYPE, NOT_FOUND_V2, NOT_UPLOADED, PlaneError};
use crate::http::response_cache::Validity;
use crate::http::serve::{Representation, ServeRefusal, harden, respond};
use crate::store::Object;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use uuid::Uuid;

/// As long as the target of Plane's redirect is valid. A policy may be used twice and so change the bytes: a cache then
/// revalidates with the `ETag`.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=3600");
const CONTENT_SECURITY_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; sandbox");

pub(in crate::http) async fn serve(
    req: &HttpRequest,
    state: &AppState,
    id: Uuid,
) -> Result<HttpResponse, PlaneError> {
    let stamp = state.assets.stamp(id);
    let (stamp, object) = find(state, id, stamp).await?;
    let format = state.assets.image_format(&object).await?;
    let mut representation = representation(id, format);
    representation.validity = Some(Validity { stamp, until: None });
    harden(req, &mut representation).map_err(|_| PlaneError::WouldRunUpload)?;
    let answering = respond(req, &state.store, &object, representation);
    answering.await.map_err(|refusal| match refusal {
        ServeRefusal::PreconditionFailed => PlaneError::PreconditionFailed,
        ServeRefusal::RangeNotSatisfiable { size } => {
            PlaneError::RangeNotSatisfiable { size_bytes: size }
        }
        ServeRefusal::Store(error) => PlaneError::Store(error),
    })
}

/// The object of an asset, with the stamp of both. It refuses in Plane's order: unknown, without bytes, not of a public
/// type. `stamp`: the stamp of the asset.
async fn find(
    state: &AppState,
    id: Uuid,
    stamp: VersionStamp,
) -> Result<(VersionStamp, Object), PlaneError> {
    let asset = state.assets.asset(id).await?;
    let asset = asset.ok_or(NOT_FOUND_V2)?;
    let stamp = stamp.and(&state.store.stamp_of_object(&asset.bucket, &asset.key));
    let object = state.assets.object(&asset).await?;
    let object = object.ok_or(NOT_UPLOADED)?;
    if !asset.entity_type.is_static() {
        return Err(INVALID_ENTITY_TYPE);
    }
    Ok((stamp, object))
}

/// The bytes decide the type that is answered, not the type that was stored with them.
fn representation(id: Uuid, format: Option<ImageFormat>) -> Representation {
    let (content_type, disposition) = match format {
        Some(format) => (format.content_type(), "inline"),
        None => ("application/octet-stream", "attachment"),
    };
    // Plane: hides the user's file name too.
    let disposition = format!("{disposition}; filename*=UTF-8''{}", id.simple());
    let disposition =
        HeaderValue::from_str(&disposition).expect("hex digits may stand in a header");
    Representation {
        content_type: content_type.to_owned(),
        headers: vec![
            (header::CONTENT_DISPOSITION, disposition),
            (header::CACHE_CONTROL, CACHE_CONTROL),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        ],
        validity: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        Some(ImageFormat::Webp),
        "image/webp",
        "inline; filename*=UTF-8''0000000000000000000000000000000a"
    )]
    #[case(
        None,
        "application/octet-stream",
        "attachment; filename*=UTF-8''0000000000000000000000000000000a"
    )]
    fn bytes_are_served_by_their_real_type(
        #[case] format: Option<ImageFormat>,
        #[case] content_type: &str,
        #[case] disposition: &str,
    ) {
        let representation = representation(Uuid::from_u128(10), format);
        assert_eq!(representation.content_type, content_type);
        let sent = representation.get(&header::CONTENT_DISPOSITION);
        assert_eq!(sent.unwrap(), disposition);
    }
}
