"""Tests hostile and damaged GLBs: each raises a UserError that names the file, in little memory and time."""

import base64
import io
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.fakes.curation_stages import over_batches
from tests.fakes.glbs import invisible, jar_glb, monochrome, pale
from tests.fakes.hostile_pictures import png_claiming
from vaserl.curation.bodies.turntable import Turntable
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.settings import TurntableSettings
from vaserl.curation.stages.turntable import TURNTABLE
from vaserl.errors import UserError
from vaserl.files import glb as glb_check
from vaserl.files.glb import check_glb
from vaserl.meshes.film import ONE_COLOUR
from vaserl.meshes.glb import load_mesh

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes() + np.array([0, 1, 2, 0], "<u2").tobytes()


def header(**changes: Any) -> dict[str, Any]:
    whole = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "buffers": [{"byteLength": len(TRIANGLE)}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 36},
            {"buffer": 0, "byteOffset": 36, "byteLength": 8},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]},
            {"bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR"},
        ],
    }
    return whole | changes


def glb(head: dict[str, Any] | bytes, data: bytes = TRIANGLE) -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    text += b" " * (-len(text) % 4)
    data += b"\0" * (-len(data) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def textured(picture: bytes) -> bytes:
    data = TRIANGLE + picture
    views = [*header()["bufferViews"], {"buffer": 0, "byteOffset": len(TRIANGLE), "byteLength": len(picture)}]
    return glb(
        header(
            buffers=[{"byteLength": len(data)}],
            bufferViews=views,
            images=[{"bufferView": 2, "mimeType": "image/png"}],
            textures=[{"source": 0}],
            materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        ),
        data,
    )


def with_two_buffers(beside: bytes, within: bytes) -> bytes:
    """Returns a GLB with a texture in a second buffer, embedded in the header. The binary chunk has another texture at
    the same offset."""
    picture = beside.ljust(len(within), b"\0")
    where = {"byteOffset": len(TRIANGLE), "byteLength": len(picture)}
    return glb(
        header(
            buffers=[
                {"byteLength": len(TRIANGLE)},
                {
                    "byteLength": len(TRIANGLE) + len(picture),
                    "uri": "data:application/octet-stream;base64,"
                    + base64.b64encode(b"\0" * len(TRIANGLE) + picture).decode(),
                },
            ],
            bufferViews=[*header()["bufferViews"], {"buffer": 1, **where}],
            images=[{"bufferView": 2, "mimeType": "image/png"}],
            textures=[{"source": 0}],
            materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        ),
        TRIANGLE + within,
    )


def with_accessor(index: int, **changes: Any) -> bytes:
    accessors = header()["accessors"]
    accessors[index] = accessors[index] | changes
    return glb(header(accessors=accessors))


def with_vertices(values: list[list[float]]) -> bytes:
    return glb(header(), np.array(values, "<f4").tobytes() + TRIANGLE[36:])


def data_uri(content: bytes) -> str:
    return "data:application/octet-stream;base64," + base64.b64encode(content).decode()


def gif() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (4, 4)).save(content, format="GIF")
    return content.getvalue()


def uri(text: str) -> bytes:
    return glb(header(buffers=[{"byteLength": len(TRIANGLE), "uri": text}]))


