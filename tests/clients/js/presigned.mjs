// Signers whose URLs state more than a signature: aws4fetch, and getSignedUrl of the AWS SDK for JavaScript, versions 2 and 3.
// Ends with 0 where all of it holds.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as s3 from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import v2 from "aws-sdk";
import { AwsClient } from "aws4fetch";

const [endpoint, Bucket] = process.argv.slice(2);
const accessKeyId = process.env.AWS_ACCESS_KEY_ID;
const secretAccessKey = process.env.AWS_SECRET_ACCESS_KEY;
const old = new v2.S3({ endpoint, accessKeyId, secretAccessKey, region: "us-east-1", s3ForcePathStyle: true, signatureVersion: "v4" });
const client = new s3.S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, maxAttempts: 1 });
const fetcher = new AwsClient({ accessKeyId, secretAccessKey, region: "us-east-1", service: "s3", retries: 0 });
const head = (Key) => client.send(new s3.HeadObjectCommand({ Bucket, Key }));
const put = async (url, headers, body = "a") => {
  const answer = await fetch(url, { method: "PUT", headers, body });
  return [answer.status, /<Code>(.*?)<\/Code>/.exec(await answer.text())?.[1]];
};
const taken = [200, undefined];
const md5 = createHash("md5").update("a").digest("base64");

await test("version 2: headers of Amazon's are in the query alone", async () => {
  const url = old.getSignedUrl("putObject", { Bucket, Key: "v2/amz", ACL: "private", Metadata: { mood: "two words + one" }, Tagging: "t=1", StorageClass: "STANDARD" });
  assert.match(url, /x-amz-meta-mood=/);
  assert.deepEqual(await put(url), taken);
  assert.deepEqual((await head("v2/amz")).Metadata, { mood: "two words + one" });
  const tags = await client.send(new s3.GetObjectTaggingCommand({ Bucket, Key: "v2/amz" }));
  assert.deepEqual(tags.TagSet, [{ Key: "t", Value: "1" }]);
  assert.deepEqual(await put(url, { "x-amz-meta-mood": "other" }), [403, "SignatureDoesNotMatch"]);
});

await test("version 2: headers of HTTP are in the query, and sent", async () => {
  const url = old.getSignedUrl("putObject", { Bucket, Key: "v2/http", ContentType: "image/png", CacheControl: "max-age=60", ContentMD5: md5 });
  const sent = { "content-type": "image/png", "cache-control": "max-age=60", "content-md5": md5 };
  assert.deepEqual(await put(url, sent), taken);
  const { ContentType, CacheControl } = await head("v2/http");
  assert.deepEqual([ContentType, CacheControl], ["image/png", "max-age=60"]);
  assert.deepEqual(await put(url, { ...sent, "content-type": "text/html" }), [400, "InvalidArgument"]);
  assert.deepEqual(await put(url, sent, "b"), [400, "BadDigest"]);
});

await test("version 2: every operation", async () => {
  const ask = async (operation, more, method = "GET") => (await fetch(old.getSignedUrl(operation, { Bucket, Key: "v2/http", ...more }), { method })).status;
  assert.equal(await ask("headObject", {}, "HEAD"), 200);
  assert.equal(await ask("getObject", { ResponseContentDisposition: 'attachment; filename="a & b+c.png"' }), 200);
  assert.equal(await ask("getObjectTagging"), 200);
  assert.equal(await (await fetch(old.getSignedUrl("listObjectsV2", { Bucket, Prefix: "v2/" }))).status, 200);
  assert.equal(await ask("createMultipartUpload", { ContentType: "image/png", ACL: "private", Metadata: { a: "b" } }, "POST"), 200);
  assert.equal(await ask("deleteObject", {}, "DELETE"), 204);
});

await test("version 3: what its presigner signs", async () => {
  const input = { Bucket, Key: "v3", ACL: "private", Metadata: { mood: "two words + one" }, Tagging: "t=1", ContentType: "image/png", CacheControl: "max-age=60" };
  const sent = { "content-type": "image/png", "cache-control": "max-age=60" };
  const url = await getSignedUrl(client, new s3.PutObjectCommand(input), { expiresIn: 60 });
  assert.deepEqual(await put(url, sent), taken);
  assert.deepEqual((await head("v3")).Metadata, { mood: "two words + one" });
  const signed = await getSignedUrl(client, new s3.PutObjectCommand(input), { signableHeaders: new Set(["content-type"]), expiresIn: 60 });
  assert.deepEqual(await put(signed, sent), taken);
  assert.equal((await put(signed, { ...sent, "content-type": "text/html" }))[0], 403);
  const kept = await getSignedUrl(client, new s3.PutObjectCommand(input), { unhoistableHeaders: new Set(["x-amz-meta-mood"]), expiresIn: 60 });
  assert.deepEqual(await put(kept, { ...sent, "x-amz-meta-mood": "two words + one" }), taken);
  assert.equal((await put(kept, { ...sent, "x-amz-meta-mood": "other" }))[0], 403);
});

await test("version 3: a parameter of one's own, signed", async () => {
  const command = new s3.PutObjectCommand({ Bucket, Key: "own" });
  command.middlewareStack.add((next) => (args) => { args.request.query = { ...args.request.query, userId: "5", v2: "" }; return next(args); }, { step: "build" });
  const url = await getSignedUrl(client, command, { expiresIn: 60 });
  assert.match(url, /userId=5/);
  assert.deepEqual(await put(url), taken);
});

await test("aws4fetch: a space is a plus in what it sends", async () => {
  for (const Key of ["fetch/a b.txt", "fetch/a+b.txt"]) await client.send(new s3.PutObjectCommand({ Bucket, Key, Body: Key }));
  const names = async (prefix, signQuery) => {
    const url = new URL(`${endpoint}/${Bucket}`);
    url.searchParams.set("list-type", "2");
    url.searchParams.set("prefix", prefix);
    const signed = await fetcher.sign(url, { aws: { signQuery } });
    assert.match(signed.url, /\+|%2B/);
    const answer = await fetch(signed);
    assert.equal(answer.status, 200);
    return [...(await answer.text()).matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key);
  };
  for (const signQuery of [true, false]) {
    assert.deepEqual(await names("fetch/a b", signQuery), ["fetch/a b.txt"]);
    assert.deepEqual(await names("fetch/a+b", signQuery), ["fetch/a+b.txt"]);
  }
  const url = new URL(`${endpoint}/${Bucket}/fetch/a%20b.txt`);
  url.searchParams.set("response-content-disposition", 'attachment; filename="my file.txt"');
  const signed = await fetcher.sign(url, { aws: { signQuery: true } });
  assert.match(signed.url, /attachment%3B\+filename/);
  assert.equal((await fetch(signed)).headers.get("content-disposition"), 'attachment; filename="my file.txt"');
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
