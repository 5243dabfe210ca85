//! Multipart uploads through the official SDK.

use crate::app::{App, spawn_app};
use crate::conditions::ask;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::complete_multipart_upload::{
    CompleteMultipartUploadError, CompleteMultipartUploadOutput,
};
use aws_sdk_s3::operation::upload_part::UploadPartOutput;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
    ObjectAttributes,
};
use std::time::Duration;

const MIB: usize = 1024 * 1024;

/// Bytes that no two parts share.
fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from((at * 31 + at / 251 + seed * 97) % 256).expect("below 256"))
        .collect()
}

async fn begin(s3: &Client, key: &str) -> String {
    let begun = s3.create_multipart_upload().bucket("uploads").key(key);
    let begun = begun.send().await.expect("the upload begins");
    begun.upload_id().expect("it has an id").to_owned()
}

async fn send_part(s3: &Client, key: &str, id: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let sent = s3
        .upload_part()
        .bucket("uploads")
        .key(key)
        .upload_id(id)
        .part_number(number)
        .body(ByteStream::from(body))
        .send()
        .await
        .expect("the part is stored");
    completed(number, &sent)
}

fn completed(number: i32, sent: &UploadPartOutput) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(sent.e_tag().map(str::to_owned))
        .set_checksum_crc32(sent.checksum_crc32().map(str::to_owned))
        .set_checksum_crc32_c(sent.checksum_crc32_c().map(str::to_owned))
        .set_checksum_crc64_nvme(sent.checksum_crc64_nvme().map(str::to_owned))
        .set_checksum_sha1(sent.checksum_sha1().map(str::to_owned))
        .set_checksum_sha256(sent.checksum_sha256().map(str::to_owned))
        .build()
}

fn named(number: i32, etag: &str) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .e_tag(etag)
        .build()
}

async fn complete(
    s3: &Client,
    key: &str,
    id: &str,
    parts: Vec<CompletedPart>,
) -> Result<CompleteMultipartUploadOutput, SdkError<CompleteMultipartUploadError>> {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts));
    s3.complete_multipart_upload()
        .bucket("uploads")
        .key(key)
        .upload_id(id)
        .multipart_upload(parts.build())
        .send()
        .await
}

async fn get(s3: &Client, key: &str) -> Vec<u8> {
    let got = s3.get_object().bucket("uploads").key(key).send();
    let body = got.await.expect("the object is there").body;
    body.collect().await.expect("it comes whole").to_vec()
}

/// An object of two parts, 5 MiB and 3 bytes.
async fn two_parts(app: &App, key: &str) -> (String, Vec<u8>) {
    let s3 = app.s3();
    let id = begin(&s3, key).await;
    let (first, last) = (bytes(1, 5 * MIB), b"end".to_vec());
    let parts = vec![
        send_part(&s3, key, &id, 1, first.clone()).await,
        send_part(&s3, key, &id, 2, last.clone()).await,
    ];
    let done = complete(&s3, key, &id, parts).await.expect("it completes");
    let etag = done.e_tag().expect("a completed object has a tag");
    (etag.to_owned(), [first, last].concat())
}