NASTY: dict[str, tuple[Callable[[], bytes], str]] = {
    "a picture behind another": (
        lambda: with_two_buffers(png_claiming(9_000, 9_000), png_claiming(1, 1)),
        "9000 x 9000 pixels",
    ),
    "nan": (lambda: with_vertices([[float("nan"), 0, 0], [1, 0, 0], [0, 1, 0]]), "not finite"),
    "infinite": (lambda: with_vertices([[float("inf"), 0, 0], [1, 0, 0], [0, 1, 0]]), "not finite"),
    "huge": (lambda: with_vertices([[1e30, 0, 0], [1, 0, 0], [0, 1, 0]]), "too large"),
    "one point": (lambda: with_vertices([[1, 2, 3]] * 3), "no surface"),
    "a line": (lambda: with_vertices([[0, 0, 0], [1, 1, 1], [2, 2, 2]]), "no surface"),
    "no faces": (lambda: with_accessor(1, count=0), "no triangles|damaged"),
    "ten million faces": (lambda: with_accessor(1, count=30_000_000), "claims 30,000,000 values"),
    "ten million faces of zeros": (
        lambda: glb(header(accessors=[{"componentType": 5126, "count": 10_000_000, "type": "VEC3"}] * 2)),
        "vertices; the limits|decimate",
    ),
    "more faces than bytes": (lambda: with_accessor(1, count=300), "doesn't fit its 8 bytes"),
    "instances": (
        lambda: glb(
            header(
                accessors=[
                    *header()["accessors"],
                    {"componentType": 5125, "count": 3_000_000, "type": "SCALAR"},
                ],
                meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "indices": 2}]}],
                nodes=[{"mesh": 0}] * 6,
                scenes=[{"nodes": [0, 1, 2, 3, 4, 5]}],
            )
        ),
        "6,000,000 faces",
    ),
    "faces without vertices": (lambda: glb(header(), TRIANGLE[:36] + struct.pack("<4H", 0, 1, 60000, 0)), "damaged"),
    "cut off": (lambda: glb(header())[:-20], "cut off"),
    "cut off in the header": (lambda: glb(header())[:60], "cut off"),
    "empty": (lambda: b"glTF", "it ends after 4 bytes"),
    "no json": (lambda: glb(b"{'not': json}"), "damaged"),
    "deep json": (lambda: glb(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"), "damaged"),
    "json list": (lambda: glb(b"[1, 2]"), "not a JSON object"),
    "other version": (lambda: struct.pack("<4sII", b"glTF", 1, 99) + glb(header())[12:], "version 1"),
    # version 1 has the length and the format of its content where version 2 has its first chunk
    "version 1": (
        lambda: struct.pack("<4sIIII", b"glTF", 1, 66, 2, 0) + b"{}" + TRIANGLE,
        "binary glTF of version 1; only version 2",
    ),
    "data in a chunk of another kind": (
        lambda: glb(header()).replace(b"BIN\0", b"MORE"),
        "claims 44 bytes of data and has 0",
    ),
    "data that goes on in the next chunk": (
        lambda: glb(header(buffers=[{"byteLength": 48}])) + struct.pack("<I4s", 0, b"MORE"),
        "claims 48 bytes of data and has 44",
    ),
    "external file": (lambda: uri("model.bin"), "refers to 'model.bin' outside"),
    "path traversal": (lambda: uri("../../../../etc/passwd"), "refers to .*passwd.* outside"),
    "absolute path": (lambda: uri("file:///etc/passwd"), "refers to .* outside"),
    "another host": (lambda: uri("http://localhost:9/x.bin"), "refers to .* outside"),
    "picture elsewhere": (lambda: glb(header(images=[{"uri": "/etc/passwd"}])), "refers to '/etc/passwd' outside"),
    "bad base64": (lambda: uri("data:application/octet-stream;base64,@@@"), "can't be decoded"),
    "absurd texture": (lambda: textured(png_claiming(60_000, 60_000)), "texture of|texture that can't be read"),
    "large texture": (lambda: textured(png_claiming(9_000, 9_000)), "texture of 9000 x 9000"),
    "no picture": (lambda: textured(b"not a picture at all"), "texture that can't be read"),
    "data that ends before its chunk": (
        lambda: glb(header())[:-52] + struct.pack("<I4s", 4000, b"BIN\0") + TRIANGLE,
        "of data of 4,000",
    ),
    "view that begins late": (
        lambda: glb(header(bufferViews=[{"buffer": 0, "byteOffset": 8, "byteLength": 40}] * 2)),
        "exceeds its buffer",
    ),
    "list that begins late": (lambda: with_accessor(1, byteOffset=4), "3 values doesn't fit its 8 bytes"),
    "list with gaps": (
        lambda: glb(
            header(
                bufferViews=[
                    {"buffer": 0, "byteOffset": 0, "byteLength": 36, "byteStride": 16},
                    header()["bufferViews"][1],
                ]
            )
        ),
        "3 values doesn't fit its 36 bytes",
    ),
    "view beyond": (
        lambda: glb(header(bufferViews=[{"buffer": 0, "byteLength": 36}, {"buffer": 0, "byteLength": 999}])),
        "exceeds its buffer",
    ),
    "negative offset": (
        lambda: glb(header(bufferViews=[{"buffer": 0, "byteOffset": -4, "byteLength": 36}] * 2)),
        "-4 where a natural number is expected",
    ),
    "index out of range": (lambda: with_accessor(1, bufferView=77), "damaged"),
    "nodes in a circle": (
        lambda: glb(header(nodes=[{"mesh": 0, "children": [1]}, {"children": [0]}])),
        "don't form a tree",
    ),
    "node with two parents": (
        lambda: glb(header(nodes=[{"children": [2]}, {"children": [2]}, {"mesh": 0}], scenes=[{"nodes": [0, 1]}])),
        "don't form a tree",
    ),
    "node with two parents beside a circle": (
        lambda: glb(header(nodes=[{"children": [2]}, {"children": [2]}, {"mesh": 0}, {"children": [3]}])),
        "don't form a tree",
    ),
    "no header first": (lambda: glb(header()).replace(b"JSON", b"JUNK"), "not a GLB model"),
    "more data than there is": (
        lambda: glb(header(buffers=[{"byteLength": 4000}])),
        "claims 4,000 bytes of data and has 44",
    ),
    "true for a number": (lambda: with_accessor(1, count=True), "True where a natural number is expected"),
    "data that says not how": (lambda: uri(data_uri(TRIANGLE).replace(";base64", "")), "another way than as base64"),
    "picture of another kind": (lambda: textured(gif()), "texture that can't be read"),
    "compressed": (lambda: glb(header(extensionsRequired=["KHR_draco_mesh_compression"])), "KHR_draco"),
}


@pytest.mark.parametrize("name", NASTY)
def test_load_mesh_rejects_every_hostile_model_by_name(tmp_path: Path, name: str) -> None:
    make, reason = NASTY[name]
    path = tmp_path / "vase.glb"
    path.write_bytes(make())
    with pytest.raises(UserError, match=rf"(?s)vase\.glb: .*({reason})"):
        load_mesh(path)


@pytest.mark.parametrize(
    ("limit", "value", "changes", "reason"),
    [
        ("MAX_FILE_BYTES", 500, {}, r"[\d,]+ bytes; the limit is 500"),
        ("MAX_HEADER_BYTES", 100, {}, r"its header claims [\d,]+ bytes"),
        ("MAX_NODES", 1, {"nodes": [{"mesh": 0}, {}], "scenes": [{"nodes": [0, 1]}]}, "2 nodes; the limit is 1"),
        ("MAX_TEXTURES", 1, {"images": [{"uri": data_uri(png_claiming(1, 1))}] * 2}, "2 textures; the limit is 1"),
        ("MAX_VERTICES", 2, {}, "1 faces on 3 vertices; the limits are .* and 2; decimate"),
        # the second mesh is placed nowhere; the same mesh is placed twice
        ("MAX_FACES", 1, {"meshes": [*header()["meshes"], *header()["meshes"]]}, "2 faces on 6 vertices"),
        ("MAX_FACES", 1, {"nodes": [{"mesh": 0}] * 2, "scenes": [{"nodes": [0, 1]}]}, "2 faces on 6 vertices"),
        ("MAX_FACES", 2, {"meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "mode": 5}]}]}, "3 faces on 3"),
    ],
)
def test_check_glb_rejects_too_much_with_the_limit(tmp_path, monkeypatch, limit, value, changes, reason) -> None:
    path = tmp_path / "vase.glb"
    path.write_bytes(glb(header(**changes)))
    check_glb(path)
    monkeypatch.setattr(glb_check, limit, value)
    with pytest.raises(UserError, match=rf"vase\.glb: .*{reason}"):
        check_glb(path)


def test_load_mesh_rejects_all_hostile_models_in_little_memory(tmp_path: Path) -> None:
    """Loads the models in a process that has 1.5 GB of address space left and may open no other files."""
    for number, (make, _) in enumerate(NASTY.values()):
        (tmp_path / f"{number}.glb").write_bytes(make())
    script = (
        "import resource, sys, pathlib\n"
        "from vaserl.errors import UserError\n"
        "from vaserl.meshes.glb import load_mesh\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 1500 * 2**20,) * 2)\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == 'open' else None)\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.glb')):\n"
        "    try:\n"
        "        load_mesh(path)\n"
        "    except UserError:\n"
        "        continue\n"
        "    print(path, 'was taken')\n"
        "assert not [name for name in opened if 'passwd' in name or name.endswith('.bin')], opened\n"
        # not ru_maxrss, which a child inherits from its parent
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print('peak', int(peak.split()[1]) // 1024, 'MB')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("peak") and int(done.stdout.split()[1]) < 1000, done.stdout


def test_load_mesh_accepts_sound_models_with_texture_and_embedded_data(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 90, 40)).save(picture, format="PNG")
    for number, content in enumerate((glb(header()), textured(picture.getvalue()), uri(data_uri(TRIANGLE)))):
        path = tmp_path / f"{number}.glb"
        path.write_bytes(content)
        assert load_mesh(path).to_mesh().area == pytest.approx(0.5)
    trimesh.Scene([trimesh.creation.box(), trimesh.creation.icosphere()]).export(tmp_path / "scene.glb")
    assert len(load_mesh(tmp_path / "scene.glb").parts) == 2


FILMS = {
    "painted": (jar_glb(), ""),
    "two pale colours": (jar_glb(pale), ""),
    "empty": (jar_glb(invisible), "the turntable video is empty: 2 of 2 frames show nothing"),
    "one colour": (jar_glb(monochrome), ONE_COLOUR),
}


def test_turntable_stage_rejects_hostile_models_and_films_that_show_nothing(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    hostile = ["nan", "path traversal", "absurd texture", "cut off"]
    models = {name: NASTY[name][0]() for name in hostile} | {name: content for name, (content, _) in FILMS.items()}
    row = {"photo": "", "rejected_by": "", "reason": ""}
    rows = [row | {"vase_id": name, "mesh": f"models/{name}.glb"} for name in models]
    for name, content in models.items():
        (tmp_path / "models" / f"{name}.glb").write_bytes(content)
    settings = TurntableSettings(num_frames=2, fps=2.0, resolution=64)
    turntable = over_batches(TURNTABLE, Turntable, settings, tmp_path)
    rendered = {row["vase_id"]: row for row in rows_of(turntable(batch_of(rows)))}
    assert all(rendered[name]["rejected_by"] == "turntable" and rendered[name]["reason"] for name in hostile)
    assert {name: rendered[name]["reason"] for name in FILMS} == {name: reason for name, (_, reason) in FILMS.items()}
    assert {name for name, row in rendered.items() if row["clip"]} == {"painted", "two pale colours"}
