// Plane's SDK for Node as its users have it. Ends with 0 where all of it holds.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import sdk from "@makeplane/plane-node-sdk";

const [baseUrl, apiKey] = process.argv.slice(2);
const plane = new sdk.PlaneClient({ baseUrl, apiKey });
const [project, item] = [randomUUID(), randomUUID()];

async function upload({ url, fields }, bytes) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob([bytes]));
  const answer = await fetch(url, { method: "POST", body: form });
  assert.equal(answer.status, 204, await answer.text());
}

assert.equal((await plane.users.me()).email, "ada@example.com");

const picture = Buffer.from("89504e470d0a1a0a0000000d4948445200000001", "hex");
const avatar = await plane.users.uploadAsset({ name: "me.png", type: "image/png", size: picture.length, entity_type: "USER_AVATAR" });
await upload(avatar.upload_data, picture);
const shown = await fetch(baseUrl + avatar.asset_url);
assert.deepEqual(Buffer.from(await shown.arrayBuffer()), picture);

const { attachments } = plane.workItems;
const text = "some notes";
const asked = await attachments.create("acme", project, item, { name: "notes ą.txt", type: "text/plain", size: text.length });
await upload(asked.upload_data, text);
await attachments.update("acme", project, item, asked.asset_id, { is_uploaded: true });
const [listed, ...others] = await attachments.list("acme", project, item);
assert.deepEqual([listed.id, listed.size, listed.attributes.name, others], [asked.asset_id, text.length, "notes ą.txt", []]);
assert.equal(await attachments.retrieve("acme", project, item, asked.asset_id), text);
await attachments.delete("acme", project, item, asked.asset_id);
assert.deepEqual(await attachments.list("acme", project, item), []);
console.log("all of it holds");