#[tokio::test]
async fn parts_that_come_together_and_out_of_order_make_the_object() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let begun = s3
        .create_multipart_upload()
        .bucket("uploads")
        .key("a b/ü")
        .content_type("text/plain")
        .metadata("author", "me")
        .tagging("k=v")
        .send()
        .await
        .unwrap();
    let id = begun.upload_id().unwrap();
    let body = |number: usize| bytes(number, if number == 4 { 77 } else { 5 * MIB + number });
    let send = |number: usize| {
        let at = i32::try_from(number).unwrap();
        send_part(&s3, "a b/ü", id, at, body(number))
    };
    let (four, two, three, one) = tokio::join!(send(4), send(2), send(3), send(1));
    let done = complete(&s3, "a b/ü", id, vec![one, two, three, four])
        .await
        .unwrap();
    assert!(done.e_tag().unwrap().ends_with("-4\""));
    assert_eq!(
        done.location(),
        Some(app.url("/uploads/a%20b/%C3%BC").as_str())
    );
    let whole = [body(1), body(2), body(3), body(4)].concat();
    assert!(get(&s3, "a b/ü").await == whole);
    let app = app.restarted().await;
    let s3 = app.s3();
    let head = s3.head_object().bucket("uploads").key("a b/ü").send();
    let head = head.await.unwrap();
    assert_eq!(head.e_tag(), done.e_tag());
    assert_eq!(head.content_type(), Some("text/plain"));
    assert_eq!(head.metadata().unwrap()["author"], "me");
    assert_eq!(head.tag_count(), Some(1));
    assert!(get(&s3, "a b/ü").await == whole);
}

#[tokio::test]
async fn a_part_sent_again_takes_the_place_of_the_first() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let id = begin(&s3, "k").await;
    let first = send_part(&s3, "k", &id, 1, b"first".to_vec()).await;
    let second = send_part(&s3, "k", &id, 1, b"second".to_vec()).await;
    let refused = complete(&s3, "k", &id, vec![first]).await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidPart"));
    complete(&s3, "k", &id, vec![second]).await.unwrap();
    assert_eq!(get(&s3, "k").await, b"second");
}

#[tokio::test]
async fn a_repeated_complete_gets_the_same_answer_until_the_object_is_replaced() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let id = begin(&s3, "k").await;
    let part = send_part(&s3, "k", &id, 1, b"x".to_vec()).await;
    let first = complete(&s3, "k", &id, vec![part.clone()]).await.unwrap();
    let again = complete(&s3, "k", &id, vec![part.clone()]).await.unwrap();
    assert_eq!(first.e_tag(), again.e_tag());
    assert_eq!(first.location(), again.location());
    let put = s3.put_object().bucket("uploads").key("k");
    put.body(ByteStream::from_static(b"y"))
        .send()
        .await
        .unwrap();
    let late = complete(&s3, "k", &id, vec![part]).await.unwrap_err();
    assert_eq!(late.code(), Some("NoSuchUpload"));
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let id = begin(&s3, "k").await;
    let part = send_part(&s3, "k", &id, 1, b"x".to_vec()).await;
    let abort = || {
        s3.abort_multipart_upload()
            .bucket("uploads")
            .key("k")
            .upload_id(&id)
            .send()
    };
    abort().await.unwrap();
    assert_eq!(abort().await.unwrap_err().code(), Some("NoSuchUpload"));
    let late = complete(&s3, "k", &id, vec![part]).await.unwrap_err();
    assert_eq!(late.code(), Some("NoSuchUpload"));
    let head = s3.head_object().bucket("uploads").key("k").send().await;
    assert!(head.unwrap_err().into_service_error().is_not_found());
}

#[tokio::test]
async fn an_upload_is_known_by_its_id_and_its_key_together() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let id = begin(&s3, "k").await;
    for (key, id) in [
        ("other", id.as_str()),
        ("k", "56788"),
        ("k", "../../etc"),
        ("k", "00000000000000000000000000000000"),
    ] {
        let send = s3
            .upload_part()
            .bucket("uploads")
            .key(key)
            .upload_id(id)
            .part_number(1)
            .body(ByteStream::from_static(b"x"));
        assert_eq!(
            send.send().await.unwrap_err().code(),
            Some("NoSuchUpload"),
            "{key} {id}"
        );
        let list = s3.list_parts().bucket("uploads").key(key).upload_id(id);
        assert_eq!(list.send().await.unwrap_err().code(), Some("NoSuchUpload"));
    }
}

