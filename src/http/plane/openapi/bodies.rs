//! What the asset API is asked with: the fields of each body, with an example.
use crate::assets::EntityType;
use crate::assets::content::{ATTACHMENT_TYPES, IMAGE_TYPES};
use serde_json::{Map, Value, json};

/// The body of a request. JSON, or the same fields as a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    UserAsset,
    WorkspaceAsset,
    PublishedAsset,
    AssetV1,
    AttachmentV1,
    AttachmentV2,
    Attributes,
    IsUploaded,
    Duplicate,
    AssetIds,
}
impl Takes {
    pub(super) const ALL: [Self; 10] = [
        Self::UserAsset,
        Self::WorkspaceAsset,
        Self::PublishedAsset,
        Self::AssetV1,
        Self::AttachmentV1,
        Self::AttachmentV2,
        Self::Attributes,
        Self::IsUploaded,
        Self::Duplicate,
        Self::AssetIds,
    ];

    /// Its name among the schemas.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UserAsset => "UserAssetRequest",
            Self::WorkspaceAsset => "WorkspaceAssetRequest",
            Self::PublishedAsset => "PublishedAssetRequest",
            Self::AssetV1 => "AssetRequest",
            Self::AttachmentV1 => "WorkItemAttachmentRequest",
            Self::AttachmentV2 => "IssueAttachmentRequest",
            Self::Attributes => "AttributesRequest",
            Self::IsUploaded => "IsUploadedRequest",
            Self::Duplicate => "DuplicateRequest",
            Self::AssetIds => "AssetIdsRequest",
        }
    }

    /// Whether a request without a body is refused.
    pub(super) fn is_required(self) -> bool {
        self.fields().iter().any(|field| field.required)
    }

    pub(super) fn schema(self) -> Value {
        let fields = self.fields();
        let required: Vec<_> = fields.iter().filter(|field| field.required).collect();
        let required: Vec<_> = required.iter().map(|field| field.name).collect();
        let example: Map<_, _> = fields
            .iter()
            .filter(|field| !field.example.is_null())
            .map(|field| (field.name.to_owned(), field.example.clone()))
            .collect();
        let properties: Map<_, _> = fields
            .into_iter()
            .map(|field| (field.name.to_owned(), field.schema))
            .collect();
        let mut schema = json!({"type": "object", "properties": properties, "examples": [example]});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    fn fields(self) -> Vec<Field> {
        let user_types = [EntityType::UserAvatar, EntityType::UserCover];
        let published = [EntityType::IssueDescription, EntityType::CommentDescription];
        match self {
            Self::UserAsset => vec![
                name(),
                size(),
                image_type(),
                entity_type(&user_types, EntityType::UserAvatar).required(),
            ],
            Self::WorkspaceAsset => vec![
                name(),
                size(),
                image_type(),
                entity_type(&EntityType::ALL, EntityType::IssueDescription).required(),
                id(
                    "entity_identifier",
                    "What the asset is for: a project, work item, comment, page or draft by its type. The user or workspace of a picture of theirs may be left out.",
                ),
            ],
            Self::PublishedAsset => vec![
                name(),
                size(),
                image_type(),
                entity_type(&published, EntityType::CommentDescription).required(),
                id("entity_identifier", "The comment."),
            ],
            Self::AssetV1 => vec![
                name().required(),
                size(),
                attachment_type().required(),
                id("project_id", "The project."),
                external("external_id", "88"),
                external("external_source", "jira"),
            ],
            Self::AttachmentV1 => vec![
                name().required(),
                size().required(),
                attachment_type().required(),
                external("external_id", "88"),
                external("external_source", "jira"),
            ],
            Self::AttachmentV2 => vec![name(), size(), attachment_type().required()],
            Self::Attributes => vec![Field::new(
                "attributes",
                &json!({"type": "object", "description": "Replaces the stored name, type and size; at most 16 KiB of JSON."}),
                json!({"name": "me.png", "type": "image/png", "size": 24}),
            )],
            Self::IsUploaded => vec![Field::new(
                "is_uploaded",
                &json!({"type": "boolean", "description": "Accepted and ignored: what is uploaded is known."}),
                json!(true),
            )],
            Self::Duplicate => vec![
                entity_type(&EntityType::ALL, EntityType::IssueDescription).required(),
                id("entity_id", "What the copy is for."),
                id("project_id", "The copy's project."),
            ],
            Self::AssetIds => vec![
                Field::new(
                    "asset_ids",
                    &json!({
                        "type": "array", "minItems": 1, "maxItems": 1000,
                        "items": {"type": "string", "format": "uuid"},
                        "description": "Those that are not there are left out.",
                    }),
                    json!([super::EXAMPLE_ID]),
                )
                .required(),
            ],
        }
    }
}

struct Field {
    name: &'static str,
    schema: Value,
    /// `null`: none.
    example: Value,
    required: bool,
}
impl Field {
    fn new(name: &'static str, schema: &Value, example: Value) -> Self {
        Self {
            name,
            schema: schema.clone(),
            example,
            required: false,
        }
    }
    fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

fn name() -> Field {
    let schema = json!({
        "type": "string",
        "description": "The file's name. Directories, control characters and surrounding white space are taken off; at most 255 bytes of UTF-8 are left.",
    });
    Field::new("name", &schema, json!("me.png"))
}
fn size() -> Field {
    let schema = json!({
        "type": "integer", "minimum": 1,
        "description": "Bytes that the upload may have: above FILE_SIZE_LIMIT, or left out, that limit.",
    });
    Field::new("size", &schema, json!(24))
}
fn image_type() -> Field {
    let schema = json!({"type": "string", "enum": IMAGE_TYPES, "default": "image/jpeg"});
    Field::new("type", &schema, json!("image/png"))
}
fn attachment_type() -> Field {
    let schema = json!({"type": "string", "enum": ATTACHMENT_TYPES.as_slice()});
    Field::new("type", &schema, json!("application/pdf"))
}
fn entity_type(taken: &[EntityType], example: EntityType) -> Field {
    let taken: Vec<_> = taken.iter().map(|one| one.as_str()).collect();
    let schema = json!({"type": "string", "enum": taken});
    Field::new("entity_type", &schema, json!(example.as_str()))
}
fn id(name: &'static str, description: &str) -> Field {
    let schema = json!({"type": ["string", "null"], "format": "uuid", "description": description});
    Field::new(name, &schema, Value::Null)
}
fn external(name: &'static str, example: &str) -> Field {
    let schema = json!({
        "type": ["string", "null"], "maxLength": 255,
        "description": "Given both, the pair of external id and source is taken once.",
    });
    Field::new(name, &schema, json!(example))
}
