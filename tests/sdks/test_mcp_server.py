"""Plane's MCP server, pointed at hangar: what an assistant does with the files of a work item."""

import asyncio
import json
import sys
import uuid
from pathlib import Path

import requests
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from plane import PlaneClient

PROJECT, ITEM = str(uuid.uuid4()), str(uuid.uuid4())


async def walk(hangar, token, attached):
    program = str(Path(sys.executable).parent / "plane-mcp-server")
    settings = {"PLANE_BASE_URL": hangar.url, "PLANE_API_KEY": token, "PLANE_WORKSPACE_SLUG": "acme"}
    server = StdioServerParameters(command=program, args=["stdio"], env=settings)
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()

        async def call(action, **more):
            asked = {"action": action, "project_id": PROJECT, "workitem_id": ITEM, **more}
            answer = await session.call_tool("workitem_attachment", asked)
            assert not answer.isError, answer
            return "".join(one.text for one in answer.content)

        assert attached in await call("list")
        assert "some notes" in await call("read", attachment_id=attached)
        url = await call("download_url", attachment_id=attached)
        url = url if url.startswith("http") else next(iter(json.loads(url).values()))
        assert requests.get(url, timeout=20).content == b"some notes"
        await call("delete", attachment_id=attached)
        assert attached not in await call("list")


def test_an_attachment_is_listed_read_downloaded_and_deleted(hangar):
    token = hangar.make_token("ada@example.com")["token"]
    # Its own upload takes only files of the public internet.
    attachments = PlaneClient(base_url=hangar.url, api_key=token).work_items.attachments
    attached = attachments.upload_from_bytes("acme", PROJECT, ITEM, b"some notes", "notes.txt", "text/plain").id
    asyncio.run(asyncio.wait_for(walk(hangar, token, attached), 120))