#[tokio::test]
async fn a_complete_that_does_not_fit_the_parts_is_refused_and_changes_nothing() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let id = begin(&s3, "k").await;
    let one = send_part(&s3, "k", &id, 1, b"one".to_vec()).await;
    let two = send_part(&s3, "k", &id, 2, b"two".to_vec()).await;
    let wrong = named(1, "ffffffffffffffffffffffffffffffff");
    for (parts, code) in [
        (vec![], "MalformedXML"),
        (vec![two.clone(), one.clone()], "InvalidPartOrder"),
        (vec![one.clone(), two.clone()], "EntityTooSmall"),
        (vec![wrong], "InvalidPart"),
        (vec![named(9999, one.e_tag().unwrap())], "InvalidPart"),
        (vec![named(0, one.e_tag().unwrap())], "InvalidArgument"),
    ] {
        let refused = complete(&s3, "k", &id, parts).await.unwrap_err();
        assert_eq!(refused.code(), Some(code));
    }
    complete(&s3, "k", &id, vec![two]).await.unwrap();
    assert_eq!(get(&s3, "k").await, b"two");
}

#[tokio::test]
async fn of_two_completes_that_want_no_object_one_wins() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let begun = async || {
        let id = begin(&s3, "k").await;
        let part = send_part(&s3, "k", &id, 1, b"x".to_vec()).await;
        (id, CompletedMultipartUpload::builder().parts(part).build())
    };
    let complete = |(id, parts): (String, CompletedMultipartUpload)| {
        s3.complete_multipart_upload()
            .bucket("uploads")
            .key("k")
            .upload_id(id)
            .multipart_upload(parts)
    };
    let (one, other) = (begun().await, begun().await);
    let (one, other) = tokio::join!(
        complete(one).if_none_match("*").send(),
        complete(other).if_none_match("*").send()
    );
    let refused = match (one, other) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        both => panic!("exactly one wins: {both:?}"),
    };
    assert_eq!(refused.code(), Some("PreconditionFailed"));
    let third = begun().await;
    let refused = complete(third.clone()).if_match("\"other\"").send().await;
    assert_eq!(refused.unwrap_err().code(), Some("PreconditionFailed"));
    s3.delete_object()
        .bucket("uploads")
        .key("k")
        .send()
        .await
        .unwrap();
    let refused = complete(third).if_match("*").send().await;
    assert_eq!(refused.unwrap_err().code(), Some("NoSuchKey"));
}

#[tokio::test]
async fn parts_are_copied_from_ranges_of_an_object() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let source = bytes(7, 6 * MIB);
    let put = s3.put_object().bucket("uploads").key("source ü%.bin");
    put.body(ByteStream::from(source.clone()))
        .send()
        .await
        .unwrap();
    let id = begin(&s3, "copy").await;
    let copy = |number: i32, range: Option<&str>| {
        s3.upload_part_copy()
            .bucket("uploads")
            .key("copy")
            .upload_id(&id)
            .part_number(number)
            .copy_source("uploads/source%20%C3%BC%25.bin")
            .set_copy_source_range(range.map(str::to_owned))
            .send()
    };
    for (range, code) in [
        ("bytes=0-6291456", "InvalidArgument"),
        ("bytes=0-", "InvalidArgument"),
        ("0-2", "InvalidArgument"),
    ] {
        let refused = copy(1, Some(range)).await.unwrap_err();
        assert_eq!(refused.code(), Some(code), "{range}");
    }
    let (one, two) = tokio::join!(copy(1, None), copy(2, Some("bytes=1048570-2097160")));
    let etag = |copied: &aws_sdk_s3::operation::upload_part_copy::UploadPartCopyOutput| {
        let result = copied.copy_part_result().unwrap();
        result.e_tag().unwrap().to_owned()
    };
    let parts = vec![
        named(1, &etag(&one.unwrap())),
        named(2, &etag(&two.unwrap())),
    ];
    complete(&s3, "copy", &id, parts).await.unwrap();
    let expected = [&source[..], &source[1_048_570..=2_097_160]].concat();
    assert!(get(&s3, "copy").await == expected);
}

