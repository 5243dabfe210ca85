//! A user's own avatars and covers. Plane contract, sections 3.1, 3.2 and 3.5, on all their paths, and the alias of 3.12.
use crate::assets::{Bindings, Change, EntityType, Permission, Within};
use crate::http::plane::answer::answer_with_link;
use crate::http::plane::error::{INVALID_IMAGE_TYPE, INVALID_IMAGE_TYPE_V1, PlaneError};
use crate::http::plane::request::plane_request::PlaneRequest;
use crate::http::plane::routes::table::Version;
use crate::http::plane::upload::{self, ImageRules};
use actix_web::HttpResponse;

/// POST: 200 with the policy.
pub(in crate::http) async fn request_upload(
    mut request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let fields = request.fields().await?;
    let rules = ImageRules {
        accepts: EntityType::is_of_a_user,
        wrong_type: match request.version {
            Version::V1 => INVALID_IMAGE_TYPE_V1,
            Version::V2 => INVALID_IMAGE_TYPE,
        },
    };
    let user_id = request.user_id();
    let upload_request =
        upload::parse_image(&fields, request.limit_bytes(), user_id, rules, |_| {
            Ok(Bindings {
                user_id: Some(user_id),
                ..Bindings::default()
            })
        })?;
    let (_, answer) = upload::request_upload(&request, upload_request, None).await?;
    Ok(answer_with_link(&answer))
}

/// PATCH: 204, also when it is repeated. By v2 the asset becomes the user's current one.
pub(in crate::http) async fn change(
    mut request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let fields = request.fields().await?;
    let change = Change {
        attributes: upload::attributes(&fields)?,
        updated_by: request.user_id(),
        moves_pointer: request.version == Version::V2,
        takes_over: false,
    };
    let (assets, id) = (&request.state.assets, request.parameters.asset_id);
    let changing = assets.change(id, own(&request), change, Permission::All);
    changing
        .await
        .map_err(PlaneError::of_asset(request.not_found()))?;
    Ok(HttpResponse::NoContent().finish())
}

/// DELETE: 204, and 404 when it is repeated.
pub(in crate::http) async fn delete(request: PlaneRequest<'_>) -> Result<HttpResponse, PlaneError> {
    let (assets, id) = (&request.state.assets, request.parameters.asset_id);
    let deleting = assets.delete(id, own(&request), true, Permission::All);
    deleting
        .await
        .map_err(PlaneError::of_asset(request.not_found()))?;
    Ok(HttpResponse::NoContent().finish())
}

fn own(request: &PlaneRequest<'_>) -> Within {
    Within::Own {
        user_id: request.user_id(),
    }
}
