// The AWS SDK for JavaScript as its users have it: streams, parts, presigned URLs and forms. Ends with 0 where all of it holds.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import * as s3 from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const [endpoint, Bucket] = process.argv.slice(2);
const client = new s3.S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, maxAttempts: 1 });
const send = (Command, input) => client.send(new Command({ Bucket, ...input }));
const read = async (Key, more) => Buffer.from(await (await send(s3.GetObjectCommand, { Key, ...more })).Body.transformToByteArray());
const refused = async (promise, name, status) => {
  await assert.rejects(promise, (error) => {
    assert.deepEqual([error.name, error.$metadata.httpStatusCode], [name, status]);
    return true;
  });
};

await test("an object with what is said of it", async () => {
  await send(s3.PutObjectCommand, { Key: "a", Body: "hello", ContentType: "text/plain", Metadata: { mood: "fine" }, Tagging: "t=1" });
  const head = await send(s3.HeadObjectCommand, { Key: "a" });
  assert.deepEqual([head.ContentLength, head.ContentType, head.Metadata], [5, "text/plain", { mood: "fine" }]);
  assert.equal((await read("a")).toString(), "hello");
  assert.equal((await read("a", { Range: "bytes=1-2" })).toString(), "el");
  assert.deepEqual((await send(s3.GetObjectTaggingCommand, { Key: "a" })).TagSet, [{ Key: "t", Value: "1" }]);
  await refused(send(s3.GetObjectCommand, { Key: "none" }), "NoSuchKey", 404);
  await refused(send(s3.HeadObjectCommand, { Key: "none" }), "NotFound", 404);
  await refused(send(s3.GetObjectCommand, { Key: "a", IfMatch: '"other"' }), "PreconditionFailed", 412);
  await refused(send(s3.PutObjectCommand, { Key: "a", Body: "x", IfNoneMatch: "*" }), "PreconditionFailed", 412);
});

await test("odd keys", async () => {
  for (const Key of ["ü ☕+&%.png", "a+b c%20d%2Fe", "a//b", "/leading", "😀/😀", "x".repeat(1024), "q?a=b#c", "it's (1)!*~"]) {
    await send(s3.PutObjectCommand, { Key, Body: Key });
    assert.equal((await read(Key)).toString(), Key);
    const url = await getSignedUrl(client, new s3.GetObjectCommand({ Bucket, Key }), { expiresIn: 60 });
    assert.equal(await (await fetch(url)).text(), Key);
    await send(s3.CopyObjectCommand, { Key: "copy", CopySource: `${Bucket}/${encodeURIComponent(Key)}` });
    assert.equal((await read("copy")).toString(), Key);
    await send(s3.DeleteObjectCommand, { Key });
  }
});

await test("a stream of unknown length goes in parts", async () => {
  const chunk = createHash("sha512").update("seed").digest();
  const whole = Buffer.concat(Array(20 * 1024 * 16).fill(chunk));
  const pieces = Array.from({ length: 20 }, (_, at) => whole.subarray(at << 20, (at + 1) << 20));
  const upload = new Upload({ client, params: { Bucket, Key: "large", Body: Readable.from(pieces) }, partSize: 8 << 20 });
  const made = await upload.done();
  assert.match(made.ETag, /-3"$/);
  assert.ok(whole.equals(await read("large")));
});

for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
  await test(`a body with ${ChecksumAlgorithm}`, async () => {
    const put = await send(s3.PutObjectCommand, { Key: "sum", Body: "hello", ChecksumAlgorithm });
    const got = await send(s3.HeadObjectCommand, { Key: "sum", ChecksumMode: "ENABLED" });
    assert.ok(put[`Checksum${ChecksumAlgorithm}`]);
    assert.equal(got[`Checksum${ChecksumAlgorithm}`], put[`Checksum${ChecksumAlgorithm}`]);
  });
}

await test("listing and deleting many", async () => {
  for (let at = 0; at < 25; at++) await send(s3.PutObjectCommand, { Key: `many/${String(at).padStart(2, "0")}`, Body: "" });
  const keys = [];
  for await (const page of s3.paginateListObjectsV2({ client, pageSize: 10 }, { Bucket, Prefix: "many/" })) keys.push(...page.Contents.map((one) => one.Key));
  assert.equal(keys.length, 25);
  const told = await send(s3.DeleteObjectsCommand, { Delete: { Objects: keys.map((Key) => ({ Key })) } });
  assert.equal(told.Deleted.length, 25);
  assert.equal((await send(s3.ListObjectsV2Command, { Prefix: "many/" })).KeyCount, 0);
  await refused(client.send(new s3.ListObjectsV2Command({ Bucket: "no-such-bucket" })), "NoSuchBucket", 404);
});

await test("a presigned PUT and a form", async () => {
  const url = await getSignedUrl(client, new s3.PutObjectCommand({ Bucket, Key: "put" }), { expiresIn: 60 });
  assert.equal((await fetch(url, { method: "PUT", body: "hello" })).status, 200);
  const form = await createPresignedPost(client, { Bucket, Key: "posted", Conditions: [["content-length-range", 1, 10]], Fields: { "Content-Type": "text/plain" } });
  const post = async (text) => {
    const data = new FormData();
    for (const [name, value] of Object.entries(form.fields)) data.append(name, value);
    data.append("file", new Blob([text]), "me.txt");
    return (await fetch(form.url, { method: "POST", body: data })).status;
  };
  assert.equal(await post("hello"), 204);
  assert.equal(await post("far too long"), 400);
  assert.equal((await read("posted")).toString(), "hello");
});

async function test(name, body) {
  try {
    await body();
    console.log(`ok: ${name}`);
  } catch (error) {
    console.log(`FAILED: ${name}\n${error.stack}\n${JSON.stringify(error.$metadata ?? {})}`);
    process.exitCode = 1;
  }
}