#[tokio::test]
async fn a_part_is_read_by_its_number() {
    let app = spawn_app().await;
    let (etag, whole) = two_parts(&app, "k").await;
    let s3 = app.s3();
    let part = |number: i32| {
        s3.get_object()
            .bucket("uploads")
            .key("k")
            .part_number(number)
    };
    let first = part(1).send().await.unwrap();
    assert_eq!(first.parts_count(), Some(2));
    assert_eq!(first.e_tag(), Some(etag.as_str()));
    assert_eq!(first.content_range(), Some("bytes 0-5242879/5242883"));
    let read = first.body.collect().await.unwrap().to_vec();
    assert!(read == whole[..5 * MIB]);
    let last = part(2).send().await.unwrap();
    assert_eq!(last.body.collect().await.unwrap().to_vec(), b"end");
    let head = s3.head_object().bucket("uploads").key("k").part_number(2);
    let head = head.send().await.unwrap();
    assert_eq!(
        (head.parts_count(), head.content_length()),
        (Some(2), Some(3))
    );
    for (asked, code) in [
        (part(3), "InvalidPart"),
        (part(0), "InvalidArgument"),
        (part(1).range("bytes=0-1"), "InvalidRequest"),
    ] {
        assert_eq!(asked.send().await.unwrap_err().code(), Some(code));
    }
}

#[tokio::test]
async fn an_empty_last_part_is_read_as_nothing() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let id = begin(&s3, "k").await;
    let parts = vec![
        send_part(&s3, "k", &id, 1, bytes(1, 5 * MIB)).await,
        send_part(&s3, "k", &id, 7, Vec::new()).await,
    ];
    complete(&s3, "k", &id, parts).await.unwrap();
    let last = s3.get_object().bucket("uploads").key("k").part_number(2);
    let last = last.send().await.unwrap();
    assert_eq!(
        (last.parts_count(), last.content_length()),
        (Some(2), Some(0))
    );
    assert_eq!(last.content_range(), None);
    assert!(last.body.collect().await.unwrap().to_vec().is_empty());
}

#[tokio::test]
async fn a_plain_object_is_its_own_only_part() {
    let app = spawn_app().await;
    let s3 = app.s3();
    for body in [&b"body"[..], b""] {
        let put = s3.put_object().bucket("uploads").key("k");
        put.body(ByteStream::from_static(body))
            .send()
            .await
            .unwrap();
        let part = |number: i32| {
            s3.get_object()
                .bucket("uploads")
                .key("k")
                .part_number(number)
        };
        let whole = part(1).send().await.unwrap();
        assert_eq!(whole.parts_count(), None);
        assert_eq!(whole.body.collect().await.unwrap().to_vec(), body);
        let refused = part(2).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidPart"));
    }
}

/// The checksum of `algorithm` in an answer.
macro_rules! checksum_in {
    ($answer:expr, $algorithm:expr) => {
        match $algorithm {
            ChecksumAlgorithm::Crc32 => $answer.checksum_crc32(),
            ChecksumAlgorithm::Crc32C => $answer.checksum_crc32_c(),
            ChecksumAlgorithm::Crc64Nvme => $answer.checksum_crc64_nvme(),
            ChecksumAlgorithm::Sha1 => $answer.checksum_sha1(),
            _ => $answer.checksum_sha256(),
        }
    };
}

