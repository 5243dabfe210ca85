//! A user's own avatars and covers. Plane contract, sections 3.1, 3.2 and 3.5: all forms, and the alias of 3.12.
use crate::assets::{Bindings, Change, EntityType, Permission, Within};
use crate::http::plane::answer::answer_with_link;
use crate::http::plane::error::{INVALID_IMAGE_TYPE, INVALID_IMAGE_TYPE_V1, PlaneError};
use crate::http::plane::request::plane_request::Asked;
use crate::http::plane::routes::table::Version;
use crate::http::plane::upload::{self, PictureRules};
use actix_web::HttpResponse;

/// POST: 200 with the policy.
pub(in crate::http) async fn request_upload(
    mut asked: Asked<'_>,
) -> Result<HttpResponse, PlaneError> {
    let fields = asked.fields().await?;
    let rules = PictureRules {
        takes: EntityType::is_of_a_user,
        wrong_type: match asked.version {
            Version::V1 => INVALID_IMAGE_TYPE_V1,
            Version::V2 => INVALID_IMAGE_TYPE,
        },
    };
    let user_id = asked.user_id();
    let request = upload::picture(&fields, asked.limit_bytes(), user_id, rules, |_| {
        Ok(Bindings {
            user_id: Some(user_id),
            ..Bindings::default()
        })
    })?;
    let (_, answer) = upload::open(&asked, request, None).await?;
    Ok(answer_with_link(&answer))
}

/// PATCH: 204, again and again. By v2 the user's pointer moves.
pub(in crate::http) async fn change(mut asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let fields = asked.fields().await?;
    let change = Change {
        attributes: upload::attributes(&fields)?,
        updated_by: asked.user_id(),
        moves_pointer: asked.version == Version::V2,
        takes_over: false,
    };
    let (assets, id) = (&asked.state.assets, asked.names.asset_id);
    let changing = assets.change(id, own(&asked), change, Permission::All);
    changing
        .await
        .map_err(PlaneError::of_asset(asked.not_found()))?;
    Ok(HttpResponse::NoContent().finish())
}

/// DELETE: 204; a second one is a 404.
pub(in crate::http) async fn delete(asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let (assets, id) = (&asked.state.assets, asked.names.asset_id);
    let deleting = assets.delete(id, own(&asked), true, Permission::All);
    deleting
        .await
        .map_err(PlaneError::of_asset(asked.not_found()))?;
    Ok(HttpResponse::NoContent().finish())
}

fn own(asked: &Asked<'_>) -> Within {
    Within::Own {
        user_id: asked.user_id(),
    }
}
