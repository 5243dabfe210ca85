// MinIO's SDK for JavaScript. Ends with 0 where all of it holds.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import * as minio from "minio";

const [endpoint, bucket] = process.argv.slice(2);
const { protocol, hostname, port } = new URL(endpoint);
const client = new minio.Client({
  endPoint: hostname,
  port: Number(port),
  useSSL: protocol === "https:",
  accessKey: process.env.AWS_ACCESS_KEY_ID,
  secretKey: process.env.AWS_SECRET_ACCESS_KEY,
});
const read = async (key) => Buffer.concat(await (await client.getObject(bucket, key)).toArray());
const list = async (...how) => (await client.listObjectsV2(bucket, ...how).toArray()).map((one) => one.name ?? one.prefix);

await test("buckets", async () => {
  assert.equal(await client.bucketExists(bucket), true);
  assert.equal(await client.bucketExists("no-such-bucket"), false);
  await client.makeBucket(`${bucket}-2`);
  assert.ok((await client.listBuckets()).some((one) => one.name === `${bucket}-2`));
  await client.removeBucket(`${bucket}-2`);
});

await test("an object with what is said of it", async () => {
  await client.putObject(bucket, "a", "hello", 5, { "Content-Type": "text/plain", "X-Amz-Meta-Mood": "fine" });
  const stat = await client.statObject(bucket, "a");
  assert.deepEqual([stat.size, stat.metaData["content-type"], stat.metaData.mood], [5, "text/plain", "fine"]);
  assert.equal((await read("a")).toString(), "hello");
  await assert.rejects(client.statObject(bucket, "none"), { code: "NotFound" });
  await assert.rejects(client.getObject(bucket, "none"), { code: "NoSuchKey" });
});

await test("odd keys", async () => {
  for (const key of ["ü ☕+&%.png", "a+b c%20d%2Fe", "😀/😀", "q?a=b#c", "it's (1)!*~"]) {
    await client.putObject(bucket, key, key);
    assert.equal((await read(key)).toString(), key);
    assert.equal(await (await fetch(await client.presignedGetObject(bucket, key, 60))).text(), key);
    assert.ok((await list("", true)).includes(key));
    await client.copyObject(bucket, "copy", `/${bucket}/${key}`);
    await client.removeObject(bucket, key);
  }
});

await test("a stream goes in parts", async () => {
  const whole = Buffer.concat(Array(20 * 1024 * 16).fill(createHash("sha512").update("seed").digest()));
  const pieces = Array.from({ length: 20 }, (_, at) => whole.subarray(at << 20, (at + 1) << 20));
  await client.putObject(bucket, "large", Readable.from(pieces, { objectMode: false }), whole.length);
  assert.ok(whole.equals(await read("large")));
});

await test("listing and removing many", async () => {
  for (let at = 0; at < 20; at++) await client.putObject(bucket, `many/${at}`, "x");
  assert.equal((await list("many/", true)).length, 20);
  assert.ok((await list("", false)).includes("many/"));
  await client.removeObjects(bucket, await list("many/", true));
  assert.deepEqual(await list("many/", true), []);
});

await test("tags, policies, presigned", async () => {
  await client.setObjectTagging(bucket, "a", { t: "one" });
  assert.deepEqual(await client.getObjectTagging(bucket, "a"), [{ Key: "t", Value: "one" }]);
  const policy = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal: { AWS: ["*"] }, Action: ["s3:GetObject"], Resource: [`arn:aws:s3:::${bucket}/*`] }] };
  await client.setBucketPolicy(bucket, JSON.stringify(policy));
  assert.deepEqual(JSON.parse(await client.getBucketPolicy(bucket)), policy);
  assert.equal(await (await fetch(`${endpoint}/${bucket}/a`)).text(), "hello");
  assert.equal((await fetch(await client.presignedPutObject(bucket, "put", 60), { method: "PUT", body: "x" })).status, 200);
  const form = client.newPostPolicy();
  form.setBucket(bucket);
  form.setKey("posted");
  form.setExpires(new Date(Date.now() + 60_000));
  const { postURL, formData } = await client.presignedPostPolicy(form);
  const data = new FormData();
  for (const [name, value] of Object.entries(formData)) data.append(name, value);
  data.append("file", new Blob(["hello"]), "me.txt");
  assert.equal((await fetch(postURL, { method: "POST", body: data })).status, 204);
});

async function test(name, body) {
  try {
    await body();
    console.log(`ok: ${name}`);
  } catch (error) {
    console.log(`FAILED: ${name}\n${error.stack}\n${error.code ?? ""}`);
    process.exitCode = 1;
  }
}