#[tokio::test]
async fn checksums_of_all_kinds_hold_for_the_parts_and_the_whole() {
    use ChecksumAlgorithm::{Crc32, Crc32C, Crc64Nvme, Sha1, Sha256};
    let app = spawn_app().await;
    let s3 = app.s3();
    let bodies = [bytes(1, 5 * MIB), b"end".to_vec()];
    for (algorithm, kind) in [
        (Crc32, ChecksumType::Composite),
        (Crc32, ChecksumType::FullObject),
        (Crc32C, ChecksumType::Composite),
        (Crc32C, ChecksumType::FullObject),
        (Crc64Nvme, ChecksumType::FullObject),
        (Sha1, ChecksumType::Composite),
        (Sha256, ChecksumType::Composite),
    ] {
        let begun = s3
            .create_multipart_upload()
            .bucket("uploads")
            .key("k")
            .checksum_algorithm(algorithm.clone())
            .checksum_type(kind.clone());
        let begun = begun.send().await.unwrap();
        assert_eq!(begun.checksum_algorithm(), Some(&algorithm));
        assert_eq!(begun.checksum_type(), Some(&kind));
        let id = begun.upload_id().unwrap();
        let mut parts = Vec::new();
        let mut of_parts = Vec::new();
        for (number, body) in (1..).zip(&bodies) {
            let sent = s3
                .upload_part()
                .bucket("uploads")
                .key("k")
                .upload_id(id)
                .part_number(number)
                .checksum_algorithm(algorithm.clone())
                .body(ByteStream::from(body.clone()));
            let sent = sent.send().await.unwrap();
            of_parts.push(checksum_in!(sent, algorithm).unwrap().to_owned());
            parts.push(completed(number, &sent));
        }
        let done = complete(&s3, "k", id, parts).await.unwrap();
        let whole = checksum_in!(done, algorithm).unwrap();
        assert_eq!(done.checksum_type(), Some(&kind));
        assert_eq!(whole.ends_with("-2"), kind == ChecksumType::Composite);
        let get = s3.get_object().bucket("uploads").key("k");
        let got = get
            .clone()
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();
        assert_eq!(checksum_in!(got, algorithm), Some(whole));
        assert_eq!(got.checksum_type(), Some(&kind));
        // The SDK holds what it reads against the checksum of a whole.
        assert_eq!(got.body.collect().await.unwrap().to_vec(), bodies.concat());
        let part = get.part_number(2).checksum_mode(ChecksumMode::Enabled);
        let part = part.send().await.unwrap();
        assert_eq!(checksum_in!(part, algorithm), Some(of_parts[1].as_str()));
        let attributes = s3
            .get_object_attributes()
            .bucket("uploads")
            .key("k")
            .object_attributes(ObjectAttributes::Checksum)
            .object_attributes(ObjectAttributes::ObjectParts)
            .send()
            .await
            .unwrap();
        let checksum = attributes.checksum().unwrap();
        // AWS: without the number of parts here.
        let digest = whole.strip_suffix("-2").unwrap_or(whole);
        assert_eq!(checksum_in!(checksum, algorithm), Some(digest));
        assert_eq!(checksum.checksum_type(), Some(&kind));
        let parts = attributes.object_parts().unwrap();
        assert_eq!(parts.total_parts_count(), Some(2));
        assert_eq!(
            checksum_in!(parts.parts()[0], algorithm),
            Some(of_parts[0].as_str())
        );
    }
}

#[tokio::test]
async fn a_stated_checksum_of_the_whole_is_verified() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let begun = s3
        .create_multipart_upload()
        .bucket("uploads")
        .key("k")
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .checksum_type(ChecksumType::FullObject);
    let id = begun.send().await.unwrap().upload_id().unwrap().to_owned();
    let part = send_part(&s3, "k", &id, 1, b"123456789".to_vec()).await;
    let complete = || {
        let parts = CompletedMultipartUpload::builder().parts(part.clone());
        s3.complete_multipart_upload()
            .bucket("uploads")
            .key("k")
            .upload_id(&id)
            .multipart_upload(parts.build())
    };
    for (asked, code) in [
        (complete().checksum_crc32("AAAAAA=="), "BadDigest"),
        (complete().checksum_crc32("bad"), "BadDigest"),
        (complete().mpu_object_size(8), "InvalidRequest"),
        (
            complete().checksum_type(ChecksumType::Composite),
            "InvalidRequest",
        ),
    ] {
        assert_eq!(asked.send().await.unwrap_err().code(), Some(code));
    }
    let done = complete().checksum_crc32("y/Q5Jg==").mpu_object_size(9);
    let done = done.send().await.unwrap();
    assert_eq!(done.checksum_crc32(), Some("y/Q5Jg=="));
}

#[tokio::test]
async fn a_part_without_its_uploads_checksum_is_refused() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let begun = s3.create_multipart_upload().bucket("uploads").key("k");
    let begun = begun.checksum_algorithm(ChecksumAlgorithm::Sha256).send();
    let id = begun.await.unwrap().upload_id().unwrap().to_owned();
    let part = || {
        s3.upload_part()
            .bucket("uploads")
            .key("k")
            .upload_id(&id)
            .part_number(1)
    };
    let other = part()
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .body(ByteStream::from_static(b"x"));
    assert_eq!(
        other.send().await.unwrap_err().code(),
        Some("InvalidRequest")
    );
    let expires = PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let url = part().presigned(expires).await.unwrap();
    let sent = reqwest::Client::new().put(url.uri()).body("x").send();
    let answer = sent.await.unwrap();
    assert_eq!(answer.status(), 400);
    let text = answer.text().await.unwrap();
    assert!(text.contains("actual checksum Type: null"), "{text}");
}

#[tokio::test]
async fn parts_and_uploads_are_listed_in_pages() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let id = begin(&s3, "a/k").await;
    for number in [3, 1, 2] {
        send_part(&s3, "a/k", &id, number, vec![b'x'; 3]).await;
    }
    let list = s3.list_parts().bucket("uploads").key("a/k").upload_id(&id);
    let first = list.clone().max_parts(2).send().await.unwrap();
    let numbers = |parts: &[aws_sdk_s3::types::Part]| -> Vec<i32> {
        parts
            .iter()
            .filter_map(aws_sdk_s3::types::Part::part_number)
            .collect()
    };
    assert_eq!(numbers(first.parts()), [1, 2]);
    assert_eq!(first.is_truncated(), Some(true));
    assert_eq!(first.next_part_number_marker(), Some("2"));
    assert_eq!(first.parts()[0].size(), Some(3));
    let second = list.part_number_marker("2").send().await.unwrap();
    assert_eq!(numbers(second.parts()), [3]);
    assert_eq!(second.is_truncated(), Some(false));

    begin(&s3, "a/l").await;
    let (third, fourth) = (begin(&s3, "b").await, begin(&s3, "b").await);
    let list = s3.list_multipart_uploads().bucket("uploads");
    let folded = list.clone().delimiter("/").max_uploads(2).send();
    let folded = folded.await.unwrap();
    let prefixes = folded.common_prefixes().iter().filter_map(|p| p.prefix());
    assert_eq!(prefixes.collect::<Vec<_>>(), ["a/"]);
    let ids: Vec<_> = folded
        .uploads()
        .iter()
        .filter_map(|u| u.upload_id())
        .collect();
    assert_eq!(ids, [third.as_str()]);
    assert_eq!(folded.is_truncated(), Some(true));
    let rest = list
        .key_marker(folded.next_key_marker().unwrap())
        .upload_id_marker(folded.next_upload_id_marker().unwrap())
        .send()
        .await
        .unwrap();
    let ids: Vec<_> = rest
        .uploads()
        .iter()
        .filter_map(|u| u.upload_id())
        .collect();
    assert_eq!(ids, [fourth.as_str()]);
}

#[tokio::test]
async fn object_attributes_list_parts_in_pages() {
    let app = spawn_app().await;
    let (etag, whole) = two_parts(&app, "k").await;
    let ask = || {
        app.s3()
            .get_object_attributes()
            .bucket("uploads")
            .key("k")
            .object_attributes(ObjectAttributes::Etag)
            .object_attributes(ObjectAttributes::ObjectParts)
            .object_attributes(ObjectAttributes::ObjectSize)
            .object_attributes(ObjectAttributes::StorageClass)
    };
    let told = ask().max_parts(1).send().await.unwrap();
    assert_eq!(told.e_tag(), Some(etag.trim_matches('"')));
    assert_eq!(told.object_size(), i64::try_from(whole.len()).ok());
    assert_eq!(told.storage_class().unwrap().as_str(), "STANDARD");
    let parts = told.object_parts().unwrap();
    assert_eq!(parts.total_parts_count(), Some(2));
    assert_eq!(parts.is_truncated(), Some(true));
    assert_eq!(parts.parts().len(), 1);
    let marker = parts.next_part_number_marker().unwrap();
    let rest = ask().part_number_marker(marker).send().await.unwrap();
    let parts = rest.object_parts().unwrap();
    assert_eq!(parts.is_truncated(), Some(false));
    assert_eq!(parts.parts()[0].size(), Some(3));
    let none = app
        .s3()
        .get_object_attributes()
        .bucket("uploads")
        .key("none");
    let none = none.object_attributes(ObjectAttributes::Etag).send().await;
    assert_eq!(none.unwrap_err().code(), Some("NoSuchKey"));
}

/// A request: method, query, headers and body.
type Case<'a> = (
    &'a str,
    &'a [(&'a str, &'a str)],
    &'a [(&'a str, &'a str)],
    &'a str,
);

#[tokio::test]
async fn a_checksum_of_an_unknown_algorithm_is_refused_wherever_it_is_stated() {
    let app = spawn_app().await;
    let id = begin(&app.s3(), "k").await;
    let part = send_part(&app.s3(), "k", &id, 1, b"part".to_vec()).await;
    let etag = part.e_tag().unwrap();
    let upload = [("uploadId", id.as_str())];
    let numbered = [("uploadId", id.as_str()), ("partNumber", "2")];
    let plain = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let stating = plain.replace("</Part>", "<ChecksumSHA512>AAAA</ChecksumSHA512></Part>");
    let copy = ("x-amz-copy-source", "/uploads/k");
    let value = ("x-amz-checksum-xxhash3", "AAAA");
    let algorithm = ("x-amz-checksum-algorithm", "XXHASH3");
    let sdk_algorithm = ("x-amz-sdk-checksum-algorithm", "SHA512");
    let trailer = ("x-amz-trailer", "x-amz-checksum-md5");
    let known = ("x-amz-checksum-crc32", "AAAAAA==");
    let cases: [Case<'_>; 12] = [
        ("POST", &[("uploads", "")], &[algorithm], ""),
        ("POST", &[("uploads", "")], &[sdk_algorithm], ""),
        ("PUT", &numbered, &[value], "part"),
        ("PUT", &numbered, &[known, value], "part"),
        ("PUT", &numbered, &[sdk_algorithm], "part"),
        ("PUT", &numbered, &[trailer], "part"),
        ("PUT", &numbered, &[copy, algorithm], ""),
        ("PUT", &[], &[copy, algorithm], ""),
        ("PUT", &[], &[value], "body"),
        ("POST", &upload, &[value], &plain),
        ("POST", &upload, &[trailer], &plain),
        ("POST", &upload, &[], &stating),
    ];
    for (method, query, headers, body) in cases {
        let answer = ask(&app, (method, "/uploads/k", query), headers, body).await;
        let refused = (answer.status, answer.element("Code"));
        assert_eq!(
            refused,
            (400, Some("InvalidRequest")),
            "{method} {query:?} {headers:?}"
        );
    }
    assert_eq!(
        ask(&app, ("HEAD", "/uploads/k", &[]), &[], "").await.status,
        404
    );
    let listed = ask(&app, ("GET", "/uploads/k", &upload), &[], "").await;
    assert_eq!(listed.body.matches("<Part>").count(), 1, "{}", listed.body);
    let completed = ask(&app, ("POST", "/uploads/k", &upload), &[], &plain).await;
    assert_eq!(completed.status, 200, "{}", completed.body);
}
